"""Operations as netlink messages, written by pyroute2 (rtnetlink(7))."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from pyroute2 import IPBatch

Encode: TypeAlias = Callable[[str, str, Mapping[str, Any]], bytes]
"""From an operation's api, verb and arguments to its message."""


@contextlib.contextmanager
def by_pyroute2() -> Iterator[Encode]:
    """What has pyroute2 encode one message at a time; a namespace is its descriptor's number."""
    with contextlib.closing(IPBatch()) as batch:

        def encode(api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
            batch.reset()
            getattr(batch, api)(verb, **_spelled_out(arguments))
            return bytes(batch.batch)

        yield encode


def _spelled_out(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A veth's far end attribute by attribute: pyroute2's shorthand has no way to choose its index."""
    if "peer" not in arguments:
        return dict(arguments)
    near = dict(arguments)
    far = dict(near.pop("peer"))
    index = far.pop("index")
    attributes = [(f"IFLA_{name.upper()}", value) for name, value in far.items()]
    info = [("VETH_INFO_PEER", {"index": index, "attrs": attributes})]
    kind = [("IFLA_INFO_KIND", near.pop("kind")), ("IFLA_INFO_DATA", {"attrs": info})]
    return {**near, "IFLA_LINKINFO": {"attrs": kind}}

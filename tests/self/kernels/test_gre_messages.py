"""GRE devices' messages, as the kernel has them: their flags in network order, over IPv4 and IPv6 alike."""

from __future__ import annotations

import struct

import pytest

from tests.self.kernels.dumps import state_of
from topology.formats.lab import load_lab_text
from topology.kernels.rtnl.templates import by_pyroute2
from topology.plan import make_plan
from topology.state import declared_link

LAB = """
lab: gre
nodes:
  a: {{role: leaf, addresses: {{e: "{a}/64"}}, gre: {{t: {{local: "{a}", remote: "{b}", {options}}}}}}}
  b: {{role: leaf, addresses: {{e: "{b}/64"}}, gre: {{t: {{local: "{b}", remote: "{a}", {options}}}}}}}
links: [[a:e, b:e]]
"""
SIX = {"a": "fd00::1", "b": "fd00::2"}
FOUR = {"a": "10.0.0.1", "b": "10.0.0.2"}
DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)
IFLAGS, OFLAGS, TOS, FLAGS = 2, 3, 9, 13
"""Attributes of linux/if_tunnel.h, the same for both kinds."""


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute as it stands in a message (linux/netlink.h)."""
    return struct.pack("=HH", 4 + len(value), kind) + value


@pytest.mark.parametrize("options", ["key: 7", "ttl: 3", "tos: inherit", "key: 4294967295, tos: inherit, ttl: 9"])
@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["gre", "ip6gre"])
def test_kernel_gets_what_is_declared(ends: dict[str, str], options: str) -> None:
    """The flag of a key and the inherited TOS are where the kernel looks for them, and are read from there again."""
    text = LAB.format(**ends, options=options)
    fabric = load_lab_text(text if ends == SIX else text.replace("/64", "/24"))
    made = next(op for op in make_plan(fabric).phases[1] if op.node == "a" and op.arguments.get("ifname") == "t")
    with by_pyroute2() as encode:
        message = encode(made.api, made.verb, made.arguments)
    keyed = [attribute(flags, b"\x20\x00") in message for flags in (IFLAGS, OFLAGS)]
    assert keyed == ["key" in options] * 2
    inherits = attribute(FLAGS, struct.pack("=I", 3)) if ends == SIX else attribute(TOS, b"\x01")
    assert (inherits in message) == ("tos" in options)
    link = state_of(("links", message[:4] + struct.pack("=H", 16) + message[6:] + DONE)).links["t"]
    assert link.parameters == declared_link(fabric["a"], fabric["a"]["t"]).parameters

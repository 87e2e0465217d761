"""The commands that print a node's filters, and what they print as data. Pure."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from reports.diagnosis.filters.hooks import Hook
from reports.diagnosis.filters.nft import Ruleset
from topology.state import NodeState

Command: TypeAlias = tuple[str, ...]
Outputs: TypeAlias = Mapping[Command, "str | None"]
NFT, NFT_WORDS = ("nft", "-j", "-a", "list", "ruleset"), ("nft", "-a", "list", "ruleset")
QDISCS, QDISC_WORDS = ("tc", "-s", "-j", "qdisc", "show"), ("tc", "qdisc", "show")
XFRM = ("ip", "xfrm", "policy")
NETLINK_XFRM = re.compile(r"^\S+ +6 +0 ", re.MULTILINE)
SOCKETS, STATISTICS = "/proc/net/netlink", "/proc/net/xfrm_stat"
LEGACY = ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names", "/proc/net/arp_tables_names")
FILES = (SOCKETS, STATISTICS, *LEGACY)
BLOCKS = re.compile(r"^Xfrm(?:In|Out)(?:NoPols|PolBlock|TmplMismatch|NoStates|PolError)\s+[1-9]", re.MULTILINE)
"""Counters of what policies dropped (Documentation/networking/xfrm_proc.rst)."""


def filters_of(device: str, *way: str) -> Command:
    """Return the command that lists the filters of a device, with their counters: ingress, egress, or those of a
    parent qdisc."""
    return ("tc", "-s", "-j", "filter", "show", "dev", device, *way)


def commands(state: NodeState, files: Mapping[str, str], hooks: Sequence[Hook]) -> Iterator[Command]:
    """Yield what is to be asked of a node for these hooks: only of what there is, as asking can load a module."""
    if any(entry.kind == "nft" and not entry.idle for entry in state.entries):
        yield from (NFT, NFT_WORDS)
    if NETLINK_XFRM.search(files.get(SOCKETS, "")) and BLOCKS.search(files.get(STATISTICS, "")):
        yield XFRM
    ways = defaultdict[str, set[bool]](set)
    for hook in hooks:
        if hook.layer == "device":
            ways[hook.device].add(hook.name == "ingress")
    if any(entry.kind == "qdisc" and entry.device in ways for entry in state.entries):
        yield from (QDISCS, QDISC_WORDS)
    for entry in sorted(state.entries, key=str):
        if entry.kind == "filter" and entry.device in ways:
            _, device, *way = entry.place.partition(" protocol ")[0].split()
            if (way == ["ingress"]) in ways[device]:
                yield filters_of(device, *way)


@dataclass(frozen=True)
class Printed:
    """A node's filters: nftables' rules, qdiscs, tc's filters by device and direction, xfrm's policies.

    ``unread`` says what is there and is not evaluated, with the command that shows it.
    """

    rules: Ruleset
    qdiscs: Sequence[Mapping[str, Any]]
    qdisc_words: Mapping[str, str]
    filters: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
    policies: str
    unread: tuple[tuple[str, str], ...]
    by_mark: bool

    @classmethod
    def of(cls, outputs: Outputs, files: Mapping[str, str], state: NodeState) -> Printed:
        """Read what the commands printed; None of one that failed."""
        read = {command: _parsed(text) for command, text in outputs.items() if text and "-j" in command}
        rules = read.get(NFT)
        return cls(
            Ruleset.of(rules, outputs.get(NFT_WORDS) or "") if rules else Ruleset(),
            read.get(QDISCS) or (),
            dict(_by_handle(outputs.get(QDISC_WORDS) or "")),
            {(one[6], " ".join(one[7:])): known or () for one, known in read.items() if "filter" in one},
            outputs.get(XFRM) or "",
            tuple(_unread(outputs, files, [command for command, known in read.items() if known is None])),
            any(entry.kind == "rule" and "fwmark" in entry.words for entry in state.entries),
        )


def _unread(outputs: Outputs, files: Mapping[str, str], garbled: Sequence[Command]) -> Iterator[tuple[str, str]]:
    """Yield what is there and was not read, and the command that shows it."""
    for command in (*(one for one, text in outputs.items() if text is None), *garbled):
        plain = " ".join(word for word in command if word != "-j")
        yield f"'{' '.join(command)}' {'prints no JSON' if command in garbled else 'failed'}: not evaluated", plain
    for path in LEGACY:
        if names := files.get(path, "").split():
            yield f"{path} has {', '.join(names)}: not evaluated", "iptables-legacy-save"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_with_all_matches)
    except ValueError:
        return None


def _with_all_matches(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object with a list of the matches of a u32 filter, which tc 6.1 prints under one key several times."""
    found = [value for key, value in pairs if key == "match"]
    return dict(pairs) | ({"matches": found} if len(found) > 1 else {})


def _by_handle(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["qdisc"] and len(words) > 2:
            yield f"{words[1]} {words[2]}", " ".join(words)

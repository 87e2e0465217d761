"""Evaluates policies of xfrm for one packet, as ``ip xfrm policy`` prints them (ip-xfrm(8)). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from reports.diagnosis.filters.hits import Hit
from reports.diagnosis.filters.packet import ABSENT, NUMBERS, Packet
from reports.diagnosis.filters.values import Answer, all_of

SELECTOR = re.compile(r"src (?P<src>\S+) dst (?P<dst>\S+)(?P<more>.*)")
OPTION = re.compile(r"(proto|sport|dport|type|code|dev) (\S+)")
DIRECTION = re.compile(r"\s+dir (?P<dir>\w+)(?P<block>.*action block)?.*?priority (?P<priority>\d+)")


class Policy(NamedTuple):
    """One policy: what it selects, its direction and priority, whether it blocks, and its templates."""

    words: str
    selector: str
    direction: str
    priority: int
    blocks: bool
    templates: int


def policies(text: str) -> Iterator[Policy]:
    """Yield the policies that are printed, templates with the one that they belong to."""
    for part in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        lines = part.splitlines()
        found = DIRECTION.match(lines[1]) if len(lines) > 1 else None
        if found and SELECTOR.match(lines[0]):
            words = f"{lines[0].strip()} {lines[1].strip()}"
            templates = sum("tmpl" in line for line in lines[2:])
            yield Policy(words, lines[0], found["dir"], int(found["priority"]), bool(found["block"]), templates)


def xfrm_hits(text: str, direction: str, packet: Packet) -> list[Hit]:
    """Return the policy that decides about a packet, where it lets none pass or wants it encrypted.

    The one of the lowest priority number counts (``xfrm_policy_match``, net/xfrm/xfrm_policy.c).
    """
    found = [one for one in policies(text) if one.direction == direction and _selects(one, packet) is not False]
    first = min(found, key=lambda one: one.priority, default=None)
    if first is None or not (first.blocks or first.templates):
        return []
    sure = first.blocks and _selects(first, packet) is True
    unknown = "" if sure else "its selector" if first.blocks else "whether a state encrypts the packet"
    selector = " ".join(first.selector.split())
    fix = f"ip xfrm policy delete {selector} dir {direction}"
    return [Hit("xfrm", "drop", first.words, "ip xfrm policy", fix, sure, unknown)]


def _selects(policy: Policy, packet: Packet) -> Answer:
    if packet.network == "arp":
        return False
    found = SELECTOR.match(policy.selector)
    assert found is not None
    ends = packet.layer(packet.network)
    for end in ("src", "dst"):
        prefix = ip_network(found[end], strict=False)
        address = ip_address(str(ends[end]))
        if address.version != prefix.version or address not in prefix:
            return False
    return all_of(_option(name, value, packet) for name, value in OPTION.findall(found["more"]))


def _option(name: str, wanted: str, packet: Packet) -> Answer:
    if name == "proto":
        number = NUMBERS.get(wanted, int(wanted) if wanted.isdecimal() else None)
        return None if number is None else packet.protocol == number
    if name in ("sport", "dport"):
        value = packet.field("udp", name)
        return False if value == ABSENT else str(value) == wanted
    return None

"""Finds packets of pairs in captures. Of each pair a few packets are chosen that both of its ends show; these are
looked for in every capture, and only frames with their addresses are decoded.

A packet is recognised by what no hop changes: length, identification, protocol, addresses, and the first bytes after
the IP header, except a checksum that may be offloaded. IPv4 only.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reports.captures.files import Capture, Frame
from reports.checks.seen import SeenTrip
from reports.evidence import Journey, Sighting
from reports.judge.journey import in_order
from topology.errors import EvidenceIncomplete
from topology.promises import Pair
from topology.wire.headers import Headers, decode
from topology.wire.registry import UDP_PORTS

NOT_SHOWN = "captures hold no nonce and no sentinel of ours: what they do not show is neither a pass nor a failure"
ETHERNET = 1
BARE: Mapping[int, int] = {101: 0, 228: 0, 113: 16, 276: 20}
"""Where the IP header is by other link types: raw IP, IPv4, Linux cooked v1 and v2."""
TAGS = (b"\x81\x00", b"\x88\xa8")
IPV4, PLAIN = b"\x08\x00", 0x45
"""EtherType of IPv4, and the first byte of a header without options."""
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp"}
PREFERRED = {"icmp": (1, 6, 17), "udp": (17,)}
"""By the protocol of a claim the packets that it is judged by, the first that there are."""
SAMPLES, FLOWS_MAX, SIGHTINGS_MAX = 64, 4096, 256
"""Packets that are kept of a flow, flows of a capture, sightings of a packet."""
TUNNELS = ("vxlan", "geneve")
Flow = tuple[int, bytes]
"""Protocol, and source and target address in one."""


def key_at(data: bytes, at: int) -> bytes:
    """Return the key by which a packet is recognised, given the offset of its IP header; empty for a fragment, or not
    plain IPv4.
    """
    if len(data) < at + 28 or data[at] != PLAIN or data[at + 6] & 0x3F or data[at + 7]:
        return b""
    end = at + min(36, int.from_bytes(data[at + 2 : at + 4]))
    return b"".join((data[at + 9 : at + 10], data[at + 12 : at + 26], data[at + 2 : at + 6], data[at + 28 : end]))


def bare_at(link: int, data: bytes) -> int:
    """Return the offset of a frame's first IP header; -1 if it is not IPv4."""
    if link != ETHERNET:
        return BARE.get(link, -1)
    at = 12
    while data[at : at + 2] in TAGS:
        at += 4
    return at + 2 if data[at : at + 2] == IPV4 else -1


class Samples:
    """A sample of the unencapsulated packets at one end of a pair: of each flow those with the lowest checksums, so
    that both ends keep the same ones however many there are.
    """

    def __init__(self) -> None:
        self.flows: dict[Flow, dict[bytes, int]] = {}
        self._limits: dict[Flow, int] = {}

    def take(self, frame: Frame) -> None:
        """Take a frame's packet."""
        time_ns, link, _, data = frame
        at = bare_at(link, data)
        key = key_at(data, at) if at >= 0 else b""
        if not key or key[0] not in PROTOCOLS:
            return
        flow = (key[0], key[1:9])
        order = zlib.crc32(key)
        if order > self._limits.get(flow, 1 << 32):
            return
        if flow not in self.flows and len(self.flows) >= FLOWS_MAX:
            return
        kept = self.flows.setdefault(flow, {})
        kept.setdefault(key, time_ns)
        if len(kept) > 2 * SAMPLES:
            least = sorted(kept, key=zlib.crc32)[:SAMPLES]
            self.flows[flow] = {key: kept[key] for key in least}
            self._limits[flow] = zlib.crc32(least[-1])


@dataclass
class Wanted:
    """A packet that is looked for, from one node to another, and where it was seen."""

    key: bytes
    source: str
    target: str
    seen: list[Sighting] = field(default_factory=list)
    unknown: str = ""

    @property
    def protocol(self) -> str:
        """The protocol above IP."""
        return PROTOCOLS[self.key[0]]


def chosen(pair: Pair, near: Samples, far: Samples) -> dict[tuple[int, bool], Wanted]:
    """Return a packet for each protocol and direction (True: from the pair's source) that was captured at both ends."""
    found: dict[tuple[int, bool], Wanted] = {}
    for flow, kept in near.flows.items():
        there = far.flows.get(flow, {})
        for key in sorted(kept.keys() & there.keys(), key=lambda key: (kept[key], key)):
            forth = kept[key] < there[key]
            ends = (pair.source, pair.target) if forth else (pair.target, pair.source)
            if kept[key] != there[key]:
                found.setdefault((flow[0], forth), Wanted(key, *ends))
    return found


class Captured:
    """What a folder of captures shows of pairs."""

    def __init__(self, captures: Sequence[Capture], pairs: Iterable[Pair]) -> None:
        """Read the pairs' ends, then all; Misuse for what is no capture."""
        self._nodes = {capture.node.casefold() for capture in captures}
        ends = {end.casefold() for pair in pairs for end in (pair.source, pair.target)}
        samples: defaultdict[str, Samples] = defaultdict(Samples)
        for capture in captures:
            if (node := capture.node.casefold()) in ends:
                take = samples[node].take
                for frame in capture.frames():
                    take(frame)
        self._found = {
            pair: chosen(pair, samples[pair.source.casefold()], samples[pair.target.casefold()]) for pair in pairs
        }
        self._look_for([one for found in self._found.values() for one in found.values()], captures)

    def _look_for(self, wanted: Sequence[Wanted], captures: Sequence[Capture]) -> None:
        by_key: defaultdict[bytes, list[Wanted]] = defaultdict(list)
        for one in wanted:
            by_key[one.key].append(one)
        addresses = {re.escape(key[1:9]) for key in by_key}
        if not addresses:
            return
        search = re.compile(b"|".join(sorted(addresses)), re.DOTALL).finditer
        order = 0
        for capture in captures:
            for frame in capture.frames():
                order += 1
                for match in search(frame[3]):
                    at = match.start() - 12
                    if at >= 0 and (known := by_key.get(key_at(frame[3], at))):
                        _note(known, capture, frame, at, order)

    def trip(self, pair: Pair, protocol: str = "icmp") -> SeenTrip | None:
        """Return a pair's packets, one each way; None where captures show none of the protocol.

        EvidenceIncomplete if the captures do not show both directions from end to end.
        """
        self._must_have_ends(pair)
        found = self._found[pair]
        numbers = [number for number in PREFERRED[protocol] if any((number, forth) in found for forth in (True, False))]
        both = [number for number in numbers if (number, True) in found and (number, False) in found]
        if not numbers and protocol != "icmp":
            return None
        if not both:
            way = f"{pair.source} -> {pair.target}"
            seen = (
                f"{'one direction only' if numbers else 'none'}: what captures do not show may be lost, or not caught"
            )
            raise EvidenceIncomplete(f"{way} - expected packets of both directions at both ends - seen {seen}")
        return SeenTrip(_journey(found[both[0], True]), _journey(found[both[0], False]))

    def _must_have_ends(self, pair: Pair) -> None:
        for end in (pair.source, pair.target):
            if end.casefold() not in self._nodes:
                raise EvidenceIncomplete(f"{end} - expected a capture {end}--INTERFACE.pcap - seen none")


def _note(wanted: Iterable[Wanted], capture: Capture, frame: Frame, at: int, order: int) -> None:
    time_ns, link, length, data = frame
    headers, bare = _decoded(link, data, at)
    for one in wanted:
        if headers is None:
            one.unknown = f"{capture.node} - {capture.interface}"
        elif len(one.seen) < SIGHTINGS_MAX:
            known = {end.casefold(): end for end in (one.source, one.target)}
            node = known.get(capture.node.casefold(), capture.node)
            hardware = ETHERNET if link == ETHERNET else 0
            seen = Sighting(node, capture.interface, "in", time_ns, order, length, bare, headers, hardware)
            if not seen.is_error:  # which quotes the packet
                one.seen.append(seen)


def _decoded(link: int, data: bytes, at: int) -> tuple[Headers | None, bytes]:
    """Return the headers around a packet whose IP header is at an offset, also in a tunnel on a non-standard port, and
    the frame without the capture's own header; None if the headers are not known.
    """
    start = 0 if link == ETHERNET else bare_at(link, data)
    frame, ethernet = data[start:], link == ETHERNET
    headers = decode(frame, link=ethernet, ethertype=0x0800)
    ports = [int(header.fields["dport"]) for header in headers if header.layer == "udp"]
    for tunnel in ("", *TUNNELS) if ports else ("",):
        if tunnel:
            more = {**UDP_PORTS, tunnel: UDP_PORTS[tunnel] | {ports[-1]}}
            headers = decode(frame, link=ethernet, ethertype=0x0800, ports=more)
        if any(header.offset == at - start for header in headers) or _quotes(headers):
            return headers, frame
    return None, frame


def _quotes(headers: Headers) -> bool:
    return headers.get("icmp") is not None


def _journey(wanted: Wanted) -> Journey:
    """Return a packet's way, its directions by the order of time; EvidenceIncomplete where that is not clear."""
    way, seen = f"{wanted.source} -> {wanted.target} ({wanted.protocol})", in_order(wanted.seen)
    if wanted.unknown:
        raise EvidenceIncomplete(f"{wanted.unknown} - {way} - expected a tunnel that is known - seen another")
    if len(seen) >= SIGHTINGS_MAX:
        raise EvidenceIncomplete(
            f"{way} - expected a packet once at each place - seen it {len(seen)} times: it circles"
        )
    if (seen[0].node, seen[-1].node) != (wanted.source, wanted.target):
        places = f"{seen[0].node} first and {seen[-1].node} last"
        raise EvidenceIncomplete(f"{way} - expected its ends first and last - seen {places}: clocks differ")
    if (seen[0].ttl or 0) < (seen[-1].ttl or 0):
        raise EvidenceIncomplete(f"{way} - expected no TTL to rise - seen it rise: clocks differ")
    before, sightings = set[str](), []
    for one in seen:
        out = one.node == wanted.source or (one.node in before and one.node != wanted.target)
        before.add(one.node)
        sightings.append(replace(one, direction="out" if out else "in"))
    return Journey(wanted.source, wanted.target, wanted.protocol, tuple(sightings))

"""From the bytes of a frame to its header stack: bounded, total, standard library only.

`decode` walks the headers itself instead of guessing: what follows a header is what its protocol field says,
a tunnel over UDP is what its *destination* port says among the ports that the caller names, and a packet
quoted in an ICMP error is payload. Any bytes give a `Headers`; their faults are in its `problems`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from topology.wire.fields import Value, unpack
from topology.wire.layers.ethernet import DOT1Q, dot1q, ether
from topology.wire.layers.icmp import ERRORS
from topology.wire.registry import PARSERS, TABLES, UDP_PORTS
from topology.wire.summary import describe
from topology.wire.walk import Header, Step, Walk

MAX_LAYERS = 16
"""Headers that are walked in one frame, payload not counted. VLAN in VXLAN in GRE with ICMP inside has 11."""


@dataclass(frozen=True)
class Vlan:
    """The 802.1Q tag that the kernel moved out of a frame into PACKET_AUXDATA (packet(7)); 16 bits each."""

    tci: int
    tpid: int = 0x8100


@dataclass(frozen=True)
class Headers:
    """The header stack of one frame, outermost first.

    `problems` has a short sentence for each thing that is wrong (truncation, a length that does not fit, a
    version), empty for a well-formed frame. `padding` counts the bytes behind the last header or payload:
    what an Ethernet frame carries beyond the length that IP or ARP declares. Compare with a `Stack`, in
    either direction, by ``==``.
    """

    headers: tuple[Header, ...]
    problems: tuple[str, ...] = ()
    padding: int = 0

    def __iter__(self) -> Iterator[Header]:
        return iter(self.headers)

    def __len__(self) -> int:
        return len(self.headers)

    def __getitem__(self, index: int) -> Header:
        return self.headers[index]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer names, outermost first."""
        return tuple(header.layer for header in self.headers)

    @property
    def chain(self) -> tuple[tuple[str, Mapping[str, Value]], ...]:
        """The layer names, each with its fields, outermost first."""
        return tuple((header.layer, header.fields) for header in self.headers)

    @property
    def payload(self) -> bytes:
        """The bytes behind the last header; empty if there are none."""
        load = self.headers[-1].fields.get("load") if self.headers else None
        return load if isinstance(load, bytes) else b""

    def get(self, layer: str, nth: int = 0) -> Header | None:
        """Return the `nth` header of that layer from outside (negative: from inside), or None."""
        found = [header for header in self.headers if header.layer == layer]
        return found[nth] if -len(found) <= nth < len(found) else None

    def summary(self) -> str:
        """Return one line for people: ``ether / ipv4 26.0.0.2>28.0.0.2 ttl 63 / gre / … / 56 bytes (problems)``."""
        chain = describe(self.chain) or "no header"
        return f"{chain} ({'; '.join(self.problems)})" if self.problems else chain

    def as_json(self) -> list[dict[str, object]]:
        """Return the headers as ``{"layer": …, "fields": {…}}``, bytes as lower-case hex."""
        return [{"layer": h.layer, "fields": {name: plain(value) for name, value in h.fields.items()}} for h in self]


def plain(value: Value) -> int | str:
    """Return a value as it stands in JSON: bytes as lower-case hex."""
    return value.hex() if isinstance(value, bytes) else value


def decode(
    frame: bytes,
    *,
    link: bool = True,
    ethertype: int = 0,
    start: int = 0,
    vlan: Vlan | None = None,
    ports: Mapping[str, frozenset[int]] = UDP_PORTS,
) -> Headers:
    """Return the header stack of `frame`; never raises, for any bytes and numbers.

    `link`: the frame starts with an Ethernet header. Otherwise (a GRE device, hatype 778) the first header is
    at `start` and `ethertype` says what it is.
    `start` is PACKET_AUXDATA's ``tp_net``. On an Ethernet device it is 14, more where the kernel has looked behind
    tags that are in the frame, or 0 where it did not know. It counts only if it lies behind the tags: the bytes
    skipped are then a problem.
    `vlan` becomes a ``dot1q`` header right behind the Ethernet header, as the frame is on the wire. UDP to one of the
    `ports` of a layer is that tunnel; the source port never counts.
    """
    walk = Walk(frame, TABLES, ports)
    name, at = _link(walk, start, vlan) if link else _bare(walk, start, ethertype, vlan)
    while name != "payload":
        if len(walk.headers) == MAX_LAYERS:
            walk.problem(name, at, f"more than {MAX_LAYERS} headers")
            break
        name, at = PARSERS[name](walk, at)
    if at < walk.end:
        walk.add("payload", {"load": walk.frame[at : walk.end]}, at, walk.end - at)
    return Headers(tuple(walk.headers), tuple(walk.problems), max(0, len(walk.frame) - max(at, walk.end)))


def _link(walk: Walk, start: int, vlan: Vlan | None) -> Step:
    """Read the Ethernet header and its tags, and compare with where the kernel says the network header starts."""
    name, at = ether(walk, 0)
    if vlan is not None and walk.headers:
        fields = walk.headers.pop().fields
        walk.add("ether", {**fields, "type": vlan.tpid & 0xFFFF}, 0, at)
        _add_tag(walk, vlan, at, fields["type"])
    while name == "dot1q" and len(walk.headers) < MAX_LAYERS:
        name, at = dot1q(walk, at)
    if walk.headers and at < start <= walk.end:
        walk.problem("ether", 0, f"the network header starts at offset {start}, {start - at} unknown bytes before it")
        return name, start
    if start > walk.end:
        walk.problem("ether", 0, f"the network header starts at offset {start}, {walk.end} bytes are there")
    return name, at


def _bare(walk: Walk, start: int, ethertype: int, vlan: Vlan | None) -> Step:
    """Return the first step on a device that has no link header."""
    if not 0 <= start <= walk.end:
        walk.problem("frame", 0, f"the network header starts at offset {start}, {walk.end} bytes are there")
        return "payload", 0
    if vlan is not None:
        _add_tag(walk, vlan, start, ethertype)
    return walk.by_ethertype(ethertype), start


def _add_tag(walk: Walk, vlan: Vlan, at: int, ethertype: Value) -> None:
    """Put a tag back that the kernel moved out; `ethertype` is the type of what it stands before."""
    tag = unpack(DOT1Q.layout, (vlan.tci & 0xFFFF).to_bytes(2) + bytes(2))
    walk.add("dot1q", {**tag, "type": ethertype}, at, 0)


def quoted(headers: Headers, *, ports: Mapping[str, frozenset[int]] = UDP_PORTS) -> Headers | None:
    """Return the packet that an ICMP or ICMPv6 error quotes, from its IP header on; None if `headers` is none.

    Offsets count from the start of the quote. A quote is cut short as a rule (RFC 792: the IP header and 8
    bytes, RFC 1812 section 4.3.2.3: up to 576 bytes of error), so truncation among its problems is normal.
    """
    icmp = headers.get("icmp", -1)
    if icmp is None or not headers.payload:
        return None
    if icmp["type"] not in ERRORS[int(icmp["version"])]:
        return None
    ethertype = 0x86DD if icmp["version"] == 6 else 0x0800
    return decode(headers.payload, link=False, ethertype=ethertype, ports=ports)

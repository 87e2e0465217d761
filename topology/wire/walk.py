"""One pass over a frame: its headers and problems so far, and what leads from layer to layer.

A layer function takes a `Walk` and an offset, adds at most one header, and returns the layer that follows and its
offset; ``"payload"`` ends the walk. None raises on any bytes: unreadable ones are payload, and a problem says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from topology.wire.fields import Value, size_of, unpack

Step = tuple[str, int]
"""The layer that follows, and its offset in the frame."""

LENGTH_MAX = 0xFFFF
"""What 16 bits can hold: a longer packet, captured before a device has segmented it, states the length 0 (BIG TCP:
``iph_set_totlen`` in net/ip.h, ``ip6_xmit`` in net/ipv6/ip6_output.c; RFC 2675 for jumbograms)."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header of a frame.

    `fields` has scapy's names for the same fields; MAC and IP addresses are canonical strings, all else is
    int or bytes. `offset` (where it starts in the frame) and `length` are bytes. A header that takes no bytes
    of the frame (the ``ipip`` marker, a VLAN tag that the kernel moved out of the frame) has length 0.
    """

    layer: str
    fields: Mapping[str, Value] = field(hash=False)
    offset: int
    length: int

    def __getitem__(self, name: str) -> Value:
        return self.fields[name]


@dataclass(frozen=True)
class Tables:
    """The numbers by which the next layer is found, for all known layers."""

    layouts: Mapping[str, str]
    ethertypes: Mapping[int, str]
    tunnelled: Mapping[int, str]
    protocols: Mapping[int, Mapping[int, str]]
    owns: Mapping[str, Callable[[bytes], bool]]


@dataclass
class Walk:
    """The state of one pass over a frame; `end` moves inwards as length fields are read.

    `cut` is set behind a first fragment's header: lengths may lead beyond the end, and the end may cut a header.
    """

    frame: bytes
    tables: Tables
    ports: Mapping[str, frozenset[int]]
    """The UDP ports of tunnels, by layer."""
    headers: list[Header] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cut: bool = False
    protocol: int = 0
    """The protocol number that the last IP header gives for what follows it."""

    def __post_init__(self) -> None:
        self.end = len(self.frame)

    def problem(self, layer: str, at: int, what: str) -> None:
        """Note a fault of the `layer` that starts at offset `at`."""
        self.problems.append(f"{layer} at offset {at}: {what}")

    def lacks(self, layer: str, at: int, need: int) -> bool:
        """Return whether fewer than `need` bytes are there for a header at `at`; notes the problem if so."""
        if self.end - at >= need:
            return False
        if not self.cut:
            self.problem(layer, at, f"its header needs {need} bytes, {max(0, self.end - at)} are there")
        return True

    def read(self, layer: str, at: int, need: int = 0) -> dict[str, Value] | None:
        """Read the fixed fields of a header at `at` that has at least `need` bytes; None where it is cut."""
        layout = self.tables.layouts[layer]
        size = size_of(layout)
        if self.lacks(layer, at, max(size, need)):
            return None
        return unpack(layout, self.frame[at : at + size])

    def by_ethertype(self, number: int) -> str:
        """Return the layer behind an EtherType (IEEE 802)."""
        return self.tables.ethertypes.get(number, "payload")

    def by_protocol(self, version: int, number: int) -> str:
        """Return the layer behind an IP header of this version that gives this protocol number."""
        self.protocol = number
        return self.tables.protocols[version].get(number, "payload")

    def tunnelled(self, number: int) -> str:
        """Return the layer inside GRE or GENEVE of this protocol type."""
        return self.tables.tunnelled.get(number, "payload")

    def by_port(self, port: int, at: int) -> str:
        """Return the tunnel to a UDP port, by what is at `at` where several have it."""
        found = [name for name, ports in self.ports.items() if port in ports]
        if len(found) > 1:
            owners = [name for name in found if name in self.tables.owns]
            own = [name for name in owners if self.tables.owns[name](self.frame[at : at + 8])]
            found = own or [name for name in found if name not in owners] or found
        return found[0] if found else "payload"

    def add(self, layer: str, fields: Mapping[str, Value], at: int, size: int) -> int:
        """Add a header, and return the offset behind it."""
        self.headers.append(Header(layer, fields, at, size))
        return at + size

    def bound(self, layer: str, at: int, says: int, least: int) -> None:
        """Take over the length `says` of the `layer` at `at`, unless under `least` or more than is there."""
        if says < least:
            self.problem(layer, at, f"its length field says {says} bytes, its header alone has {least}")
        elif at + says <= self.end:
            self.end = at + says
        elif not self.cut:
            self.problem(layer, at, f"its length field says {says} bytes, {self.end - at} are there")

    def is_longer(self, says: int, at: int) -> bool:
        """Return whether a length field cannot hold the length of what is at `at`, and says 0."""
        return not says and self.end - at > LENGTH_MAX


Parser = Callable[[Walk, int], Step]

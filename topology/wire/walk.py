"""One pass over a frame: its headers and problems so far, and the protocol numbers that lead from layer to layer.

A layer function takes a `Walk` and an offset, adds at most one header, and returns the layer that follows and its
offset; ``"payload"`` ends the walk. None raises on any bytes: unreadable ones are payload, and a problem says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from topology.wire.fields import LAYOUTS, Value, size_of, unpack

Step = tuple[str, int]
"""The layer that follows (a key of ``layers.PARSERS``, or ``"payload"``), and its offset in the frame."""

ETHERTYPES: Mapping[int, str] = {0x0800: "ipv4", 0x86DD: "ipv6", 0x0806: "arp", 0x8100: "dot1q", 0x88A8: "dot1q"}
"""EtherTypes (IEEE 802) that are walked; 0x8100 and 0x88A8 are the tags Linux knows (``eth_type_vlan``)."""

TUNNELLED: Mapping[int, str] = {0x0800: "ipv4", 0x86DD: "ipv6", 0x6558: "ether"}
"""Protocol types that are walked inside GRE (RFC 2784, RFC 1701) and GENEVE (RFC 8926)."""

IPV4_PROTOCOLS: Mapping[int, str] = {1: "icmp4", 4: "ipip4", 6: "tcp", 17: "udp", 41: "ipip6", 47: "gre"}
IPV6_PROTOCOLS: Mapping[int, str] = {4: "ipip4", 6: "tcp", 17: "udp", 41: "ipip6", 47: "gre", 58: "icmp6"}
"""IP protocol numbers (IANA) that are walked under each version."""

SEGMENTED = frozenset({"tcp", "udp", "gre", "ipip4", "ipip6"})
"""Contents of an IP packet that a device still has to segment; its length may then be 0 in a capture."""

ETHER_MIN = 60
"""Bytes to which a shorter Ethernet frame is padded, its FCS not counted (``ETH_ZLEN``, linux/if_ether.h)."""


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


@dataclass
class Walk:
    """The state of one pass over a frame; `end` moves inwards as length fields are read.

    `cut` is set behind a first fragment's header: lengths may lead beyond the end, and the end may cut a header.
    `jumbo` is set behind an IP header whose length is 0 on purpose: the packet reaches to the end.
    """

    frame: bytes
    vxlan_ports: frozenset[int]
    geneve_ports: frozenset[int]
    headers: list[Header] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cut: bool = False
    jumbo: bool = False

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
        layout = LAYOUTS[layer]
        size = size_of(layout)
        if self.lacks(layer, at, max(size, need)):
            return None
        return unpack(layout, self.frame[at : at + size])

    def add(self, layer: str, fields: Mapping[str, Value], at: int, size: int) -> int:
        """Add a header, and return the offset behind it."""
        self.headers.append(Header(layer, fields, at, size))
        return at + size

    @property
    def only_padding(self) -> bool:
        """True where all behind the header just read may be the padding of a short Ethernet frame, tags not counted."""
        tags = 0
        for header in reversed(self.headers):
            if header.layer == "ether":
                return self.end - header.offset - tags <= ETHER_MIN
            tags += header.length if header.layer == "dot1q" else 0
        return False

    def bound(self, layer: str, at: int, says: int, least: int, field: str = "length field") -> None:
        """Take over the length `says` of the `layer` at `at`, unless under `least` or more than is there."""
        if says < least:
            self.problem(layer, at, f"its {field} says {says} bytes, its header alone has {least}")
        elif at + says <= self.end:
            self.end = at + says
        elif not self.cut:
            self.problem(layer, at, f"its {field} says {says} bytes, {self.end - at} are there")


Parser = Callable[[Walk, int], Step]

"""Geneve devices (RFC 8926)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from topology.links.base import ANY_ADDRESS, PORT_MTU, Below, Key, Live, Option, Options
from topology.links.tunnel import Odd, UdpTunnel, ttl_words
from topology.links.vxlan import DF
from topology.packet import ETHERTYPES
from topology.refs import Address

GENEVE_PORT = 6081
"""The port IANA assigned to Geneve (RFC 8926, section 3.3)."""

UNKNOWN_PROTOCOL = 0x88B5
"""IEEE 802's local experimental EtherType 1, which no node uses (RFC 8926, section 3.4)."""
CRITICAL_OPTION = bytes.fromhex("ff008000")
"""An option without data, of a class for experiments, whose type is critical (RFC 8926, sections 3.5 and 7)."""


@dataclass(frozen=True, kw_only=True)
class Geneve(UdpTunnel):
    """A point-to-point Geneve device (RFC 8926); it receives from ``remote`` only (``geneve_lookup``).

    Linux's Geneve has no local address: ``local`` is the source that the route to ``remote`` selects.
    """

    port: int = GENEVE_PORT

    kinds: ClassVar = ("geneve",)
    noun: ClassVar = "Geneve"
    headers: ClassVar = ("udp", "geneve")
    colour: ClassVar = "#38761d"
    odd_headers: ClassVar = {
        "unknown-protocol": Odd(f"protocol type {UNKNOWN_PROTOCOL:#06x}", {"proto": UNKNOWN_PROTOCOL}),
        "critical-option": Odd(
            "an unknown critical option", {"critical": 1, "optionlen": 1, "options": CRITICAL_OPTION}
        ),
    }
    section: ClassVar = "geneve"
    keys: ClassVar = {
        "vni": Key("vni"),
        "local": Key("address", None),
        "remote": Key("address"),
        "port": Key("UDP port", GENEVE_PORT),
    }
    clab: ClassVar = {
        "geneve": Options(
            "id NUMBER, remote ADDRESS, dstport NUMBER",
            settings="id=vni vni remote dstport=port",
            flags="noudpcsum noexternal",
            fixed={"ttl": "auto 0", "tos": "0", "df": "unset", "flowlabel": "0"},
        )
    }
    attributes: ClassVar = (
        "1 id u32, 2 remote ip, 3 ttl u8, 4 tos u8, 5 port be16, 7 remote6 ip, 8 udpcsum u8, 9 udp6zerocsumtx u8,"
        "10 udp6zerocsumrx u8, 12 ttl_inherit switch, 13 df u8"
    )
    reads: ClassVar = "vni, remote, dstport, ttl, tos, df, udpcsum, udp6zerocsumtx, udp6zerocsumrx"
    modules: ClassVar = {"geneve": "geneve"}
    tried: ClassVar = {"geneve": {"geneve_id": 1, "geneve_remote": "192.0.2.2", "geneve_port": GENEVE_PORT}}

    @classmethod
    def from_lab(cls, node: str, name: str, said: Mapping[Any, Any]) -> Geneve:
        """Return the device of one entry of a lab file."""
        return cls(node=node, name=name, **{**said, "local": said["local"] or ANY_ADDRESS[said["remote"].version]})

    @classmethod
    def from_live(cls, live: Live) -> Geneve:
        """Return the device as it was read from a node."""
        remote = live.address("remote")
        local = ANY_ADDRESS[remote.version]
        ttl = live.number("ttl") if live["ttl"].isdecimal() else None
        vni, port = live.number("vni"), live.number("dstport")
        inherits = live["ttl"] == "inherit"
        return cls(**live.common, vni=vni, local=local, remote=remote, port=port, ttl=ttl, inherit_ttl=inherits)

    @classmethod
    def is_open(cls, live: Live) -> bool:
        """Return whether a live device takes packets of every VNI."""
        return live["vni"] == "0"

    @property
    def source_by_route(self) -> bool:
        """True: Linux's Geneve has no local address."""
        return True

    @classmethod
    def lookup_of(cls, local: Address, remote: Address, **identity: object) -> Hashable:
        """Return the key of a packet: UDP port, VNI and source (geneve_lookup)."""
        return (cls, remote, *identity.values())

    @classmethod
    def device_for(cls, local: Address, remote: Address, **identity: object) -> str:
        """Return a description of the device that takes a packet."""
        return f"Geneve device for VNI {identity['vni']} from {remote} on UDP port {identity['port']}"

    @property
    def further_fields(self) -> dict[str, object]:
        """Version 0, without options, around an Ethernet frame."""
        return {"version": 0, "optionlen": 0, "proto": ETHERTYPES["ether"]}

    def options(self) -> Iterator[Option]:
        """Yield the options with which the device is made."""
        six = "6" if self.remote.version == 6 else ""
        yield Option("id", self.vni, f"id {self.vni}")
        yield Option(f"remote{six}", str(self.remote), f"remote {self.remote}")
        yield Option("port", self.port, f"dstport {self.port}")

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a device's parameters."""
        yield "remote", known.get("remote") or known.get("remote6") or "none"
        yield from (("vni", known.get("id")), ("dstport", known.get("port")), ("ttl", ttl_words(known)))
        yield "tos", known.get("tos", 0)
        if known.get("df"):
            yield "df", DF.get(known["df"], known["df"])
        # What a device over the other IP version would do is in its message as well (geneve_fill_info).
        checksums = ("udp6zerocsumtx", "udp6zerocsumrx") if "remote6" in known else ("udpcsum",)
        yield from ((word, "on") for word in checksums if known.get(word))

    def own_mtu(self, below: Below) -> int:
        """Return the MTU that remains of the device by which the far end is reached (geneve_link_config,
        drivers/net/geneve.c).
        """
        mtu = below.towards(self.remote)
        return PORT_MTU if mtu is None else mtu - self.overhead

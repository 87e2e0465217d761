"""VXLAN devices (RFC 7348)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any, ClassVar

from topology.links.base import (
    AGEING,
    ANY_ADDRESS,
    FLOOD_MAC,
    LEAST_MTU,
    PORT_MTU,
    SOON,
    Below,
    Key,
    Live,
    Number,
    Option,
    Options,
    words_of,
)
from topology.links.iptunnel import INHERIT_TOS
from topology.links.tunnel import Odd, Tunnel, UdpTunnel, ttl_words
from topology.refs import Address, Tags

VXLAN_PORT = 4789
"""The port IANA assigned to VXLAN (RFC 7348, section 8)."""
I_FLAG, RESERVED_FLAG = 0x08, 0x80
"""Bits of a VXLAN header's first byte (RFC 7348, section 5); the reserved one is the G bit of the Group Policy draft,
which a device made with ``gbp`` takes."""
DF: Mapping[int, str] = {1: "set", 2: "inherit"}
"""VXLAN_DF_SET and VXLAN_DF_INHERIT of linux/if_link.h, which Geneve has as well."""
FLAGS = ["gbp", "gpe", "vnifilter", "proxy", "rsc", "udp6zerocsumtx", "udp6zerocsumrx", "remcsumtx", "remcsumrx"]
"""What is off unless a device was made with it, in the words of ip-link(8)."""
VLAN_TUNNEL = ("vlan_tunnel", "on")
"""The setting of a bridge's port that gives frames the VNI to which their VLAN is mapped (``tunnel_info``)."""
SUPPRESSES = (("neigh_suppress", "on"),)
"""The setting of a bridge's port towards which the bridge answers itself for the neighbours that it knows."""
LINUX_PORT = "8472"
"""Linux's own default (drivers/net/vxlan, ``vxlan_port``)."""


@dataclass(frozen=True, kw_only=True)
class Vxlan(UdpTunnel):
    """A VXLAN device: ``local`` is the VTEP's address, ``remote`` and ``others`` are the VTEPs it floods to.

    With several remotes (head-end replication) each is an FDB entry, and learned entries decide where a known unicast
    frame goes. Without ``learning`` every frame goes to all remotes, except to the MACs of ``entries`` (static FDB
    entries: MAC and remote). ``ageing`` is the lifetime of a learned entry in seconds.

    One without any remote (``by_daemon``) sends to those that a routing daemon makes entries for.

    ``by_route`` is a device without a local address: each packet's source is the one that the route to the remote
    selects, and the device receives at every address of its node; ``local`` is the source towards the first remote.
    """

    others: tuple[Address, ...] = ()
    dev: str | None = None
    port: int = VXLAN_PORT
    by_route: bool = False
    learning: bool = True
    ageing: int = AGEING
    entries: tuple[tuple[str, Address], ...] = ()
    parts: tuple[Vxlan, ...] = ()
    """Of a device that takes the VNI from each packet, what it does with the frames of each VLAN of its port."""
    vid: int | None = None
    """The VLAN of such a part."""
    by_hand: bool = False
    """True if an administrator has given it remotes, so that no daemon does."""

    kinds: ClassVar = ("vxlan",)
    noun: ClassVar = "VXLAN"
    headers: ClassVar = ("udp", "vxlan")
    colour: ClassVar = "#b45f06"
    any_sender: ClassVar = True
    wire_fields: ClassVar = {"flags": I_FLAG}
    odd_headers: ClassVar = {
        "clear-i-flag": Odd("no I flag", {"flags": 0}),
        "reserved-bit": Odd("a reserved bit", {"flags": I_FLAG | RESERVED_FLAG}),
    }
    declared_by: ClassVar = {
        "foreign-source": "foreign_sources",
        "other-vni": "foreign_sources",
        "reserved-bit": "reserved_bits",
    }
    section: ClassVar = "vxlan"
    keys: ClassVar = {
        "vni": Key("vni"),
        "local": Key("address", None),
        "remote": Key("address", None),
        "remotes": Key("addresses", None),
        "dev": Key("interface", None),
        "port": Key("UDP port", VXLAN_PORT),
        "learning": Key("flag", True),
        # 0 would mean the default to the kernel (vxlan_config_apply, drivers/net/vxlan/vxlan_core.c).
        "ageing": Key(Number("ageing", 1, 1_000_000), AGEING),
        "entries": Key("MACs", {}),
        "suppress": Key("flag", False),
    }
    either: ClassVar = ("remote", "remotes")
    clab: ClassVar = {
        "vxlan": Options(
            "id NUMBER, local and remote ADDRESS, dev NAME, dstport NUMBER",
            settings="id=vni vni local remote dev dstport=port ageing",
            flags="learning nolearning noproxy norsc nol2miss nol3miss noudpcsum noexternal nogbp noudp6zerocsumtx "
            "noudp6zerocsumrx",
            fixed={"ttl": "auto 64 0", "tos": "0 inherit", "df": "unset"},
            unseen={
                "srcport": (2, "the source ports are the kernel's own here, and so the choice among equal-cost paths"),
                "udpcsum": (0, "a checksum changes no packet's path"),
            },
            defaults={"port": LINUX_PORT},
            zero={"port": LINUX_PORT, "ageing": ""},
            off={"nolearning": "learning"},
        )
    }
    attributes: ClassVar = (
        "1 id u32, 2 group ip, 3 link u32, 4 local ip, 5 ttl u8, 6 tos u8, 7 learning u8, 8 ageing u32, 11 proxy u8,"
        "12 rsc u8, 15 port be16, 16 group6 ip, 17 local6 ip, 18 udpcsum u8, 19 udp6zerocsumtx u8,"
        "20 udp6zerocsumrx u8, 21 remcsumtx u8, 22 remcsumrx u8, 23 gbp flag, 27 gpe flag, 28 ttl_inherit switch,"
        "29 df u8, 30 vnifilter u8"
    )
    reads: ClassVar = f"vni, local, remote, dstport, dev, ttl, learning, ageing, tos, df, udpcsum, {', '.join(FLAGS)}"
    undeclared: ClassVar = UdpTunnel.undeclared | {"ageing", "proxy", "rsc", "remcsumtx", "remcsumrx"}
    modules: ClassVar = {"vxlan": "vxlan"}
    tried: ClassVar = {"vxlan": {"vxlan_id": 1, "vxlan_port": VXLAN_PORT}}

    @classmethod
    def from_lab(cls, node: str, name: str, said: Mapping[Any, Any]) -> Vxlan:
        """Return the device of one entry of a lab file, which has one remote or several."""
        given = [*said["remotes"].values()] if said["remote"] is None else [said["remote"]]
        remote, *others = given or [ANY_ADDRESS[said["local"].version if said["local"] else 4]]
        settings = {key: value for key, value in said.items() if key not in ("remotes", "suppress")}
        settings |= {"port_settings": SUPPRESSES if said["suppress"] else ()}
        settings |= {"remote": remote, "others": tuple(others), "entries": tuple(said["entries"].items())}
        settings |= {"local": said["local"] or ANY_ADDRESS[remote.version], "by_route": said["local"] is None}
        return cls(node=node, name=name, **settings)

    @classmethod
    def from_live(cls, live: Live) -> Vxlan:
        """Return the device as it was read from a node; of one that takes the VNI from each packet, with its parts."""
        vni, told = live.number("vni"), (words for words in live.said("bridge vlan") if "tunnel_info" in words)
        parts = [] if vni else [cls._under(live, int(words[-1]), int(words[3])) for words in told]
        return replace(cls._under(live, vni), parts=tuple(parts) if VLAN_TUNNEL in live.common["port_settings"] else ())

    @classmethod
    def _under(cls, live: Live, vni: int, vid: int | None = None) -> Vxlan:
        """Return what a live device does under a VNI; the entries for a VLAN's have it as ``src_vni``."""
        told = [words for words in live.said("bridge fdb") if "dst" in words]
        said = (dict(zip(["mac", *words[1::2]], words[::2], strict=False)) for words in told)
        entries = [
            (one["mac"], ip_address(one["dst"])) for one in said if one.get("src_vni") == (str(vni) if vid else None)
        ]
        flooded = [remote for mac, remote in entries if mac == FLOOD_MAC]
        remote, *others = flooded or [ANY_ADDRESS[6 if ":" in live["local"] else 4]]
        return cls(
            **live.common,
            vid=vid,
            by_hand=bool(told) and all("extern_learn" not in words for words in told),
            vni=vni,
            local=live.address("local", remote.version),
            remote=remote,
            others=tuple(others),
            dev=None if live["dev"] == "none" else live["dev"],
            port=live.number("dstport"),
            by_route=live["local"] == "none",
            learning=live["learning"] != "off",
            ageing=live.number("ageing", AGEING),
            ttl=live.number("ttl") if live["ttl"].isdecimal() else None,
            inherit_ttl=live["ttl"] == "inherit",
            entries=tuple((mac, remote) for mac, remote in entries if mac != FLOOD_MAC),
        )

    @classmethod
    def is_open(cls, live: Live) -> bool:
        """Return whether a live device takes packets of every VNI."""
        return live["vni"] == "0"

    @property
    def by_packet(self) -> bool:
        """True if it takes the VNI from each packet (``external``)."""
        return not self.vni

    @property
    def is_mapped(self) -> bool:
        """True if as a port of a bridge it gives the frames of VLANs their VNIs."""
        return VLAN_TUNNEL in self.port_settings

    @property
    def each(self) -> tuple[Tunnel, ...]:
        """The device itself, or its parts where it takes the VNI from each packet."""
        return self.parts if self.by_packet else (self,)

    def part(self, tags: Tags) -> Vxlan | None:
        """Return the part for a frame with these VLAN tags; None where it gives the frame no VNI."""
        return next((part for part in self.parts if tags[:1] == (part.vid,)), None)

    @property
    def remotes(self) -> tuple[Address, ...]:
        """The addresses of all remote VTEPs."""
        return (self.remote, *self.others)

    @property
    def leads_to(self) -> tuple[Address, ...]:
        """The addresses of all VTEPs that it sends flooded frames to, or those to known MACs."""
        return tuple(dict.fromkeys((*self.remotes, *(remote for _, remote in self.entries))))

    @property
    def by_daemon(self) -> bool:
        """True if it has no remote of its own."""
        return self.remote in ANY_ADDRESS.values()

    @property
    def source_by_route(self) -> bool:
        """True if it has no local address."""
        return self.by_route

    @property
    def without_local(self) -> bool:
        """True if it has no local address."""
        return self.by_route

    @property
    def out_by(self) -> str | None:
        """The device by which alone its packets leave."""
        return self.dev

    @property
    def made_on(self) -> str | None:
        """The device by which its packets leave, which in a leaf may be a GRE tunnel."""
        return self.dev

    @property
    def learns(self) -> bool:
        """True if it learns which remote a MAC is behind."""
        return self.learning

    @property
    def is_told(self) -> bool:
        """True if a daemon may tell it remotes."""
        return not self.learning and not self.by_hand

    def towards(self, mac: object) -> tuple[Address, ...]:
        """Return the remotes of a frame to a MAC that is not learned: those of its static entries, else all."""
        return tuple(remote for known, remote in self.entries if known == mac) or self.remotes

    def floods(self, mac: object, *, may: bool = False) -> bool:
        """Return whether frames to a MAC go to several remotes; with ``may`` also if learned entries expire soon."""
        forgets = not self.learning or (may and self.ageing < SOON)
        return forgets and len(self.towards(mac)) > 1

    @classmethod
    def lookup_of(cls, local: Address, remote: Address, **identity: object) -> Hashable:
        """Return the key of a packet: UDP port and VNI, whoever sends it (vxlan_vs_find_vni)."""
        return (cls, *identity.values())

    @classmethod
    def device_for(cls, local: Address, remote: Address, **identity: object) -> str:
        """Return a description of the device that takes a packet."""
        return f"VXLAN device for VNI {identity['vni']} on UDP port {identity['port']}"

    def options(self) -> Iterator[Option]:
        """Yield the options with which the device is made."""
        six = "6" if self.local.version == 6 else ""
        yield Option("id", self.vni, f"id {self.vni}")
        if not self.by_route:
            yield Option(f"local{six}", str(self.local), f"local {self.local}")
        if not self.others and not self.by_daemon:
            yield Option(f"group{six}", str(self.remote), f"remote {self.remote}")
        if self.dev:
            yield Option("link", self.dev, f"dev {self.dev}")
        yield Option("port", self.port, f"dstport {self.port}")
        if not self.learning:
            yield Option("learning", 0, "nolearning")
        if self.ageing != AGEING:
            yield Option("ageing", self.ageing, words_of(ageing=self.ageing))

    def entries_at_start(self) -> Sequence[tuple[str, Address]]:
        """Return one entry per remote for flooded frames (vxlan_fdb_append, drivers/net/vxlan) if it has several, and
        the static ones."""
        return (*((FLOOD_MAC, remote) for remote in self.remotes if self.others), *self.entries)

    @property
    def entries_in_use(self) -> Sequence[tuple[str, Address]]:
        """All its entries: one remote is one too, with which the device is made (vxlan_dev_configure)."""
        return (*((FLOOD_MAC, remote) for remote in self.remotes if not self.by_daemon), *self.entries)

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a device's parameters."""
        yield "dev", known.get("link") or "none"
        yield "remote", known.get("group") or known.get("group6") or "none"
        yield from (("vni", known.get("id")), ("dstport", known.get("port")), ("ttl", ttl_words(known)))
        yield "local", known.get("local") or known.get("local6") or "none"
        if known.get("learning") == 0:
            yield "learning", "off"
        if known.get("tos", 0) > INHERIT_TOS:
            yield "tos", known["tos"]
        if known.get("df"):
            yield "df", DF.get(known["df"], known["df"])
        if not known.get("udpcsum", 1):
            yield "udpcsum", "off"
        yield from ((word, "on") for word in FLAGS if known.get(word))
        if (age := known.get("ageing", AGEING)) != AGEING:
            yield "ageing", age

    def own_mtu(self, below: Below) -> int:
        """Return what its ``dev`` leaves it."""
        room = self.room(below)
        return PORT_MTU if room is None else room

    def room(self, below: Below) -> int | None:
        """Return the largest MTU that its ``dev`` leaves it (vxlan_config_apply, drivers/net/vxlan/vxlan_core.c)."""
        mtu = below.of(self.dev)
        return None if mtu is None else max(LEAST_MTU[4], mtu - self.overhead)

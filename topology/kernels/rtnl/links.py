"""What a dump of links says: devices with their kinds and parameters, and the sysctls that come with them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from topology.kernels.rtnl.dumps import parsed
from topology.model import AGEING, USER_HZ
from topology.plan import GRE_KEY, INHERIT_TOS, INNER_TCLASS
from topology.state import FALLBACK_DEVICES, LinkState, sysctl_of

IFF_UP = 1
VLAN_PROTOCOLS = {0x8100: "802.1q", 0x88A8: "802.1ad"}
"""EtherTypes of tags, in the words of ip-link(8)."""
IFF_NOARP = 0x80
"""linux/if.h: the device resolves no addresses."""
RESOLVES = frozenset(("veth", "bridge", "vlan", "vxlan", "geneve", "gretap", "ip6gretap"))
"""The kinds of links that resolve addresses unless that is switched off."""
IFF_RUNNING = 0x40
"""linux/if.h: the device is up and has a carrier."""
DISABLED = 0
PORT_STATES = {DISABLED: "disabled", 1: "listening", 2: "learning", 4: "blocking"}
"""The states in which a port forwards nothing (linux/if_bridge.h)."""
PORT_FLAGS: Mapping[str, tuple[str, bool]] = {
    "hairpin": ("IFLA_BRPORT_MODE", False),
    "guard": ("IFLA_BRPORT_GUARD", False),
    "learning": ("IFLA_BRPORT_LEARNING", True),
    "flood": ("IFLA_BRPORT_UNICAST_FLOOD", True),
    "mcast_flood": ("IFLA_BRPORT_MCAST_FLOOD", True),
    "bcast_flood": ("IFLA_BRPORT_BCAST_FLOOD", True),
    "neigh_suppress": ("IFLA_BRPORT_NEIGH_SUPPRESS", False),
    "isolated": ("IFLA_BRPORT_ISOLATED", False),
    "locked": ("IFLA_BRPORT_LOCKED", False),
}
"""The flags of a bridge's port, by bridge(8)'s words: the attribute (linux/if_link.h) and the value of a new port."""
GRE_CSUM, GRE_SEQ = 0x8000, 0x1000
"""Of the flags of a GRE header, as GRE_KEY (linux/if_tunnel.h)."""
READ_BEFORE = 4096
"""Answers that are remembered with what they say: nothing is decoded again that has not changed."""
SETTINGS: Mapping[int, tuple[str, ...]] = {
    4: (
        "forwarding",
        "rp_filter",
        "proxy_arp",
        "accept_local",
        "accept_redirects",
        "send_redirects",
        "route_localnet",
        "arp_announce",
        "arp_ignore",
        "promote_secondaries",
    ),
    6: ("forwarding", "disable_ipv6", "hop_limit", "accept_ra", "accept_redirects", "proxy_ndp"),
}
"""The sysctls that a link's message holds, by IP version (IFLA_INET_CONF and IFLA_INET6_CONF, linux/if_link.h)."""
Names: TypeAlias = tuple[tuple[int, str], ...]
"""A node's devices: index and name of each."""


@dataclass(frozen=True)
class Devices:
    """The contents of a dump of links: every device's name, and of the fabric's own their MACs, state and sysctls."""

    names: Names
    macs: frozenset[str]
    links: tuple[LinkState, ...]
    sysctls: tuple[tuple[str, str], ...]


@lru_cache(maxsize=READ_BEFORE)
def devices(answer: bytes) -> Devices:
    """What a dump of links says; the one before said the same, more often than not."""
    found = list(parsed(answer, "RTM_NEWLINK"))
    names = {m["index"]: m.get("IFLA_IFNAME") for m in found}
    own = [m for m in found if names[m["index"]] not in FALLBACK_DEVICES]
    links = [_link_state(m, names) for m in own]
    return Devices(
        tuple(names.items()),
        frozenset(link.mac for link in links if link.mac),
        tuple(links),
        tuple(setting for m in own for setting in _settings(m)),
    )


def _link_state(message: Any, names: Mapping[int, str]) -> LinkState:
    info = message.get("IFLA_LINKINFO")
    kind = info.get("IFLA_INFO_KIND") if info else None
    data = info.get("IFLA_INFO_DATA") if info else None
    return LinkState(
        name=message.get("IFLA_IFNAME"),
        kind=kind or "physical",
        up=bool(message["flags"] & IFF_UP),
        mac=message.get("IFLA_ADDRESS"),
        mtu=message.get("IFLA_MTU"),
        master=names.get(message.get("IFLA_MASTER")),
        parameters=tuple(sorted(_parameters(kind, data, names, message.get("IFLA_LINK")))) if data else (),
        arp=kind not in RESOLVES or not message["flags"] & IFF_NOARP,
        port=tuple(_port(info.get("IFLA_INFO_SLAVE_DATA"), message["flags"])) if _is_bridge_port(info) else (),
    )


def _is_bridge_port(info: Any) -> bool:
    return bool(info) and info.get("IFLA_INFO_SLAVE_KIND") == "bridge"


def _port(data: Any, flags: int) -> Iterator[tuple[str, str]]:
    """Yield what differs from a new port of a bridge, in the words of bridge(8).

    A port whose link is down is disabled by itself (br_port_carrier_check), which its link shows.
    """
    state = data.get("IFLA_BRPORT_STATE") if data else None
    if state in PORT_STATES and (state != DISABLED or flags & IFF_RUNNING):
        yield "state", PORT_STATES[state]
    for word, (attribute, default) in PORT_FLAGS.items():
        value = data.get(attribute) if data else None
        if value is not None and bool(value) != default:
            yield word, "on" if value else "off"


def _parameters(kind: str | None, data: Any, names: Mapping[int, str], link: int) -> Iterator[tuple[str, str]]:
    if kind == "vlan":
        yield "id", str(data.get("IFLA_VLAN_ID"))
        protocol = data.get("IFLA_VLAN_PROTOCOL")
        yield "protocol", VLAN_PROTOCOLS.get(protocol, str(protocol))
        yield "dev", names.get(link, "none")
    if kind == "vxlan":
        yield "vni", str(data.get("IFLA_VXLAN_ID"))
        yield "local", str(data.get("IFLA_VXLAN_LOCAL") or data.get("IFLA_VXLAN_LOCAL6") or "none")
        yield "remote", str(data.get("IFLA_VXLAN_GROUP") or data.get("IFLA_VXLAN_GROUP6") or "none")
        yield "dstport", str(data.get("IFLA_VXLAN_PORT"))
        yield "dev", names.get(data.get("IFLA_VXLAN_LINK"), "none")
        yield "ttl", str(data.get("IFLA_VXLAN_TTL") or "auto")
        if data.get("IFLA_VXLAN_LEARNING") == 0:
            yield "learning", "off"
        yield from _ageing(data.get("IFLA_VXLAN_AGEING"), 1)
    if kind == "bridge":
        yield from _ageing(data.get("IFLA_BR_AGEING_TIME"), USER_HZ)
        for word, attribute in (("stp", "IFLA_BR_STP_STATE"), ("vlan_filtering", "IFLA_BR_VLAN_FILTERING")):
            if data.get(attribute):
                yield word, "on"
    if kind == "geneve":
        yield "vni", str(data.get("IFLA_GENEVE_ID"))
        yield "remote", str(data.get("IFLA_GENEVE_REMOTE") or data.get("IFLA_GENEVE_REMOTE6") or "none")
        yield "dstport", str(data.get("IFLA_GENEVE_PORT"))
        yield "ttl", str(data.get("IFLA_GENEVE_TTL") or "auto")
        yield "tos", str(data.get("IFLA_GENEVE_TOS") or 0)
    if kind in ("gre", "ip6gre"):
        yield from _gre(kind == "ip6gre", data)


def _gre(six: bool, data: Any) -> Iterator[tuple[str, str]]:
    """A GRE device's parameters; IPv6's flags are in network byte order, and its TOS is part of the flow label."""
    prefix = "IFLA_IP6GRE_" if six else "IFLA_GRE_"
    flags, sent = (int(data.get(prefix + name) or 0) for name in ("IFLAGS", "OFLAGS"))
    flags, sent = (socket.ntohs(flags), socket.ntohs(sent)) if six else (flags, sent)
    yield "local", str(data.get(prefix + "LOCAL"))
    yield "remote", str(data.get(prefix + "REMOTE"))
    yield "ttl", str(data.get(prefix + "TTL") or "inherit")
    tos = int(data.get(prefix + "FLOWINFO") or 0) >> 20 & 0xFF if six else data.get(prefix + "TOS") or 0
    inherits = int(data.get(prefix + "FLAGS") or 0) & INNER_TCLASS if six else tos == INHERIT_TOS
    yield "tos", "inherit" if inherits else str(tos)
    for word, bit, value in (("key", GRE_KEY, "KEY"), ("csum", GRE_CSUM, ""), ("seq", GRE_SEQ, "")):
        received, told = (
            str(data.get(f"{prefix}{side}{value}")) if set_ & bit and value else "yes" if set_ & bit else "none"
            for side, set_ in (("I", flags), ("O", sent))
        )
        yield word, received if received == told else f"{received} in, {told} out"


def _ageing(ticks: int | None, per_second: int) -> Iterator[tuple[str, str]]:
    """For how many seconds a device knows a MAC, where that is not the kernel's default."""
    if ticks is not None and ticks != AGEING * per_second:
        yield "ageing", f"{ticks / per_second:g}"


def _settings(message: Any) -> Iterator[tuple[str, str]]:
    """The sysctls of a device, which come with its link."""
    families = message.get("IFLA_AF_SPEC")
    four, six = (families.get("AF_INET"), families.get("AF_INET6")) if families else (None, None)
    for version, values in ((4, four), (6, six.get("IFLA_INET6_CONF") if six else None)):
        for name in SETTINGS[version]:
            if values and name in values:
                yield sysctl_of(version, message.get("IFLA_IFNAME"), name), str(values[name])

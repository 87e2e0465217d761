"""Devices in a dump of links: a node's own with their parameters and sysctls, and the ends of veth pairs."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from topology.kernels.rtnl import messages as nl
from topology.kernels.rtnl.dumps import check_whole
from topology.links import KINDS, UDP_TUNNELS
from topology.links.tunnel import Tunnel
from topology.state import ELSEWHERE, LinkState, parameters, sysctl_of

IFF_UP, IFF_RUNNING, IFF_NOARP = 1, 0x40, 0x80
"""linux/if.h; a running device is up and has a carrier, and one with NOARP resolves no addresses."""
RESOLVES = frozenset((*(kind for kind, link in KINDS.items() if link.ethernet), "ip6gretap"))
"""The kinds of links that resolve addresses unless that is switched off."""
DISABLED, FORWARDING = 0, 3
PORT_STATES = {DISABLED: "disabled", 1: "listening", 2: "learning", 4: "blocking"}
"""The states in which a port forwards nothing (linux/if_bridge.h)."""
ON_BY_DEFAULT = frozenset(("learning", "flood", "mcast_flood", "bcast_flood"))
"""The settings that are on for a new port of a bridge (new_nbp, net/bridge/br_if.c)."""
SETTINGS: Mapping[int, Mapping[str, int]] = {
    4: {
        "forwarding": 0,
        "rp_filter": 7,
        "proxy_arp": 2,
        "accept_local": 22,
        "accept_redirects": 3,
        "send_redirects": 5,
        "route_localnet": 25,
        "arp_announce": 17,
        "arp_ignore": 18,
        "promote_secondaries": 19,
    },
    6: {
        "forwarding": 0,
        "disable_ipv6": 26,
        "hop_limit": 1,
        "accept_ra": 3,
        "accept_redirects": 4,
        "proxy_ndp": 22,
    },
}
"""The sysctls that a link's message holds, by IP version, with their places in its array (linux/ip.h, ipv6.h)."""
NETNSA_FD = 3
"""linux/net_namespace.h"""
TUNNELS = tuple(kind for tunnel in UDP_TUNNELS for kind in tunnel.kinds)
"""The kinds of links that listen at a UDP port."""


def link_state(link: nl.Message, names: Mapping[int, str]) -> LinkState:
    """A device's state, without other attributes."""
    info = link.get("info", {})
    kind, known = info.get("kind", ""), dict(info.get("data", {}))
    if "link" in known or kind == "vlan":
        known["link"] = names.get(known.get("link") or link.get("link", 0)) if "netnsid" not in link else None
    elsewhere = [(ELSEWHERE, str(link["netnsid"]))] if "netnsid" in link and kind != "veth" else []
    return LinkState(
        name=link["name"],
        kind=kind or "physical",
        up=bool(link["flags"] & IFF_UP),
        mac=link.get("mac"),
        mtu=link.get("mtu"),
        master=names.get(link.get("master", 0)),
        parameters=(*(parameters(kind, known) if known else ()), *elsewhere),
        arp=kind not in RESOLVES or not link["flags"] & IFF_NOARP,
        port=tuple(_port(info.get("port", {}), link["flags"])),
    )


def _port(known: Mapping[str, int], flags: int) -> Iterator[tuple[str, str]]:
    """Yield the changes from a new port of a bridge, in the words of bridge(8).

    A port whose link is down is disabled by itself (br_port_carrier_check), which its link shows.
    """
    state = known.get("state", FORWARDING)
    if state in PORT_STATES and (state != DISABLED or flags & IFF_RUNNING):
        yield "state", PORT_STATES[state]
    for word, value in known.items():
        if word != "state" and bool(value) != (word in ON_BY_DEFAULT):
            yield word, "on" if value else "off"


def settings(link: nl.Message) -> Iterator[tuple[str, str]]:
    """The sysctls of a device, which come with its link."""
    for version, values in link.get("settings", {}).items():
        for name, place in SETTINGS[version].items():
            if place < len(values):
                yield sysctl_of(version, link["name"], name), str(values[place])


@dataclass(frozen=True)
class LinkEnd:
    """A device: its index and, of a veth with its peer in another namespace, the peer's index there; of one that sends
    by a device below it, such as a VLAN's or a macvlan, the index of that one.

    ``netnsid`` is this namespace's ID for the other one, where that device is in another.
    """

    name: str
    index: int
    up: bool
    kind: str = ""
    peer: int | None = None
    netnsid: int | None = None
    below: int | None = None
    port: int | None = None
    """UDP port at which a tunnel device listens."""

    @property
    def sends_elsewhere(self) -> bool:
        """True for a tunnel's device whose packets another namespace sends: it was moved from there."""
        return self.netnsid is not None and _is_tunnel(self.kind)


def _is_tunnel(kind: str) -> bool:
    return kind in KINDS and issubclass(KINDS[kind], Tunnel)


def tunnel_ports(ends: Mapping[str, Sequence[LinkEnd]]) -> Mapping[str, frozenset[int]]:
    """The UDP ports at which the devices of all nodes listen, by their kind."""
    devices = [end for known in ends.values() for end in known]
    return {kind: frozenset(end.port for end in devices if end.kind == kind and end.port) for kind in TUNNELS}


def read_ends(node: str, dump: bytes) -> Sequence[LinkEnd]:
    """Every device of a namespace; NetlinkError where the dump is cut off or invalid."""
    check_whole(node, "links", dump)
    with nl.readable(node):
        return [_end(link) for link in nl.parsed(nl.LINK, dump)]


def _end(link: nl.Message) -> LinkEnd:
    info = link.get("info", {})
    kind = info.get("kind", "")
    netnsid, other = link.get("netnsid"), link.get("link") or None
    return LinkEnd(
        name=link["name"],
        index=link["index"],
        up=bool(link["flags"] & IFF_UP),
        kind=kind,
        peer=other if kind == "veth" and netnsid is not None else None,
        netnsid=netnsid,
        # Its own index: a tunnel that was moved, without a device below it (dev_get_iflink, net/core/dev.c).
        below=other if kind != "veth" and (other != link["index"] or not _is_tunnel(kind)) else None,
        port=info["data"].get("port") if kind in TUNNELS else None,
    )


def netnsid_request(descriptor: int) -> bytes:
    """Asks a namespace for its own number of another, whose descriptor the agent holds."""
    return nl.NAMESPACE.request(nl.packed_attribute(NETNSA_FD, struct.pack("=I", descriptor)), nl.ACK_FLAGS)


def read_netnsid(dump: bytes) -> int | None:
    """The number; None where the namespace has none for that other (NETNSA_NSID_NOT_ASSIGNED, -1), or does not say."""
    with nl.readable("agent"):
        found = [message.get("number", -1) for message in nl.parsed(nl.NAMESPACE, dump)]
    return int(found[0]) if found and found[0] >= 0 else None

"""The control plane of a node, as FRR prints it in ``show … json``: sessions, BGP's routes, EVPN (RFC 7432). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from topology.frr import BFD_PEERS, NEIGHBOURS, OSPF_NEIGHBOURS, BfdPeer, Frr, Session, bfd_peers, sessions, table
from topology.model import Fabric, Port
from topology.refs import Address, Network, is_of_link

BGP_VNIS = "show bgp l2vpn evpn vni json"
QUESTIONS = (
    "show ip route vrf all json",
    NEIGHBOURS,
    "show bgp ipv4 unicast json",
    BGP_VNIS,
    "show bgp l2vpn evpn route vni all json",
    "show bgp l2vpn evpn route type prefix json",
    "show evpn next-hops vni all json",
)
"""All are asked in one vtysh call. Each answer is recognised by its keys; reading stops at the
first that is not JSON."""
QUESTIONS_OF_OTHERS = ("show bgp l2vpn evpn summary json", BGP_VNIS)
"""What the daemons of an adopted fabric are asked for a cause; their answers are short."""
EVPN_FAMILY = "l2VpnEvpn"
"""Its name among a session's families."""
MACS, FLOODING, PREFIXES = 2, 3, 5
"""The types of EVPN routes to a MAC, of a VTEP's part in a VNI (RFC 7432, sections 7.2 and 7.3), and to a prefix
(RFC 9136)."""


def questions(frr: Frr) -> tuple[str, ...]:
    """Return what the daemons of a configuration are asked."""
    asked = {"ospfd": OSPF_NEIGHBOURS, "bfdd": BFD_PEERS}
    return (*(QUESTIONS if frr.speaks_bgp else ()), *(it for daemon, it in asked.items() if daemon in frr.daemons))


class Hop(NamedTuple):
    """A next hop of an installed BGP route."""

    prefix: Network
    via: Address | None
    dev: str | None

    def __str__(self) -> str:
        return f"{self.prefix if self.prefix.prefixlen else 'default'} via {self.via} dev {self.dev}"


class EvpnRoute(NamedTuple):
    """An EVPN route, by its type: a MAC (blank but for type 2), the VTEP to which it leads, and the address or
    prefix that it has."""

    kind: int
    mac: str
    vtep: str
    ip: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (f"type {self.kind}", self.mac, self.ip, f"to {self.vtep}")))


class BgpVni(NamedTuple):
    """A VNI in BGP: its VTEP, and the route targets that are imported and exported."""

    vtep: str
    imports: frozenset[str]
    exports: frozenset[str]
    rmac: str = ""
    """The router's MAC that it tells others, where the VNI is a VRF's."""
    of_vrf: bool = False


@dataclass(frozen=True)
class ControlPlane:
    """Everything that is read from a node's daemons.

    ``advertises`` is False without ``advertise-all-vni``, and None where BGP has no EVPN. ``evpn`` has the best routes
    in each VNI's table, imported ones among them. ``prefixes`` are all in BGP's IPv4 table.
    """

    node: str
    number: int = 0
    """The autonomous system's."""
    router_id: str = ""
    sessions: tuple[Session, ...] = ()
    prefixes: frozenset[str] = frozenset()
    installed: frozenset[Hop] = frozenset()
    advertises: bool | None = None
    vnis: Mapping[int, BgpVni] = field(default_factory=dict)
    evpn: Mapping[int, frozenset[EvpnRoute]] = field(default_factory=dict)
    evpn_prefixes: frozenset[EvpnRoute] = frozenset()
    """The best routes of type 5, of every VRF."""
    routers: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """By the VNI of a VRF the MAC of the router at each VTEP, as zebra uses it."""
    adjacencies: Mapping[str, str] = field(default_factory=dict)
    """By interface the state of OSPF's neighbour there, such as Full/- or ExStart/DR."""
    bfd: tuple[BfdPeer, ...] = ()

    @property
    def lacks_evpn(self) -> bool:
        """True if sessions are established and none of them exchanges EVPN's routes."""
        families = [one.families for one in self.sessions if one.is_up]
        return bool(families) and all(its and EVPN_FAMILY not in its for its in families)

    def next_hops(self, vni: int) -> frozenset[str]:
        """The addresses to which EVPN sends in a VNI, of a segment or of a VRF."""
        return frozenset(one.vtep for one in self.evpn.get(vni, ())) | frozenset(self.routers.get(vni, ()))

    def floods_to(self, vni: int, vtep: str) -> bool:
        """Return whether frames for all go to a VTEP."""
        return any(one.kind == FLOODING and one.vtep == vtep for one in self.evpn.get(vni, ()))

    def derived(self, vni: int) -> str:
        """The route target that FRR derives for a VNI, AS:VNI (bgpd/bgp_evpn.c, form_auto_rt)."""
        return f"{self.number & 0xFFFF}:{vni}"

    def imports(self, vni: int, other: ControlPlane) -> bool:
        """Return whether it imports what another node exports for a VNI.

        A derived route target is imported from every AS.
        """
        mine, theirs = self.vnis[vni].imports, other.vnis[vni].exports
        return bool(mine & theirs) or (self.derived(vni) in mine and any(one.endswith(f":{vni}") for one in theirs))


def control_plane(node: str, answers: Iterable[object]) -> ControlPlane:
    """Return what a node's daemons have answered to ``QUESTIONS``."""
    found: dict[str, Any] = {}
    answers = [*answers]
    for answer in map(table, answers):
        if "advertiseAllVnis" in answer:
            found["advertises"] = answer["advertiseAllVnis"] == "Enabled"
            found["vnis"] = dict(_vnis(answer))
        elif "as" in answer and "peers" in answer:
            found["number"] = int(answer["as"])
        elif "routes" in answer:
            found["number"] = int(answer.get("localAS", 0))
            found["router_id"] = str(answer.get("routerId") or "")
            found["prefixes"] = frozenset(map(str, table(answer["routes"])))
        elif any("vrfId" in table(value) for value in answer.values()):
            found["sessions"] = tuple(sessions(answer))
        elif any("numNextHops" in table(value) for value in answer.values()):
            found["routers"] = {int(vni): dict(_routers(table(said))) for vni, said in answer.items()}
        elif "numPrefix" in answer:
            own = (path for of_rd in map(table, answer.values()) for path in _evpn(of_rd))
            found["evpn_prefixes"] = frozenset(own)
        elif tables := [one for one in (answer, *map(table, answer.values())) if any("/" in key for key in one)]:
            # FRR 8 prints a table for each VRF one after the other, FRR 10 all by their names in one.
            found["installed"] = found.get("installed", frozenset()).union(*map(_hops, tables))
        elif answer and all(key.isdecimal() for key in answer):
            found["evpn"] = {int(vni): frozenset(_evpn(table(routes))) for vni, routes in answer.items()}
    found["adjacencies"] = {at: state for answer in answers for at, state in _adjacencies(answer)}
    found["bfd"] = tuple(peer for answer in answers for peer in bfd_peers(answer))
    return ControlPlane(node, **found)


def _vnis(answer: Mapping[str, Any]) -> Iterator[tuple[int, BgpVni]]:
    for said in (table(value) for key, value in answer.items() if key.isdecimal()):
        imports, exports = (frozenset(map(str, said.get(word) or ())) for word in ("importRTs", "exportRTs"))
        of_vrf, rmac = said.get("type") == "L3" or "rmac" in said, str(said.get("rmac") or "")
        yield int(said["vni"]), BgpVni(str(said.get("originatorIp")), imports, exports, rmac, of_vrf)


def _adjacencies(answer: object) -> Iterator[tuple[str, str]]:
    """Yield interface and state of OSPF's neighbours; the interface comes with its address, as in swp1:10.0.0.11."""
    for listed in table(table(answer).get("neighbors")).values():
        for one in map(table, listed if isinstance(listed, list) else ()):
            yield str(one.get("ifaceName")).partition(":")[0], str(one.get("nbrState") or one.get("state"))


def _routers(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return (
        (str(one["nexthopIp"]), str(one.get("routerMac"))) for one in map(table, said.values()) if "nexthopIp" in one
    )


def _hops(answer: Mapping[str, Any]) -> Iterator[Hop]:
    for prefix, entries in answer.items():
        for entry in entries:
            if entry.get("protocol") == "bgp" and entry.get("installed"):
                nexthops = (one for one in entry.get("nexthops", ()) if one.get("fib"))
                ends = ((one.get("ip"), one.get("interfaceName")) for one in nexthops)
                yield from (Hop(ip_network(prefix), ip_address(ip) if ip else None, dev) for ip, dev in ends)


def _evpn(routes: Mapping[str, Any]) -> Iterator[EvpnRoute]:
    """Yield the best routes of a VNI's table; a path is a list of one, or not, as FRR's commands differ."""
    for listed in (table(route).get("paths", ()) for route in routes.values()):
        paths = (table(path[0] if isinstance(path, list) and path else path) for path in listed)
        for path in (path for path in paths if path.get("bestpath")):
            hop = next((str(table(one).get("ip")) for one in path.get("nexthops", ())), "")
            kind, ip = int(path.get("routeType", 0)), str(path.get("ip") or "")
            prefix = f"{ip}/{path.get('ipLen')}" if kind == PREFIXES else ip if kind == MACS else ""
            # Hosts have IPv6 link-local addresses, which no lab declares.
            if not (prefix and is_of_link(ip_address(ip))):
                yield EvpnRoute(kind, str(path.get("mac", "")), hop, prefix)


def far_end(
    built: Fabric, planes: Mapping[str, ControlPlane], near: str, neighbour: str
) -> tuple[ControlPlane, Session] | None:
    """Return the same session as its other end has it; None where that is not known."""
    ports = {port.name: port.peer for port in built[near].all(Port)}
    if neighbour in ports:
        far = ports[neighbour]
        ends = [(far.node, far.interface)]
    else:
        owners = (node.name for node in built.nodes if neighbour in map(str, node.addresses))
        ends = [(owner, str(own)) for owner in owners for own in built[near].addresses]
    known = ((planes[node], one, name) for node, name in ends if node in planes for one in planes[node].sessions)
    return next(((plane, one) for plane, one, name in known if one.neighbour == name), None)

"""FRRouting in a node: its configuration, the commands that start it, and its answers to ``show … json``. Pure.

The answers are those of FRR 8.4 to 10; a part that is missing is read as empty, never guessed.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from topology.refs import Address

FOLDER, RUN = "/usr/lib/frr", "/run/frr"
"""The daemons' folder in Debian's package, and that of their process IDs, a folder for each node."""
ALWAYS = ("zebra", "staticd")
"""The daemons that run in every node, as they do by Debian's package."""
NEEDED_BY: Mapping[str, re.Pattern[str]] = {
    "bgpd": re.compile(r"^router bgp\b", re.MULTILINE),
    "ospfd": re.compile(r"^router ospf\b", re.MULTILINE),
    "bfdd": re.compile(r"^bfd\b|^ *neighbor \S+ bfd\b|^ *ip ospf bfd\b", re.MULTILINE),
}
"""The other daemons that can run, each with the lines of a configuration that need it."""
DAEMONS = tuple(NEEDED_BY)
VRF_VNI = re.compile(r"^vrf (\S+)$(?:\n .*)*?\n vni (\d+)\b", re.MULTILINE)
INTERFACE = re.compile(r"^interface (\S+)((?:\n[ \t].*)*)", re.MULTILINE)
OSPF_BFD = re.compile(r"^\s+ip ospf bfd\b", re.MULTILINE)
REFUSED: Mapping[str, tuple[str, str]] = {
    # vtysh drops the lines of daemons that do not run without a word.
    r"router (?:ospf6|isis|ripng|rip|eigrp|babel|pim)|ip(?:v6)? (?:pim|router isis)|mpls ldp": (
        "needs a daemon that is not run here",
        f"lines for one of {', '.join(DAEMONS)}",
    ),
    "evpn mh": ("puts a host behind several VTEPs, which is not followed", "each host behind one VTEP"),
}
"""The beginnings of lines that are refused, each with why and with what would be right."""
ESTABLISHED, ADMIN_DOWN = "Established", "Admin Down"
"""States of a BGP and of a BFD session."""
SHUT_DOWN, BFD_DOWN = "shut down by its configuration", "BFD is down"
"""Reasons for which a session is down."""
NEIGHBOURS = "show bgp vrf all neighbors json"
ROUTES = {4: "show ip route vrf all json", 6: "show ipv6 route vrf all json"}
VNIS = "show evpn vni json"
HOSTS = "show evpn arp-cache vni all json"
OSPF_NEIGHBOURS, BFD_PEERS = "show ip ospf neighbor json", "show bfd peers json"
BFD_UP, BFD_SHUT_DOWN = "up", "shutdown"


@dataclass(frozen=True)
class Frr:
    """The configuration of a node's FRR: the text of its frr.conf, and its daemons beside those of ``ALWAYS``."""

    config: str
    daemons: tuple[str, ...] = ("bgpd",)
    file: str = ""
    """The configuration's file, for messages."""

    @property
    def speaks_bgp(self) -> bool:
        """True if its configuration has a BGP instance."""
        return bool(NEEDED_BY["bgpd"].search(self.config))

    @property
    def vrf_vnis(self) -> Mapping[str, int]:
        """The VNI of each VRF that has one, by which packets go that are routed in the VRF (RFC 9136)."""
        return {found[1]: int(found[2]) for found in VRF_VNI.finditer(self.config)}

    def has_ospf_bfd(self, interface: str) -> bool:
        """Return whether it wants BFD beside OSPF at an interface."""
        return bool(OSPF_BFD.search(dict(INTERFACE.findall(self.config)).get(interface, "")))

    def lacking(self) -> Iterator[str]:
        """Yield the daemons that lines of the configuration need, and that do not run."""
        yield from (one for one, lines in NEEDED_BY.items() if one not in self.daemons and lines.search(self.config))

    def refused(self) -> Iterator[tuple[int, str, str]]:
        """Yield the number of each line that is refused, with what is wrong and what would be right."""
        for words, (why, right) in REFUSED.items():
            for one in re.finditer(rf"^[ \t]*({words})\b", self.config, re.MULTILINE):
                yield self.config.count("\n", 0, one.start(1)) + 1, f"{one[1]!r} {why}", right

    def commands(self, node: str, config: str) -> tuple[str, ...]:
        """Return the commands that start it inside the node, with its configuration in a file of that name.

        Each node has a path space of its own (``-N``), so that one machine carries many.
        """
        started = (_start(one, node) for one in (*ALWAYS, *self.daemons))
        configured = f"vtysh -N {node} -f {shlex.quote(config)}"
        return (f"install -d -o frr -g frr {RUN} {RUN}/{node}", *started, configured)


def _start(daemon: str, node: str) -> str:
    return f"{FOLDER}/{daemon} -d -N {node}"


def config_file(node: str) -> str:
    """Return the file that a node's daemons are started with."""
    return f"{RUN}/{node}/frr.conf"


def restart(daemon: str, node: str) -> tuple[str, ...]:
    """Return the commands that start a daemon that has ended again, with its part of the configuration."""
    return (_start(daemon, node), f"vtysh -N {node} -d {daemon} -f {shlex.quote(config_file(node))}")


def trial(nodes: Iterable[Frr]) -> str:
    """Return the shell command that succeeds where the nodes' daemons can run; empty without nodes.

    They give up root for the user ``frr``, which a namespace of users need not have.
    """
    found = dict.fromkeys(one for frr in nodes for one in (*ALWAYS, *frr.daemons))
    tests = (f"test -x {FOLDER}/{one}" for one in found)
    return " && ".join((f"install -d -o frr -g frr {RUN}", *tests)) if found else ""


def vtysh(node: str, *commands: str) -> tuple[str, ...]:
    """Return the command that asks a node's daemons."""
    return ("vtysh", "-N", node, *(word for command in commands for word in ("-c", command)))


def typed(node: str, *commands: str) -> str:
    """Return the same as one types it in the node."""
    return shlex.join(vtysh(node, *commands))


def answers(text: str) -> list[Any]:
    """Return the JSON values that vtysh printed one after the other; none after the first that is no JSON."""
    found, at, decoder = list[Any](), 0, json.JSONDecoder()
    while at < len(text):
        start = next((n for n in range(at, len(text)) if not text[n].isspace()), None)
        if start is None:
            break
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        found.append(value)
    return found


def table(value: object) -> Mapping[str, Any]:
    """Return a value as a mapping; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True)
class Session:
    """A BGP session: its VRF and its neighbour as configured, its state, and why it is not established.

    ``bfd`` is the state of its BFD session, empty where it has none. ``families`` are what both ends exchange.
    """

    vrf: str
    neighbour: str
    state: str
    why: str = ""
    bfd: str = ""
    families: frozenset[str] = frozenset()
    hold_s: int = 0
    """BGP's hold time, after which a silent neighbour's session is down."""

    def __str__(self) -> str:
        where = "" if self.vrf == "default" else f" in VRF {self.vrf}"
        bfd = "" if self.has_bfd or not self.is_up else f" with BFD {self.bfd}"
        return f"session with {self.neighbour}{where} {self.state}{bfd}{self.why and f': {self.why}'}"

    @property
    def waits(self) -> bool:
        """True if FRR says no more of its being down than that it waits for the neighbour."""
        return self.why in ("", "Waiting for peer OPEN", "Waiting for NHT")

    @property
    def is_up(self) -> bool:
        """True if it is established."""
        return self.state == ESTABLISHED

    @property
    def has_bfd(self) -> bool:
        """True if its BFD session is up, where it is to have one."""
        return self.bfd in ("", "Up")

    @property
    def is_complete(self) -> bool:
        """True if it is established, with BFD where it is to have it."""
        return self.is_up and self.has_bfd


class BfdPeer(NamedTuple):
    """A BFD session: its interface (blank over several hops), its state, and why it is down."""

    interface: str
    peer: str
    status: str
    why: str = ""

    def __str__(self) -> str:
        return f"BFD with {self.peer} {self.status}{self.why and f': {self.why}'}"


def bfd_peers(peers: object) -> Iterator[BfdPeer]:
    """Yield the BFD sessions that ``BFD_PEERS`` lists."""
    for one in map(table, peers if isinstance(peers, list) else ()):
        why = str(one.get("diagnostic") or "")
        if "peer" in one:
            where = str(one.get("interface") or "")
            yield BfdPeer(where, str(one["peer"]), str(one.get("status")), "" if why == "ok" else why)


def sessions(neighbours: object) -> list[Session]:
    """Return the sessions that ``NEIGHBOURS`` lists."""
    found = []
    for vrf, peers in table(neighbours).items():
        for name, said in table(peers).items():
            if "bgpState" in table(said):
                bfd, families = table(said.get("peerBfdInfo")).get("status", ""), table(said.get("addressFamilyInfo"))
                state = str(said["bgpState"])
                hold_s = int(said.get("bgpTimerHoldTimeMsecs") or 0) // 1000
                found.append(Session(vrf, name, state, why_down(said), str(bfd), frozenset(map(str, families)), hold_s))
    return found


def why_down(said: Mapping[str, Any]) -> str:
    """Return why a neighbour's session is not established, in FRR's words; empty if it is, or FRR does not say."""
    if said.get("bgpState") == ESTABLISHED:
        return ""
    if said.get("adminShutDown"):
        return SHUT_DOWN
    reason = str(said.get("lastNotificationReason") or said.get("lastResetDueTo") or "")
    if table(said.get("peerBfdInfo")).get("status") == "Down" and not reason.endswith("Bad Peer AS"):
        return BFD_DOWN
    if said.get("bgpNeighborAddr") == "none":
        return "no neighbour is known on the interface"
    if str(said.get("lastResetDueTo")).endswith("received"):
        return f"refused by the neighbour: {reason}"
    expected = f" (AS {said.get('remoteAs')} expected)" if reason.endswith("Bad Peer AS") else ""
    return f"{reason}{expected}"


def installed(routes: Sequence[object], target: Address) -> bool:
    """Return whether a table of ``ROUTES`` has an installed route to a target, longer than that of a subnet there."""
    found = [(ip_network(prefix), own) for prefix, own in _installed(routes, target.version)]
    fitting = [(prefix.prefixlen, not own) for prefix, own in found if target in prefix]
    return max(fitting, default=(0, False))[1]


def _installed(tables: Sequence[object], version: int) -> Iterator[tuple[str, bool]]:
    """Yield the prefixes of installed routes, and whether each is a subnet of the router's own."""
    for one in tables:
        for prefix, entries in table(one).items():
            if isinstance(entries, Mapping):  # of a VRF, as FRR 10 has them
                yield from _installed([entries], version)
                continue
            for entry in map(table, entries if isinstance(entries, list) else ()):
                if (":" in prefix) == (version == 6) and entry.get("installed"):
                    yield prefix, entry.get("protocol") == "connected"


def known_hosts(cache: object) -> frozenset[str]:
    """Return the addresses that zebra knows in all VNIs (``HOSTS``)."""
    return frozenset(str(address) for of_vni in table(cache).values() for address in table(of_vni))


def far_vteps(vnis: object, vni: int) -> frozenset[Address]:
    """Return the remote VTEPs that zebra knows for a VNI (``VNIS``)."""
    found = table(table(vnis).get(str(vni))).get("remoteVteps")
    return frozenset(ip_address(one) for one in found) if isinstance(found, list) else frozenset()

"""Decides which differences between declared and live state can explain a failure of given packets. Pure.

A setting of IPv6 explains no loss of IPv4 packets; neither does a device that no packet passes, a route that no lookup
finds, or a limit on ICMP errors. ``weigh`` decides it for every kind of difference. Of an adopted node the same
decides which undeclared state counts (``is_judged``).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from itertools import pairwise

from reports.evidence import Cause
from reports.judge.traffic import Handled, Traffic
from reports.words import NOTHING
from topology.links import LINKS
from topology.links.base import FLOOD_MAC
from topology.model import LOOPBACK, Address, Device, Fabric, Vxlan
from topology.plan import uses_ipv6
from topology.state import Entry, LinkState, NodeState, RouteState, best_routes, parts_of_sysctl, sysctl_of

CHANGES, MAY, NEVER = 0, 1, 2
"""A difference changes the packets' fate, may do so, or cannot."""
DEFAULT = "the default"
"""The declared value of a parameter that is left to the kernel."""
IPV6_MTU_MIN = 1280
"""RFC 8200, section 5: a device with less has no IPv6 (addrconf_notify, net/ipv6/addrconf.c)."""
QUEUES_ONLY = frozenset(("bfifo", "clsact", "fq", "fq_codel", "ingress", "mq", "noqueue", "pfifo", "pfifo_fast", "sfq"))
"""Queueing disciplines that neither lose nor change a packet while the device keeps up (tc(8))."""
TABLES_SEE = {"ip": {4}, "ip6": {6}, "inet": {4, 6}, "arp": {4}, "bridge": {4, 6}, "netdev": {4, 6}}
"""The IP versions whose packets meet the tables of an nftables family."""
BRIDGE_CALLS = {
    "bridge-nf-call-iptables": (4, ("ip", "inet")),
    "bridge-nf-call-ip6tables": (6, ("ip6", "inet")),
    "bridge-nf-call-arptables": (4, ("arp",)),
}
"""Bridged packets, and the nftables families they meet (Documentation/networking/ip-sysctl.rst)."""
PLAIN_RULE = frozenset(("pref", "from", "to", "iif", "lookup", "blackhole", "unreachable", "prohibit"))
"""The words of rules of which it is known which packets they fit."""
ERRORS_ONLY = frozenset(("icmp_ratelimit", "ratelimit"))
"""Sysctls that delay ICMP errors and nothing else."""
WITHOUT_EFFECT = frozenset(("accept_dad",))
"""Sysctls that matter while an address is new, and never again."""


def weigh(cause: Cause, declared: NodeState, live: NodeState, traffic: Traffic | None) -> int:
    """Return how a difference affects packets; ``traffic`` None stands for any packets, ICMP errors among them."""
    name = parts_of_sysctl(cause.about)[2] if isinstance(cause.about, str) else ""
    if name in WITHOUT_EFFECT:
        return NEVER
    if traffic is None or (traffic.sized and name in ERRORS_ONLY):
        return MAY
    weight = _weight(cause, declared, live, traffic)
    if weight == CHANGES and _left_open(cause):
        return MAY
    return MAY if weight == NEVER and cause.node in traffic.astray and name not in ERRORS_ONLY else weight


def _weight(cause: Cause, declared: NodeState, live: NodeState, traffic: Traffic) -> int:
    about, handled = cause.about, traffic.at(cause.node)
    if isinstance(about, LinkState):
        return _link(cause, about, traffic, handled)
    if isinstance(about, str):
        return _sysctl(cause, about, live, traffic, handled)
    if isinstance(about, RouteState):
        return _route(cause, about, declared, live, handled)
    if isinstance(about, Entry):
        return _entry(cause, about, declared, live, traffic)
    return _address(cause, about, traffic, handled)


def is_judged(
    cause: Cause, declared: NodeState, live: NodeState, fabric: Fabric, traffic: Callable[[], Traffic]
) -> bool:
    """Return whether a difference of an adopted node counts: it is of declared state, or changes a packet's way."""
    about = cause.about
    if (
        _left_open(cause)
        or _floods_alike(cause, declared, live)
        or (isinstance(about, RouteState) and about.dev == LOOPBACK)
    ):
        return False
    if isinstance(about, str):
        said = _said(about, cause, live, fabric)
    else:
        undeclared = cause.kind in ("bridge port", "arp") or (isinstance(about, Entry) and about.kind != "fdb")
        said = cause.declared != NOTHING and not undeclared
    return said or weigh(cause, declared, live, traffic()) == CHANGES


UNDECLARED = {f"{word} {DEFAULT}" for link in LINKS for word in link.undeclared}
LEFT_OPEN = frozenset(("dev none", "local none", "stp on", "vlan_filtering on")) | UNDECLARED


def _left_open(cause: Cause) -> bool:
    """Return whether node or lab leaves a setting to routes or defaults: then the journeys show its effect.

    A lab cannot declare how a bridge and its ports flood, learn and filter, nor a route's metrics; a port that forwards
    nothing is no setting.
    """
    if isinstance(cause.about, RouteState) and cause.live.startswith(f"{cause.declared} "):
        return True
    said = {cause.declared, cause.live}
    if cause.kind == "bridge port" and not cause.live.startswith("state "):
        return True
    return said in ({"ttl auto", "ttl 64"}, {"ttl auto", "ttl inherit"}) or bool(said & LEFT_OPEN)


def _said(key: str, cause: Cause, live: NodeState, fabric: Fabric) -> bool:
    """Return whether a lab declares a sysctl's value, by a router's role or the keys of ``routing``."""
    version, device, name = parts_of_sysctl(key)
    if version == 6 and not uses_ipv6(fabric):
        return False
    off = cause.live.endswith("=0")
    if name == "forwarding":
        return off and (device == "all" or (version == 4 and device != ""))
    if name == "ip_forward":
        return off and any(_is_off(live, device.name) for device in fabric[cause.node].devices)
    if name == "fib_multipath_hash_policy":
        return bool(fabric.routing.hash_policy)
    return name == "ignore_routes_with_linkdown" and fabric.routing.ignore_linkdown and device == "all"


def _is_off(live: NodeState, device: str) -> bool:
    """Return whether forwarding of IPv4 packets that come in by a device is off."""
    return live.sysctls.get(sysctl_of(4, device, "forwarding"), "1") == "0"


def _link(cause: Cause, link: LinkState, traffic: Traffic, handled: Handled) -> int:
    """A device that packets pass, or one that joins a bridge of theirs."""
    passed = link.name in handled.devices
    if cause.kind == "mac":
        return CHANGES if passed or link.mac in traffic.macs else NEVER
    if cause.kind == "mtu":
        too_small = (link.mtu or 0) < max(handled.size, IPV6_MTU_MIN if 6 in handled.versions else 0)
        return CHANGES if passed and (too_small or traffic.sized) else NEVER
    joins = cause.declared == NOTHING and link.master in handled.devices
    return CHANGES if passed or joins else NEVER


def _address(cause: Cause, about: object, traffic: Traffic, handled: Handled) -> int:
    """An address of a packet or of a next hop, else one of a device that packets pass."""
    assert isinstance(about, tuple)
    device, interface = about
    if interface.ip in traffic.ips:
        return CHANGES
    if device not in handled.devices:
        return NEVER
    return MAY if cause.declared == NOTHING else CHANGES


def _route(cause: Cause, route: RouteState, declared: NodeState, live: NodeState, handled: Handled) -> int:
    """A route that some lookup finds: a declared one that is the best, or another that wins over it."""
    for target in handled.targets:
        best = best_routes(declared.routes, target)
        longest = max((known.prefix.prefixlen for known in best), default=-1)
        if target.version != route.prefix.version or target not in route.prefix or route.prefix.prefixlen < longest:
            continue
        metrics = [known.metric for known in live.routes if known in best]
        if cause.declared != NOTHING or route.prefix.prefixlen > longest or route.metric <= max(metrics, default=0):
            return CHANGES
    return NEVER


def _sysctl(cause: Cause, key: str, live: NodeState, traffic: Traffic, handled: Handled) -> int:
    version, device, name = parts_of_sysctl(key)
    off = cause.live.endswith("=0")
    if name in ERRORS_ONLY or device not in ("", "all", *handled.devices):
        return NEVER
    if name in BRIDGE_CALLS:
        return _bridge_call(name, off, live, handled)
    if name in ("ip_forward", "forwarding"):
        forwards = {one.device for one in handled.received if one.forwarded and one.src.version == version}
        if name == "ip_forward":
            forwards = {one for one in forwards if _is_off(live, one)}
        concerned = forwards if device in ("", "all") else forwards & {device}
        return CHANGES if off and concerned else NEVER
    if name == "rp_filter":
        concerned = {one.device for one in handled.received if _filtered(one.device, one.src, live)}
        return CHANGES if concerned and (device == "all" or device in concerned) else NEVER
    if name == "disable_ipv6":
        devices = handled.devices if device == "all" else {device}
        there = any(live.sysctls.get(sysctl_of(6, one, name), "1") == "1" for one in devices)
        return CHANGES if not off and there and 6 in handled.versions else NEVER
    if name == "icmp_echo_ignore_all":
        return CHANGES if not off and (4, "icmp") in handled.answers else NEVER
    return MAY if version in handled.versions else NEVER


def _bridge_call(name: str, off: bool, live: NodeState, handled: Handled) -> int:
    """Bridged packets meet a firewall's tables where there are any; those of iptables-legacy are not read."""
    version, families = BRIDGE_CALLS[name]
    if off or version not in handled.bridged:
        return NEVER
    acting = (entry for entry in live.entries if entry.kind == "nft" and not entry.idle)
    return CHANGES if any(entry.words.split()[1] in families for entry in acting) else MAY


def _filtered(device: str, src: Address, live: NodeState) -> bool:
    """Return whether rp_filter drops packets from an address (fib_validate_source, net/ipv4/fib_frontend.c)."""
    if src.version != 4:
        return False
    modes = (live.sysctls.get(sysctl_of(4, one, "rp_filter"), "0") for one in ("all", device))
    mode = max(int(text) for text in modes if text.isdigit())
    back = best_routes(live.routes, src)
    return (mode == 1 and all(route.dev != device for route in back)) or (mode == 2 and not back)


def _entry(cause: Cause, entry: Entry, declared: NodeState, live: NodeState, traffic: Traffic) -> int:
    """Entries of a device count where packets pass it, or the bridge whose port it is."""
    handled = traffic.at(cause.node)
    if entry.kind == "rule":
        return _rule(cause, entry, live, handled)
    if entry.kind == "route":
        return _other_table(entry, handled)
    if entry.kind == "nft":
        return _firewall(entry, live, handled)
    link = live.links.get(entry.device or "")
    if handled.devices.isdisjoint((entry.device, link.master if link and entry.kind == "fdb" else None)):
        return NEVER
    if entry.kind == "qdisc":
        return NEVER if QUEUES_ONLY & set(entry.words.split()) else CHANGES
    if entry.kind == "neigh":
        return _neighbour(entry, traffic)
    if entry.kind == "fdb":
        return NEVER if _floods_alike(cause, declared, live) else _forwarding(entry, cause.node, traffic)
    return CHANGES


def _other_table(entry: Entry, handled: Handled) -> int:
    """A route of another table that leads to a target: a rule decides whether it is asked, for ``local`` one does."""
    words = entry.words.split()
    found = any(_fits(_prefix(entry), target) for target in handled.targets)
    return NEVER if not found else CHANGES if words[-2:] == ["table", "local"] else MAY


def _prefix(entry: Entry) -> str:
    """A route's destination, with ``default`` made the version's own."""
    word = next(word for word in entry.words.split() if "/" in word or word == "default")
    return word if word != "default" else "::/0" if "-6" in entry.tool.split() else "0.0.0.0/0"


def _rule(cause: Cause, entry: Entry, live: NodeState, handled: Handled) -> int:
    """A rule that fits a packet that is looked up, and that leads elsewhere; one of the kernel's own that is gone."""
    words, version = entry.words.split(), 6 if "-6" in entry.tool.split() else 4
    said = dict(pairwise(words))
    table = said.get("lookup", "")
    targets = {one for one in handled.targets if one.version == version}
    if cause.declared == NOTHING and table:
        known = [
            one for one in live.entries if one.tool == f"{entry.tool[:-4]}route" and f" table {table}" in one.words
        ]
        targets = {one for one in targets if any(_fits(_prefix(route), one) for route in known)}
    if not targets or table == "default":
        return NEVER
    if not PLAIN_RULE.issuperset(words[::2]):
        return MAY
    sources = {one for one in handled.sources if one.version == version}
    fits = any(_fits(said.get("to", "all"), one) for one in targets) and any(
        _fits(said["from"], one) for one in sources
    )
    return CHANGES if fits and said.get("iif", "lo") in {"lo", *handled.devices} else NEVER


def _fits(prefix: str, address: Address) -> bool:
    return prefix == "all" or address in ip_network(prefix, strict=False)


def _firewall(entry: Entry, live: NodeState, handled: Handled) -> int:
    """A table whose family meets a packet: bridged ones meet those of IP only where ``bridge-nf-call-*`` is on."""
    if entry.idle:
        return NEVER
    family = entry.words.split()[1]
    seen = handled.versions if family not in ("bridge", "netdev") else handled.versions | handled.bridged
    for name, (version, families) in BRIDGE_CALLS.items():
        if family in families and live.sysctls.get(f"net.bridge.{name}", "0") != "0":
            seen = seen | handled.bridged & {version}
    return CHANGES if TABLES_SEE.get(family, {4, 6}) & seen else NEVER


def _neighbour(entry: Entry, traffic: Traffic) -> int:
    """A permanent neighbour that a packet needs, unless its MAC is the owner's."""
    words = entry.words.split()
    address, mac = ip_address(words[0]), words[2]
    owners = {d.mac for d in traffic.fabric.devices for interface in d.addresses if interface.ip == address}
    return CHANGES if address in traffic.ips and mac not in owners else NEVER


def _forwarding(entry: Entry, node: str, traffic: Traffic) -> int:
    """A forwarding entry of a MAC that a packet has, or of all, unless it leads where that MAC is."""
    mac, *said = entry.words.split()
    here, name = traffic.fabric[node], entry.device or ""
    if mac == FLOOD_MAC:
        return CHANGES
    if mac not in traffic.macs or not here.has(name):
        return NEVER
    if isinstance(here[name], Vxlan) and {"port", "vni"}.isdisjoint(said) and "dst" in said:
        remote = ip_address(said[said.index("dst") + 1])
        return NEVER if _leads_to(traffic.fabric, here[name], mac, remote) else CHANGES
    return NEVER if "master" in said and _leads_to(traffic.fabric, here[name], mac) else CHANGES


def _leads_to(fabric: Fabric, device: Device, mac: str, remote: Address | None = None) -> bool:
    """Return whether the owner of a MAC is behind a device; with ``remote``, behind that remote of a VXLAN device."""
    if not isinstance(device, Vxlan) or remote is None:
        return any(one.mac == mac for one in fabric.behind(device, set()))
    return any(one.mac == mac for far in fabric.receivers(device, remote) for one in fabric.beyond(far, set()))


def _floods_alike(cause: Cause, declared: NodeState, live: NodeState) -> bool:
    """Return whether a VXLAN device floods to the declared remotes, however they were configured."""
    about = cause.about
    flood = isinstance(about, Entry) and about.kind == "fdb" and about.words.startswith(FLOOD_MAC)
    if not flood and not (cause.kind == "vxlan" and cause.declared.startswith("remote ")):
        return False
    return _floods(declared, cause.interface) == _floods(live, cause.interface)


def _floods(state: NodeState, device: str | None) -> set[str]:
    """The remotes to which a device floods."""
    said = (entry.words.split() for entry in state.entries if entry.kind == "fdb" and entry.device == device)
    return {words[words.index("dst") + 1] for words in said if words[0] == FLOOD_MAC and "dst" in words}

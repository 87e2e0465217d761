"""Where declared and live state of a node differ, most fundamental first, each with the command that fixes it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from reports.evidence import Cause
from reports.judge.traffic import Traffic
from reports.judge.weight import DEFAULT, MAY, weigh
from reports.words import MISSING, NOTHING
from topology.state import Entry, LinkState, NodeState, RouteState, parts_of_sysctl

KINDS = ("rule", "route", "neigh", "fdb", "filter", "qdisc", "nft")
"""The further entries, in the order in which they are told: a filter says more than the qdisc that it hangs at."""
PASSED_ON: Mapping[tuple[str, str], str] = {
    ("ipv4", "forwarding"): "net.ipv4.ip_forward",
    ("ipv6", "forwarding"): "net.ipv6.conf.all.forwarding",
    ("ipv6", "disable_ipv6"): "net.ipv6.conf.all.disable_ipv6",
}
"""What writes itself to every device when it is written (Documentation/networking/ip-sysctl.rst)."""
ADD = {"ip neigh": "replace", "bridge fdb": "append"}
"""The verb by which each tool brings an entry back, where it is not ``add``."""
SWITCHED_OFF = {"stp": "stp_state 0", "vlan_filtering": "vlan_filtering 0"}
"""How ip-link(8) switches a setting of a bridge off."""
OPPOSITE = {"on": "off", "off": "on"}
FOLLOWS = ("link", "bridge", "port", "arp", "tunnel", "mtu", "mac")
"""Kinds of differences of links, causes before their effects: a key lowers its tunnel's MTU."""
T = TypeVar("T")


def differences(declared: NodeState, live: NodeState) -> tuple[Cause, ...]:
    """Every difference of one node, causes before what follows from them: links, sysctls, addresses, routes, the rest.

    Without its link, or without IPv6, an address is gone; without the address, or the link up, a route is.
    """
    parts = (_links, _sysctls, _addresses, _routes, _entries)
    return tuple(cause for part in parts for cause in part(declared, live))


def find_cause(
    declared: Mapping[str, NodeState],
    live: Mapping[str, NodeState],
    suspects: Sequence[str],
    traffic: Traffic | None = None,
    worst: int = MAY,
) -> Cause | None:
    """The first difference that explains what became of the packets, at the first suspect that has one.

    ``worst`` is the weakest weight that counts (``reports.judge.weight``). Nodes beside the suspects come last.
    """
    for node in dict.fromkeys([*suspects, *declared]):
        if node in declared and node in live:
            for cause in differences(declared[node], live[node]):
                if weigh(cause, declared[node], live[node], traffic) <= worst:
                    return cause
    return None


def _links(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    """Those of one kind after another, of one kind the lower devices first: a VLAN's MTU follows its port's."""
    node = declared.node
    found = []
    for name, wanted in declared.links.items():
        seen = live.links.get(name)
        if seen is None:
            words = f"ip -n {node} link add name {name} …"
            found.append(Cause("link", node, name, f"a {wanted.kind}", MISSING, words, wanted))
        else:
            found += _link(node, wanted, seen)
    yield from sorted(found, key=lambda cause: (_follows_what(cause.kind), _height(declared, cause.interface)))
    for name in sorted(live.links.keys() - declared.links.keys()):
        seen = live.links[name]
        yield Cause("link", node, name, NOTHING, f"a {seen.kind}", f"ip -n {node} link del dev {name}", seen)


def _follows_what(kind: str) -> int:
    return FOLLOWS.index(kind if kind in FOLLOWS else "tunnel")


def _height(state: NodeState, name: str | None, bound: int = 8) -> int:
    """How many declared devices are below one: a tunnel's or a VLAN's ``dev``, a bridge's members."""
    link = state.links.get(name or "")
    if link is None or bound == 0:
        return 0
    below = [dict(link.parameters).get("dev"), *(one.name for one in state.links.values() if one.master == name)]
    return max((1 + _height(state, one, bound - 1) for one in below if one in state.links), default=0)


def _link(node: str, wanted: LinkState, seen: LinkState) -> Iterator[Cause]:
    name, ip = wanted.name, f"ip -n {node} link set dev {wanted.name}"
    if wanted.kind != seen.kind:
        yield Cause(
            "link",
            node,
            name,
            wanted.kind,
            seen.kind,
            f"ip -n {node} link del dev {name}; add it as {wanted.kind}",
            seen,
        )
    if wanted.up != seen.up:
        yield Cause("link", node, name, _up(wanted.up), _up(seen.up), f"{ip} {_up(wanted.up)}", seen)
    if wanted.master != seen.master:
        fix = f"{ip} master {wanted.master}" if wanted.master else f"{ip} nomaster"
        yield Cause("bridge", node, name, wanted.master or "no bridge", seen.master or "no bridge", fix, seen)
    yield from _parameters(node, wanted, seen)
    if wanted.arp != seen.arp:
        on, off = ("on", "off") if wanted.arp else ("off", "on")
        yield Cause("arp", node, name, f"arp {on}", f"arp {off}", f"{ip} arp {on}", seen)
    for key, value in sorted(set(seen.port) - set(wanted.port)):
        was = dict(wanted.port).get(key) or OPPOSITE.get(value, "forwarding")
        fix = f"bridge -n {node} link set dev {name} {key} {was}"
        yield Cause("port", node, name, f"{key} {was}", f"{key} {value}", fix, seen)
    if wanted.mtu is not None and wanted.mtu != seen.mtu:
        yield Cause("mtu", node, name, str(wanted.mtu), str(seen.mtu), f"{ip} mtu {wanted.mtu}", seen)
    if wanted.mac is not None and wanted.mac != seen.mac:
        yield Cause("mac", node, name, wanted.mac, str(seen.mac), f"{ip} address {wanted.mac}", seen)


def _parameters(node: str, wanted: LinkState, seen: LinkState) -> Iterator[Cause]:
    live = dict(seen.parameters)
    for key, value in wanted.parameters:
        if live.get(key) != value:
            fix = f"ip -n {node} link del dev {wanted.name}; add it with {key} {value}"
            yield Cause(wanted.kind, node, wanted.name, f"{key} {value}", f"{key} {live.get(key, MISSING)}", fix, seen)
    for key in sorted(live.keys() - dict(wanted.parameters).keys()) if wanted.kind == seen.kind else ():
        fix = f"ip -n {node} link del dev {wanted.name}; add it without {key}"
        if key in SWITCHED_OFF:
            fix = f"ip -n {node} link set dev {wanted.name} type bridge {SWITCHED_OFF[key]}"
        yield Cause(wanted.kind, node, wanted.name, f"{key} {DEFAULT}", f"{key} {live[key]}", fix, seen)


def _addresses(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    node = declared.node
    for device, interface in _in_order(declared.addresses - live.addresses):
        fix = f"ip -n {node} addr add {interface} dev {device}"
        yield Cause("address", node, device, str(interface), MISSING, fix, (device, interface))
    for device, interface in _in_order(live.addresses - declared.addresses):
        fix = f"ip -n {node} addr del {interface} dev {device}"
        yield Cause("address", node, device, NOTHING, str(interface), fix, (device, interface))


def _routes(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    node = declared.node
    extra = _in_order(live.routes - declared.routes)
    for route in _in_order(declared.routes - live.routes):
        instead = next((other for other in extra if other.prefix == route.prefix), None)
        if instead is not None:
            extra.remove(instead)
        fix = f"{_ip(node, route)} route replace {route.whole or route}"
        yield Cause("route", node, route.dev, str(route), str(instead or MISSING), fix, route)
    for route in extra:
        yield Cause("route", node, route.dev, NOTHING, str(route), f"{_ip(node, route)} route del {route}", route)


def _sysctls(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    """Where this kernel has the key at all; a device that follows what was set for all devices is not told again."""
    node = declared.node
    for key, value in declared.sysctls.items():
        seen = live.sysctls.get(key)
        if seen in (None, value) or _follows(key, declared, live):
            continue
        device = parts_of_sysctl(key)[1]
        own = device if device not in ("", "all", "default") else None
        fix = f"ip netns exec {node} sysctl -w {key}={value}"
        yield Cause("sysctl", node, own, f"{key}={value}", f"{key}={seen}", fix, key)


def _follows(key: str, declared: NodeState, live: NodeState) -> bool:
    """Return whether a device's setting only shows what was set for all devices."""
    parts = key.split("/" if "/" in key else ".")
    for_all = PASSED_ON.get((parts[1], parts[-1]), key)
    changed = for_all != key and declared.sysctls.get(for_all) != live.sysctls.get(for_all)
    return changed and live.sysctls[key] == live.sysctls.get(for_all)


def _entries(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    """Rules, neighbours, forwarding entries, filters, qdiscs, tables of nftables."""
    node = declared.node
    extra = _told(live.entries - declared.entries, declared, live)
    for entry in _told(declared.entries - live.entries, declared, live):
        instead = next((other for other in extra if (other.tool, other.place) == (entry.tool, entry.place)), None)
        if instead is not None:
            extra.remove(instead)
        more = " …" if entry.tool.startswith("tc") else ""
        fix = _command(node, entry, ADD.get(entry.tool, "add"), f"{entry.words}{more}")
        yield Cause(entry.kind, node, entry.device, entry.words, instead.words if instead else MISSING, fix, entry)
    for entry in extra:
        fix = _command(node, entry, "del", entry.place)
        yield Cause(entry.kind, node, entry.device, NOTHING, entry.words, fix, entry)


def _told(entries: Iterable[Entry], declared: NodeState, live: NodeState) -> list[Entry]:
    """In order, without those that only follow from their device's own difference."""

    def follows(entry: Entry) -> bool:
        one, other = (state.links.get(entry.device or "") for state in (declared, live))
        if one is None or other is None:
            return one is not other
        return entry.kind == "fdb" and one.parameters != other.parameters

    kept = (entry for entry in entries if not follows(entry))
    return sorted(kept, key=lambda entry: (KINDS.index(entry.kind), str(entry)))


def _command(node: str, entry: Entry, verb: str, words: str) -> str:
    """The tool's command inside a node."""
    program, *rest = entry.tool.split()
    if program == "nft":
        return f"ip netns exec {node} nft {'delete' if verb == 'del' else verb} {words}"
    return " ".join([program, "-n", node, *rest, verb, words])


def _ip(node: str, route: RouteState) -> str:
    """The command up to its object: ``default`` alone does not say which version is meant."""
    return f"ip -n {node}{' -6' if route.prefix.version == 6 else ''}"


def _in_order(items: Iterable[T]) -> list[T]:
    return sorted(items, key=str)


def _up(is_up: bool) -> str:
    return "up" if is_up else "down"

"""Differences of a node's declared and live state, most fundamental first, each with its fixing command. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TypeVar

from reports.diagnosis.show import show_of
from reports.evidence import Cause
from reports.judge.traffic import Traffic
from reports.judge.weight import CHANGES, DEFAULT, NEVER, weigh
from reports.words import MISSING, NOTHING
from topology.dataplane.paths import ExpectedHop, ExpectedPath
from topology.expected import ExpectedJourney
from topology.links import KINDS as TYPES
from topology.state import Entry, LinkState, NodeState, RouteState, parts_of_sysctl

KINDS = ("rule", "route", "neigh", "fdb", "vlan", "filter", "qdisc", "nft")
"""The further entries, in the order in which they are reported: a filter says more than the qdisc that it hangs at."""
PASSED_ON: Mapping[tuple[str, str], str] = {
    ("ipv4", "forwarding"): "net.ipv4.ip_forward",
    ("ipv6", "forwarding"): "net.ipv6.conf.all.forwarding",
    ("ipv6", "disable_ipv6"): "net.ipv6.conf.all.disable_ipv6",
}
"""Settings that write themselves to every device when they are written (Documentation/networking/ip-sysctl.rst)."""
ADD = {"ip neigh": "replace", "bridge fdb": "append"}
"""The verb by which each tool brings an entry back, where it is not ``add``."""
OPPOSITE = {"on": "off", "off": "on"}
FOLLOWS = ("link", "bridge", "bridge port", "arp", "tunnel", "mtu", "mac")
"""Kinds of differences of links, causes before their effects: a key lowers its tunnel's MTU."""
T = TypeVar("T")


def differences(declared: NodeState, live: NodeState) -> tuple[Cause, ...]:
    """Every difference of one node, causes before what follows from them: links, sysctls, addresses, routes, the rest.

    Without its link, or without IPv6, an address is gone; without the address, or the link up, a route is. A daemon's
    route or entry that is not declared is no difference; a declared one is right, whoever made it.
    """
    parts = (_links, _sysctls, _addresses, _routes, _entries)
    found = (cause for part in parts for cause in part(declared, live) if not _is_a_daemons(cause))
    return tuple(replace(cause, show=show_of(cause)) for cause in found)


def find_diversion(
    expected: ExpectedJourney,
    walked: ExpectedJourney,
    declared: Mapping[str, NodeState],
    live: Mapping[str, NodeState],
    traffic: Traffic,
) -> Cause | None:
    """The route or entry of a daemon by which packets leave their declared way, where the walk over live state does.

    No fix is named: the daemon would make it again.
    """
    for path in walked.paths:
        if path not in expected.paths:
            shared = max((_shared(path, other) for other in expected.paths), default=0)
            name = _hops(path)[shared - 1].node if shared else expected.source
            for cause in (*_routes(declared[name], live[name]), *_entries(declared[name], live[name])):
                if _is_a_daemons(cause) and weigh(cause, declared[name], live[name], traffic) == CHANGES:
                    return replace(cause, fix="", show=show_of(cause))
    return None


def _hops(path: ExpectedPath) -> Sequence[ExpectedHop]:
    """The hops of a path, those of the address request where nothing else is sent."""
    return path.hops or (path.end.hops if path.end else ())


def _shared(path: ExpectedPath, other: ExpectedPath) -> int:
    """The number of hops that two paths begin with together; of a request the places alone are compared."""
    both = zip(_hops(path), other.hops, strict=False)
    return sum(
        1 for _ in takewhile(lambda hops: hops[0].place == hops[1].place if not path.hops else hops[0] == hops[1], both)
    )


def _is_a_daemons(cause: Cause) -> bool:
    return cause.declared == NOTHING and isinstance(cause.about, RouteState | Entry) and bool(cause.about.owner)


def find_causes(
    declared: Mapping[str, NodeState],
    live: Mapping[str, NodeState],
    suspects: Sequence[str],
    traffic: Traffic | None = None,
) -> Iterator[Cause]:
    """The differences that explain the packets' fate, or may: those of the suspects first, in their order.

    A node that has none of its cables any more comes before the neighbours that lost their ends of them.
    """
    known = [node for node in dict.fromkeys([*suspects, *declared]) if node in declared and node in live]
    for node in sorted(known, key=lambda node: -_lost_cables(declared[node], live[node])):
        for cause in differences(declared[node], live[node]):
            if (weight := weigh(cause, declared[node], live[node], traffic)) < NEVER:
                yield replace(cause, sure=weight == CHANGES)


def _lost_cables(declared: NodeState, live: NodeState) -> int:
    """Return the number of a node's cables where it has lost all of them, else 0."""
    cables = {name for name, link in declared.links.items() if link.kind == "veth"}
    return len(cables) if cables.isdisjoint(live.links) else 0


def _links(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    """Link differences by kind, lower devices first: a VLAN's MTU follows its port's."""
    node, found = declared.node, list[Cause]()
    for name, wanted in declared.links.items():
        seen = live.links.get(name)
        if seen is None:
            found.append(Cause("link", node, name, f"a {wanted.kind}", MISSING, "", about=wanted, remade=True))
        else:
            found += _link(node, wanted, seen)
    yield from sorted(found, key=lambda cause: (_follows_what(cause.kind), _height(declared, cause.interface)))
    for name in sorted(live.links.keys() - declared.links.keys()):
        seen = live.links[name]
        yield Cause("link", node, name, NOTHING, f"a {seen.kind}", f"ip -n {node} link del dev {name}", about=seen)


def _follows_what(kind: str) -> int:
    return FOLLOWS.index(kind if kind in FOLLOWS else "tunnel")


def _height(state: NodeState, name: str | None, bound: int = 8) -> int:
    """The number of declared devices below one: a tunnel's or a VLAN's ``dev``, a bridge's members."""
    link = state.links.get(name or "")
    if link is None or bound == 0:
        return 0
    below = [dict(link.parameters).get("dev"), *(one.name for one in state.links.values() if one.master == name)]
    return max((1 + _height(state, one, bound - 1) for one in below if one in state.links), default=0)


def _link(node: str, wanted: LinkState, seen: LinkState) -> Iterator[Cause]:
    """The differences of one link; a MAC or an MTU that is not declared is the kernel's choice."""
    ip, again = f"ip -n {node} link set dev {wanted.name}", f"ip -n {node} link del dev {wanted.name}"
    up, master, live = _up(wanted.up), wanted.master, dict(seen.parameters)
    rows: list[tuple[str, object, object, str]] = [
        ("link", wanted.kind, seen.kind, again),
        ("link", up, _up(seen.up), f"{ip} {up}"),
        (
            "bridge",
            master or "no bridge",
            seen.master or "no bridge",
            f"{ip} {f'master {master}' if master else 'nomaster'}",
        ),
    ]
    for key, value in wanted.parameters:
        rows.append((wanted.kind, f"{key} {value}", f"{key} {live.pop(key, MISSING)}", again))
    resets = TYPES[wanted.kind].resets if wanted.kind in TYPES else {}
    for key in sorted(live) if wanted.kind == seen.kind else ():
        off = f"{ip} type {seen.kind} {resets[key]}" if key in resets else again
        rows.append((wanted.kind, f"{key} {DEFAULT}", f"{key} {live[key]}", off))
    rows.append(("arp", _arp(wanted.arp), _arp(seen.arp), f"{ip} {_arp(wanted.arp)}"))
    for key, value in sorted(set(seen.port) - set(wanted.port)):
        right = f"{key} {dict(wanted.port).get(key) or OPPOSITE.get(value, 'forwarding')}"
        rows.append(("bridge port", right, f"{key} {value}", f"bridge -n {node} link set dev {wanted.name} {right}"))
    rows.append(("mtu", wanted.mtu, seen.mtu, f"{ip} mtu {wanted.mtu}"))
    rows.append(("mac", wanted.mac, seen.mac, f"{ip} address {wanted.mac}"))
    for kind, expected, found, fix in rows:
        if expected is not None and expected != found:
            yield Cause(kind, node, wanted.name, str(expected), str(found), fix, about=seen, remade=fix == again)


def _arp(resolves: bool) -> str:
    return "arp on" if resolves else "arp off"


def _up(is_up: bool) -> str:
    return "up" if is_up else "down"


def _sysctls(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    """Differences in keys of this kernel, without devices that only follow the setting of all devices."""
    node = declared.node
    for key, value in declared.sysctls.items():
        seen = live.sysctls.get(key)
        if seen in (None, value) or _follows(key, declared, live):
            continue
        device = parts_of_sysctl(key)[1]
        own = device if device not in ("", "all", "default") else None
        fix = f"ip netns exec {node} sysctl -w {key}={value}"
        yield Cause("sysctl", node, own, f"{key}={value}", f"{key}={seen}", fix, about=key)


def _follows(key: str, declared: NodeState, live: NodeState) -> bool:
    """Return whether a device's setting only follows that of all devices."""
    parts = key.split("/" if "/" in key else ".")
    for_all = PASSED_ON.get((parts[1], parts[-1]), key)
    changed = for_all != key and declared.sysctls.get(for_all) != live.sysctls.get(for_all)
    return changed and live.sysctls[key] == live.sysctls.get(for_all)


def _addresses(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    pairs = _paired(declared.addresses - live.addresses, live.addresses - declared.addresses, str)
    for (device, interface), missing, _ in pairs:
        fix = f"ip -n {declared.node} addr {'add' if missing else 'del'} {interface} dev {device}"
        sides = (str(interface), MISSING) if missing else (NOTHING, str(interface))
        yield Cause("address", declared.node, device, *sides, fix, about=(device, interface))


def _routes(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    pairs = _paired(declared.routes - live.routes, live.routes - declared.routes, lambda route: str(route.prefix))
    for route, missing, instead in pairs:
        ip = f"ip -n {declared.node}{' -6' if route.prefix.version == 6 else ''}"
        fix = f"{ip} route replace {route.whole or route}" if missing else f"{ip} route del {route}"
        sides = (str(route), str(instead or MISSING)) if missing else (NOTHING, str(route))
        limited = instead is not None and replace(instead, metrics="") == route and "mtu" in instead.metrics
        yield Cause("mtu" if limited else "route", declared.node, route.dev, *sides, fix, about=route)


def _entries(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    """Rules, neighbours, forwarding entries, filters, qdiscs, tables of nftables."""
    missing, extra = (
        [entry for entry in entries if not _follows_device(entry, declared, live)]
        for entries in (declared.entries - live.entries, live.entries - declared.entries)
    )
    pairs = _paired(missing, extra, lambda entry: f"{entry.tool} {entry.place}", lambda entry: KINDS.index(entry.kind))
    for entry, gone, instead in pairs:
        verb = ADD.get(entry.tool, "add") if gone else "del"
        words = f"{entry.words}{' …' if entry.tool.startswith('tc') else ''}" if gone else entry.place
        sides = (entry.words, instead.words if instead else MISSING) if gone else (NOTHING, entry.words)
        fix = _command(declared.node, entry.tool, verb, words)
        yield Cause(entry.kind, declared.node, entry.device, *sides, fix, about=entry)


def _paired(
    missing: Iterable[T], extra: Iterable[T], place: Callable[[T], str], rank: Callable[[T], int] = lambda _: 0
) -> Iterator[tuple[T, bool, T | None]]:
    """Each missing item with the extra one that is there in its place, then the other extra ones; all in order."""
    wanted, left = (sorted(items, key=lambda item: (rank(item), str(item))) for items in (missing, extra))
    for item in wanted:
        instead = next((other for other in left if place(other) == place(item)), None)
        if instead is not None:
            left.remove(instead)
        yield item, True, instead
    for other in left:
        yield other, False, None


def _follows_device(entry: Entry, declared: NodeState, live: NodeState) -> bool:
    """Return whether an entry only follows from its device's own difference."""
    one, other = (state.links.get(entry.device or "") for state in (declared, live))
    if one is None or other is None:
        return one is not other
    return entry.kind == "fdb" and one.parameters != other.parameters


def _command(node: str, tool: str, verb: str, words: str) -> str:
    """The tool's command inside a node."""
    program, *rest = tool.split()
    if program == "nft":
        return f"ip netns exec {node} nft {'delete' if verb == 'del' else verb} {words}"
    return " ".join([program, "-n", node, *rest, verb, words])

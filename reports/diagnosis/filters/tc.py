"""Evaluates tc's filters and qdiscs for one packet at one device, as ``tc -s -j`` prints them (tc(8)). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from reports.diagnosis.filters.hits import Effect, Hit
from reports.diagnosis.filters.packet import ABSENT, NUMBERS, Packet
from reports.diagnosis.filters.values import Answer, all_of, equal
from topology.packet import ETHERTYPES

Json: TypeAlias = Mapping[str, Any]
PROTOCOLS = {"ip": "ipv4", "ipv6": "ipv6", "arp": "arp"}
KEYS = {
    "src_mac": ("ether", "saddr"),
    "dst_mac": ("ether", "daddr"),
    "vlan_id": ("vlan", "id"),
    "ip_ttl": ("ip", "ttl"),
    "src_port": ("udp", "sport"),
    "dst_port": ("udp", "dport"),
    "arp_sip": ("arp", "saddr ip"),
    "arp_tip": ("arp", "daddr ip"),
    "icmp_type": ("icmp", "type"),
    "icmp_code": ("icmp", "code"),
}
"""tc-flower(8)'s keys of one header each, by nft's names for the same field; the others are below."""
ONLY_FILTERS = ("clsact", "ingress")
"""They count what their filters drop as their own."""
LOSSES = ("loss-random", "loss-state", "loss-gemodel")
STOPS = frozenset(("pass", "drop", "stolen", "trap", "queued"))


def tc_hits(filters: Sequence[Json], device: str, way: str, packet: Packet) -> list[Hit]:
    """Return what the filters of one device and direction can do to a packet, in their order."""
    hits: list[Hit] = []
    sure, unknown = True, ""
    for one in filters:
        options = one.get("options")
        if one.get("chain", 0) or not isinstance(options, dict) or "actions" not in options:
            continue
        answer = _takes(one, packet)
        words = _words(one, device, way)
        if answer is None:
            unknown = unknown or words
        if answer is False:
            continue
        certain, end = sure and answer is True, False
        show, fix = f"tc -s filter show dev {device} {way}", f"tc filter del dev {device} {way} pref {one['pref']}"
        for action in _actions(options["actions"]):
            certain, end = certain and action.sure, action.ends
            if action.effect:
                hits.append(Hit("filter", action.effect, words, show, fix, certain, "" if certain else unknown, device))
        if end and certain:
            break
        sure = sure and (certain or not end)
    return hits


class Action(NamedTuple):
    """One action: what it does to a packet, whether that is sure, and whether it ends its way through the filters."""

    effect: Effect | None
    sure: bool
    ends: bool


def _actions(actions: Sequence[Json]) -> Iterator[Action]:
    """Yield what the actions do, as far as they were ever taken: each counts its packets."""
    for action in actions:
        if action.get("stats", {}).get("packets") == 0:
            return
        kind, end = action.get("kind"), action.get("control_action", {}).get("type", "pipe")
        random = action.get("prob", {}).get("random_type", "none") != "none"
        if kind == "mirred":
            redirects = action.get("mirred_action") == "redirect"
            yield Action(("redirect" if redirects else "duplicate"), True, redirects)
        elif kind == "gact" and end == "drop":
            yield Action("drop", not random, True)
        elif kind == "police":
            yield Action("drop", False, end == "drop")
        elif kind in ("pedit", "nat", "vlan"):
            yield Action("change", True, end in STOPS)
        elif kind == "skbedit" and "mark" in action:
            yield Action("mark", True, end in STOPS)
        elif end in STOPS:
            yield Action(None, not random, True)
        elif kind not in ("csum", "skbedit", "ct"):
            yield Action(None, False, False)


def _takes(one: Json, packet: Packet) -> Answer:
    """Return whether a filter is for the packet."""
    protocol, options = one["protocol"], one["options"]
    if protocol != "all" and PROTOCOLS.get(protocol) != packet.network:
        return False if protocol in PROTOCOLS else None
    if one["kind"] == "matchall":
        return True
    if one["kind"] == "u32":
        return all_of(_selects(match, packet) for match in _matches(options))
    if one["kind"] == "flower":
        indev = [packet.iif == options["indev"]] if "indev" in options else []
        return all_of([*indev, *(_flower(key, wanted, packet) for key, wanted in options.get("keys", {}).items())])
    return None


def _matches(options: Json) -> Sequence[Json]:
    """Return u32's selectors; tc prints one as a whole, or as a list in newer versions."""
    return options.get("matches") or ([options["match"]] if "match" in options else [])


def _selects(match: Json, packet: Packet) -> Answer:
    if match.get("offmask"):
        return None
    mask, wanted = int(match["mask"], 16), int(match["value"], 16)
    value, known = packet.bytes_at(int(match["off"]), 4)
    if (value ^ wanted) & mask & known:
        return False
    return True if mask & known == mask else None


def _flower(key: str, wanted: Any, packet: Packet) -> Answer:
    protocol = {"ipv4": "ip", "ipv6": "ip6"}.get(packet.network, "arp")
    if key == "eth_type":
        return bool(ETHERTYPES[packet.network] == {"ipv4": 0x0800, "ipv6": 0x86DD, "arp": 0x0806}.get(wanted, wanted))
    if key == "ip_proto":
        return bool(packet.protocol == NUMBERS.get(wanted, wanted)) if packet.network != "arp" else False
    right: Any = wanted
    if key in ("src_ip", "dst_ip"):
        value = packet.field(protocol, "saddr" if key == "src_ip" else "daddr")
        prefix, _, length = str(wanted).partition("/")
        right = {"prefix": {"addr": prefix, "len": int(length)}} if length.isdecimal() else wanted
    else:
        value = packet.field(*KEYS[key]) if key in KEYS else None
    return False if value == ABSENT else equal(value, right, {}, {})


def _words(one: Json, device: str, way: str) -> str:
    """Return a filter in tc's words, in one line."""
    options = one["options"]
    keys = [f"{key} {value}" for key, value in options.get("keys", {}).items()]
    for match in _matches(options):
        keys.append(f"match {match['value']}/{match['mask']} at {match['off']}")
    actions = [_action(action) for action in options["actions"]]
    head = f"filter dev {device} {way} protocol {one['protocol']} pref {one['pref']} {one['kind']}"
    return " ".join([head, *keys, *actions])


def _action(action: Json) -> str:
    kind = action.get("kind", "")
    if kind == "mirred":
        return f"action mirred {action['direction']} {action['mirred_action']} dev {action['to_dev']}"
    end = action.get("control_action", {}).get("type", "")
    packets = action.get("stats", {}).get("packets")
    seen = f" ({packets} packets)" if packets else ""
    return f"action {end if kind == 'gact' else f'{kind} {end}'.strip()}{seen}"


def qdisc_hits(qdiscs: Sequence[Json], device: str, words: Mapping[str, str]) -> list[Hit]:
    """Return what the queueing disciplines of a device can do to a packet that goes out: by netem, or by a full queue.

    ``words`` are tc's own for each, by kind and handle.
    """
    own = (one for one in qdiscs if one.get("dev") == device and one["kind"] not in ONLY_FILTERS)
    return [hit for one in own for hit in _qdisc(one, device, words)]


def _qdisc(one: Json, device: str, words: Mapping[str, str]) -> Iterator[Hit]:
    kind, options, drops = one["kind"], one.get("options", {}), one.get("drops", 0)
    text = words.get(f"{kind} {one['handle']}", f"qdisc {kind} {one['handle']} dev {device}")
    at = "root" if one.get("root") else f"parent {one.get('parent')}"
    show, fix = f"tc -s qdisc show dev {device}", f"tc qdisc del dev {device} {at}"
    hit = Hit("qdisc", "drop", f"{text} (dropped {drops})", show, fix, device=device)
    loses = kind == "netem" and any(key in options for key in LOSSES)
    if drops:
        yield replace(hit, sure=loses, unknown="" if loses else "whether this packet was among them")
    if kind == "netem":
        others: tuple[Effect, ...] = ("corrupt", "duplicate")
        yield from (replace(hit, effect=name, words=text) for name in others if name in options)

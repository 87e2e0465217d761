"""``ip`` commands of a containerlab file's exec lines: what each does to its node. Words as iproute2 reads them.

A word that is not known here may change what the fabric does, so it is refused, never skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from topology.formats.clab_findings import refusal
from topology.formats.clab_grammar import Grammar, need, read
from topology.formats.clab_links import link_add, link_set, tunnel_add
from topology.formats.clab_machine import DEVICES, EVERYWHERE, METRICS, Machine, network_of, said
from topology.formats.clab_order import strand, strand_all
from topology.formats.clab_shell import Words
from topology.formats.lab_values import shown

OBJECTS = (
    *("address", "addrlabel", "maddress", "route", "rule", "neighbor", "neighbour", "ntable", "ntbl", "link", "l2tp"),
    *("fou", "ila", "macsec", "tunnel", "tunl", "tuntap", "tap", "token", "tcpmetrics", "monitor", "xfrm", "mroute"),
    *("mrule", "netns", "netconf", "vrf", "sr", "nexthop", "mptcp", "ioam", "help", "stats"),
)
"""In the order in which ip(8) tries them on an abbreviation (iproute2, ip/ip.c)."""
VERBS: Mapping[str, Sequence[str]] = {
    "link": ("add", "set", "change", "replace", "delete", "show", "lst", "list", "help"),
    "address": ("add", "change", "chg", "replace", "delete", "show", "lst", "list", "flush"),
    "route": ("list", "show", "lst", "get", "add", "change", "chg", "replace", "prepend", "append", "delete", "flush"),
    "tunnel": ("add", "change", "delete", "show", "lst", "list"),
}
"""In the order of iproute2's own tables."""
SPOILS: Mapping[str, Sequence[str]] = {
    "link": DEVICES,
    "tunnel": DEVICES,
    "address": ("addresses",),
    "route": ("routes",),
}
"""What is not known any more when a command about these is refused."""
READING = frozenset({"show", "lst", "list", "get", "help", "monitor", "stats"})
"""Verbs and objects that change nothing."""
_LOOKS = ("details", "statistics", "stats", "oneline", "brief", "color", "json", "pretty", "human-readable", "iec")
LOOKS = frozenset(f"-{word[:end]}" for word in _LOOKS for end in range(1, len(word) + 1)) - {"-b"} | {"-br", "-V"}
"""Options of ip(8) and bridge(8) about what is printed; ``-b`` is short for ``-batch``."""
ADDRESS = Grammar(
    "ip addr add ADDRESS/LENGTH dev NAME",
    settings={"dev": "device", "local": "address"},
    flags=frozenset({"nodad"}),
    fixed={"scope": ("global", "link", "host"), "brd": (), "broadcast": (), "label": ()},
    bare="address",
)
ROUTE = Grammar(
    "ip route add PREFIX [via ADDRESS] [dev NAME], or PREFIX nexthop [via ADDRESS] [dev NAME] nexthop ...",
    settings={"via": "via", "dev": "dev", "to": "prefix"}
    | dict.fromkeys(("metric", "preference", "priority"), "metric"),
    flags=frozenset({"unicast", "nexthop", "onlink"}),
    fixed={"proto": (), "protocol": (), "scope": ("global", "universe", "link", "0", "253"), "table": ("main", "254")},
    bare="prefix",
    never=frozenset(
        {"blackhole", "unreachable", "prohibit", "throw", "local", "broadcast", "anycast", "multicast", "nat"}
    ),
)
NEXT_HOP = Grammar(
    ROUTE.right, settings={"via": "via", "dev": "dev"}, flags=frozenset({"nexthop", "onlink"}), fixed={"weight": ("1",)}
)
"""What follows each ``nexthop``; all of them have the same weight in hopcheck's fabrics."""
NOTHING = "the line does nothing here"


def meant(word: str, known: Sequence[str]) -> str:
    """The full form of an abbreviation; the word itself where it is none."""
    return next((name for name in known if name.startswith(word)), word)


def ip(machine: Machine, words: Words) -> None:
    """One ``ip`` command; raises LabError where its effect cannot be expressed."""
    six = False
    word = words.take()
    while word.startswith("-"):
        if word == "-6":
            six = True
        elif word not in ("-4", *LOOKS):
            raise refusal(words.where, f"the option {shown(word)} of {shown(str(words))}", "ip [-4|-6] without others")
        if not words:
            return
        word = words.take()
    object_ = meant(word, OBJECTS)
    object_ = {"tunl": "tunnel"}.get(object_, object_)
    verb = meant(words.take(), VERBS.get(object_, ())) if words else "show"
    if object_ in READING or verb in READING:
        return
    action = ACTIONS.get((object_, verb))
    with machine.findings.collected(*SPOILS.get(object_, ())):
        if action is None:
            what = f"{shown(str(words))} does what hopcheck cannot"
            raise refusal(words.where, what, "ip link add or set, addr add, route add, tunnel add, or the same with -6")
        action(machine, words, six)


def _address(machine: Machine, words: Words) -> tuple[str, str]:
    """The address and the device of an ``ip addr`` command."""
    found = read(words, ADDRESS, machine.findings)
    address = found.get("address", "")
    if address and "/" not in address:
        address += "/128" if ":" in address else "/32"
    return address, need(words, found, "device", ADDRESS)


def address_add(machine: Machine, words: Words, six: bool) -> None:
    """``ip addr add ADDRESS[/LENGTH] dev NAME``."""
    address, device = _address(machine, words)
    machine.mention(device, words.where)
    machine.addresses.setdefault(device, {}).setdefault(address, said(words.where, address))


def address_remove(machine: Machine, words: Words, six: bool) -> None:
    """``ip addr del ADDRESS/LENGTH dev NAME``, or ``ip addr flush dev NAME``."""
    address, device = _address(machine, words)
    texts = machine.addresses.get(device, {})
    if not texts or (address and address not in texts):
        machine.findings.note(words.where, f"{shown(str(words))} finds no such address", NOTHING)
    if address:
        texts.pop(address, None)
    else:
        texts.clear()
    if not any("." in text for text in texts):
        strand_all(machine, words.where)


def _route(machine: Machine, words: Words, six: bool) -> tuple[str, str, str]:
    """The prefix of a route, the route in the lab file's words, and its metric where one is given."""
    found = read(words, ROUTE, machine.findings, until="nexthop")
    prefix = need(words, found, "prefix", ROUTE)
    hops, more = [found], "nexthop" in found
    if more and {"via", "dev"} & set(found):
        raise refusal(words.where, f"a next hop stands before 'nexthop' in {shown(str(words))}", ROUTE.right)
    while more:
        hops.append(read(words, NEXT_HOP, machine.findings, until="nexthop"))
        more = "nexthop" in hops[-1]
    if prefix == "default" and (six or any(":" in hop.get("via", "") for hop in hops)):
        prefix = "::/0"
    texts = [
        " ".join(f"{word} {hop[word]}".strip() for word in ("via", "dev", "onlink") if word in hop) for hop in hops
    ]
    text = " nexthop ".join([" ".join(filter(None, (prefix, texts[0]))), *texts[1:]])
    return prefix, text, found.get("metric", "")


def route_add(machine: Machine, words: Words, six: bool) -> None:
    """``ip route add PREFIX [via ADDRESS] [dev NAME]``, or with several next hops."""
    prefix, text, metric = _route(machine, words, six)
    number = _metric(words, prefix, metric)
    if network_of(prefix) == EVERYWHERE and machine.has_managed_default:
        outcome = "is never used: that has the smaller metric" if number else "fails (File exists)"
        what = f"containerlab's management network has a default route already, so there this line {outcome}"
        machine.findings.note(
            words.where, what, "here it holds; 'network-mode: none' or 'ip route replace' holds there too"
        )
    strand(machine, [machine.add_route(prefix, text, words.where, number, replaces=False)], words.where)


def route_replace(machine: Machine, words: Words, six: bool) -> None:
    """``ip route replace PREFIX [via ADDRESS] [dev NAME]``."""
    prefix, text, metric = _route(machine, words, six)
    number = _metric(words, prefix, metric)
    if network_of(prefix) == EVERYWHERE and not number:
        machine.has_managed_default = False
    strand(machine, [machine.add_route(prefix, text, words.where, number, replaces=True)], words.where)


def _metric(words: Words, prefix: str, text: str) -> int:
    """The metric of a route; where none is given, or 0, the IP version's own."""
    if text and not (text.isdecimal() and int(text) < 1 << 32):
        raise refusal(words.where, f"the metric {shown(text)} in {shown(str(words))}", "a whole number")
    return int(text or 0) or METRICS[6 if ":" in prefix else 4]


def route_remove(machine: Machine, words: Words, six: bool) -> None:
    """``ip route del PREFIX``; the default route that containerlab's management network brings is not here anyway."""
    prefix, text, _ = _route(machine, words, six)
    if machine.remove_route(prefix):
        return
    if network_of(prefix) == EVERYWHERE and machine.has_managed_default:
        machine.has_managed_default = False
    else:
        machine.findings.note(words.where, f"there is no route {shown(text)} to remove", NOTHING)


def link_remove(machine: Machine, words: Words, six: bool) -> None:
    """``ip link del NAME`` of a device that is not there does nothing."""
    words.took("dev")
    name = words.take()
    if name in machine.made or name in machine.ports:
        raise refusal(words.where, f"{name} is removed again", "a device that stays, or none")
    machine.findings.note(words.where, f"there is no device {shown(name)} to remove", NOTHING)


ACTIONS: Mapping[tuple[str, str], Callable[[Machine, Words, bool], None]] = {
    ("address", "add"): address_add,
    ("address", "replace"): address_add,
    ("address", "delete"): address_remove,
    ("address", "flush"): address_remove,
    ("route", "add"): route_add,
    ("route", "replace"): route_replace,
    ("route", "change"): route_replace,
    ("route", "delete"): route_remove,
    ("link", "add"): link_add,
    ("link", "set"): link_set,
    ("link", "change"): link_set,
    ("link", "delete"): link_remove,
    ("tunnel", "add"): tunnel_add,
}

"""``ip`` commands of a containerlab file's exec lines: their effects on its node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address

from topology.errors import Position
from topology.formats.clab_grammar import (
    ADDRESS,
    GRAMMARS,
    LINK_ADD,
    LINK_DELETE,
    LINK_SET,
    LOOKS,
    NEXT_HOP,
    ROUTE,
    TUNNEL,
    Grammar,
)
from topology.formats.clab_node import DEVICES, EVERYWHERE, MANAGEMENT, METRICS, PORT, ExecNode, ExecRoute
from topology.formats.clab_shell import Words, refusal
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Scalar
from topology.links import TYPES
from topology.model import LOOPBACK, USER_HZ

OBJECTS = (
    "address addrlabel maddress route rule neighbor neighbour ntable ntbl link l2tp fou ila macsec tunnel tunl "
    "tuntap tap token tcpmetrics monitor xfrm mroute mrule netns netconf vrf sr nexthop mptcp ioam help stats"
)
"""In the order in which ip(8) tries them on an abbreviation (iproute2, ip/ip.c)."""
VERBS: Mapping[str, str] = {
    "link": "add set change replace delete show lst list help",
    "address": "add change chg replace delete show lst list flush",
    "route": "list show lst get add change chg replace prepend append delete flush",
    "tunnel": "add change delete show lst list",
}
"""In the order of iproute2's own tables."""
SPOILS: Mapping[str, Sequence[str]] = {
    "link": DEVICES,
    "tunnel": DEVICES,
    "address": ["addresses"],
    "route": ["routes"],
}
"""Parts that are unknown once a command about these is refused."""
ZEROS = ("0", "0x0", "0x00")
READING = frozenset({"show", "lst", "list", "get", "help", "monitor", "stats"})
"""Verbs and objects that change nothing."""
NOTHING = "the line does nothing here"


def _meant(word: str, known: str) -> str:
    """The full form of an abbreviation; the word itself where it is none."""
    return next((name for name in known.split() if name.startswith(word)), word)


def ip(node: ExecNode, words: Words) -> None:
    """One ``ip`` command; raises LabError where its effect cannot be expressed."""
    six = False
    word = words.take()
    while word.startswith("-"):
        six = six or word == "-6"
        if word not in ("-4", "-6") and word.lstrip("-") not in LOOKS:
            raise refusal(words.where, f"the option {shown(word)} of {shown(str(words))}", "ip [-4|-6] without others")
        if not words:
            return
        word = words.take()
    object_ = _meant(word, OBJECTS)
    object_ = {"tunl": "tunnel"}.get(object_, object_)
    verb = _meant(words.take(), VERBS.get(object_, "show list lst")) if words else "show"
    if object_ in READING or verb in READING:
        return
    action = ACTIONS.get((object_, verb))
    with node.findings.collected(*SPOILS.get(object_, ())):
        if action is None:
            what = f"{shown(str(words))} is unsupported"
            raise refusal(words.where, what, "ip link add or set, addr add, route add, tunnel add, or the same with -6")
        action(node, words, six)


def _address(node: ExecNode, words: Words) -> tuple[str, str]:
    """The address and the device of an ``ip addr`` command."""
    found = ADDRESS.read(words, node.findings)
    address = found.get("address", "")
    if address and "/" not in address:
        address += "/128" if ":" in address else "/32"
    return address, ADDRESS.need(words, found, "device")


def _address_add(node: ExecNode, words: Words, six: bool) -> None:
    address, device = _address(node, words)
    node.device(device, words.where).addresses.setdefault(address, Scalar(words.where, address))


def _address_remove(node: ExecNode, words: Words, six: bool) -> None:
    address, device = _address(node, words)
    texts = node.device(device).addresses
    if not texts or (address and address not in texts):
        node.findings.note(words.where, f"{shown(str(words))} finds no such address", NOTHING)
    if address:
        texts.pop(address, None)
    else:
        texts.clear()
    if not any("." in text for text in texts):
        node.drop_unborne(node.every_route, words.where)


def _route(node: ExecNode, words: Words, six: bool) -> tuple[ExecRoute, int | None]:
    """The route of a command, and its metric where one is given; without one the route has the IP version's own."""
    found = ROUTE.read(words, node.findings, until="nexthop")
    prefix = ROUTE.need(words, found, "prefix")
    hops, more = [found], "nexthop" in found
    if more and {"via", "dev"} & set(found):
        raise refusal(words.where, f"a next hop comes before 'nexthop' in {shown(str(words))}", ROUTE.right)
    while more:
        hops.append(NEXT_HOP.read(words, node.findings, until="nexthop"))
        more = "nexthop" in hops[-1]
    if prefix == "default" and (six or any(":" in hop.get("via", "") for hop in hops)):
        prefix = "::/0"
    metric = found.get("metric", "0")
    if not (metric.isdecimal() and int(metric) < 1 << 32):
        raise refusal(words.where, f"the metric {shown(metric)} in {shown(str(words))}", "a whole number")
    given = int(metric) or None
    return ExecRoute(words.where, prefix, hops, given or METRICS[6 if ":" in prefix else 4]), given


def _route_add(node: ExecNode, words: Words, six: bool) -> None:
    route, _ = _route(node, words, six)
    if route.network == EVERYWHERE and node.has_managed_default:
        outcome = "is never used: that has the smaller metric" if route.metric else "fails (File exists)"
        what = f"containerlab's management network has a default route; in containerlab this line {outcome}"
        node.findings.note(
            words.where, what, "here it holds; 'network-mode: none' or 'ip route replace' holds there too"
        )
    node.routes.setdefault(route.network, []).append(route)
    node.drop_unborne([route], words.where)


def _route_replace(node: ExecNode, words: Words, six: bool) -> None:
    route, _ = _route(node, words, six)
    if route.network == EVERYWHERE and not route.metric:
        node.has_managed_default = False
    others = (other for other in node.routes.get(route.network, ()) if other.metric != route.metric)
    node.routes[route.network] = [*others, route]
    node.drop_unborne([route], words.where)


def _route_remove(node: ExecNode, words: Words, six: bool) -> None:
    route, metric = _route(node, words, six)
    several = any(other.hops[1:] for other in node.routes.get(route.network, ()))
    if ":" in route.prefix and several and {"via", "dev"} & set(route.hops[0]):
        what = f"{shown(str(words))} removes one next hop of several"
        raise refusal(words.where, what, "the whole route removed, or 'ip -6 route replace'")
    if node.remove_route(route, metric):
        return
    if route.network == EVERYWHERE and node.has_managed_default and metric is None:
        node.has_managed_default = False
    else:
        node.findings.note(words.where, f"there is no route {shown(route.text)} to remove", NOTHING)


def _link_add(node: ExecNode, words: Words, six: bool) -> None:
    found = LINK_ADD.read(words, node.findings, until="type")
    name, type_ = LINK_ADD.need(words, found, "device"), found.get("type", "")
    node.device(name).is_lost = True
    if type_ == "vlan" and "link" not in found:
        right = "ip link add link PORT name NAME type vlan id NUMBER"
        raise refusal(words.where, f"{shown(str(words))} names no link", right)
    if "link" in found and type_ != "vlan" and type_ in TYPES:
        raise refusal(words.where, f"{shown(str(words))} puts a device on another", LINK_ADD.right)
    _make(node, name, type_, words, found.get("link", ""))
    _set(node, name, found, words.where)


def _tunnel_add(node: ExecNode, words: Words, six: bool) -> None:
    found = TUNNEL.read(words, node.findings, until="mode")
    name, given = TUNNEL.need(words, found, "device"), found.get("mode", "")
    node.device(name).is_lost = True
    mode = {"gre/ip": "gre", "gre/ipv6": "ip6gre"}.get(given, given)
    if mode != ("ip6gre" if six else "gre"):
        raise refusal(words.where, f"a tunnel of mode {shown(given)}", "mode gre, or with ip -6 mode ip6gre")
    _make(node, name, mode, words)


def _make(node: ExecNode, name: str, type_: str, words: Words, on: str = "") -> None:
    where, device = words.where, node.device(name)
    if (link := TYPES.get(type_)) is None:
        right = f"one of the types {', '.join(TYPES)}"
        raise refusal(where, f"{shown(str(words))} makes an unsupported device: {shown(type_ or 'no type')}", right)
    grammar = GRAMMARS[type_]
    found = grammar.read(words, node.findings)
    _complete(found, grammar, words)
    ageing = _ageing(found.pop("ageing_time", ""), words)
    if type_ == "dummy":
        node.findings.note(where, "a dummy device is no kind of hopcheck's", "it becomes a bridge without members")
    found |= {"dev": on} if on else {}
    if "dev" in found:
        node.device(found["dev"], where)
    node.make(name, link.section, where, {key: _setting(key, text, where) for key, text in found.items() if text})
    device.ageing, device.is_lost = ageing or device.ageing, False


def _complete(found: dict[str, str], grammar: Grammar, words: Words) -> None:
    """Complete a device's options by the defaults of the kernel and iproute2."""
    for needed, what in grammar.needed.items():
        if needed not in str(words):
            raise refusal(words.where, what, needed)
    for key, default in grammar.defaults.items():
        found.setdefault(key, default)
    for key, meaning in grammar.zero.items():
        found[key] = meaning if found.get(key) in ZEROS else found.get(key, "")
    found |= {key: "false" for flag, key in grammar.off.items() if flag in found}
    if found.get("tos") not in ("", "inherit", None):
        what = f"'tos {found['tos'][:40]}' in {shown(str(words))} is unsupported"
        raise refusal(words.where, what, "tos inherit, or tos 0")
    keys = [found.pop(key, "") for key in ("ikey", "okey")]
    if keys[0] != keys[1]:
        raise refusal(words.where, f"the keys of the two directions differ in {shown(str(words))}", "key NUMBER")
    found["key"] = keys[0] or found.get("key", "")


def _ageing(text: str, words: Words) -> Scalar | None:
    """A bridge's ageing in seconds from ``ageing_time``, which is in hundredths of a second."""
    if text and not (text.isdecimal() and int(text) % USER_HZ == 0):
        what = f"'ageing_time {text[:40]}' in {shown(str(words))} is not so many whole seconds"
        raise refusal(words.where, what, f"a multiple of {USER_HZ}: it is in hundredths of a second")
    return Scalar(words.where, str(int(text) // USER_HZ), bare=True) if text else None


def _setting(key: str, text: str, where: Position) -> Scalar:
    if key == "key" and "." in text:
        with suppress(ValueError):
            text = str(int(IPv4Address(text)))
    is_text = key in ("local", "remote", "dev", "tos") or text == "inherit"
    return Scalar(where, text, bare=not is_text)


def _link_set(node: ExecNode, words: Words, six: bool) -> None:
    found = LINK_SET.read(words, node.findings, until="type")
    name = LINK_SET.need(words, found, "device")
    if "type" in found:
        _set_type(node, name, found["type"], words)
    if name == MANAGEMENT and node.is_managed:
        node.findings.note(words.where, f"{MANAGEMENT} is containerlab's management interface", "it is not made here")
        node.has_managed_default = node.has_managed_default and "down" not in found
    elif name != LOOPBACK or set(found) - {"device", "up"}:
        device = node.device(name, words.where)
        device.touched = device.touched or words.where
        _set(node, name, found, words.where)


def _set_type(node: ExecNode, name: str, type_: str, words: Words) -> None:
    """Set the options of a bridge that exists."""
    if type_ != "bridge" or node.made(name) not in (None, PORT, "bridges"):
        what = f"{shown(str(words))} changes what {name} was made as"
        raise refusal(words.where, what, "the options where it is made")
    found = GRAMMARS["bridge"].read(words, node.findings)
    device = node.device(name)
    device.ageing = _ageing(found.get("ageing_time", ""), words) or device.ageing


def _set(node: ExecNode, name: str, found: Mapping[str, str], where: Position) -> None:
    device = node.device(name)
    if "up" in found:
        device.down = None
    if "down" in found:
        node.set_down(name, where)
    if "mtu" in found:
        device.mtu = Scalar(where, found["mtu"], bare=True)
    if "address" in found:
        device.mac = Scalar(where, found["address"])
    if "nomaster" in found:
        node.release(name)
    if "master" in found:
        node.enslave(name, found["master"], where)


def _link_remove(node: ExecNode, words: Words, six: bool) -> None:
    name = LINK_DELETE.need(words, LINK_DELETE.read(words, node.findings), "device")
    if node.made(name):
        raise refusal(words.where, f"{name} is removed again", "a device that stays, or none")
    node.findings.note(words.where, f"there is no device {shown(name)} to remove", NOTHING)


ACTIONS: Mapping[tuple[str, str], Callable[[ExecNode, Words, bool], None]] = {
    ("address", "add"): _address_add,
    ("address", "replace"): _address_add,
    ("address", "delete"): _address_remove,
    ("address", "flush"): _address_remove,
    ("route", "add"): _route_add,
    ("route", "replace"): _route_replace,
    ("route", "change"): _route_replace,
    ("route", "delete"): _route_remove,
    ("link", "add"): _link_add,
    ("link", "set"): _link_set,
    ("link", "change"): _link_set,
    ("link", "delete"): _link_remove,
    ("tunnel", "add"): _tunnel_add,
}

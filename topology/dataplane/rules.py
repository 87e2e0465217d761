"""The lookup of a packet's route by a node's policy rules and tables (ip-rule(8)). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from topology.dataplane.paths import Ending, ending
from topology.fib import Egress, Fib
from topology.links import NOT_FOLLOWED
from topology.model import Address, Node, Route
from topology.node import FILTERS
from topology.packet import Layers, ends_of

REFUSES = ("blackhole", "unreachable", "prohibit")
ACTIONS = ("lookup", "goto", "nop", "l3mdev", *REFUSES)
LOOPBACK_IIF = "lo"
"""The device by which packets of the node itself come, to a rule (LOOPBACK_IFINDEX, net/ipv4/route.c)."""


@dataclass(frozen=True)
class Asked:
    """The input of a lookup: the ends of a packet, the device by which it came, and the one to which it is bound."""

    src: Address
    dst: Address
    came_by: str = ""
    out: str | None = None

    @classmethod
    def of(cls, packet: Layers, came_by: str, out: str | None) -> Asked:
        """Return what the lookup for a packet goes by."""
        return cls(*ends_of(packet[0][1]), came_by, out)


@dataclass(frozen=True)
class Rule:
    """A policy rule: its words, preference, selectors, action with its argument, and the longest prefix of routes that
    it suppresses."""

    words: str
    pref: str
    selectors: tuple[tuple[str, str], ...]
    inverted: bool
    action: str
    target: str
    suppressed: int

    @classmethod
    def of(cls, words: str) -> Rule:
        """Return the rule that ip-rule(8) shows so."""
        _, pref, *parts = words.split()
        inverted = parts[0] == "not"
        at = next(n for n, word in enumerate(parts) if word in ACTIONS)
        said, (action, *rest) = parts[inverted:at], parts[at:]
        options = dict(zip(rest[-2::2], rest[-1::2], strict=False))
        suppressed = int(options.get("suppress_prefixlength", -1))
        pairs = tuple(zip(said[::2], said[1::2], strict=True))
        return cls(words, pref, pairs, inverted, action, rest[0] if rest else "", suppressed)

    def fits(self, node: Node, asked: Asked) -> bool | None:
        """Return whether it is for a packet (fib_rule_match, net/core/fib_rules.c); None where that is not followed."""
        held = [_holds(node, word, value, asked) for word, value in self.selectors]
        held += [asked.came_by in node.vrfs or asked.out in node.vrfs] if self.action == "l3mdev" else []
        if False not in held and None in held:
            return None
        return (False not in held) != self.inverted


def look_up(node: Node, asked: Asked) -> tuple[Sequence[Egress], Ending | None]:
    """Return the next hops for a packet, and why there are none (fib_rules_lookup, net/core/fib_rules.c)."""
    rules = [Rule.of(words) for words in node.rules.get(asked.dst.version, ())]
    if not rules:
        end = _encapsulates(node, node.encap_towards(asked.dst))
        return (() if end else node.fib.lookup(asked.dst, asked.out)), end
    at = 0
    while at < len(rules):
        rule, at = rules[at], at + 1
        fits = rule.fits(node, asked)
        is_jump = rule.action == "goto" and fits is not False
        found = None if fits is False or is_jump else _by_rule(node, rule, asked)
        if fits is None and (found or is_jump):
            return (), ending(node, f"what the rule '{rule.words}' does {NOT_FOLLOWED}", "rule")
        if found:
            return found
        if is_jump:
            at = next((n for n, other in enumerate(rules) if n >= at and other.pref == rule.target), at)
    return (), None


def _by_rule(node: Node, rule: Rule, asked: Asked) -> tuple[Sequence[Egress], Ending | None] | None:
    """What a rule that fits says; None where its table has no route, or one that it suppresses, and the next rule is
    asked."""
    if rule.action in REFUSES:
        return (), ending(node, f"the rule '{rule.words}'", "rule", "no such rule")
    vrf = node.vrfs.get(asked.came_by) or node.vrfs.get(asked.out or "") if rule.action == "l3mdev" else None
    table = str(vrf.table) if vrf else rule.target if rule.action == "lookup" else ""
    routes = node.routes if table == "main" else tuple(route for name, route in node.tables if name == table)
    members = (node[name] for name in vrf.members if node.has(name)) if vrf else ()
    routes += tuple(Route(prefix=i.network, dev=one.name) for one in members for i in one.addresses)
    fitting = [route for route in routes if route.prefix.version == asked.dst.version and asked.dst in route.prefix]
    for route in sorted(fitting, key=lambda route: -route.prefix.prefixlen):
        if route.kind == "throw":
            return None
        if route.kind != "unicast":
            said = f"{route_words(route)} table {table}" if table != "main" else route_words(route)
            return (), ending(node, said, "route", f"a route to {asked.dst}")
        if route.encap:
            return (), _encapsulates(node, f"{route} encap {route.encap}")
        if hops := Fib([(route.prefix, node.egresses(route))]).lookup(asked.dst, asked.out):
            return None if route.prefix.prefixlen <= rule.suppressed else (hops, None)
    return None


def _encapsulates(node: Node, words: str) -> Ending | None:
    return ending(node, words, "route", "the route without encap") if words else None


def route_words(route: Route) -> str:
    """Return a route in the words of ip-route(8)."""
    return str(route) if route.kind == "unicast" else f"{route.kind} {str(route).split()[0]}"


def _holds(node: Node, word: str, value: str, asked: Asked) -> bool | None:
    """Return whether a selector holds of a packet; None where that is not followed."""
    if word in ("from", "to"):
        return value == "all" or (asked.src if word == "from" else asked.dst) in ip_network(value)
    if word == "iif":
        return value == (asked.came_by or LOOPBACK_IIF)
    if word == "oif":
        return value == asked.out
    if word == "fwmark" and FILTERS not in node.unfollowed:
        mark, _, mask = value.partition("/")
        return not int(mark, 0) & int(mask or mark, 0)
    return None

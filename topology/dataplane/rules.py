"""The lookup of a packet's route by a node's policy rules and tables (ip-rule(8)). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from topology.dataplane.paths import NOT_FOLLOWED, Ending, ending
from topology.fib import Egress, Fib
from topology.model import Address, Node, Route
from topology.packet import Layers, ends_of

FOLLOWED = frozenset(("from", "to", "iif", "oif"))
"""The selectors that are followed."""
REFUSES = ("blackhole", "unreachable", "prohibit")


@dataclass(frozen=True)
class Asked:
    """What a lookup goes by: the ends of a packet, the device by which it came, and the one to which it is bound."""

    src: Address
    dst: Address
    came_by: str = ""
    out: str | None = None

    @classmethod
    def of(cls, packet: Layers, came_by: str, out: str | None) -> Asked:
        """Return what the lookup for a packet goes by."""
        return cls(*ends_of(packet[0][1]), came_by, out)


def look_up(node: Node, asked: Asked) -> tuple[Sequence[Egress], Ending | None]:
    """Return the next hops for a packet, and why there are none."""
    rules = node.rules.get(asked.dst.version, ())
    for words in rules:
        fits = _fits(node, words, asked)
        if fits is None:
            return (), ending(node, f"what the rule '{words}' does {NOT_FOLLOWED}", "rule")
        if fits and (found := _by_rule(node, words, asked)) is not None:
            return found
    return () if rules else node.fib.lookup(asked.dst, asked.out), None


def _by_rule(node: Node, words: str, asked: Asked) -> tuple[Sequence[Egress], Ending | None] | None:
    """What a rule that fits says; None where its table has no route and the next rule is asked."""
    action, *rest = words.split()[_selectors_end(words) :]
    if action in REFUSES:
        return (), ending(node, f"the rule '{words}'", "rule", "no such rule")
    vrf = node.vrfs.get(asked.came_by) or node.vrfs.get(asked.out or "") if action == "l3mdev" else None
    table = str(vrf.table) if vrf else rest[0] if action == "lookup" else ""
    routes = node.routes if table == "main" else tuple(route for name, route in node.tables if name == table)
    members = (node[name] for name in vrf.members if node.has(name)) if vrf else ()
    routes += tuple(Route(prefix=i.network, dev=one.name) for one in members for i in one.addresses)
    fitting = [route for route in routes if route.prefix.version == asked.dst.version and asked.dst in route.prefix]
    longest = max(fitting, key=lambda route: route.prefix.prefixlen, default=None)
    if longest is None or longest.kind == "throw":
        return None
    if longest.kind != "unicast":
        said = f"{route_words(longest)} table {table}" if table != "main" else route_words(longest)
        return (), ending(node, said, "route", f"a route to {asked.dst}")
    hops = Fib([(longest.prefix, node.egresses(longest))]).lookup(asked.dst, asked.out)
    return (hops, None) if hops else None


def route_words(route: Route) -> str:
    """Return a route in the words of ip-route(8)."""
    return str(route) if route.kind == "unicast" else f"{route.kind} {str(route).split()[0]}"


def _selectors(words: str) -> Iterator[tuple[str, str]]:
    """Yield the selectors of a rule behind its preference, with their values."""
    parts = words.split()[2:]
    while parts and parts[0] not in ("lookup", "goto", "nop", "l3mdev", *REFUSES):
        if parts[0] == "not":
            yield "not", parts.pop(0)
        else:
            yield parts.pop(0), parts.pop(0)


def _selectors_end(words: str) -> int:
    return 2 + sum(1 if word == "not" else 2 for word, _ in _selectors(words))


def _fits(node: Node, words: str, asked: Asked) -> bool | None:
    """Return whether a rule fits a lookup; None where that is not followed."""
    selectors = list(_selectors(words))
    action = words.split()[_selectors_end(words)]
    if action == "l3mdev" and asked.came_by not in node.vrfs and asked.out not in node.vrfs:
        return False
    if not all(_holds(word, value, asked) for word, value in selectors if word in FOLLOWED):
        return False
    plain = action in ("lookup", "l3mdev", *REFUSES) and "suppress_prefixlength" not in words
    return True if plain and {word for word, _ in selectors} <= FOLLOWED else None


def _holds(word: str, value: str, asked: Asked) -> bool:
    if word in ("from", "to"):
        end = asked.src if word == "from" else asked.dst
        return value == "all" or end in ip_network(value)
    return value == (asked.came_by if word == "iif" else asked.out)

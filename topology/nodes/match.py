"""Finds the namespace of each node: by the name its owner gave it, or by the addresses it carries. Pure.

A node that is not there, or is there twice, is refused with all there is, every node at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from itertools import count

from topology.errors import NodeNotFound
from topology.kernels.others import Found, Identity
from topology.kernels.rtnl.links import LinkEnd
from topology.model import NAME_MAX, Address, Node

NODE_MAX = 63
"""Letters of the name of an adopted node; of several names one as short as a lab's nodes have is taken."""
LISTED = 30
"""Namespaces that a message lists."""
Addresses = Mapping[Identity, frozenset[Address]]


def by_name(name: str, found: Sequence[Found]) -> list[Found]:
    """The namespaces that their owners named so, else those of a process of that name."""
    return [one for one in found if name in one.names] or [one for one in found if name == one.process]


def named_and_right(nodes: Sequence[Node], found: Sequence[Found], addresses: Addresses) -> bool:
    """True if each node's name leads to one namespace that carries its addresses: no other need be looked at."""
    return all(
        len(candidates := by_name(node.name, found)) == 1 and _carries(candidates[0], node, addresses) for node in nodes
    )


def match_nodes(nodes: Sequence[Node], found: Sequence[Found], addresses: Addresses) -> dict[str, Found]:
    """The namespace of each node; NodeNotFound names every node that has none, several, or another's."""
    matched: dict[str, Found] = {}
    wrong: list[str] = []
    for node in nodes:
        candidates = _candidates(node, found, addresses)
        if reason := _refusal(node, candidates):
            wrong.append(f"{node.name} - {reason}")
        else:
            matched[node.name] = candidates[0]
    wrong += _twice(matched)
    if wrong:
        raise NodeNotFound("\n".join(["the fabric cannot be adopted", *wrong, there_is(found)]))
    return matched


def _candidates(node: Node, found: Sequence[Found], addresses: Addresses) -> list[Found]:
    """Namespaces with name and addresses, else with either: a name may be another fabric's."""
    named = by_name(node.name, found)
    owners = [one for one in found if node.addresses and _carries(one, node, addresses)]
    return [one for one in named if one in owners] or [*named, *owners]


def _carries(one: Found, node: Node, addresses: Addresses) -> bool:
    return frozenset(node.addresses) <= addresses.get(one.identity, frozenset())


def _refusal(node: Node, candidates: Sequence[Found]) -> str:
    addresses = ", ".join(str(address) for address in node.addresses)
    wanted = f"a namespace of this name{f', or one with {addresses}' if addresses else ''}"
    if not candidates:
        return f"expected {wanted} - seen none"
    if len(candidates) > 1:
        return f"expected {wanted} - seen {len(candidates)}: {'; '.join(str(one) for one in candidates)}"
    if candidates[0].forbidden:
        return f"expected a namespace to enter - seen the machine's first or the run's own ({candidates[0]})"
    return ""


def _twice(matched: Mapping[str, Found]) -> list[str]:
    owners: dict[Identity, str] = {}
    wrong = []
    for name, one in matched.items():
        if (other := owners.setdefault(one.identity, name)) != name:
            wrong.append(f"{name} - expected a namespace of its own - seen that of {other} ({one})")
    return wrong


def there_is(found: Iterable[Found]) -> str:
    """One line: the candidates for adoption."""
    there = [str(one) for one in found if not one.forbidden]
    more = f" and {len(there) - LISTED} more" if len(there) > LISTED else ""
    return f"there is: {'; '.join(there[:LISTED]) or 'no foreign namespace'}{more}"


def maybe_joined(ends: Mapping[Identity, Sequence[LinkEnd]]) -> list[tuple[Identity, LinkEnd, Identity]]:
    """Each veth end and every namespace that has a veth naming it back: among them is its peer's; and each device that
    sends by another namespace, with every namespace that may be it: one with a device of the index of that below it.

    Small indexes are in every namespace: the kernel's namespace numbers decide.
    """
    veths = [(identity, end, end.peer) for identity, known in ends.items() for end in known if end.peer is not None]
    indexes = {identity: {end.index for end in known} for identity, known in ends.items()}
    above = [
        (one, end) for one, known in ends.items() for end in known if end.kind != "veth" and end.netnsid is not None
    ]
    sharing = [
        (one, end, other)
        for one, end in above
        for other in ends
        if other != one and (end.below is None or end.below in indexes[other])
    ]
    by_ends: dict[tuple[int, int], list[Identity]] = {}
    for identity, end, peer in veths:
        by_ends.setdefault((end.index, peer), []).append(identity)
    pairs = [(one, end, other) for one, end, peer in veths for other in by_ends.get((peer, end.index), ())]
    return [*pairs, *sharing]


def reachable(starts: Iterable[Identity], joined: Iterable[tuple[Identity, Identity]]) -> frozenset[Identity]:
    """The namespaces that are joined to these, directly or through others, themselves included."""
    others: dict[Identity, list[Identity]] = {}
    for one, other in joined:
        others.setdefault(one, []).append(other)
        others.setdefault(other, []).append(one)
    reached, waiting = set(), list(starts)
    while waiting:
        identity = waiting.pop()
        if identity not in reached:
            reached.add(identity)
            waiting += others.get(identity, ())
    return frozenset(reached)


def node_names(found: Sequence[Found]) -> dict[str, Found]:
    """A name for each namespace: its owner's, else its process's, made fit for a node and different from all others."""
    out: dict[str, Found] = {}
    for one in found:
        wanted = next((name for name in one.names if len(name) <= NAME_MAX), (*one.names, one.process or "ns")[0])
        fit = re.sub(r"[^A-Za-z0-9_.-]", "-", wanted).lstrip(".-")[:NODE_MAX] or "ns"
        numbered = (f"{fit[: NODE_MAX - len(str(n)) - 1]}-{n}" for n in count(2))
        out[fit if fit not in out else next(name for name in numbered if name not in out)] = one
    return out


def find_end(said: str, named: Mapping[str, Found], addresses: Addresses) -> tuple[str, Address | None]:
    """The node that a name or an address means, and the address where it was one; NodeNotFound where none or several.

    ``ADDRESS@NAME`` is an address that several nodes have, of one of them. ``named`` are the nodes by the names that
    ``node_names`` gave.
    """
    everything = [*named.values()]
    first, _, owner = said.partition("@")
    try:
        address: Address | None = ip_address(first)
        owners = [one for one in everything if address in addresses.get(one.identity, ())]
        if owner:
            owners = [one for one in _called(owner, named) if one in owners]
    except ValueError:
        address, owners = None, _called(said, named)
    if len(owners) != 1:
        seen = "; ".join(map(str, owners)) or "none"
        raise NodeNotFound(
            f"{said} - expected one namespace of this name or address - seen {seen}\n{there_is(everything)}"
        )
    return next(name for name, one in named.items() if one is owners[0]), address


def _called(name: str, named: Mapping[str, Found]) -> list[Found]:
    return by_name(name, [*named.values()]) or [one for own, one in named.items() if own == name]

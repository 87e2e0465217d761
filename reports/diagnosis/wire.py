"""Finds where the wire shows a packet, or the request for an address that it waits for, for the last time. Pure.

For nodes whose forwarding state is not followed. Sightings decide, with no more of the nodes than who has an address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address

from reports.diagnosis.rank import RESOLUTION
from reports.diagnosis.resolution import NESTED_MAX, Message, message_of
from reports.evidence import Cause, Journey, Sighting
from reports.judge.journey import in_order
from topology.links import TUNNEL_HEADERS
from topology.model import Fabric, Port

PASSED_ON = "passed on"


def last_on_wire(journey: Journey, fabric: Fabric) -> Iterator[Cause]:
    """Yield where a lost packet, or an unanswered request of the node that holds it, was seen last.

    A request to all is followed over tunnels, to their other ends, and to the node before its target: where it was
    seen at none of these, nothing is concluded from its branches.
    """
    if journey.arrived:
        return
    found: Sighting | None = journey.sightings[-1] if journey.sightings else None
    holder, kind, wanted = found.node if found else journey.source, "loss", f"the packet {PASSED_ON}"
    for _ in range(NESTED_MAX):
        asked = _unanswered(journey.resolution, holder)
        if asked is None or (end := _end_of(asked, journey.resolution, fabric)) is None:
            break
        found, wanted = end
        holder, kind = found.node, RESOLUTION
    if found is not None:
        live = f"last {found.direction} here: {found.headers.summary()}"
        yield Cause(kind, found.node, found.interface, wanted, live, "", "", "traffic")


def with_unread(causes: Iterable[Cause], journey: Journey, fabric: Fabric) -> Iterator[Cause]:
    """The causes, those of the wire alone with what the states of the nodes that it shows do not say."""
    seen = {one.node for one in (*journey.sightings, *journey.resolution)}
    unread = [f"{node.name} ({node.opaque})" for node in fabric.nodes if node.opaque and node.name in seen]
    words = f"; not read: {', '.join(unread)}" if unread else ""
    return (replace(one, live=f"{one.live}{words}") if one.source == "traffic" else one for one in causes)


def _unanswered(seen: Sequence[Sighting], node: str) -> Message | None:
    """Return the first request of a node to which no answer came in there."""
    first, back = dict[Message, Sighting](), set[Message]()
    for one in in_order(seen):
        if (message := message_of(one)) is not None:
            first.setdefault(message, one)
            back |= {message} if (one.node, one.direction) == (node, "in") else set()
    own = (message for message, one in first.items() if one.node == node and not message.answers)
    return next((message for message in own if message._replace(answers=True) not in back), None)


def _end_of(asked: Message, seen: Sequence[Sighting], fabric: Fabric) -> tuple[Sighting, str] | None:
    """Return where an exchange was seen last, and what was to happen there; None where its branches leave that open."""
    answers = [one for one in in_order(seen) if message_of(one) == asked._replace(answers=True)]
    copies = [one for one in in_order(seen) if message_of(one) == asked]
    if answers:
        return answers[-1], f"the answer for {asked.address} {PASSED_ON}"
    end = _in_tunnel(copies, fabric) or _at_owner(copies, asked, fabric) or _at_first_node(copies)
    end = end or _at_unread(copies, fabric)
    return end and (end[0], f"the request for {asked.address} {end[1]}")


def _in_tunnel(copies: Sequence[Sighting], fabric: Fabric) -> tuple[Sighting, str] | None:
    """Return the copy that was lost on its way to a tunnel's other end, or that no device took there."""
    ways = defaultdict[object, list[Sighting]](list)
    for one in copies:
        if ends := _tunnel_ends(one):
            ways[ends[-1]].append(one)
    for way in ways.values():
        last, (outer, *_) = way[-1], _tunnel_ends(way[-1])
        if ip_address(str(outer)) not in fabric[last.node].addresses:
            return last, f"{PASSED_ON} to {outer}"
        if not any(one.node == last.node and not _tunnel_ends(one) for one in copies):
            return last, "taken out of its tunnel"
    return None


def _tunnel_ends(seen: Sighting) -> list[object]:
    """Return the addresses that a frame inside tunnels is sent to, the outermost first."""
    inside = max((at for at, name in enumerate(seen.layers) if name in TUNNEL_HEADERS), default=0)
    return [header["dst"] for header in list(seen.headers)[:inside] if header.layer in ("ipv4", "ipv6")]


def _at_owner(copies: Sequence[Sighting], asked: Message, fabric: Fabric) -> tuple[Sighting, str] | None:
    """Return the copy that came to the owner of the address, or else to the node before it."""
    for device in fabric.devices:
        if isinstance(device, Port) and asked.address in {interface.ip for interface in device.addresses}:
            steps = {
                "answered": [one for one in copies if one.ref == device.ref],
                PASSED_ON: [one for one in copies if one.ref == device.peer],
                f"let out by {device.peer.interface}": [one for one in copies if one.node == device.peer.node],
            }
            return next(((there[-1], wanted) for wanted, there in steps.items() if there), None)
    return None


def _at_unread(copies: Sequence[Sighting], fabric: Fabric) -> tuple[Sighting, str] | None:
    """Return where the request came in at the last node of those whose state says nothing of it."""
    came = {one.node: one for one in reversed(copies) if fabric[one.node].opaque}
    return (next(iter(came.values())), PASSED_ON) if came else None


def _at_first_node(copies: Sequence[Sighting]) -> tuple[Sighting, str] | None:
    """Return the last copy where the request was seen at its sender and one other node."""
    return (copies[-1], PASSED_ON) if copies and len({one.node for one in copies}) <= 2 else None

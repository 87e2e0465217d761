"""Judges the request for an address that a packet waits for: ARP (RFC 826) or neighbour discovery (RFC 4861). Pure.

A packet whose next hop's MAC is unknown stays with its sender, so its own journey would blame the sender. Of the tree
that the request makes, the branch to the address's owner counts, then the way of the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address
from itertools import chain, islice
from typing import NamedTuple

from reports.evidence import Cause, Journey, Sighting
from reports.judge.journey import Rung, Verdict, follows_furthest, in_order, judge_journey, ladder
from reports.judge.trip import Leg, is_tunnelled
from topology.dataplane.bridges import is_broadcast
from topology.dataplane.paths import ExpectedHop, ExpectedPath, Hops, Paths, ending
from topology.dataplane.walk import ADVERTISEMENT, SOLICITATION, AddressRequest, PacketWalk
from topology.expected import expected_journey
from topology.model import Address, Device, Fabric, Node
from topology.packet import Layer, Layers, Probe, ends_of, ip_layer, outer_ip

REQUESTS, ANSWERS = (1, SOLICITATION), (2, ADVERTISEMENT)
"""Operations of ARP, and types of ICMPv6."""
ND_HOP_LIMIT, ICMPV6 = 255, 58
LINK_ADDRESS = bytes((2, 1))
"""Type of the option with the owner's MAC, and its length in units of 8 bytes (RFC 4861, section 4.6.1)."""
UNSPECIFIED = ("0.0.0.0", "::")
"""Who looks whether its own address is taken asks from these (RFC 5227, RFC 4862)."""
WAITS = "waits at"
NESTED_MAX = 4
"""Requests of which each waits for the next: a customer's for its peer, its VTEP's for the next hop."""


class Message(NamedTuple):
    """A request for an address, or an answer to one; ``mac`` is that of the device that asks."""

    address: Address
    mac: str
    answers: bool


def message_of(seen: Sighting) -> Message | None:
    """Return the request to many, or the answer to one, that a frame is or carries; None for any other frame."""
    ether, inner = seen.headers.get("ether", -1), seen.headers.get("arp", -1) or seen.headers.get("icmp", -1)
    if ether is None or inner is None:
        return None
    if inner.layer == "arp":
        kind, sender = inner["op"], inner["psrc"]
        address = sender if kind in ANSWERS else inner["pdst"]
    elif inner["version"] == 6 and seen.ips and len(seen.headers.payload) >= 16:
        kind, sender, address = inner["type"], seen.ips[-1]["src"], seen.headers.payload[:16]
    else:
        return None
    answers, to_many = kind in ANSWERS, is_broadcast((("ether", ether.fields),))
    if kind not in (*REQUESTS, *ANSWERS) or answers == to_many or sender in UNSPECIFIED:
        return None
    if isinstance(address, int) or (isinstance(address, bytes) and len(address) != 16):
        return None
    return Message(ip_address(address), str(ether["dst" if answers else "src"]), answers)


def judged_leg(journey: Journey, probe: Probe, fabric: Fabric) -> Leg:
    """Return a journey judged by its way through a fabric, or by the request for an address that the packet waits for.

    Of equal-cost ways that it follows equally far, the one counts on which it waits. Where no branch of the request
    leads to the owner, the note alone says that the packet waits.
    """
    leg = Leg.judged(journey, expected_journey(fabric, probe))
    if leg.verdict.passed:
        return leg
    paths = leg.expected.paths if len(leg.expected.paths) > 1 else ()
    alone = (replace(leg.expected, paths=(path,)) for path in paths)
    ways = (leg.verdict, *(judge_journey(leg.journey, way) for way in alone))
    equal = [way for way in ways if way.last_good == leg.verdict.last_good]
    found = [resolved(way, fabric, journey.resolution) for way in equal]
    return replace(leg, verdict=next((one for one in found if WAITS in one.note), found[0]))


def resolved(verdict: Verdict, fabric: Fabric, seen: Sequence[Sighting]) -> Verdict:
    """Return the verdict on the request that a packet waits for where that explains why it was not sent on.

    ``seen`` are the sightings of requests and answers meanwhile. The ladder starts with the packet's own hops. Where
    no branch leads to the owner, the note alone says that the packet waits.
    """
    for _ in range(NESTED_MAX):
        further = _unanswered(verdict, fabric, seen)
        if further is None or further == verdict:
            break
        verdict = further
    return verdict


def _unanswered(verdict: Verdict, fabric: Fabric, seen: Sequence[Sighting]) -> Verdict | None:
    """Return the verdict on the request that the lost packet waits for; None where none was unanswered."""
    lost, hop = verdict.divergence, _unsent(verdict)
    if lost is None or hop is None:
        return None
    there = [(one, message) for one in seen if (message := message_of(one)) and one.ref == hop.ref]
    for address in _next_hops(fabric, hop):
        asked = [(one, m) for one, m in there if (m.address, m.answers, one.direction) == (address, False, "out")]
        if not asked or any((m.address, m.mac, m.answers) == (address, asked[0][1].mac, True) for _, m in there):
            continue
        first, message = asked[0]
        rungs = tuple(_journey(fabric, first, message, seen))
        note = f"{verdict.source} -> {verdict.target} {WAITS} {hop.ref} for the MAC of {address}"
        if any(rung.wrong for rung in rungs):
            kept = verdict.rungs[: verdict.rungs.index(lost)]
            return replace(verdict, rungs=(*kept, *rungs), note=note)
        return verdict if rungs else replace(verdict, note=note)
    return None


def _unsent(verdict: Verdict) -> ExpectedHop | None:
    """Return the hop by which a lost packet should have left a node."""
    lost = verdict.divergence
    return lost.expected if lost is not None and lost.seen is None and lost.direction == "out" else None


def ignored_answer(verdict: Verdict, fabric: Fabric, seen: Sequence[Sighting]) -> Sighting | None:
    """Return the answer that came in where a packet still waits for it, as its node has dropped it; None without."""
    hop = _unsent(verdict)
    wanted = set(_next_hops(fabric, hop)) if hop else set()
    there = [one for one in seen if hop and (one.ref, one.direction) == (hop.ref, "in")]
    return next((one for one in there if (m := message_of(one)) and m.answers and m.address in wanted), None)


def asker_of(verdict: Verdict) -> str:
    """Return the node that asks for the MAC that a packet waits for; empty where it waits for none."""
    asks = (rung for rung in verdict.rungs if rung.seen is not None and message_of(rung.seen) is not None)
    return next((rung.node for rung in asks), "") if WAITS in verdict.note else ""


def lost_at(verdict: Verdict) -> Iterator[Cause]:
    """Yield the hop that was not seen, as far as that is known, for the packet or for the request that it waits for."""
    lost = verdict.divergence
    if lost is None or lost.expected is None or lost.seen is not None:
        return
    if lost.direction == "out" and f"{WAITS} {lost.ref} " in verdict.note:
        return
    kind = "address resolution" if WAITS in verdict.note else "loss"
    expected = f"{lost.expected.stack.summary()} {lost.direction}"
    yield Cause(kind, lost.node, lost.interface, expected, "nothing", "", "", "traffic")


def lost_in_group(seen: Sequence[Sighting]) -> Iterator[Cause]:
    """Yield the place where a request that a tunnel sends to a multicast group was seen last, if it is unanswered."""
    wrapped = [one for one in in_order(seen) if is_tunnelled(one.layers) and one.ips]
    answered = {message for one in seen if (message := message_of(one)) is not None and message.answers}
    asked = ((one, message_of(one)) for one in wrapped)
    asks = [one for one, m in asked if m is not None and not m.answers and m._replace(answers=True) not in answered]
    grouped = [one for one in asks if ip_address(str(one.ips[0]["dst"])).is_multicast]
    if grouped:
        last, group = grouped[-1], str(grouped[-1].ips[0]["dst"])
        expected = f"packets to the multicast group {group} routed on to its other members"
        yield Cause("multicast", last.node, last.interface, expected, f"last {last.direction} here", "", "", "traffic")


def _next_hops(fabric: Fabric, hop: ExpectedHop) -> Iterator[Address]:
    """Yield the addresses that a node may have to resolve to let a packet out there."""
    packet = outer_ip(hop.layers)
    if hop.layers[0][0] == "ether" and packet is not None:
        _, target = ends_of(packet)
        yield from (egress.via or target for egress in fabric[hop.node].fib.lookup(target, hop.interface))


def _journey(fabric: Fabric, first: Sighting, asked: Message, seen: Sequence[Sighting]) -> Iterator[Rung]:
    """Yield the hops of a request's branch to the address's owner and, where they are as expected, of the answer's."""
    frame = _frame(first)
    asker = fabric[first.node][first.interface]
    request = [path for path in AddressRequest(fabric, asker, asked.address, {}).emit(asker, frame, ()) if path.hops]
    answered = [path for path in request if not path.dropped]
    waits = {one.place for one in seen if (m := message_of(one)) and not m.answers and one.direction == "out"}
    out = _laid([one for one in seen if message_of(one) == asked], answered, asker.node, waits)
    yield from out
    if answered and out and not any(rung.wrong for rung in out):
        back = [one for one in seen if message_of(one) == asked._replace(answers=True)]
        owner = _owner(fabric, out[-1])
        answer = _answer(frame, owner, asked)
        ways = [path for path in AddressAnswer(fabric, "").emit(owner, answer, ()) if not path.dropped]
        yield from _laid(back, ways, owner.node, waits)


def _laid(
    seen: Sequence[Sighting], paths: Sequence[ExpectedPath], maker: str, waits: Container[str]
) -> tuple[Rung, ...]:
    """Lay the first sighting at each place of a path beside its hops, for the path that is followed furthest.

    Of paths that are followed equally far, that counts on which a node asked for the next one's MAC (``waits``). Copies
    that take other branches are no part of it.
    """
    own = set(_made_by(maker, seen))
    ladders = [ladder(list(_picked(seen, path, own)), path) for path in paths]
    ladders.sort(key=lambda rungs: not any(rung.place in waits for rung in rungs if rung.wrong))
    return follows_furthest(ladders)


def _picked(seen: Sequence[Sighting], path: ExpectedPath, own: Collection[Sighting]) -> Iterator[Sighting]:
    for hop in path.hops:
        there = [one for one in seen if one.place == hop.place]
        as_expected = (one for one in there if one == hop.stack)
        yield from islice(chain(as_expected, (one for one in there if one in own)), 1)


def _made_by(maker: str, seen: Sequence[Sighting]) -> Iterator[Sighting]:
    """Yield the sightings of a message that this node made: two Layer 2 domains may have the same addresses and MACs.

    Who lets it out without having got it made those that follow, until another node does so.
    """
    came, latest = set[str](), ""
    for one in in_order(seen):
        if one.direction == "in":
            came.add(one.node)
        elif one.node not in came:
            latest = one.node
        if latest == maker:
            yield one


def _frame(seen: Sighting) -> Layers:
    """Return the innermost frame as it was seen."""
    at = max(index for index, name in enumerate(seen.layers) if name == "ether")
    return tuple(seen.headers.chain[at:])


def _owner(fabric: Fabric, last: Rung) -> Device:
    """Return the device that answers a request that came in there: the bridge of a port that is in one."""
    node = fabric[last.node]
    return node.bridge_of(last.interface) or node[last.interface]


def _answer(request: Layers, owner: Device, asked: Message) -> Layers:
    """Return the owner's answer to a request."""
    ether: Layer = ("ether", {**request[0][1], "src": owner.mac, "dst": asked.mac})
    name, fields = request[1]
    if name == "arp":
        ends = {"hwsrc": owner.mac, "psrc": fields["pdst"], "hwdst": asked.mac, "pdst": fields["psrc"]}
        return (ether, ("arp", {**fields, **ends, "op": ANSWERS[0]}))
    load = asked.address.packed + LINK_ADDRESS + bytes.fromhex(str(owner.mac).replace(":", ""))
    ip = ip_layer(asked.address, ip_address(str(fields["src"])), ND_HOP_LIMIT, ICMPV6)
    return (ether, ip, ("icmp", {"version": 6, "type": ADVERTISEMENT}), ("payload", {"load": load}))


class AddressAnswer(PacketWalk):
    """Follows the answer to a request to the device that asked."""

    def up(self, node: Node, device: Device, frame: Layers, hops: Hops) -> Paths:
        """End at the device that the answer is for."""
        if frame[1][0] == "arp" or (frame[2:3] and frame[2][1].get("type") == ADVERTISEMENT):
            there = frame[0][1]["dst"] == device.mac
            yield ExpectedPath(hops, None if there else ending(device, "an answer for another MAC"))
        else:
            yield from super().up(node, device, frame, hops)

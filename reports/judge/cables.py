"""Judges cables: both ends of a veth pair saw the same frames, else the sightings do not show the real fabric; and each
cable connects the declared ends. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from reports.diagnosis.show import show_of
from reports.evidence import Cause, Journey
from reports.judge.traffic import Traffic
from topology.model import Fabric, Link, other_ends
from topology.refs import PortRef


def torn(journeys: Iterable[Journey], links: Iterable[Link]) -> Iterator[str]:
    """Yield each place where a packet came out of a veth pair as it did not go in at the other end.

    A frame that goes in and does not come out is lost, which is the fabric's own affair.
    """
    peers = other_ends(links)
    for journey in journeys:
        sent = Counter((seen.ref, seen.wire) for seen in journey.sightings if seen.direction == "out")
        for seen in journey.sightings:
            if seen.direction != "in" or seen.ref not in peers:
                continue
            peer: PortRef = peers[seen.ref]
            sent[peer, seen.wire] -= 1
            if sent[peer, seen.wire] < 0:
                others = list(journey.all_at(peer.node, peer.interface, "out"))
                went = others[-1].headers.summary() if others else "nothing"
                yield f"{seen.ref} in - expected what {peer} sent: {went} - seen {seen.headers.summary()}"


def misplaced(declared: Fabric, live: Fabric, traffic: Traffic) -> Iterator[Cause]:
    """Yield the declared cables on the packets' paths that are connected elsewhere, each at the node with most such
    cables.

    A cable with a missing end is a missing link instead. No fix is given, since it is not known which end was moved.
    """
    wanted, found = other_ends(declared.links), other_ends(live.links)
    wrong = {end for end in wanted.keys() & found.keys() if wanted[end] != found[end]}
    count = Counter(end.node for end in wrong)
    named = set[PortRef]()
    for end in sorted(wrong, key=lambda end: (-count[end.node], end)):
        if wanted[end] not in named:
            named.add(end)
            passed = any(one.interface in traffic.at(one.node).devices for one in (end, wanted[end]))
            cause = Cause("cable", end.node, end.interface, f"a cable to {wanted[end]}", f"one to {found[end]}", "")
            yield replace(cause, show=show_of(cause), sure=passed)

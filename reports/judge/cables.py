"""Judge whether both ends of every veth pair saw the same frames: else the sightings do not show the fabric. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from reports.evidence import Journey
from topology.model import Link
from topology.refs import PortRef


def torn(journeys: Iterable[Journey], links: Iterable[Link]) -> Iterator[str]:
    """Yield each place where a packet came out of a veth pair as it did not go in at the other end.

    A frame that goes in and does not come out is lost, which is the fabric's own affair.
    """
    peers = {end: other for link in links for end, other in (link.ends, link.ends[::-1])}
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

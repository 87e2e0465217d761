"""Judges whether a VTEP with several remotes sends flooded frames to each, once (head-end replication). Pure.

RFC 7348 floods to a multicast group; where the underlay has none, the VTEP makes a copy for each remote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from reports.checks import Check, Subject
from reports.checks.domains import FORGED
from reports.evidence import Finding, Sighting
from reports.judge.isolation import FrameSeen
from topology.errors import NotApplicable
from topology.isolation.domains import domains, has_station, stations_near, transit
from topology.model import Fabric, Vxlan

SUBJECTS = {
    "replicating_vtep": Subject(
        "no VTEP with several remotes",
        lambda lab: (vxlan for vxlan in lab.all(Vxlan) if vxlan.others and has_station(lab, vxlan)),
    )
}


def to_all(lab: Fabric, vxlan: Vxlan) -> Iterator[FrameSeen]:
    """A broadcast frame of the first station near a VTEP; NotApplicable if none sends through it."""
    for domain in domains(lab):
        if near := (vxlan in domain.vteps and stations_near(lab, domain, vxlan)):
            yield FrameSeen(domain, near[0], "broadcast", domain.members, transit(lab, domain))
            return
    raise NotApplicable(f"no station sends by {vxlan.ref}")


def judge_replication(lab: Fabric, frames: Sequence[FrameSeen], vxlan: Vxlan) -> Finding:
    """Return whether a broadcast frame left a VTEP's node as exactly one VXLAN packet for each remote."""
    node, (frame,) = lab[vxlan.node], frames
    ends = [(str(node.outer_source(vxlan, remote)), str(remote)) for remote in vxlan.remotes]
    seen, wanted = copies(vxlan, frame), dict.fromkeys(ends, 1)
    where = f"{vxlan.ref} - copies of a {frame.what}"
    if seen == wanted:
        return Finding(True, f"{where} - one for each of {len(wanted)} remotes")
    for (source, target), count in wanted.items():
        if (found := seen.get((source, target), 0)) != count:
            words = f"{where} - expected one from {source} to {target} - seen {found or 'none'}"
            return Finding(False, words, suspects=(vxlan.node,))
    source, target = next(ends for ends in seen if ends not in wanted)
    words = f"{where} - expected none to {target} - seen one from {source}"
    return Finding(False, words, suspects=(vxlan.node,))


def copies(vxlan: Vxlan, frame: FrameSeen) -> dict[tuple[str, str], int]:
    """Packets that left the VTEP's node by one of its interfaces, by their outer source and destination."""
    by_interface: dict[tuple[str, str], Counter[str]] = {}
    for seen in frame.sightings:
        if seen.node == vxlan.node and seen.direction == "out":
            for ends in _outer(seen):
                by_interface.setdefault(ends, Counter())[seen.interface] += 1
    return {ends: max(counted.values()) for ends, counted in by_interface.items()}


def _outer(seen: Sighting) -> Iterator[tuple[str, str]]:
    """Source and destination of the IP header that is around VXLAN."""
    headers = seen.headers.headers
    for ip, _, header in zip(headers, headers[1:], headers[2:], strict=False):
        if header.layer == "vxlan":
            yield str(ip.fields["src"]), str(ip.fields["dst"])


REPLICATED = Check("frames", to_all, judge_replication, sends=FORGED)

"""Judge whether packets use every spine, by sightings alone: for a fabric that promises only pairs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from reports.evidence import Finding, Journey, Sighting


def judge_spines(flows: Sequence[Journey], spines: int) -> Finding:
    """Return whether flows between the same ends all arrive, and use so many spines: routers that some of them pass
    and others do not.
    """
    way = f"{flows[0].source} -> {flows[0].target}: {len(flows)} flows"
    lost = [flow for flow in flows if not flow.arrived]
    if lost:
        seen = lost[0].sightings[-1].place if lost[0].sightings else "nowhere"
        return Finding(False, f"{way} - expected all to arrive - seen {len(lost)} lost, the first last at {seen}")
    passed = [routers(flow) for flow in flows]
    every = frozenset(passed[0]).intersection(*passed)
    found = Counter(node for nodes in passed for node in nodes if node not in every)
    if (len(found) or min(len(every), 1)) < spines:
        over = ", ".join(f"{count} over {node}" for node, count in sorted(found.items()))
        seen = over or f"all over {', '.join(passed[0]) or 'no router'}"
        return Finding(False, f"{way} - expected over each of {spines} spines - seen {seen}")
    return Finding(True, f"{way} over {', '.join(sorted(found)) or 'the one spine'}")


def routers(journey: Journey) -> list[str]:
    """Return the nodes that routed a packet, as it was, tunnel and all: its outermost TTL is one less behind them."""
    return [
        there.node
        for here, there in pairwise(journey.sightings)
        if (here.node, here.direction, there.direction) == (there.node, "in", "out") and _lowered(here, there)
    ]


def _lowered(here: Sighting, there: Sighting) -> bool:
    outer = [seen.ips[0] for seen in (here, there) if seen.ips]
    if len(outer) < 2 or any(outer[0][end] != outer[1][end] for end in ("src", "dst")):
        return False
    before, after = (ip.fields.get("ttl", ip.fields.get("hlim")) for ip in outer)
    return before is not None and after is not None and int(after) == int(before) - 1


def judge_in_gre(legs: Sequence[Journey], expected: bool) -> Finding:
    """Return whether packets in both directions are in VXLAN, and that VXLAN is inside GRE, or not, as expected."""
    for leg in legs:
        wrapped = [seen for seen in leg.sightings if "vxlan" in seen.layers]
        inside = [seen for seen in wrapped if "gre" in seen.layers[: seen.layers.index("vxlan")]]
        if not wrapped or bool(inside) != expected:
            seen = "inside it" if inside else "in no GRE" if wrapped else "no VXLAN"
            evidence = "".join(f" - evidence: {one.place} {'/'.join(one.layers)}" for one in (inside or wrapped)[:1])
            way = f"{leg.source} -> {leg.target} - expected VXLAN {'inside' if expected else 'beside'} GRE"
            return Finding(False, f"{way} - seen {seen}{evidence}")
    return Finding(True)

"""Judges that forged packets of a Layer 2 tunnel deliver no frame to any node, unless the lab declares them accepted.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reports.checks import Check, Subject
from reports.checks.domains import FORGED, Stray, difference, listed
from reports.evidence import Finding, first_broken
from reports.judge.isolation import ForgeryAttempt, ForgerySeen, arrives
from topology.errors import NotApplicable
from topology.isolation.domains import has_station
from topology.isolation.forgery import ForgeryKind, Target, beside_another_tenant, bridged, targets
from topology.links import FRAME_TUNNELS
from topology.model import Fabric, Geneve, Tunnel, Vxlan


def reachable(lab: Fabric, kind: type[Tunnel]) -> list[Target]:
    """The VTEPs of one kind that another node can reach."""
    return [target for target in targets(lab) if target.attack_paths and isinstance(target.vtep, kind)]


def others_geneve(lab: Fabric) -> Iterator[tuple[Target, Geneve]]:
    """A bridged Geneve device, and one of another VNI or port."""
    for target in bridged(lab, Geneve):
        yield from ((target, other) for other in lab.all(Geneve) if other.identity != target.vtep.identity)


def busy(lab: Fabric) -> Iterator[Target]:
    """The bridged VXLAN devices with stations behind them that send through them."""
    return (target for target in bridged(lab, Vxlan) if has_station(lab, target.vtep))


SUBJECTS = {
    "vtep": Subject("no VTEP in reach", partial(reachable, kind=Tunnel)),
    **{
        f"{kind.section}_vtep": Subject(f"no {kind.noun} in reach", partial(reachable, kind=kind))
        for kind in FRAME_TUNNELS
    },
    **{
        f"{kind.section}_target": Subject(f"no {kind.noun} in reach", partial(bridged, kind=kind), first=True)
        for kind in FRAME_TUNNELS
    },
    "tenants_vtep": Subject(
        "no second tenant", lambda lab: (target for target in targets(lab) if beside_another_tenant(lab, target))
    ),
    "busy_target": Subject("no VXLAN in reach", busy, first=True),
    "others_geneve": Subject("no Geneve in reach", others_geneve, first=True),
}


def judge_forgery(seen: ForgerySeen) -> Finding:
    """Return whether a forged packet was refused, or accepted, as the lab declares."""
    forgery, delivered = seen.forgery, seen.delivered
    at = forgery.attack_path.vtep.ref
    what = f"{forgery} sent by {forgery.attack_path.role} {forgery.attack_path.node}"
    key = forgery.attack_path.vtep.declared_by.get(forgery.kind or "", "").replace("_", "-")
    if not forgery.expected and delivered:
        why = f" (isolation: {key}: refused)" if key else ""
        places = listed([str(place) for place in delivered])
        return Finding(False, f"{at} - {what} - expected refused{why} - seen its frame at {places}")
    if forgery.expected and not delivered:
        why = f" (isolation: {key}: accepted)" if key else ""
        return Finding(False, f"{at} - {what} - expected accepted{why} - seen it refused")
    strays = [Stray(seen) for place, seen in delivered.items() if place not in forgery.expected]
    missing = sorted(forgery.expected - delivered.keys())
    declared = f"as the lab declares ({key}: accepted)" if key else "as its peer is that tenant's, too"
    outcome = f"accepts {what}, {declared}" if delivered else f"refuses {what}"
    return difference(f"frame of {what}", strays, missing, f"{at} {outcome}")


def judge_forgeries(_: Fabric, attempts: Sequence[ForgeryAttempt], target: Target, kind: ForgeryKind) -> Finding:
    """Return whether a forgery was treated as declared, whoever sent it; with a note if any was accepted.

    Raises NotApplicable if not even a packet that looks like the peer's was delivered: then a loss does not prove a
    refusal. In a healthy lab too the kernel can refuse a sender, for example at another tenant's Geneve device.
    """
    if attempts and not any(seen.forgery.kind == kind for attempt in attempts for seen in attempt.forged):
        raise NotApplicable(f"{target} - none is forged whose answer would stay in the fabric")
    proven = [
        seen
        for attempt in attempts
        for seen in attempt.forged
        if seen.forgery.kind == kind and (seen.delivered or arrives(attempt.control))
    ]
    if not proven:
        senders = ", ".join(attempt.control.forgery.attack_path.node for attempt in attempts)
        raise NotApplicable(f"{target} takes no packet of {senders or 'any node'}, not even one like its peer's own")
    findings = [judge_forgery(seen) for seen in proven]
    held = "; ".join(finding.message for finding in findings)
    accepted = any(seen.delivered for seen in proven)
    return first_broken(findings) if not all(findings) else Finding(True, held, note=held if accepted else "")


def judge_undeclared(_: Fabric, answers: Sequence[Sequence[ForgeryAttempt]]) -> Finding:
    """Return whether every VTEP of a fabric without a declaration refused what must always be refused."""
    attempts = [attempt for attempt in answers[0] if arrives(attempt.control)]
    forged = [seen for attempt in answers[0] for seen in attempt.forged if seen.delivered or attempt in attempts]
    if not forged:
        raise NotApplicable("no VTEP takes a packet of any node, not even one like its peer's own")
    return first_broken(map(judge_forgery, forged), f"{len(forged)} forged packets refused by {len(attempts)} VTEPs")


REFUSED = Check("vteps", lambda _: ("all VTEPs",), judge_undeclared, sends=FORGED)
TREATED = Check("forgeries", lambda _, target, *__: target.attack_paths, judge_forgeries, sends=FORGED)

"""Faults that change live state: what the nodes' state says never turns a failed promise into a passed one."""

from __future__ import annotations

import random

import pytest

from fixtures.instruments.faults import FAULTS, Ground
from fixtures.instruments.faults.inject import inject, undo
from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from reports.judge.journey import judge_journey
from tests.lifecycle.kit.fixtures import SEED
from tests.self.draws import draws
from topology.expected import expected_journey, probes_of, reply_to
from topology.model import Fabric

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

KINDS = """
    link-down route-missing route-unreachable next-hop-wrong route-hijack gateway-missing gateway-wrong forwarding-off
    neighbour-stale gre-down gre-missing gre-bypass vxlan-down vxlan-no-bridge vxlan-vni port-no-bridge port-blocking
    ports-isolated bridge-down arp-off
"""
"""Kinds of faults, each at its first place."""
TRIED = random.Random(SEED).sample(KINDS.split(), min(draws(5), len(KINDS.split())))
"""A quarter of them in each run, all with HOPCHECK_SAMPLES=4."""


def verdicts(prober: Prober, lab: Fabric) -> list[bool]:
    """Whether each way of the first pair of each kind passed; asserts that intent alone decided, whatever the cause.

    Where the packet waits for an address, the request for it takes the place of what was not seen.
    """
    pairs = {pair.kind: pair for pair in reversed(lab.pairs)}.values()
    probes = [next(iter(probes_of(lab, pair))) for pair in pairs]
    passed = []
    for probe, judged in zip(probes, prober.trips(probes), strict=True):
        for way, leg in zip((probe, reply_to(probe)), judged().legs, strict=True):
            declared = expected_journey(lab, way)
            assert leg.expected.kind == declared.kind
            assert [str(path) for path in leg.expected.paths] == [str(path) for path in declared.paths]
            alone = judge_journey(leg.journey, leg.expected)
            kept = next((n for n, rung in enumerate(alone.rungs) if rung.wrong and not rung.seen), len(alone.rungs))
            assert leg.verdict.rungs[:kept] == alone.rungs[:kept]
            assert leg.verdict.rungs == alone.rungs or "waits at" in leg.verdict.note
            assert leg.verdict.passed == alone.passed
            passed.append(leg.verdict.passed)
    return passed


def test_wrong_live_state_passes_nothing(lab: Fabric, pristine: LiveFabric) -> None:
    """With each of 20 faults a promise fails, by the verdict that the declaration and the wire give without the nodes'
    state; once it is undone, all pass."""
    assert all(verdicts(Prober(pristine), lab))
    for kind in TRIED:
        change = next(iter(FAULTS[kind].at(Ground(lab)).values()))
        inject(pristine, FAULTS[kind], change)
        assert not all(verdicts(Prober(pristine, warm_up_s=0.5, arrival_s=1.0), lab)), kind
        undo(pristine, change)
        assert [cause for one in pristine.names for cause in pristine.differences(one)] == [], kind
    assert all(verdicts(Prober(pristine), lab))

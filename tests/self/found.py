"""Sizes as they were found from cs1 to cs5 of the reference lab, and what a test changes of them."""

from __future__ import annotations

from collections.abc import Mapping

from reports.checks.mtu import LegMtu
from reports.evidence import Cause
from reports.judge.attempt import Outcome, outcome
from tests.self.builders import expect, reference
from tests.self.recorded import recorded
from topology.limits import carried
from topology.promises import Above, MtuPromise

WHOLE, REFUSED = Outcome("whole"), Outcome("refused", "cs1")
FRAGMENTS, ICMP, SILENCE = (outcome(recorded()["cs1", "cs5", size, True]) for size in (1427, 1451, 1455))
CAUSE = Cause("mtu", "lc1", "lc1_sc2", "1500", "1400", "ip -n lc1 link set dev lc1_sc2 mtu 1500")
Zones = list[tuple[int, Outcome]]
AS_MEASURED: Zones = [(84, WHOLE), (1426, WHOLE), (1427, FRAGMENTS), (1450, FRAGMENTS), (1451, ICMP), (1454, ICMP)]
AS_MEASURED += [(1455, SILENCE), (1500, SILENCE), (1501, REFUSED)]
PLAIN: Zones = [(84, WHOLE), (1426, WHOLE), (1427, FRAGMENTS)]


def way(
    with_df: Zones = AS_MEASURED,
    plain: Zones = PLAIN,
    customers: int | None = None,
    above: tuple[Above, ...] = ("fragments", "icmp", "silence"),
    causes: tuple[Cause, ...] = (),
) -> LegMtu:
    """Sizes found from cs1 to cs5."""
    computed = carried(reference(), expect(reference(), "cs1", "cs5"))
    promise = MtuPromise(customers, above)
    return LegMtu("cs1", "cs5", computed, promise, dict(with_df), dict(plain), causes=causes)


def changed(zones: Zones, changes: Mapping[int, Outcome]) -> Zones:
    """The same with other outcomes at some sizes."""
    return list((dict(zones) | dict(changes)).items())

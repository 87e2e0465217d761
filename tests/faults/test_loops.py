"""A loop of Layer 2 ends neither the run nor the judgement of what lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from fixtures.instruments.spot import Spotter
from reports.evidence import LoopFound, LoopStands
from topology.wait import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

WITHIN_S = 30
"""A quiet machine takes 5 to 8 s; a busy one may be four times as slow."""
SHORT = "ip link add name short type veth peer name {}; ip link set dev short master bridge1 up; {}"
LOOPS = {
    "two ports of one bridge": (
        SHORT.format("short2", "ip link set dev short2 master bridge1 up"),
        ("short", "short2"),
    ),
    "a cable beside the VXLAN": (
        SHORT.format("short3 netns con_ns3", "ip -n con_ns3 link set dev short3 master bridge3 up"),
        ("short", "vxlan-cont"),
    ),
}


def named(fabric: LiveFabric, look: Callable[[], object]) -> LoopFound | None:
    """The loop that a look meets; None where it ends before there are enough copies.

    Only requests for addresses circle: nobody knows a neighbour before.
    """
    fabric.forget_neighbours()
    try:
        look()
    except LoopFound as loop:
        return loop
    return None


@pytest.mark.parametrize(("command", "ports"), LOOPS.values(), ids=LOOPS)
def test_loop_is_named_and_the_rest_is_judged(
    pristine: LiveFabric, undeclared: LiveFabric, command: str, ports: tuple[str, str]
) -> None:
    """A loop is named within seconds by its bridges and ports: once where the fabric is only looked at, and on our own
    copy its port is set down, so that packets arrive again."""
    assert pristine.run("con_ns1", "sh", "-ec", command).code == 0
    pair = next(pair for pair in pristine.declared.pairs if (pair.source, pair.target) == ("cs1", "cs5"))
    found: list[LoopFound] = []
    for look in (lambda: Spotter(undeclared).pair(pair), lambda: Prober(pristine).trip("cs1", "cs5")):
        found.append(wait_for(partial(named, pristine, look), WITHIN_S, "a loop's name"))
    with pytest.raises(LoopStands):
        Spotter(undeclared).pair(pair)
    assert Prober(pristine).trip("cs1", "cs5").as_declared
    for one in found:
        assert (one.cause.kind, one.cause.node) == ("loop", "con_ns1")
        assert f"bridge1 of con_ns1 ({', '.join(ports)})" in one.cause.live

"""Labs drawn at random, several side by side in one guest: healthy ones pass, and what is broken in one is found."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from fixtures.session import run_key
from tests.lifecycle.kit.fixtures import DRAWN_LABS, SEED
from tests.lifecycle.kit.suite import SuiteRun
from tests.self.drawn.labs import drawn
from topology.errors import NotApplicable
from topology.expected import ExpectedHop, expected_journey, probes_of
from topology.formats.lab import load_lab_text
from topology.limits import carried
from topology.model import Fabric, Port
from topology.promises import Pair

pytestmark = [pytest.mark.lifecycle, pytest.mark.labs, pytest.mark.usefixtures("own_cache")]
WHOLE = "underlay or overlay or mtu or isolation or ecmp"
TOGETHER = min(5, DRAWN_LABS)
"""Labs in one file: they share a guest, its start and each look at the taps."""
FILES = -(-DRAWN_LABS // TOGETHER)
BROKEN = max(1, FILES // 5)
WHOLE_S = 900.0
"""Five labs have some 60 nodes and 350 tests; that is a minute on two quiet cores."""
Prove = Callable[..., SuiteRun]


@pytest.fixture
def prove(suite: Callable[..., SuiteRun], pytestconfig: pytest.Config) -> Prove:
    """Runs suites on a file of drawn labs in a guest; the file is kept beside this run's results."""

    def run(name: str, text: str, *arguments: str) -> SuiteRun:
        lab = pytestconfig.stash[run_key].out / f"drawn-{name}.yaml"
        lab.write_text(text)
        found = suite(*arguments, "--lab", str(lab), "--kernel", "guest", timeout_s=WHOLE_S)
        if "kernel: none." in found.output:
            raise NotApplicable(next(line for line in found.output.splitlines() if line.startswith("kernel: none.")))
        return found

    return run


@pytest.mark.parametrize("number", range(FILES))
def test_healthy_labs_pass(number: int, prove: Prove) -> None:
    """Healthy labs fail no promise and none is errored, whatever their roles, shapes, names, MTUs and tunnels."""
    run = prove(f"{SEED}-{number}", drawn(f"{SEED}-{number}", TOGETHER).text, "-m", WHOLE)
    wrong = [(test["id"], test["message"]) for test in run.with_verdict("failed") + run.with_verdict("errored")]
    assert (run.code, wrong) == (0, []), f"HOPCHECK_SEED={SEED} repeats drawn-{SEED}-{number}.yaml\n{run.output}"
    assert len(run.with_verdict("passed")) >= 20 * TOGETHER


@pytest.mark.parametrize("number", range(BROKEN))
def test_fault_in_a_drawn_lab_is_found(number: int, prove: Prove) -> None:
    """A port on a pair's way that is down, out of its bridge or too narrow fails tests, and its node is named."""
    name = f"{SEED}-broken-{number}"
    text = drawn(name).text
    fabric, draw = load_lab_text(text), random.Random(name)
    hop, command = draw.choice(list(faults(fabric, draw.choice(fabric.pairs))))
    run = prove(name, text, "-m", "(underlay or overlay or mtu) and not ecmp", "--break", f"{hop.node}: {command}")
    failed = [test for test in run.with_verdict("failed") if "test_state.py" not in test["id"]]
    context = f"HOPCHECK_SEED={SEED} repeats drawn-{name}.yaml with {hop.node}: {command}\n{run.output}"
    assert (run.code, run.with_verdict("errored")) == (1, []), context
    far_ends = {far.node for far in fabric.far_ends(fabric[hop.node][hop.interface])}
    causes = {test["cause"]["node"] for test in failed if test["cause"]}
    assert causes, context
    assert causes <= {hop.node} | far_ends, context


def faults(fabric: Fabric, pair: Pair) -> Iterator[tuple[ExpectedHop, str]]:
    """Commands that break a pair, by the hop: only hops that all its legal paths pass."""
    probe, _ = probes_of(fabric, pair)
    journey = expected_journey(fabric, probe)
    ways: Sequence[set[object]] = [{(hop.ref, hop.direction) for hop in path.hops} for path in journey.paths]
    for hop in journey.paths[0].hops:
        device = fabric[hop.node][hop.interface]
        if not isinstance(device, Port) or any((hop.ref, hop.direction) not in way for way in ways):
            continue
        yield hop, f"ip link set dev {hop.interface} down"
        if fabric[hop.node].bridge_of(hop.interface):
            yield hop, f"ip link set dev {hop.interface} nomaster"
    limit = carried(fabric, journey)[0]
    if probe.src.version == 4 and limit.direction == "out" and len(ways) == 1:
        narrow = next(
            hop for hop in journey.paths[0].hops if (hop.node, hop.interface) == (limit.node, limit.interface)
        )
        yield narrow, f"ip link set dev {limit.interface} mtu {limit.mtu - 100}"

"""A fabric that was built once comes back as it was; a snapshot that cannot be trusted never does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from tests.lifecycle.kit.suite import SuiteRun
from topology.errors import NotApplicable
from topology.kernels.cache import Shelf
from topology.kernels.registry import Kernel
from topology.kernels.snapshot import read_head, write_head
from topology.model import Fabric

pytestmark = pytest.mark.lifecycle
RESTORED = "restored from a snapshot"


@pytest.fixture(autouse=True)
def guest(kernel: Kernel) -> None:
    """Only a guest can be saved."""
    if kernel.info.kind != "guest":
        raise NotApplicable(f"the kernel {kernel.info.kind} is built anew each time; only a guest can be saved")


@pytest.fixture
def run(suite: Callable[..., SuiteRun], own_cache: Path) -> Callable[..., SuiteRun]:
    """Runs the state tests with a cache of the test's own."""
    return lambda *more, out="out": suite("tests/underlay", "-k", "state", *more, out=out)


def snapshots() -> set[Path]:
    """The finished snapshots."""
    return set(Shelf("snapshots").path.glob("[!.]*"))


def test_second_run_restores_what_the_first_has_built(run: Callable[..., SuiteRun]) -> None:
    """The first run builds, the second restores, and both see the same; --fresh builds again.

    A snapshot whose fabric has another fingerprint is not used, and made again.
    """
    first, second, fresh = run(), run(), run("--fresh")
    assert [one.code for one in (first, second, fresh)] == [0, 0, 0], second.output
    assert [RESTORED in one.results["kernel"]["why"] for one in (first, second, fresh)] == [False, True, False]
    assert first.results["summary"] == second.results["summary"]
    assert first.left == second.left == {}
    (made,) = snapshots()
    saved = changed(made, fingerprint="0" * 64)
    third = run()
    assert third.code == 0, third.output
    assert RESTORED not in third.results["kernel"]["why"]
    with made.open("rb") as file:
        assert read_head(file)["fingerprint"] == saved["fingerprint"]


def test_two_runs_at_once_build_once(run: Callable[..., SuiteRun]) -> None:
    """If two runs need one snapshot at the same time, one builds and saves, the other waits and restores."""
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda out: run(out=out), ("one", "other")))
    assert [one.code for one in both] == [0, 0], both[0].output + both[1].output
    assert sorted(RESTORED in one.results["kernel"]["why"] for one in both) == [False, True]


def changed(snapshot: Path, **fields: str) -> dict[str, str]:
    """Write other fields into a snapshot's manifest; gives it as it was."""
    with snapshot.open("r+b") as file:
        manifest = dict(read_head(file))
        write_head(file, {**manifest, **fields})
        return manifest


def test_two_copies_draw_different_random_bytes(copies: Callable[[], LiveFabric]) -> None:
    """Two guests restored from one snapshot do not share their randomness, and know what time it is."""
    copies()
    one, other = copies(), copies()
    assert one.kernel.holds_fabric
    assert other.kernel.holds_fabric
    node = one.names[0]
    drawn = [copy.run(node, "od", "-An", "-tx1", "-N32", "/dev/urandom").stdout for copy in (one, other)]
    assert drawn[0] != drawn[1]
    clocks = [int(copy.kernel.agent.call("clock").fields["time_ns"]) for copy in (one, other)]
    assert abs(clocks[0] - clocks[1]) < 60_000_000_000


def test_what_breaks_a_copy_leaves_the_fabric_alone(pristine: LiveFabric, fabric: LiveFabric, lab: Fabric) -> None:
    """A link taken down in a copy stops its traffic there, and nowhere else."""
    pair = lab.pairs[0]
    port = lab[pair.source].devices[0].name
    assert pristine.run(pair.source, "ip", "link", "set", "dev", port, "down").code == 0
    assert not Prober(pristine).trip(pair.source, pair.target).arrived
    assert Prober(fabric).trip(pair.source, pair.target).arrived

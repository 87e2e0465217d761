"""How long until a fabric answers: restored from its snapshot, against booted and built, in one run.

``python -m benchmarks.restore [RUNS]`` alternates the two.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.figures import Figure, Goal, median, publish
from fixtures.instruments.live import LiveFabric
from topology.formats.lab import load_lab
from topology.kernels.guest import GuestKernel
from topology.kernels.registry import Wanted
from topology.model import Fabric
from topology.plan import make_plan


def seconds(bring_up: Callable[[], GuestKernel], lab: Fabric) -> tuple[float, float]:
    """Until the agent answers, and until the fabric is there and known to be as declared or as saved."""
    start = time.monotonic()
    kernel = bring_up()
    answered = time.monotonic() - start
    try:
        fabric = LiveFabric(lab, kernel)
        ready = time.monotonic() - start
        if not kernel.holds_fabric:
            kernel.save(fabric.fingerprint(), lambda _: None)
    finally:
        kernel.close()
    return answered, ready


def main(runs: int = 20) -> None:
    """Measure and show."""
    lab = load_lab("ece792")
    plan = make_plan(lab)
    ways: dict[str, Callable[[], GuestKernel]] = {
        "restore": lambda: GuestKernel.start(lambda _: None, Wanted(plan=plan)),
        "boot and build": lambda: GuestKernel.start(lambda _: None),
    }
    seconds(ways["restore"], lab)
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(runs):
        for name, bring_up in ways.items():
            if name == "restore" or number < max(3, runs // 4):
                measured[name].append(seconds(bring_up, lab))
    answers, ready = ({name: [pair[n] for pair in found] for name, found in measured.items()} for n in (0, 1))
    slower = Figure(
        "booting / restoring", statistics.median(answers["boot and build"]) / statistics.median(answers["restore"]), "×"
    )
    figures = (
        median("restored: until the agent answers", answers["restore"], "s", Goal(1.5)),
        median("booted: until the agent answers", answers["boot and build"], "s"),
        slower,
        median("restored: until the fabric is known to be as saved", ready["restore"], "s"),
        median("booted and built: until the fabric is up", ready["boot and build"], "s"),
    )
    publish("restore", figures, measured)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

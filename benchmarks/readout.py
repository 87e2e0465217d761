"""What it costs to read the whole fabric and compare it, as after a test that ran a command, against a probe's trip.

``python -m benchmarks.readout [RUNS]``: alternates the two on a fabric of its own, prints medians and their ratio.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from benchmarks.figures import median, publish, ratio
from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from topology.formats.lab import load_lab
from topology.kernels.registry import start_kernel


def seconds(what: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.monotonic()
    what()
    return time.monotonic() - start


def main(runs: int = 20) -> None:
    """Measure and show."""
    lab = load_lab("ece792")
    kernel = start_kernel("auto", lab.needs, lambda _: None)
    try:
        fabric = LiveFabric(lab, kernel)
        prober, pair, before = Prober(fabric), lab.pairs[0], fabric.as_found
        ways: dict[str, Callable[[], object]] = {
            "reading": lambda: fabric.changed_since(before),
            "trip": lambda: prober.trip(pair.source, pair.target),
        }
        measured: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, way in ways.items():
                measured[name].append(seconds(way))
    finally:
        kernel.close()
    figures = (
        median("the state of all nodes, read and compared", measured["reading"], "s"),
        median("a trip of a probe", measured["trip"], "s"),
        ratio("reading / trip", measured["reading"], measured["trip"]),
    )
    publish("readout", figures, measured)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

"""What it costs to see after every test whether it has changed the fabric, against one trip of a probe, in one run.

``python -m benchmarks.readout [RUNS]``: alternates the two on a fabric of its own, prints medians and their ratio.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from rich.console import Console

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from topology.formats.lab import load_lab
from topology.kernels.registry import start_kernel


def seconds(what: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.monotonic()
    what()
    return time.monotonic() - start


def main(runs: int) -> None:
    """Measure and show."""
    lab = load_lab("ece792")
    kernel = start_kernel("auto", lab.needs, lambda _: None)
    try:
        fabric = LiveFabric(lab, kernel)
        prober, pair, before = Prober(fabric), lab.pairs[0], fabric.as_found
        ways: dict[str, Callable[[], object]] = {
            "reading of all nodes, compared": lambda: fabric.changed_since(before),
            "trip of a probe": lambda: prober.trip(pair.source, pair.target),
        }
        measured: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, way in ways.items():
                measured[name].append(seconds(way))
    finally:
        kernel.close()
    medians = [statistics.median(found) for found in measured.values()]
    console = Console()
    console.print(f"kernel {kernel.info}")
    for name, median in zip(measured, medians, strict=True):
        console.print(f"{name}: median {median * 1000:.0f} ms of {runs}")
    console.print(f"a reading takes {medians[0] / medians[1]:.2f} times as long as a trip")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)

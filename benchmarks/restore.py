"""How long until a fabric answers: restored from its snapshot, against booted and built, in one run.

``python -m benchmarks.restore [RUNS]``: alternates the two, prints medians and their ratio, writes ``bench.json``.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fixtures.instruments.live import LiveFabric
from reports.render.results import write_atomically
from topology.formats.lab import load_lab
from topology.kernels.guest import GuestKernel
from topology.kernels.registry import Wanted
from topology.model import Fabric
from topology.plan import make_plan

OUT = Path("reports") / "out" / "bench.json"


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


def main(runs: int) -> None:
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
    table = Table("way", "runs", "agent answers, median s", "min to max", "fabric ready, median s")
    for name, found in measured.items():
        answers, ready = ([pair[n] for pair in found] for n in (0, 1))
        spread = f"{min(answers):.2f} to {max(answers):.2f}"
        table.add_row(
            name, str(len(found)), f"{statistics.median(answers):.2f}", spread, f"{statistics.median(ready):.2f}"
        )
    Console().print(table)
    medians = {name: statistics.median(pair[0] for pair in found) for name, found in measured.items()}
    Console().print(f"booting takes {medians['boot and build'] / medians['restore']:.1f} times as long as restoring")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(OUT, json.dumps({"restore_s": measured}, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)

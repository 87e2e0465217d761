"""Whether two workers come to the verdicts of one, and sooner: ``pytest -m overlay`` and more, without and with -n 2.

``python -m benchmarks.parallel [ROUNDS]`` alternates the two, on the kernel that ``auto`` takes. One run comes first
that does not count: it leaves the snapshot that the others restore, where the kernel is one that can be saved.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, Goal, median, publish, ratio
from topology.errors import EnvironmentBroken

ROOT = Path(__file__).parent.parent
WAYS: dict[str, Sequence[str]] = {"serial": (), "two workers": ("-n", "2")}
SELECTIONS = (("overlay", "ece792"), ("overlay", "leafspine-32x4"), ("overlay or isolation or mtu", "ece792"))
"""What is selected, and the lab: the least that people run, a larger fabric, and more of each pair."""
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Run:
    """One run of the suite: how long it took, on which kernel, and each test's verdict in the order of the results."""

    seconds: float
    kernel: str
    verdicts: tuple[tuple[str, str], ...]


def run(selection: str, lab: str, *arguments: str) -> Run:
    """Run the suite on a lab as a user does; results go into a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        settings = ("-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "--out", str(out))
        command = (sys.executable, "-m", "pytest", *settings, "-q", "--lab", lab, "-m", selection, *arguments)
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        took = time.perf_counter() - start
        if done.returncode:
            raise EnvironmentBroken(
                f"pytest -m {selection!r} - expected to pass - seen {done.returncode}: {done.stdout[-400:]}"
            )
        results = json.loads((out / "results.json").read_text())
    verdicts = tuple((test["id"], test["verdict"]) for test in results["tests"])
    return Run(took, results["kernel"]["kind"], verdicts)


def main(rounds: int = 5) -> None:
    """Measure and show."""
    figures: list[Figure] = []
    samples: dict[str, dict[str, list[float]]] = {}
    for selection, lab in SELECTIONS:
        found, samples[f"{selection} on {lab}"] = measured(selection, lab, rounds)
        figures += found
    publish("parallel", figures, samples)


def measured(selection: str, lab: str, rounds: int) -> tuple[list[Figure], dict[str, list[float]]]:
    """The figures of one selection, and the seconds that they were made of."""
    first = run(selection, lab)
    runs: dict[str, list[Run]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, arguments in WAYS.items():
            runs[name].append(run(selection, lab, *arguments))
    took = {name: [one.seconds for one in found] for name, found in runs.items()}
    same = [one.verdicts == first.verdicts for found in runs.values() for one in found]
    what = f"{lab} -m {selection!r}" if " " in selection else f"{lab} -m {selection}"
    goal = Goal(1, at_least=True)
    figures = [
        Figure(f"{what}: runs with the same verdicts in the same order", sum(same) / len(same), "", goal),
        median(f"{what}, one process, kernel {first.kernel}", took["serial"], "s"),
        median(f"{what} -n 2, kernel {first.kernel}", took["two workers"], "s"),
        ratio(f"{what}: -n 2 / one process", took["two workers"], took["serial"], Goal(1)),
    ]
    return figures, took


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

"""``results.json``: the run's results for programs; its form is ``reports/results.schema.json``. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reports.evidence import Cause
from reports.judge.trip import Leg, Trip
from topology.kernels.registry import KernelInfo
from topology.model import Fabric

SCHEMA = "hopcheck-results/2"
SCHEMA_FILE = Path(__file__).parent.parent / "results.schema.json"
NOT_PROVEN, NOT_APPLICABLE = "not proven", "not applicable"
VERDICTS = ("passed", "failed", "errored", "unstable", NOT_PROVEN, NOT_APPLICABLE)
NOTHING: Mapping[str, int] = {}
NOTHING_APPLIES = 7
"""The exit code of a run in which nothing failed or errored, and something was not proven or nothing applies."""


@dataclass(frozen=True)
class TestResult:
    """One test's outcome; ``promise`` is its docstring's sentence, ``network`` whether it is about the network.

    ``pair`` is the declared pair that it is about; ``why`` is what it has in common with others that ended likewise,
    where ``cause`` is not known.
    """

    __test__ = False

    id: str
    promise: str
    verdict: str
    seconds: float
    message: str = ""
    cause: Mapping[str, Any] | None = None
    network: bool = True
    pair: str = ""
    why: str = ""
    journeys: tuple[Mapping[str, Any], ...] = field(default=())
    sizes: tuple[Mapping[str, Any], ...] = field(default=())
    measurements: tuple[Mapping[str, Any], ...] = field(default=())


def results(
    *,
    complete: bool,
    kernel: KernelInfo | None,
    lab: Fabric | None,
    tests: Sequence[TestResult],
    not_collected: Mapping[str, int] = NOTHING,
) -> dict[str, Any]:
    """The whole document, ready for JSON; ``not_collected`` is how many tests the lab has nothing for, by what."""
    counts = Counter(test.verdict for test in tests)
    return {
        "schema": SCHEMA,
        "complete": complete,
        "kernel": asdict(kernel) if kernel else None,
        "lab": lab_entry(lab) if lab else None,
        "tests": [test_entry(test) for test in tests],
        "journeys": [journey for test in tests for journey in test.journeys],
        "sizes": sizes_of(tests),
        "measurements": [{"test": test.id, **entry} for test in tests for entry in test.measurements],
        "summary": {verdict: counts[verdict] for verdict in VERDICTS},
        "not_collected": dict(not_collected),
    }


def sizes_of(tests: Iterable[TestResult]) -> list[Mapping[str, Any]]:
    """Every way's sizes, once: two workers may have found the same."""
    found = {json.dumps(entry, sort_keys=True): entry for test in tests for entry in test.sizes}
    return list(found.values())


def lab_entry(lab: Fabric) -> dict[str, Any]:
    """Which lab was proven, with which tenants, and its size."""
    size = {"nodes": len(lab.nodes), "links": len(lab.links)}
    return {"name": lab.name, "file": lab.file, "tenants": lab.tenants_file or None, **size}


def test_entry(test: TestResult) -> dict[str, Any]:
    """One test."""
    return {
        "id": test.id,
        "promise": test.promise,
        "verdict": test.verdict,
        "seconds": round(test.seconds, 4),
        "message": test.message,
        "cause": dict(test.cause) if test.cause else None,
    }


def cause_entry(cause: Cause | None) -> dict[str, Any] | None:
    """One cause, in words."""
    return {name: text for name, text in vars(cause).items() if name != "about"} if cause else None


def trip_entries(test: str, trip: Trip) -> tuple[dict[str, Any], ...]:
    """Both legs of a trip."""
    return tuple(journey_entry(test, leg) for leg in trip.legs)


def journey_entry(test: str, leg: Leg) -> dict[str, Any]:
    """One leg: its hops with every header, and its first divergence."""
    journey = leg.journey
    start = journey.sightings[0].time_ns if journey.sightings else 0
    return {
        "test": test,
        "source": journey.source,
        "target": journey.target,
        "protocol": journey.protocol,
        "arrived": journey.arrived,
        "hops": [
            {
                "node": seen.node,
                "interface": seen.interface,
                "direction": seen.direction,
                "time_ns": seen.time_ns - start,
                "length": seen.length,
                "stack": seen.headers.as_json(),
            }
            for seen in journey.sightings
        ],
        "divergence": _divergence(leg),
    }


def _divergence(leg: Leg) -> dict[str, Any] | None:
    rung = leg.verdict.divergence
    if rung is None:
        return None
    return {
        "node": rung.node,
        "interface": rung.interface,
        "expected": rung.expected.stack.summary() if rung.expected else None,
        "seen": rung.seen.headers.summary() if rung.seen else None,
        "cause": cause_entry(leg.verdict.cause),
    }


def write_atomically(path: Path, text: str | bytes) -> None:
    """Write a file so that a reader sees all of it or nothing, and what was there before if it cannot be written."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(text.encode() if isinstance(text, str) else text)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def write_results(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document: each part on a line of its own, and each item of a list.

    Indenting all of it is left to Python's own encoder, which takes seconds for a thousand tests.
    """
    parts = ",\n ".join(f"{json.dumps(key)}: {_lines(part)}" for key, part in document.items())
    write_atomically(path, f"{{\n {parts}\n}}\n")


def _lines(part: object) -> str:
    if not isinstance(part, list) or not part:
        return json.dumps(part)
    return "[\n  " + ",\n  ".join(map(json.dumps, part)) + "\n ]"


def exit_code(tests: Iterable[TestResult], pytest_code: int, without_pairs: bool = False) -> int:
    """The run's exit code: pytest's own for anything but passed and failed tests, else by the network's verdicts.

    0 when at least one network promise passed, and nothing speaks against it; 1 something failed; 6 something errored
    or is unstable, nothing failed; 7 something was not proven, nothing applied, or pairs were to be proven
    (``without_pairs``) and none is declared.
    """
    if pytest_code not in (0, 1):
        return pytest_code
    known = list(tests)
    verdicts = {test.verdict for test in known}
    if "failed" in verdicts:
        return 1
    if verdicts & {"errored", "unstable"}:
        return 6
    network = {test.verdict for test in known if test.network}
    unproven = without_pairs or NOT_PROVEN in network or network == {NOT_APPLICABLE}
    return NOTHING_APPLIES if unproven and pytest_code == 0 else pytest_code

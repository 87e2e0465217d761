"""``results.json`` and the exit code: what a run says to programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports.evidence import Cause
from reports.judge.trip import Trip
from reports.render.measurements import Measurement, measurement_entry
from reports.render.results import (
    SCHEMA_FILE,
    VERDICTS,
    TestResult,
    cause_entry,
    exit_code,
    results,
    trip_entries,
    write_atomically,
    write_results,
)
from tests.self.builders import expect, good_leg, leg, reference, seen_path
from topology.kernels.registry import KernelInfo
from topology.wire.headers import LAYERS

KERNEL = KernelInfo("guest", "6.1.0", "tcg", "host cannot: no gre")
CAUSE = Cause("route", "lc1", None, "28.0.0.0/24", "missing", "ip -n lc1 route replace …")
Document = dict[str, Any]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def passing() -> TestResult:
    trip = Trip(good_leg(reference(), "cs1", "cs5"), good_leg(reference(), "cs5", "cs1"))
    return TestResult("tests/a.py::t", "A promise.", "passed", 0.123456, journeys=trip_entries("tests/a.py::t", trip))


def failing() -> TestResult:
    expected = expect(reference(), "cs1", "cs4")
    lost = leg(expected, seen_path(reference(), expected.paths[0])[:4])
    lost = replace(lost, verdict=replace(lost.verdict, cause=CAUSE))
    stray = replace(lost.journey.sightings[0], node="sc1")
    trip = Trip(lost, leg(expected, [stray]))
    entries = trip_entries("tests/b.py::t", trip)
    return TestResult("tests/b.py::t", "", "failed", 1, "lc1 - …", cause_entry(CAUSE), journeys=entries)


@cache
def text(complete: bool) -> str:
    tests = [passing(), failing()]
    return json.dumps(results(complete=complete, kernel=KERNEL, lab=reference(), tests=tests))


def document(complete: bool = True) -> Document:
    read: Document = json.loads(text(complete))
    return read


def test_document_of_a_run_is_valid(validator: Draft202012Validator) -> None:
    """Passing and failing tests, complete or not, give a document that the schema accepts."""
    for complete in (True, False):
        validator.validate(document(complete))


def test_document_of_a_run_that_has_measured_is_valid(validator: Draft202012Validator) -> None:
    """Tables and their words are in it, with the test that has measured them."""
    table = Measurement("rates", ("path", "Mbit/s"), (("veth", "100.0"),), ("so",), {"n": 6}, of_the_run=True)
    measured = replace(passing(), measurements=(measurement_entry(table),))
    made = results(complete=True, kernel=KERNEL, lab=reference(), tests=(measured,))
    validator.validate(json.loads(json.dumps(made)))
    assert [found["title"] for found in made["measurements"]] == ["rates"]


def test_document_of_a_run_that_never_started_is_valid(validator: Draft202012Validator) -> None:
    """The document that is written before anything runs has no kernel, no tests, and is not complete."""
    made = results(complete=False, kernel=None, lab=None, tests=())
    validator.validate(made)
    assert made["complete"] is False
    assert made["summary"] == dict.fromkeys(VERDICTS, 0)


def test_document_says_what_was_seen() -> None:
    """Journeys carry every hop with its headers, in time from the first one, bytes as hex."""
    made = document()
    out, back = made["journeys"][:2]
    assert (out["source"], out["target"], out["arrived"], out["divergence"]) == ("cs1", "cs5", True, None)
    assert back["source"] == "cs5"
    assert [hop["time_ns"] for hop in out["hops"]] == [5_000 * n for n in range(16)]
    spine = out["hops"][7]
    assert (spine["node"], spine["interface"], spine["direction"], spine["length"]) == ("sc2", "sc2_lc1", "in", 172)
    layers = ["ether", "ipv4", "gre", "ipv4", "udp", "vxlan", "ether", "ipv4", "icmp", "payload"]
    assert [header["layer"] for header in spine["stack"]] == layers
    assert spine["stack"][-1]["fields"]["load"].startswith("a0a1a2")
    assert made["summary"] == dict.fromkeys(VERDICTS, 0) | {"passed": 1, "failed": 1}
    assert made["tests"][0]["seconds"] == 0.1235
    assert made["lab"] == {"name": "ece792", "file": "ece792.yaml", "tenants": None, "nodes": 12, "links": 13}


def test_document_says_where_it_first_went_wrong() -> None:
    """A divergence has its place, expected beside seen, and the cause; what was not there is null."""
    lost, stray = (journey["divergence"] for journey in document()["journeys"][2:])
    assert (lost["node"], lost["interface"], lost["seen"]) == ("lc1", "gretun-cont", None)
    assert lost["expected"].startswith("ipv4 20.0.0.1>30.0.0.2 ttl 63")
    assert lost["cause"] == cause_entry(CAUSE)
    assert (stray["node"], stray["expected"], stray["cause"]) == ("sc1", None, None)


def test_schema_knows_every_verdict_and_layer(validator: Draft202012Validator) -> None:
    """What a run can say, the schema can: the verdicts and the names of headers are the same."""
    schema = validator.schema
    assert isinstance(schema, dict)
    assert tuple(schema["properties"]["tests"]["items"]["properties"]["verdict"]["enum"]) == VERDICTS
    layer = schema["$defs"]["hop"]["properties"]["stack"]["items"]["properties"]["layer"]
    assert tuple(layer["enum"]) == LAYERS


def delete(*path: str | int) -> Callable[[Document], None]:
    def change(made: Document) -> None:
        at: Any = made
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]

    return change


def put(value: object, *path: str | int) -> Callable[[Document], None]:
    def change(made: Document) -> None:
        at: Any = made
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value

    return change


HOP = ("journeys", 0, "hops", 0)
MUTATIONS = {
    **{
        f"without {key}": delete(key)
        for key in ("schema", "complete", "kernel", "lab", "tests", "journeys", "measurements", "summary")
    },
    **{f"test without {key}": delete("tests", 0, key) for key in ("id", "promise", "verdict", "message", "cause")},
    **{f"hop without {key}": delete(*HOP, key) for key in ("node", "interface", "direction", "time_ns", "stack")},
    "another schema": put("hopcheck-results/1", "schema"),
    "complete as text": put("yes", "complete"),
    "unknown verdict": put("green", "tests", 0, "verdict"),
    "negative time": put(-1, "tests", 0, "seconds"),
    "promise null": put(None, "tests", 0, "promise"),
    "cause without its fix": delete("tests", 1, "cause", "fix"),
    "cause as text": put("because", "tests", 1, "cause"),
    "unknown direction": put("up", *HOP, "direction"),
    "unknown layer": put("mpls", *HOP, "stack", 0, "layer"),
    "length as text": put("98", *HOP, "length"),
    "layer without fields": delete(*HOP, "stack", 0, "fields"),
    "arrived null": put(None, "journeys", 0, "arrived"),
    "divergence without its place": delete("journeys", 2, "divergence", "node"),
    "divergence with a bad cause": put({}, "journeys", 2, "divergence", "cause"),
    "kernel without its reason": delete("kernel", "why"),
    "lab with half a node": put(1.5, "lab", "nodes"),
    "tenants by number": put(4, "lab", "tenants"),
    "summary without failed": delete("summary", "failed"),
    "summary below zero": put(-1, "summary", "passed"),
    "tests as a mapping": put({}, "tests"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_schema_refuses_what_is_wrong(name: str, validator: Draft202012Validator) -> None:
    """The schema is not vacuous: each of these mistakes is refused."""
    made = document()
    MUTATIONS[name](made)
    assert not validator.is_valid(made)


def objects(made: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where in a document there are objects; a header's fields are what the header has, so any may be there."""
    children = made.items() if isinstance(made, dict) else enumerate(made) if isinstance(made, list) else ()
    if isinstance(made, dict) and path[-1:] != ("fields",):
        yield path
    for key, value in children:
        yield from objects(value, *path, key)


def test_schema_refuses_every_unknown_key(validator: Draft202012Validator) -> None:
    """A key that the schema does not know is refused, in whatever object of the document it is."""
    made = document()
    places = {tuple("*" if isinstance(step, int) else step for step in path): path for path in objects(made)}
    assert {(), ("kernel",), ("tests", "*", "cause"), ("journeys", "*", "divergence"), ("summary",)} <= places.keys()
    accepted = []
    for path in places.values():
        changed = document()
        put("x", *path, "unheard-of")(changed)
        accepted += [path] if validator.is_valid(changed) else []
    assert accepted == []


def test_schema_refuses_a_field_that_is_no_plain_value(validator: Draft202012Validator) -> None:
    """A header's fields are numbers and texts."""
    values: tuple[object, ...] = ([], {}, None, 1.5)
    for value in values:
        made = document()
        put(value, *HOP, "stack", 0, "fields", "src")(made)
        assert not validator.is_valid(made)


def verdicts(*found: str, network: bool = True) -> list[TestResult]:
    return [TestResult(str(n), "", verdict, 0, network=network) for n, verdict in enumerate(found)]


OWN = verdicts("passed", network=False)


@pytest.mark.parametrize(
    ("tests", "pytest_code", "code"),
    [
        (verdicts("passed"), 0, 0),
        (verdicts("passed", "not applicable"), 0, 0),
        (verdicts("passed", "failed"), 1, 1),
        (verdicts("failed", "errored", "unstable"), 1, 1),
        (verdicts("passed", "failed") + OWN, 1, 1),
        (OWN + verdicts("failed", network=False), 1, 1),
        (verdicts("passed", "errored"), 1, 6),
        (verdicts("passed", "unstable"), 0, 6),
        (verdicts("not applicable", "errored"), 1, 6),
        (verdicts("unstable"), 1, 6),
        (verdicts("not applicable", "not applicable"), 0, 7),
        (verdicts("not applicable") + OWN, 0, 7),
        (OWN, 0, 0),
        (OWN + verdicts("not applicable", network=False), 0, 0),
        (verdicts("not applicable"), 1, 1),
        (verdicts("passed", "not proven"), 0, 7),
        (verdicts("not proven"), 0, 7),
        (verdicts("passed", "not proven", "errored"), 1, 6),
        (verdicts("passed", "not proven", "failed"), 1, 1),
        (OWN + verdicts("not proven", network=False), 0, 0),
        ([], 5, 5),
        (verdicts("passed"), 2, 2),
        (verdicts("failed"), 2, 2),
        (verdicts("not applicable"), 3, 3),
        (verdicts("errored"), 4, 4),
    ],
)
def test_exit_code_follows_the_verdicts(tests: list[TestResult], pytest_code: int, code: int) -> None:
    """0 all that applies is proven; 1 failed; 6 errored or unstable; 7 not proven, or nothing applies."""
    assert exit_code(tests, pytest_code) == code


def test_run_that_proves_no_pair_for_want_of_one_is_not_green() -> None:
    """Where the pairs were to be proven and none is declared, what passed of the underlay is not enough."""
    assert exit_code(verdicts("passed"), 0, without_pairs=True) == 7
    assert exit_code(verdicts("passed", "failed"), 1, without_pairs=True) == 1
    assert exit_code([], 5, without_pairs=True) == 5


@pytest.mark.parametrize("content", ["text …", b"\x00\xff"])
def test_file_is_written_whole(content: str | bytes, tmp_path: Path) -> None:
    """A file is what was given, as UTF-8 where it was text, and nothing is left beside it."""
    path = tmp_path / "out.json"
    path.write_text("before")
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_write_that_fails_leaves_what_was_there(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, or the last step fails, the old file stands and no half of a new one does."""
    path = tmp_path / "out.json"
    path.write_text("before")
    write = Path.write_bytes

    def fail(self: Path, data: object = b"") -> None:
        if isinstance(data, bytes):
            write(self, data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "after")
    monkeypatch.undo()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_results_are_json_with_an_end(tmp_path: Path, validator: Draft202012Validator) -> None:
    """The file is the document, readable by people, and ends in a newline."""
    write_results(tmp_path / "results.json", document())
    written = (tmp_path / "results.json").read_text()
    validator.validate(json.loads(written))
    assert written.endswith("}\n")
    assert written.startswith('{\n "schema": "hopcheck-results/2"')

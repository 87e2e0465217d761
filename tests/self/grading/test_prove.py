"""What breaks a look at a submission becomes an outcome of its promises, never the end of a class."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.instruments.grading import grader
from fixtures.instruments.grading import promises as module
from fixtures.instruments.grading.machine import StudentMachine
from fixtures.instruments.grading.promises import Rows, prove
from fixtures.instruments.grading.rows import Ends
from fixtures.instruments.live import LiveFabric
from reports.checks.seen import SeenTrip
from reports.evidence import Cause, LoopFound
from reports.grading.record import Ended, Promise, Row, Step
from reports.grading.score import score
from tests.self.builders import NONCE, expect, journey, reference, seen_path
from topology.errors import AgentLost, EnvironmentBroken, EvidenceIncomplete, LabError, SubmissionRefused, UnknownName
from topology.expected import expected_journey
from topology.formats.recipe import Recipe
from topology.formats.rubric import rubric_of_text
from topology.formats.submission import Packed, Submission
from topology.kernels.link import Completed
from topology.kernels.others import Found, Identity
from topology.kernels.student.kernel import StudentKernel
from topology.model import Fabric
from topology.packet import Probe
from topology.promises import Encapsulation, Pair

ROWS = [Row(1, "cs1", "cs5", "VXLAN"), Row(2, "nobody", "cs5", "VXLAN")]
LOOP = LoopFound(Cause("loop", "lc1", "p1", "no loop", "frames circle through br1 of lc1", ""), "nothing else")


class Standing:
    """A machine in which the reference lab stands."""

    @contextlib.contextmanager
    def fabric(self, asked: Fabric) -> Iterator[Any]:
        names = {node.name: Found((4, n), "", (node.name,), ()) for n, node in enumerate(reference().nodes)}
        adopted = SimpleNamespace(found=names, management_devices={})
        declared = replace(reference(), pairs=asked.pairs)
        yield SimpleNamespace(declared=declared, forwarding=reference, adopted=adopted)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        yield


def looked_at(monkeypatch: pytest.MonkeyPatch, pairs: Callable[[Sequence[Pair]], Mapping[Pair, SeenTrip]]) -> Any:
    """The promises by name and row's number, where the probes of pairs do this."""
    monkeypatch.setattr(module, "Spotter", lambda _: SimpleNamespace(pairs=pairs))
    found = prove(cast(StudentMachine, Standing()), ROWS, Recipe(), ["every-spine"]).promises
    return {(one.name, one.row.number if one.row else 0): one for one in found}


def test_loop_is_the_cause_of_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without a customer are lost by that, all others and the underlay by the loop."""

    def circles(_: object) -> Mapping[Pair, SeenTrip]:
        raise LOOP

    found = looked_at(monkeypatch, circles)
    assert {one.outcome for one in found.values()} == {"broken"}
    assert {("every-spine", 1), ("every-spine", 2)} <= found.keys()
    assert ("inside-gre", 1) not in found
    assert {key for key, one in found.items() if [cause.kind for cause in one.causes] == ["loop"]} == {
        key for key in found if key[1] != 2
    }


@pytest.mark.parametrize(
    ("now", "moved"),
    [
        ({"a": [(4, 1)], "10.0.0.1": [(4, 1)]}, ""),
        ({"a": [(4, 1)], "10.0.0.1": [], "new": [(4, 9)], "10.0.0.9": [(4, 9)]}, ""),
        ({"a": [(4, 2)]}, "a - "),
        ({"10.0.0.1": [(4, 1), (4, 9)]}, "10.0.0.1 - "),
    ],
)
def test_customers_that_move_between_two_looks_prove_nothing(now: dict[str, list[Identity]], moved: str) -> None:
    """A process of the machine may rename namespaces once they have been found; what is new or gone shows by itself."""
    before: dict[str, list[Identity]] = {"a": [(4, 1)], "10.0.0.1": [(4, 1)]}
    with pytest.raises(EvidenceIncomplete, match=moved) if moved else contextlib.nullcontext():
        module._check_unmoved(before, now)


BUILT = Promise("builds", None, "kept", "1 steps")


@pytest.mark.parametrize(
    ("at_start", "error", "outcomes", "said"),
    [
        (False, UnknownName("node of submission", "x", ["y"]), ("kept", "errored"), "seen UnknownName: unknown node"),
        (False, KeyError("x"), ("kept", "errored"), "hopcheck - expected to grade - seen KeyError: 'x' ("),
        (False, AgentLost("the stream ended"), ("kept", "errored"), "the stream ended"),
        (False, SubmissionRefused("no archive"), ("kept", "errored"), "no archive"),
        (True, SubmissionRefused("no archive"), ("broken", "broken"), "no archive"),
        (True, LabError([]), ("errored", "errored"), "seen LabError"),
    ],
)
def test_only_a_refused_submission_pays_for_an_error(
    monkeypatch: pytest.MonkeyPatch, at_start: bool, error: Exception, outcomes: tuple[str, str], said: str
) -> None:
    """What fails in hopcheck or its machine leaves points open for a person, with the reason, and keeps what is known
    of the build."""

    @contextlib.contextmanager
    def started(*_: object) -> Iterator[Any]:
        if at_start:
            raise error
        attempt = SimpleNamespace(steps=[], notes=[], files="", recipe=Recipe(), build=lambda *_: BUILT)
        yield SimpleNamespace(kernel=SimpleNamespace(info="guest")), attempt

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(grader, "started", started)
    monkeypatch.setattr(grader, "prove", fails)
    rubric = rubric_of_text(
        "points: 2\nitems: [{id: a, points: 1, needs: builds}, {id: b, points: 1, rows: VXLAN, needs: reaches}]"
    )
    made = grader.Grader().grade(Submission("s", Path("s")), Packed(".zip", b"", ()), ROWS, Recipe(), rubric, "key")
    found = {(one.name, one.row.number if one.row else 0): one for one in made.promises}
    assert (found["builds", 0].outcome, found["reaches", 1].outcome) == outcomes
    assert said in found["reaches", 1].said
    scored = score(made, rubric)
    assert scored.person == (["errored twice"] if "errored" in outcomes else [])
    assert scored.low == (outcomes[0] == "kept")


@pytest.mark.parametrize(
    ("printed", "timed_out", "error", "said"),
    [
        ('{"refused": "a bomb", "digest": "", "left_out": []}', False, SubmissionRefused, "seen a bomb"),
        ("", True, EnvironmentBroken, "seen none before its deadline"),
        ("{}", False, EnvironmentBroken, "seen exit 1: killed"),
    ],
)
def test_only_what_the_unpacker_refuses_is_the_submissions_fault(
    printed: str, timed_out: bool, error: type[Exception], said: str
) -> None:
    """An unpacker that does not answer says nothing of the archive."""
    done = Completed((), 1, printed, "killed\n", timed_out)
    kernel = SimpleNamespace(command=lambda *_: (), agent=SimpleNamespace(run=lambda *_, **__: done))
    with pytest.raises(error, match=said):
        StudentMachine(cast(StudentKernel, kernel)).deliver(b"")


@pytest.mark.parametrize("changed", [False, True])
def test_fabric_whose_cables_do_not_agree_is_errored(monkeypatch: pytest.MonkeyPatch, changed: bool) -> None:
    """Where a frame came out of a cable other than it went in, nothing that was seen is believed."""
    lab = reference()
    owners = {str(address): node.name for node in lab.nodes for address in node.addresses}
    monkeypatch.setattr(module, "Rows", lambda *_: SimpleNamespace(promises=lambda: (), asked=lambda *_: ()))

    def trip(pair: Pair) -> SeenTrip:
        source, target = (owners.get(end, end) for end in (pair.source, pair.target))
        probe = Probe(source, target, ip_address(pair.source), ip_address(pair.target), nonce=NONCE)
        expected = expected_journey(lab, probe)
        whole = journey(expected, seen_path(lab, expected.paths[0]))
        *before, last = whole.sightings
        torn = replace(last, frame=last.frame[:-1] + b"\0")
        found = replace(whole, sightings=(*before, torn if changed else last))
        return SeenTrip(found, found)

    underlay = looked_at(monkeypatch, lambda pairs: {pair: trip(pair) for pair in pairs})["underlay", 0]
    assert underlay.outcome == ("errored" if changed else "kept"), underlay
    assert not changed or " in - expected what " in underlay.said


def test_nothing_is_said_of_headers_that_were_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """VXLAN inside GRE, of which encryption hides the GRE: no promise of headers is judged, nor is it ruled out that
    another row is under the hidden number."""
    lab, rows = reference(), (Row(1, "cs1", "cs5", "VXLAN"), Row(2, "cs2", "cs5", "VXLAN"))
    pairs = [Pair(row.source, row.target, "l2-overlay") for row in rows]

    def seen_of(row: Row, hidden: str = "") -> SeenTrip:
        ways = (expect(lab, *ends) for ends in ((row.source, row.target), (row.target, row.source)))
        legs = (journey(way, seen_path(lab, way.paths[0])) for way in ways)
        out, back = (replace(leg, sightings=tuple(s for s in leg.sightings if hidden not in s.layers)) for leg in legs)
        return SeenTrip(out, back)

    monkeypatch.setattr(module, "MtuProber", lambda _: SimpleNamespace(explore=lambda _: {}))
    monkeypatch.setattr(Rows, "_leaks", lambda _: ())
    monkeypatch.setattr(Rows, "_tunnels", lambda _, row: {Encapsulation(("vxlan",), row.number)})

    def outcomes(hidden: str) -> dict[tuple[str, int], str]:
        fabric = SimpleNamespace(
            declared=lab,
            loose_ends=lambda *_: frozenset(),
            tunnels_elsewhere=dict,
            end_of=lambda name: (name, lab[name].address),
        )
        ends = [Ends(row, pair) for row, pair in zip(rows, pairs, strict=True)]
        trips = {1: seen_of(rows[0], hidden), 2: seen_of(rows[1])}
        judged = Rows(cast(LiveFabric, fabric), lab, ends, trips, ())
        found = [*judged.promises(), *judged.asked(("inside-gre", "beside-gre"), 2)]
        return {(one.name, one.row.number): one.outcome for one in found if one.row}

    of_headers = ("kind", 1), ("own-vni", 1), ("inside-gre", 1), ("beside-gre", 1), ("own-vni", 2)
    seen = outcomes("")
    assert [seen[key] for key in of_headers] == ["kept", "kept", "kept", "broken", "kept"]
    hidden = outcomes("gre")
    assert {hidden[key] for key in of_headers} == {"errored"}
    assert {key for key in seen if seen[key] != hidden[key]} == {*of_headers}


@pytest.mark.parametrize(
    ("code", "ended", "holds", "outcome", "said"),
    [
        (0, "exited", True, "kept", "1 promises held"),
        (1, "exited", True, "kept", "1 promises held; the second run: already built"),
        (1, "exited", False, "broken", "row 1: lost; the second run: already built"),
        (0, "exited", False, "broken", "row 1: lost"),
        (None, "deadline", True, "broken", "already built"),
    ],
)
def test_second_run_may_refuse_where_nothing_is_spoiled(
    monkeypatch: pytest.MonkeyPatch, code: int | None, ended: Ended, holds: bool, outcome: str, said: str
) -> None:
    """What held before is asked for again, and nothing else; a build that does not end spoils it."""
    first = [Promise("reaches", ROWS[0], "kept"), Promise("kind", ROWS[0], "broken")]
    again = [Promise("reaches", ROWS[0], "kept" if holds else "broken", "lost"), Promise("kind", ROWS[0], "broken")]
    built = Promise("builds", None, "broken" if code != 0 else "kept", "already built")
    attempt = SimpleNamespace(declared="", recipe=Recipe(), steps=[Step("x", code, 1, ended)], build=lambda *_: built)
    monkeypatch.setattr(grader, "prove", lambda *_: SimpleNamespace(promises=again))
    found = grader._second_run(cast(StudentMachine, None), cast(grader.Attempt, attempt), ROWS, first, ())
    assert (found.outcome, found.said) == (outcome, said)

"""Attempts to change a grade, or to reach what is not the submission's own: none succeeds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixtures.instruments.grading.machine import StudentMachine
from reports.grading.folder import write_submission
from reports.grading.record import Graded
from reports.grading.score import score
from tests.grading.kit import ALL, ATTACKS, BUILD_S, Known, broken, drawn, files_of, graded, outcomes, packed, recipe
from tests.grading.known import ALWAYS, KNOWN, files

pytestmark = [pytest.mark.grading, pytest.mark.alone]

DRAWN = {"reach": 2, "outside": 1, "secrets": 1, "limits": 1, "traps": 2, "cheats": 1}
"""How many of each kind are made with each change."""
EVERY = {kind: files_of(ATTACKS / f"{kind}.txtar") for kind in DRAWN}
CHOSEN = {kind: {name: EVERY[kind][name] for name in drawn(list(EVERY[kind]), count)} for kind, count in DRAWN.items()}
TRY = (
    "for one in *; do timeout 20 ./$one >/dev/null 2>&1 </dev/null && echo reached $one; done; echo tried $(ls | wc -l)"
)
OUTPUT_MAX = 1 << 20
OF_ROOT = ("reach", "outside", "secrets")
PATIENCE_S = {"deadline": 4.0}
ENDS = {"memory-of-many": "memory", "disk": "exited", "output-of-a-terminal": "output"}
"""How those are to end that are not called so."""


def rows_earned(known: Known, record: Graded) -> list[float]:
    """The points that each row earns for being carried as promised."""
    (rows,) = (item for item in score(record, known.rubric).items if item.item.id == "rows")
    return [float(part.earned) for part in rows.parts]


def test_nothing_but_the_machine_is_within_reach(machine: StudentMachine) -> None:
    """The guest, its clock, kernel and agent, this machine, other networks and secrets are out of its root's reach."""
    attempts = {f"{kind}-{name}": text for kind in OF_ROOT for name, text in CHOSEN[kind].items()}
    before = machine.kernel.agent.call("clock").get("time_ns", int)
    machine.deliver(packed(attempts))
    tried = machine.run(TRY, 30.0 * len(attempts))
    assert tried.tail.splitlines() == [f"tried {len(attempts)}"], tried
    passed_s = (machine.kernel.agent.call("clock").get("time_ns", int) - before) / 1e9
    assert 0 < passed_s < 30.0 * len(attempts)


def test_build_beyond_a_limit_ends_there_and_what_stands_is_judged(machine: StudentMachine) -> None:
    """What floods, hangs, forks or fills ends at its limit, and what stands is proven as before."""
    attempts, known = CHOSEN["limits"], KNOWN[ALWAYS].asked("VXLAN")
    machine.deliver(packed({**files(ALWAYS), "rows.csv": "A1X,B1X,VXLAN\n"}))
    assert machine.run("./build.sh rows.csv", BUILD_S).exit == 0
    before = outcomes(machine, known)
    assert {*before.values()} == {"kept"}
    for name, command in attempts.items():
        ran = machine.run(command, PATIENCE_S.get(name, 60.0), output_max=OUTPUT_MAX)
        assert ran.ended == ENDS.get(name, name), ran
    assert outcomes(machine, known) == before


def test_what_a_build_leaves_behind_changes_no_score(tmp_path: Path) -> None:
    """Files, programs, names, sockets and processes, of whatever kind, leave a right row at its full points; on the
    pages they are text that does nothing."""
    known = KNOWN[ALWAYS].asked("VXLAN")
    traps = {f"traps/{name}": text for name, text in CHOSEN["traps"].items()}
    steps = recipe("./build.sh {csv}", "for one in traps/*; do ./$one; done; true")
    record = graded(Known(known.rows, steps), {**files(ALWAYS), **traps})
    found = score(record, known.rubric)
    assert {item.state for item in found.items} == {"full"}, (broken(record), record.build)
    write_submission(tmp_path, found)
    pages = [path.read_text() for path in tmp_path.rglob("*.html")]
    assert pages
    assert not [page for page in pages if re.search("<img|<script>alert|\x1b|\x9b", page)]


@pytest.mark.skipif(not ALL, reason="nothing else is built")
def test_what_a_build_leaves_behind_earns_nothing() -> None:
    """Where nothing was built, the same things earn nothing."""
    known = KNOWN[ALWAYS].asked("VXLAN")
    traps = {f"traps/{name}": text for name, text in EVERY["traps"].items()}
    record = graded(Known(known.rows, recipe("for one in traps/*; do ./$one; done; true")), traps)
    assert score(record, known.rubric).high == 0, broken(record)


def test_row_that_reaches_by_other_means_earns_nothing() -> None:
    """A bypass, a responder, an address of somebody else: none is paid, and the right row beside them is."""
    cheats = CHOSEN["cheats"]
    types = [text.split()[1].rstrip(":") for text in cheats.values()]
    known = KNOWN[ALWAYS].asked(" ".join((*types, "VXLAN")))
    own = {
        name: text.replace(". ./$type.sh", "[ -e $row.sh ] || . ./$type.sh; [ ! -e $row.sh ] || . ./$row.sh")
        for name, text in files(ALWAYS).items()
    }
    record = graded(known, {**own, **{f"{row}.sh": text for row, text in enumerate(cheats.values(), 1)}})
    share = 60 / len(known.named)
    earned = dict(zip((*cheats, "right"), rows_earned(known, record), strict=True))
    assert earned == {**dict.fromkeys(cheats, 0.0), "right": pytest.approx(share)}, (record.promises, record.build)

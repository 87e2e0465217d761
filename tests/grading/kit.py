"""What the tests of grading share: machines, submissions of our own as text, and how they are graded."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from fixtures.instruments.grading.grader import Grader
from fixtures.instruments.grading.machine import StudentMachine
from fixtures.instruments.grading.promises import prove
from reports.grading.record import Graded, Promise, Row
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.recipe import Recipe, Step
from topology.formats.rubric import Rubric, rubric_of_text
from topology.formats.submission import Packed, Submission
from topology.promises import TenantType

ALL = os.environ.get("HOPCHECK_SUBMISSIONS") == "all"
"""Every submission, mistake and attack; else those that the seed draws."""
SEED = os.environ.get("HOPCHECK_SEED") or str(random.SystemRandom().randrange(1 << 32))
SUBMISSIONS, ATTACKS = (Path(__file__).with_name(name) for name in ("submissions", "attacks"))
BUILD_S = 300
PAIR = "pairs: [{source: A1X, target: B1X, kind: l2-overlay}]"
"""The only row of a submission with a row of type VXLAN, as a pair."""
_NAME = re.compile(r"^-- (\S+) --\n", re.MULTILINE)


def files_of(path: Path) -> dict[str, str]:
    """The files of a text archive, by name: what stands before the first ``-- NAME --`` says what it is."""
    _, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def drawn(names: Sequence[str], count: int) -> list[str]:
    """So many of them as the seed draws, or all."""
    return list(names) if ALL else sorted(random.Random(SEED).sample(names, count))


@contextlib.contextmanager
def restored(has_engine: bool) -> Iterator[StudentMachine]:
    """A fresh machine; NotApplicable where this machine can run no guest."""
    try:
        with StudentMachine.restored(has_engine=has_engine) as machine:
            yield machine
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error


def packed(files: Mapping[str, str]) -> bytes:
    """A submission as a tar archive; every file may be executed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


@dataclass(frozen=True)
class Known:
    """A submission of ours: the types of the rows that it is built for, the class's recipe, and what its rows keep
    beside being carried as their type says."""

    rows: str
    recipe: Recipe = field(default_factory=Recipe)
    apart: str = "own-vni, no-leak"

    @property
    def named(self) -> list[Row]:
        """The rows, with names of their own for each."""
        kinds = [cast(TenantType, kind) for kind in self.rows.split()]
        return [Row(number, f"A{number}X", f"B{number}X", kind) for number, kind in enumerate(kinds, 1)]

    @property
    def rubric(self) -> Rubric:
        """20 points for the fabric, 60 for the rows, 20 for keeping them apart; 5 more for sizes."""
        underlay = "" if self.recipe.prelude else ", underlay"
        rows = f"rows: [{', '.join(dict.fromkeys(self.rows.split()))}]"
        return rubric_of_text(f"""
points: 100
items:
  - {{id: fabric, points: 20, needs: [builds{underlay}]}}
  - {{id: rows, points: 60, {rows}, needs: [reaches, kind, both-ways]}}
  - {{id: apart, points: 20, {rows}, needs: [{self.apart}], after: rows}}
  - {{id: sizes, points: 5, {rows}, needs: [largest-whole], extra: true}}
""")

    def asked(self, rows: str) -> Known:
        """The same with rows of other types; what has no number of its own is asked for none."""
        return replace(self, rows=rows, apart=self.apart if {*rows.split()} <= {"VXLAN", "GRE"} else "no-leak")


def recipe(*steps: str, **others: object) -> Recipe:
    """The recipe of a class with these commands: one spine and two leaves, where nothing else is said."""
    made = tuple(Step(step, deadline=BUILD_S) for step in steps)
    return replace(Recipe(made, spines=1, leaves=2, total=2 * BUILD_S), **others)  # type: ignore[arg-type]


def graded(known: Known, submitted: Mapping[str, str] | Submission, rubric: Rubric | None = None) -> Graded:
    """Grade a submission, or one with these files; NotApplicable where this machine can run no guest."""
    one = submitted if isinstance(submitted, Submission) else Submission("one", Path("one"))
    content = one.packed() if submitted is one else Packed(".tar.gz", packed(cast(Mapping[str, str], submitted)))
    try:
        return Grader().grade(one, content, known.named, known.recipe, rubric or known.rubric, "")
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error


def outcomes(machine: StudentMachine, known: Known) -> dict[tuple[str, Row | None], str]:
    """What becomes of each promise of what stands in a machine."""
    return {(one.name, one.row): one.outcome for one in prove(machine, known.named, known.recipe).promises}


def broken(record: Graded) -> list[Promise]:
    """The promises that do not hold, in their order."""
    return [promise for promise in record.promises if promise.outcome in ("broken", "errored")]

"""What is said of a containerlab file while it is read: what is refused, and what is left out and must be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from topology.errors import LabError, Position, Problem
from topology.formats.lab_checks import MAX_PROBLEMS


@dataclass
class Findings:
    """Problems, notes, and the sections of the lab that a problem has spoiled: each thing is said once."""

    problems: dict[Problem, None] = field(default_factory=dict)
    noted: dict[Problem, None] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)

    def refuse(self, where: Position, what: str, right: str, *spoils: str) -> None:
        """Say what cannot be; checks that need what it ``spoils`` are not made."""
        self.problems.setdefault(Problem(where, what, right))
        self.spoiled.update(spoils)

    def note(self, where: Position, what: str, outcome: str) -> None:
        """Say what is left out or done otherwise, and what comes of it."""
        self.noted.setdefault(Problem(where, what, outcome))

    @contextmanager
    def collected(self, *spoils: str) -> Iterator[None]:
        """Take the problems of what is done inside, instead of ending with the first."""
        try:
            yield
        except LabError as error:
            self.problems.update(dict.fromkeys(error.problems))
            self.spoiled.update(spoils)

    @property
    def notes(self) -> Sequence[str]:
        """The notes in the order of the file, as lines; no more of them than anybody reads."""
        lines = [str(note) for note in sorted(self.noted)]
        more = len(lines) - MAX_PROBLEMS
        return lines if more <= 0 else [*lines[:MAX_PROBLEMS], f"and {more} more notes"]


def refusal(where: Position, what: str, right: str) -> LabError:
    """One problem, to be raised."""
    return LabError([Problem(where, what, right)])

"""The rows of a tenants file as they were written: the result of the reader, and the start of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from topology.errors import LabError, Position, Problem
from topology.promises import NOWHERE, TenantType


@dataclass(frozen=True)
class TenantRow:
    """Two customers and how their traffic is to be carried; ``number`` counts the file's rows from 1.

    ``source_at``, ``target_at`` and ``type_at`` are the places of the three cells.
    """

    number: int
    source: str
    target: str
    type: TenantType
    source_at: Position = field(default=NOWHERE, compare=False)
    target_at: Position = field(default=NOWHERE, compare=False)
    type_at: Position = field(default=NOWHERE, compare=False)

    @property
    def where(self) -> Position:
        """The start of the row."""
        return self.source_at


@dataclass(frozen=True)
class TenantRows:
    """A file's sound rows, the problems of the others, and the names in those.

    ``doubtful`` are in one case (``str.casefold``): the leaf of such a node is known once its rows are fixed.
    """

    file: str
    rows: Sequence[TenantRow]
    problems: Sequence[Problem] = ()
    doubtful: frozenset[str] = frozenset()

    @property
    def all_sound(self) -> Sequence[TenantRow]:
        """The rows; raises LabError with every problem of the others."""
        if self.problems:
            raise LabError(self.problems)
        return self.rows

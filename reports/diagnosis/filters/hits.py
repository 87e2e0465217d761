"""The result of an evaluation: a rule, filter, qdisc or policy that can drop, take or change a packet. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Effect: TypeAlias = Literal["drop", "redirect", "change", "mark", "duplicate", "corrupt"]


@dataclass(frozen=True)
class Hit:
    """One thing that drops, takes or changes a packet: its words, the command that shows it, and the one to delete it.

    ``sure`` is False where a condition before or in it is not evaluated; ``unknown`` names the first such one.
    """

    kind: str
    effect: Effect
    words: str
    show: str
    fix: str = ""
    sure: bool = True
    unknown: str = ""
    device: str | None = None

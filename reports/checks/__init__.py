"""Checks, one module each: its subjects, the questions that it asks, its judge and its messages. Pure.

A module's ``SUBJECTS`` are the parameters of its tests, by name. A ``Check`` asks an instrument; its tests name it by
the marker ``check``. Checks of trips, sizes and flows judge what a fixture of that name gives.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from reports.evidence import Finding
from topology.model import Fabric


@dataclass(frozen=True)
class Subject:
    """A parameter of tests: its values in a lab, and the reason given for a lab that has none.

    A test of the ``first`` takes only one value, since it breaks a copy of the fabric.
    """

    absent: str
    of: Callable[[Fabric], Iterable[Any]]
    first: bool = False


@dataclass(frozen=True)
class Check:
    """A question about a lab and the values of a test: ``asks(lab, *values)``, ``judge(lab, answers, *values)``.

    The answers are an instrument's, in the order of what was asked. All its tests that have the parameters ``together``
    as their values are asked in one look; without them each test by itself, and only then ``asks`` may raise
    NotApplicable. ``sends`` names what it sends besides plain probes, if anything; ``of_ours`` says why it does not
    apply to an adopted fabric.
    """

    instrument: str
    asks: Callable[..., Iterable[Hashable]]
    judge: Callable[..., Finding]
    together: tuple[str, ...] = ()
    sends: str = "more than plain probes"
    of_ours: str = ""

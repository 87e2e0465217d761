"""The record of a run, written as results.json and read back; its exit code. Everything shown is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from annotated_types import Interval

from reports.record.exhibits import Cause, Count, FaultTried, Figures, Journey, Sizes, State, Strict, Trend

SCHEMA = 2
Seconds = Annotated[float, Interval(ge=0, le=1e9)]
About = Literal["network", "measurement", "hopcheck"]


NOTHING_APPLIES = 7
"""The exit code of a run in which nothing failed or errored, and something was not proven or nothing applies."""


class Verdict(StrEnum):
    """The outcome of a test; the last two are both skipped for pytest."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    UNSTABLE = "unstable"
    NOT_PROVEN = "not proven"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Test(Strict):
    """A test's outcome; ``promise`` is its docstring's first paragraph.

    ``pair`` is the declared pair it is about, ``apart`` the two segments that are to be apart; ``why`` groups tests
    that ended alike where ``cause`` is not known. ``cause`` is the first of ``causes``.
    """

    __test__: ClassVar[bool] = False

    id: str
    promise: str
    verdict: Verdict
    seconds: Seconds
    message: str = ""
    cause: Cause | None = None
    about: About = "network"
    pair: str = ""
    why: str = ""
    causes: list[Cause] = field(default_factory=list)
    apart: str = ""

    @property
    def named(self) -> list[Cause]:
        """Every cause, also of an older record, which has at most one."""
        return self.causes or [cause for cause in [self.cause] if cause]

    @property
    def counts(self) -> bool:
        """True for a check of the network, false for a test of hopcheck itself."""
        return self.about != "hopcheck"


@dataclass(frozen=True)
class Kernel(Strict):
    """The kernel that carried the lab."""

    kind: str
    release: str
    accelerator: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind} (Linux {self.release}, {self.accelerator}): {self.why}"


@dataclass(frozen=True)
class Place(Strict):
    """A node of the lab, with its role, its bridges and tunnel ends in words, and whether it forwards packets."""

    name: str
    role: str
    parts: list[str] = field(default_factory=list)
    forwards: bool = False


@dataclass(frozen=True)
class Tunnel(Strict):
    """Two tunnel devices that receive each other's packets, as node and interface, with their kind in words."""

    kind: str
    title: str
    ends: tuple[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True)
class Map(Strict):
    """The lab's nodes, the links between them as pairs of their names, and the tunnels.

    ``ports`` are the interfaces at both ends of each link.
    """

    nodes: list[Place]
    links: list[tuple[str, str]]
    ports: list[tuple[str, str]] = field(default_factory=list)
    tunnels: list[Tunnel] = field(default_factory=list)


@dataclass(frozen=True)
class Found(Strict):
    """A node as it was found: its devices, addresses, routes and further entries, a line for each."""

    node: str
    devices: list[str]
    addresses: list[str]
    routes: list[str]
    entries: list[str]


@dataclass(frozen=True)
class Lab(Strict):
    """The lab that was proven; ``nodes`` and ``links`` are their numbers.

    ``udp_ports`` are the declared ports of its tunnels, by their header.
    """

    name: str
    file: str
    tenants: str | None
    nodes: Count
    links: Count
    tenant_rows: Count = 0
    udp_ports: dict[str, list[Count]] = field(default_factory=dict)


@dataclass(frozen=True)
class Record(Strict):
    """All that is known of a run; ``started`` is UTC, ``table`` the file name of pytest-html's page beside ours.

    ``removed`` is true if the run built the fabric, and removed it at its end.
    """

    schema: Literal[2]
    complete: bool
    started: str
    kernel: Kernel | None
    lab: Lab | None
    tests: list[Test]
    journeys: list[Journey]
    sizes: list[Sizes]
    measurements: list[Figures]
    states: list[State]
    map: Map | None
    summary: dict[Verdict, Count]
    not_collected: dict[str, Count]
    without_pairs: bool = False
    warnings: list[str] = field(default_factory=list)
    table: str | None = None
    faults: list[FaultTried] = field(default_factory=list)
    nodes: list[Found] = field(default_factory=list)
    trends: list[Trend] = field(default_factory=list)
    removed: bool = False


def exit_code(tests: Iterable[Test], pytest_code: int, without_pairs: bool = False) -> int:
    """The run's exit code: pytest's own for anything but passed and failed tests, else by the network's verdicts.

    0 when at least one check of the network passed, and nothing speaks against it; 1 something failed; 6 something
    errored or is unstable, nothing failed; 7 something was not proven, nothing applied, or pairs were to be proven
    (``without_pairs``) and none is declared.
    """
    if pytest_code not in (0, 1):
        return pytest_code
    known = list(tests)
    verdicts = {test.verdict for test in known}
    if Verdict.FAILED in verdicts:
        return 1
    if verdicts & {Verdict.ERRORED, Verdict.UNSTABLE}:
        return 6
    network = {test.verdict for test in known if test.counts}
    unproven = without_pairs or Verdict.NOT_PROVEN in network or network == {Verdict.NOT_APPLICABLE}
    return NOTHING_APPLIES if unproven and pytest_code == 0 else pytest_code


def is_good(record: Record) -> bool:
    """True if nothing speaks against the network, and something for it."""
    return record.complete and bool(record.tests) and exit_code(record.tests, 0, record.without_pairs) == 0

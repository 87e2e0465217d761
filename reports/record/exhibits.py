"""The exhibits that tests append to the record: frozen data that knows no kernel, no lab's files and no pytest.

Bounds keep a damaged or hostile file from costing more than a refusal; ``reports/record/store.py`` enforces them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval

from reports.words import MISSING

Whole = Annotated[int, Interval(ge=-(2**63), lt=2**63)]
Count = Annotated[int, Interval(ge=0, lt=2**63)]


class Strict:
    """Has pydantic refuse unknown keys and values of another type in the classes below."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True)
class Cause(Strict):
    """The explanation of a failure: a difference between declared and live state, or where live state leads a packet.

    ``fix`` is the command that removes a difference; empty where the right state is undeclared. ``show`` is a command
    that shows the live state and changes nothing. ``source`` is what the explanation was concluded from; ``evidence``
    is what other sources know of the same fault.
    """

    kind: str
    node: str
    interface: str | None
    declared: str
    live: str
    fix: str
    show: str = ""
    source: Literal["traffic", "kernel", "daemons", "declaration"] = "declaration"
    evidence: str = ""

    @property
    def of_cable(self) -> str:
        """What the causes at both ends of a missing cable have in common: the fix, which makes both anew; blank for any
        other cause, as two differences of one device have one fix, too."""
        return self.fix if self.live == MISSING else ""

    @property
    def where(self) -> str:
        """The node, and the interface where there is one."""
        return f"{self.node} {self.interface}" if self.interface else self.node

    def __str__(self) -> str:
        where = f"{self.node} - {self.interface}" if self.interface else self.node
        fix = f" - fix: {self.fix}" if self.fix else ""
        evidence = f" - {self.evidence}" if self.evidence else ""
        return f"{where} - {self.kind} - expected {self.declared} - seen {self.live}{evidence}{fix}"


@dataclass(frozen=True)
class Frame(Strict):
    """A frame in capture.pcapng: its number, counted from 1, and the first half of its SHA-256."""

    number: Count
    digest: str


@dataclass(frozen=True)
class Header(Strict):
    """One header of a frame; bytes are written in hex."""

    layer: str
    fields: dict[str, str | Whole]


@dataclass(frozen=True)
class Hop(Strict):
    """A sighting of a packet; ``time_ns`` counts from the journey's first one."""

    node: str
    interface: str
    direction: Literal["in", "out"]
    time_ns: Whole
    length: Count
    stack: list[Header]
    frame: Frame | None = None


@dataclass(frozen=True)
class Rung(Strict):
    """A row of a ladder: the declared and the seen header stack at one interface, and the fault there.

    ``hop`` is the place of the sighting among the journey's hops; ``got`` and ``frame`` are the headers and the frame
    of a sighting that is not among the hops, such as an ARP request. ``want`` are the declared headers with the
    promised fields, where the journey first differs or something else is seen.
    """

    node: str
    interface: str
    direction: str
    time_ns: Whole | None
    expected: str | None
    seen: str | None
    wrong: str = ""
    hop: Count | None = None
    want: list[Header] = field(default_factory=list)
    got: list[Header] = field(default_factory=list)
    frame: Frame | None = None

    @property
    def where(self) -> str:
        """The rung's place, as ``node:interface direction``."""
        return f"{self.node}:{self.interface} {self.direction}"


@dataclass(frozen=True)
class Divergence(Strict):
    """The first rung that is wrong, with the cause where one was found."""

    node: str
    interface: str
    expected: str | None
    seen: str | None
    cause: Cause | None


@dataclass(frozen=True)
class Journey(Strict):
    """One leg of a trip: every sighting, and the ladder in which they stand beside the declared hops.

    ``start_ns`` is the time of the first sighting since the epoch, of the packet or of the request for an address that
    it waits for; 0 without one.
    ``unknown`` says what is known and what is not where no cause was found.
    """

    test: str
    source: str
    target: str
    protocol: str
    arrived: bool
    hops: list[Hop]
    divergence: Divergence | None
    start_ns: Count = 0
    passed: bool = False
    message: str = ""
    note: str = ""
    cause: Cause | None = None
    ladder: list[Rung] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    unknown: str = ""

    @property
    def ladder_ns(self) -> int:
        """The time of the ladder's first sighting since the epoch, from which its rungs' times count."""
        first = next((rung.hop for rung in self.ladder if rung.seen), None)
        return self.start_ns + (self.hops[first].time_ns if first is not None and first < len(self.hops) else 0)

    @property
    def first_wrong(self) -> Rung | None:
        """The rung at which seen and declared first differ."""
        return next((rung for rung in self.ladder if rung.wrong), None)


@dataclass(frozen=True)
class Zone(Strict):
    """A range of packet sizes with one fate."""

    first: Whole
    last: Whole
    fate: Literal["whole", "fragments", "icmp", "silence", "refused"]
    where: str
    mtu: Whole | None
    forged: bool
    speaker: str
    words: str


@dataclass(frozen=True)
class Sizes(Strict):
    """The sizes of IP packet that cross from source to target, in bytes."""

    source: str
    target: str
    promised: Whole
    computed: Whole
    computed_at: str
    whole: Whole | None
    with_df: Whole | None
    zones: list[Zone]
    test: str = ""


@dataclass(frozen=True)
class Series(Strict):
    """A line of a plot: for each place on its axis the value, and the interval that it lies in."""

    name: str
    at: list[str | float]
    value: list[float]
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plot(Strict):
    """A picture of a measurement.

    ``log-log`` and ``share`` (a part of 1 over a logarithmic axis) have numbers as places; ``steps`` are distributions:
    values at parts of 1; ``waterfall`` has names as places, and values that add up.
    """

    kind: Literal["log-log", "share", "steps", "waterfall"]
    title: str
    across: str
    up: str
    series: list[Series]


@dataclass(frozen=True)
class Figures(Strict):
    """A table of a measurement, its conclusions in words, the figures behind them, and their pictures.

    ``figures`` are the ratios by name whose history is kept, as medians of their rounds.
    """

    test: str
    title: str
    of_the_run: bool
    rows: list[dict[str, str]]
    words: list[str]
    data: dict[str, Any]
    plots: list[Plot] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @classmethod
    def table(
        cls,
        title: str,
        head: Sequence[str],
        rows: Iterable[Sequence[str]],
        words: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
        of_the_run: bool = False,
        plots: Sequence[Plot] = (),
        figures: Mapping[str, float] | None = None,
    ) -> Figures:
        """A table that no test has appended yet; words ``of_the_run`` stand in the page's head, too."""
        lines = [dict(zip(head, row, strict=True)) for row in rows]
        return cls("", title, of_the_run, lines, list(words), dict(data or {}), list(plots), dict(figures or {}))

    @property
    def head(self) -> list[str]:
        """The names of the columns; empty where there are no rows."""
        return list(self.rows[0]) if self.rows else []

    @property
    def lines(self) -> list[list[str]]:
        """The rows, without the names of their columns."""
        return [list(row.values()) for row in self.rows]


@dataclass(frozen=True)
class Point(Strict):
    """A figure in one run, with the range of the runs before it, None where they are too few to tell a change.

    ``changed`` marks the first run of another level.
    """

    started: str
    value: float
    low: float | None
    high: float | None
    changed: bool


@dataclass(frozen=True)
class Trend(Strict):
    """A figure from run to run on one machine, kernel and lab, the last run at the end."""

    figure: str
    machine: str
    kernel: str
    lab: str
    points: list[Point]


@dataclass(frozen=True)
class State(Strict):
    """The differences between the declared and the live state of a node."""

    test: str
    node: str
    differences: list[Cause]


@dataclass(frozen=True)
class Diagnosis(Strict):
    """What a run said of a known fault, and whether that is right.

    ``traffic``: a promise about packets failed; ``kernel``: a cause was concluded from the kernel's answers;
    ``declaration``: the nodes' state differs from the declared one. ``node`` is about the first cause of every failure,
    ``rank`` the place of the right cause among those of a failure, counted from 1, the worst one where there are
    several; None where it is not among them. ``seconds`` are those from the fault to the first cause.
    """

    traffic: bool
    kernel: bool
    declaration: bool
    node: Literal["right", "wrong", "none"]
    rank: Count | None
    seconds: float | None
    said: str

    @property
    def caught(self) -> bool:
        """True where anything shows the fault."""
        return self.traffic or self.kernel or self.declaration


@dataclass(frozen=True)
class FaultTried(Strict):
    """A fault of the catalogue on a copy of a lab, and what was said of it with and without the declaration.

    ``suite`` is the one that is about what the fault does to packets; ``state`` if nothing.
    """

    test: str
    kind: str
    words: str
    place: str
    lab: str
    suite: Literal["overlay", "mtu", "isolation", "perf", "state"]
    declared: Diagnosis
    undeclared: Diagnosis | None


@dataclass(frozen=True)
class Exhibits:
    """One test's part of the record."""

    journeys: tuple[Journey, ...] = ()
    sizes: tuple[Sizes, ...] = ()
    measurements: tuple[Figures, ...] = ()
    states: tuple[State, ...] = ()
    faults: tuple[FaultTried, ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[Exhibits]) -> Exhibits:
        """All exhibits of the parts, in their order."""
        kinds = ([getattr(part, kind.name) for part in parts] for kind in fields(cls))
        return cls(*(tuple(chain.from_iterable(kind)) for kind in kinds))

    def __bool__(self) -> bool:
        return any(getattr(self, kind.name) for kind in fields(self))

"""Records of submissions as a grading writes them: right ones, and what is broken in others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reports.grading.record import Ended, Graded, Outcome, Promise, Row, Step
from reports.record.exhibits import Cause, Journey, Rung
from topology.formats.rubric import ROW_PROMISES, WHOLE_PROMISES, WITHOUT, Rubric, rubric_of_text

ROWS = [
    Row(1, "CS1", "CS2", "Bridge"),
    Row(2, "CS1X", "CS2X", "VXLAN"),
    Row(3, "CSX", "CSY", "L3"),
    Row(4, "CSA", "CSB", "GRE"),
    Row(5, "CS3X", "CS4X", "VXLAN"),
]
Key = tuple[str, int]
"""A promise's name and its row's number; 0 is the whole submission."""
ROUTE = Cause(
    "route",
    "SC2",
    None,
    "43.0.0.0/24 via 28.0.0.2",
    "missing",
    "docker exec SC2 ip route add 43.0.0.0/24 via 28.0.0.2",
    "docker exec SC2 ip route get 43.0.0.1",
    "kernel",
    "the walk ends at SC2",
)
VNI = Cause("vni", "LC1", "vx2", "a number of its own", "VNI 42: rows 2 and 5", "ip link set …", "ip -d link show vx2")
BUILT = Step("python3 create.py tenants.csv", 0, 12.5, "exited", "done\n")


def ladder() -> Journey:
    """A request that is lost behind the leaf."""
    vxlan = "41.0.0.1>43.0.0.1 UDP 4789 VXLAN 10002 / ARP"
    rungs = [
        Rung("CS1X", "eth0", "out", 0, "ARP who-has 42.0.0.2", "ARP who-has 42.0.0.2"),
        Rung("LC1", "eth2", "out", 9000, vxlan, vxlan),
        Rung("SC2", "eth2", "out", None, vxlan, None, "missing"),
        Rung("LC2", "eth1", "in", None, vxlan, None, "missing"),
    ]
    said = f"SC2:eth2 out - expected {vxlan} - seen nothing - cause: {ROUTE}"
    return Journey("", "CS1X", "CS2X", "ARP", False, [], None, message=said, causes=[ROUTE], ladder=rungs)


def everything(rows: Sequence[Row] = tuple(ROWS)) -> dict[Key, Promise]:
    """Every promise that there is, kept."""
    of_rows = [
        Promise(name, row, "kept")  # type: ignore[arg-type]
        for row in rows
        for name in ROW_PROMISES
        if row.kind not in WITHOUT.get(name, ())
    ]
    whole = [Promise(name, None, "kept") for name in WHOLE_PROMISES]  # type: ignore[arg-type]
    return {(one.name, one.row.number if one.row else 0): one for one in (*of_rows, *whole)}


def graded(
    name: str = "s0001",
    broken: Mapping[Key, Sequence[Cause]] | None = None,
    others: Mapping[Key, Outcome | None] | None = None,
    ended: Ended = "exited",
    **more: object,
) -> Graded:
    """A submission that is right but for what is ``broken``, with causes, and for other outcomes; None: no promise."""
    promises = everything()
    for key, causes in (broken or {}).items():
        at = ladder() if key[0] == "reaches" and causes else None
        said = f"SC2 - expected a packet - seen none - cause: {causes[0]}" if causes else "SC2 - seen none"
        promises[key] = replace(promises[key], outcome="broken", said=said, causes=list(causes), ladder=at)
    for key, outcome in (others or {}).items():
        if outcome is None:
            del promises[key]
        else:
            promises[key] = replace(promises[key], outcome=outcome, said="a tap missed its sentinel")
    step = replace(BUILT, ended=ended, exit=0 if ended == "exited" else None)
    made = Graded(
        schema=1,
        name=name,
        key="0" * 64,
        kernel="guest, TCG",
        started="2026-01-02 03:04:05 UTC",
        seconds=31.5,
        rows=list(ROWS),
        build=[step],
        promises=list(promises.values()),
        nodes="SC1 -- LC1",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def empty(name: str = "s0000") -> Graded:
    """A submission that builds nothing: what needs no network to hold holds."""
    absent = ("reaches", "both-ways", "kind", "largest-whole", "every-spine", "builds", "underlay")
    broken: dict[Key, Sequence[Cause]] = {key: () for key in everything() if key[0] in absent}
    return graded(name, broken, nodes="")


def rubric(items: str, points: int = 100, feedback: str = "where") -> Rubric:
    """A rubric of some items, a line for each."""
    lines = "".join(f"- {{{line.strip()}}}\n" for line in items.strip().splitlines())
    return rubric_of_text(f"points: {points}\nfeedback: {feedback}\nitems:\n{lines}")

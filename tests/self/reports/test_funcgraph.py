"""Function_graph text of two kernels, and traces that are not whole."""

from __future__ import annotations

import gzip
from collections import defaultdict
from pathlib import Path

import pytest

from reports.perf.funcgraph import CallStats, parse
from topology.errors import EvidenceIncomplete

DATA = Path(__file__).parents[1] / "data" / "funcgraph"
RECORDED = sorted(DATA.glob("*/*.txt.gz"))
COMPOSED = sorted(DATA.glob("composed/*.txt"))
HALF = "irq-proc-half"


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.name.split('.')[0]}"


def expected() -> dict[str, dict[tuple[str, str], tuple[int, ...]]]:
    """By trace and group: calls, timed calls, sum, longest and median of totals, sum and longest of own times."""
    found: dict[str, dict[tuple[str, str], tuple[int, ...]]] = defaultdict(dict)
    for line in gzip.decompress((DATA / "expected.tsv.gz").read_bytes()).decode().splitlines():
        trace, name, device, *figures = line.split("\t")
        found[trace][name, device] = tuple(map(int, figures))
    return found


@pytest.mark.parametrize("path", [*RECORDED, *COMPOSED], ids=name_of)
def test_recorded_traces_are_read(path: Path) -> None:
    """Calls and times of traces of two kernels are those in expected.tsv.gz."""
    graph = parse([read(path)])
    wanted = expected()[f"{path.parent.name}/{path.name.split('.txt')[0]}"]
    assert (not graph.problems) == bool(wanted) == (path.name.split(".")[0] != HALF)
    if not wanted:
        return
    assert {key: figures(stats) for key, stats in graph.groups.items()} == wanted
    assert sum(graph.by_pid.values()) == sum(row[0] for row in wanted.values())


def figures(stats: CallStats) -> tuple[int, ...]:
    total, own = stats.total, stats.own
    return (stats.calls, total.count, total.sum_ns, total.max_ns, total.p50_ns, own.sum_ns, own.max_ns)


@pytest.mark.parametrize("size", [7, 4096])
def test_pieces_of_any_size_give_the_same(size: int) -> None:
    """A trace cut into pieces reads the same."""
    data = read(DATA / "6.1" / "proc.txt.gz")
    assert parse(data[at : at + size] for at in range(0, len(data), size)) == parse([data])


def test_softirq_work_is_cut_out_of_the_sender() -> None:
    """The packet's way is not the sender's cost: udp_sendmsg's total is without the ip_rcv inside it."""
    graph = parse([read(DATA / "composed" / "interrupt.txt")])
    assert graph.groups["udp_sendmsg", ""].total.max_ns == 100_000 - 60_000 - 10_000
    assert graph.groups["udp_sendmsg", ""].own.max_ns == 100_000 - 80_000
    assert graph.groups["ip_rcv", "eth1"].total.max_ns == 60_000


def test_pid_filter_is_counted_by_task() -> None:
    """Calls that a filter on one task would have shown are counted by the task's column."""
    graph = parse([read(DATA / "6.1" / "proc.txt.gz")])
    pids = {pid for _, pid in graph.by_pid}
    assert graph.pid_filter(pids) == {name: stats.calls for name, stats in graph.functions.items()}
    assert set(graph.pid_filter([]).values()) == {0}
    sender = next(pid for name, pid in graph.by_pid if name == "udp_sendmsg")
    assert 0 < graph.pid_filter([sender])["ip_rcv"] < graph.functions["ip_rcv"].calls


WHOLE = b""" 0)  task-1   |               |  ip_rcv() {
 0)  task-1   |   1.000 us    |    ip_forward();
 0)  task-1   |   2.000 us    |  }
"""


@pytest.mark.parametrize(
    ("trace", "word"),
    [
        (b"CPU:0 [LOST 123 EVENTS]\n" + WHOLE, "123 lost"),
        (b"CPU:3 [LOST EVENTS]\n" + WHOLE, "some lost"),
        (b"# entries-in-buffer/entries-written: 3/10   #P:2\n" + WHOLE, "7 lost"),
        (WHOLE[: WHOLE.rindex(b" 0)")], "1 that have not"),
        (WHOLE[:-5], "part of one"),
        (WHOLE[WHOLE.index(b"\n") + 1 :], "without a start"),
        (WHOLE + b" 0)  task-1   |   2.000 us    |  }\n", "without a start"),
        (WHOLE[: WHOLE.rindex(b" 0)")] + WHOLE, "expected an end of each - seen 1 without"),
        (WHOLE.replace(b"  }", b"  } /* ip_output */"), "end inside its caller - seen 1"),
        (WHOLE.replace(b"ip_forward();", b"ip_forward() {").replace(b"  1.000 us ", b"           "), "expected"),
        (WHOLE + b"Segmentation fault\n", "line 4: b'Segmentation fault'"),
        (WHOLE.replace(b"1.000", b"1.0x0"), "lines - expected ftrace's - seen 1"),
    ],
)
def test_trace_that_is_not_whole_says_so(trace: bytes, word: str) -> None:
    """Lost events, an end half-way and calls that do not fit together are problems, and the result is no evidence."""
    whole = parse([WHOLE])
    assert (whole.problems, whole.lines, whole.lost) == ((), 3, 0)
    graph = parse([trace])
    assert word in "\n".join(graph.problems)
    with pytest.raises(EvidenceIncomplete, match="function graph"):
        graph.require_whole()

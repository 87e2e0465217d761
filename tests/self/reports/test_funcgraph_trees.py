"""Function_graph text made of drawn call trees comes back as these, and of rubbish nothing comes but a result."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.perf.funcgraph import parse
from tests.self.draws import draws

NAMES = (
    "udp_sendmsg",
    "ip_output",
    "ip_rcv",
    "br_handle_frame [bridge]",
    "ip_fragment.constprop.0",
    "gre_rcv [ip_gre]",
)
MARKS = ((1_000_000_000, "$"), (100_000_000, "@"), (10_000_000, "*"), (1_000_000, "#"), (100_000, "!"), (10_000, "+"))
"""trace_find_mark, kernel/trace/trace_output.c: more than so many nanoseconds."""
DATA = Path(__file__).parents[1] / "data" / "funcgraph"


@dataclass(frozen=True)
class Call:
    """A drawn call: what it takes itself and what it calls; ``device`` makes a packet arrive before it."""

    name: str
    own_ns: int
    device: str
    inside: tuple[Call, ...]

    @property
    def ns(self) -> int:
        return self.own_ns + sum(call.ns for call in self.inside)


def calls(inside: st.SearchStrategy[tuple[Call, ...]]) -> st.SearchStrategy[tuple[Call, ...]]:
    # Whole microseconds: the kernel prints seven digits, so that long calls lose what is behind the point.
    own = st.one_of(st.integers(0, 3_000), st.integers(0, 10).map(lambda seconds: seconds * 10**6)).map(
        lambda us: us * 1000
    )
    call = st.builds(Call, st.sampled_from(NAMES), own, st.sampled_from(["", "eth0", "lc1_br1"]), inside)
    return st.lists(call, max_size=3).map(tuple)


TREES: st.SearchStrategy[tuple[Call, ...]] = st.recursive(st.just(()), calls, max_leaves=12)


def duration(ns: int) -> str:
    """The column as trace_print_graph_duration writes it: at most seven digits."""
    mark = next((mark for bound, mark in MARKS if ns > bound), " ")
    whole, part = divmod(ns, 1000)
    text = str(whole)
    if len(text) < 7:
        text += "." + f"{part:03}"[: min(3, 7 - len(text))]
    return f"{mark} {text} us {' ' * (8 - len(text))}|  "


def lines(call: Call, depth: int) -> list[str]:
    """A call as ftrace prints it, without the columns before the duration."""
    blank, indent = " " * 14 + "|  ", "  " * depth
    arrival = [f"{blank}{indent}/* netif_receive_skb: dev={call.device} skbaddr=00000000d8534100 len=228 */"]
    written = arrival if call.device else []
    if not call.inside:
        return [*written, f"{duration(call.ns)}{indent}{call.name}();"]
    written = [*written, f"{blank}{indent}{call.name}() {{"]
    for inner in call.inside:
        written += lines(inner, depth + 1)
    return [*written, f"{duration(call.ns)}{indent}}}"]


def interleaved(trees: list[tuple[Call, ...]], seed: int) -> str:
    """The CPUs' lines in a drawn order, each CPU's own in theirs."""
    chance = random.Random(seed)
    waiting = [[line for call in tree for line in lines(call, 0)] for tree in trees]
    text = ""
    while any(waiting):
        cpu = chance.choice([cpu for cpu, left in enumerate(waiting) if left])
        text += f" {cpu})  python3-{394 + cpu}   | {waiting[cpu].pop(0)}\n"
    return text


RECEIVING = ("br_handle_frame [bridge]", "ip_rcv", "gre_rcv [ip_gre]")
Figures = dict[tuple[str, str], tuple[int, int, int]]


def count(found: Figures, tree: tuple[Call, ...]) -> None:
    """Add one CPU's calls by (function, device): calls, total and own nanoseconds."""
    device = ""

    def visit(call: Call, receives: bool, sends: bool) -> tuple[int, bool]:
        """Returns the receiving work that is cut out of the calls around this one, and whether the call receives."""
        nonlocal device
        device = call.device or device
        receives = receives or call.name in RECEIVING
        key = (call.name.replace(".constprop.0", ""), "" if sends and not receives else device)
        cut = 0
        for inner in call.inside:
            nested, takes = visit(inner, receives, sends)
            cut += inner.ns if takes and not receives else nested
        calls, total, own = found.get(key, (0, 0, 0))
        found[key] = (calls + 1, total + call.ns - cut, own + call.own_ns)
        return cut, receives

    for call in tree:
        visit(call, receives=False, sends=call.name == "udp_sendmsg")


@settings(max_examples=draws(25))
@given(st.lists(TREES, min_size=1, max_size=3), st.integers(0, 1000))
def test_drawn_trees_come_back(trees: list[tuple[Call, ...]], seed: int) -> None:
    """Any calls on any CPUs: every call is counted once, with its times."""
    graph = parse([interleaved(trees, seed).encode()])
    assert graph.problems == ()
    seen = {key: (found.calls, found.total.sum_ns, found.own.sum_ns) for key, found in graph.groups.items()}
    wanted: Figures = {}
    for tree in trees:
        count(wanted, tree)
    assert seen == wanted


@settings(max_examples=draws(25))
@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(0, 1 << 30))
def test_rubbish_raises_nothing(pieces: list[bytes], seed: int) -> None:
    """Rubbish in a trace, of any kind, ends in a result that says so."""
    recorded = gzip.decompress((DATA / "6.1" / "proc.txt.gz").read_bytes())[:4000]
    chance = random.Random(seed)
    for piece in pieces:
        at = chance.randrange(len(recorded))
        recorded = recorded[:at] + piece + recorded[at + chance.randrange(3) :]
    graph = parse([recorded])
    assert graph.lines >= 1
    assert graph.problems  # the recording was cut off


@pytest.mark.parametrize(
    "rubbish",
    [
        b"9" * 50_000 + b") -" + b" " * 50_000,
        b"\0" * 100_000,
        b"\n" * 10_000,
        b"{}();|=/*" * 20_000,
        b" 0)  t-1   |   1.000 us    |  " + b"  " * 50_000 + b"}\n",
        b" 0)  t-1   |               |  f() {\n" * 5_000,
        b"".join(b" 0)  t-1   |   1.000 us    |  f%d();\n" % number for number in range(5_000)),
        b"".join(b" 0)   t-%d   |   1.000 us    |  f();\n" % number for number in range(2_000)),
    ],
)
def test_hostile_text_is_refused(rubbish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endless lines, depths, names, tasks: each is a problem or passed over, and the counts stay bounded."""
    monkeypatch.setattr("reports.perf.funcgraph.TASKS_MAX", 1_000)
    graph = parse([rubbish])
    assert graph.problems or not graph.functions
    assert len(graph.functions) <= 4096
    assert len(graph.by_pid) <= 1_001

"""How fast function_graph text is read, against a plain loop over its lines with one regular expression.

``python -m benchmarks.trace_parser [ROUNDS] [LINES]``: recorded traces repeated, both ways in turn.
The loop gives the same figures, looks for nothing that is wrong, keeps all durations, cuts nothing out of a sender's.
"""

from __future__ import annotations

import gzip
import re
import sys
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Goal, median, publish, ratio
from reports.perf.funcgraph import FuncGraphParser

RECORDED = Path(__file__).parents[1] / "tests" / "self" / "data" / "funcgraph" / "6.1"
PIECE = 1 << 16
LINE = re.compile(
    r"(?: *\d+\.\d+ \|  )? *(\d+)\) +(?:(\S.*?)-(\d+) +\| )?[ +!#*@$] (?:(\d+\.?\d*) us +| {12})\|  "
    r"( *)(?:([\w.]+(?: \[\w+\])?)\(\)(;| \{)|(\})|/\* netif_receive_skb: dev=(\S+))"
)


def plain_loop(data: bytes) -> dict[tuple[str, str], list[int]]:
    """Total and own times by function and device with their percentiles, calls by task: nothing checked."""
    total: dict[tuple[str, str], list[int]] = defaultdict(list)
    own: dict[tuple[str, str], list[int]] = defaultdict(list)
    tasks: Counter[tuple[str, str | None]] = Counter()
    stacks: dict[str | None, list[list[Any]]] = defaultdict(list)
    device: dict[str, str] = {}
    for line in data.decode().splitlines():
        found = LINE.match(line)
        if not found:
            continue
        cpu, _, pid, us, _, name, _, _, arrived = found.groups()
        if name:
            tasks[name, pid] += 1
            stacks[pid].append([(name, device.get(cpu, "")), 0])
        elif arrived:
            device[cpu] = arrived
        if us and stacks[pid]:
            key, inner = stacks[pid].pop()
            ns = round(float(us) * 1000)
            total[key].append(ns)
            own[key].append(ns - inner)
            if stacks[pid]:
                stacks[pid][-1][1] += ns
    return {key: percentiles(values) for key, values in [*total.items(), *own.items()]}


def percentiles(values: list[int]) -> list[int]:
    """p50, p90, p99 and the largest."""
    values.sort()
    return [values[-(-len(values) * percent // 100) - 1] for percent in (50, 90, 99, 100)]


def ours(data: bytes) -> FuncGraphParser:
    """As a trace comes out of a kernel: in pieces."""
    parser = FuncGraphParser()
    for at in range(0, len(data), PIECE):
        parser.feed(data[at : at + PIECE])
    parser.finish().require_whole()
    return parser


def seconds(what: Callable[[bytes], object], data: bytes) -> float:
    """Seconds of a CPU that reading takes: both ways are one thread, and others may be using the machine."""
    start = time.process_time()
    what(data)
    return time.process_time() - start


def peak_mib(data: bytes) -> float:
    """The most memory that reading takes besides the trace itself."""
    tracemalloc.start()
    ours(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / (1 << 20)


def main(rounds: int = 5, lines: int = 500_000) -> None:
    """Measure and show."""
    figures: list[Figure] = []
    samples: dict[str, list[float]] = {}
    for name in ("proc", "default", "proc-abstime-tail"):
        once = gzip.decompress((RECORDED / f"{name}.txt.gz").read_bytes())
        data = once * (lines // once.count(b"\n"))
        count = data.count(b"\n")
        measured: dict[str, list[float]] = {"ours": [], "loop": []}
        for _ in range(rounds):
            measured["ours"].append(count / seconds(ours, data))
            measured["loop"].append(count / seconds(plain_loop, data))
        figures += [
            median(f"{name}: lines a CPU second", measured["ours"], "", Goal(1e6, at_least=True)),
            median(f"{name}: lines a CPU second, plain loop", measured["loop"], ""),
            ratio(f"{name}: ours / plain loop", measured["ours"], measured["loop"], Goal(3, at_least=True)),
        ]
        samples |= {f"{name} {way}": values for way, values in measured.items()}
    small, large = peak_mib(once * 100), peak_mib(once * 1000)
    figures.append(Figure("memory for ten times as long a trace", large / small, "×", Goal(1.1)))
    figures.append(Figure("memory at most", large, "MiB"))
    publish("trace_parser", figures, samples)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

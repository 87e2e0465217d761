"""Many lines of function_graph text at once: columns by their places, texts by their hashes, the rest line by line.

Columns are where they were in a line that ``read_line`` has read, and every place is looked at before it is believed.
Texts (``ip_rcv() {``) are few and repeat, so each is read once and found again by its hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from reports.perf.funcgraph_chunk import Chunk, Flags, Ints, Layout, Words
from reports.perf.funcgraph_lines import (
    CALL,
    CLOSE,
    EVENT,
    IGNORED,
    LEAF,
    LOST,
    OPEN,
    WRITTEN,
    read_cut_text,
    read_line,
    read_pid,
    read_text,
)

TEXT_MAX = 192
KNOWN_MAX = 1 << 15
"""Texts that are remembered; arguments and results can make each line's its own."""
NAMES_MAX = 4096
UNREADABLE = -2
Read = Callable[[int, int], tuple[int, int]]


@dataclass
class Names:
    """Names by number, at most NAMES_MAX; what comes after them is number 0."""

    names: list[bytes] = field(default_factory=lambda: [b"(other names)"])
    numbers: dict[bytes, int] = field(default_factory=dict)

    def number(self, name: bytes) -> int:
        """The name's number, a new one where it is new."""
        if (known := self.numbers.get(name)) is not None:
            return known
        if len(self.names) >= NAMES_MAX:
            return 0
        self.numbers[name] = len(self.names)
        self.names.append(name)
        return self.numbers[name]


@dataclass(frozen=True)
class Rows:
    """One entry for each line of interest, in order: what ``Line`` says, with names by number (-1: none)."""

    kind: Ints
    cpu: Ints
    pid: Ints
    depth: Ints
    name: Ints
    ns: Ints


class Known:
    """What texts mean, by their hashes: two numbers for each."""

    def __init__(self) -> None:
        self.hashes = np.zeros(0, np.uint64)
        self.first = np.zeros(0, np.int64)
        self.second = np.zeros(0, np.int64)

    def places(self, hashes: Words) -> tuple[Ints, Flags]:
        """Where each hash is, and whether it is there at all."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.int64), np.zeros(len(hashes), np.bool_)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return places, self.hashes[places] == hashes

    def learn(self, found: dict[int, tuple[int, int]]) -> None:
        """Add texts."""
        hashes = np.concatenate([self.hashes, np.array(list(found), np.uint64)])
        values = np.array(list(found.values()), np.int64).reshape(-1, 2)
        order = np.argsort(hashes)
        self.hashes = hashes[order]
        self.first = np.concatenate([self.first, values[:, 0]])[order]
        self.second = np.concatenate([self.second, values[:, 1]])[order]


class RowReader:
    """Reads whole lines into rows; counts what was lost and what cannot be read."""

    def __init__(self) -> None:
        self.functions, self.devices = Names(), Names()
        self.lines = self.lost = self.unreadable = 0
        self.loss_seen = False
        self.first_unreadable = ""
        self._layout: Layout | None = None
        self._texts, self._tasks = Known(), Known()

    def read(self, data: bytes) -> Rows:
        """Rows of whole lines (the last byte is a newline)."""
        if len(self._texts.hashes) > KNOWN_MAX:
            self._texts = Known()
        if len(self._tasks.hashes) > KNOWN_MAX:
            self._tasks = Known()
        chunk = Chunk(data)
        rows = Rows(*(np.full(len(chunk.starts), value, np.int64) for value in (IGNORED, -1, -1, 0, -1, -1)))
        fast = self._fast(chunk, rows)
        plain = np.flatnonzero(~fast & (chunk.ends > chunk.starts))
        if self._layout is None or len(plain) * 2 > len(fast):
            self._layout = self._learn_layout(chunk, plain)
            fast = self._fast(chunk, rows)
            plain = np.flatnonzero(~fast & (chunk.ends > chunk.starts))
        for number, line in zip(plain.tolist(), chunk.lines(plain), strict=True):
            self._read_one(line, number, rows)
        self.lines += len(chunk.starts)
        kept = np.flatnonzero(rows.kind != IGNORED)
        return Rows(*(column[kept] for column in (rows.kind, rows.cpu, rows.pid, rows.depth, rows.name, rows.ns)))

    def _learn_layout(self, chunk: Chunk, plain: Ints) -> Layout | None:
        for text in chunk.lines(plain[:200]):
            line = read_line(text)
            if line is not None and line.bar >= 0:
                return Layout(line.bar, line.cpu_span, line.task_span)
        return self._layout

    def _fast(self, chunk: Chunk, rows: Rows) -> Flags:
        """Fill in the rows whose columns are where they are expected; says which."""
        fast = np.zeros(len(chunk.starts), np.bool_)
        if self._layout is None:
            return fast
        at = chunk.fitting(self._layout)
        starts, ends = chunk.starts[at], chunk.ends[at]
        ns, sound = chunk.durations(starts + self._layout.bar)
        begins, depth, indented = chunk.indented(starts + self._layout.bar + 3)
        cpu, numbered = chunk.cpus(starts, self._layout.cpu)
        sound &= indented & numbered & (begins < ends)
        pid = self._pids(chunk, starts)
        kind, name = self._meanings(chunk, begins, ends)
        is_call = kind == CALL
        kind[is_call] = np.where(ns[is_call] >= 0, LEAF, OPEN)
        sound &= (kind != UNREADABLE) & ((ns >= 0) == ((kind == LEAF) | (kind == CLOSE)))
        at = at[sound]
        fast[at] = True
        for column, values in zip(
            (rows.kind, rows.cpu, rows.pid, rows.depth, rows.name, rows.ns),
            (kind, cpu, pid, depth, name, ns),
            strict=True,
        ):
            column[at] = values[sound]
        return fast

    def _pids(self, chunk: Chunk, starts: Ints) -> Ints:
        assert self._layout is not None
        first, end = self._layout.task
        if first < 0:
            return np.full(len(starts), -1, np.int64)
        hashes = chunk.task_hashes(starts, (first, end))
        return self._look_up(
            self._tasks, hashes, starts + first, starts + end, lambda a, b: (read_pid(chunk.text(a, b)), 0)
        )[0]

    def _meanings(self, chunk: Chunk, begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
        """Kind and name of each text."""
        cuts = chunk.cuts(begins, ends)
        hashes = chunk.hashes(begins, np.minimum(cuts, begins + TEXT_MAX))
        hashes ^= (cuts < ends).astype(np.uint64)

        def read(begin: int, cut: int) -> tuple[int, int]:
            whole = chunk.data[cut : cut + 1] == b"\n"
            kind, name = (read_text if whole else read_cut_text)(chunk.text(begin, cut))
            if kind is None or cut - begin > TEXT_MAX:
                return UNREADABLE, -1
            names = self.devices if kind == EVENT else self.functions
            return kind, names.number(name) if name else -1

        return self._look_up(self._texts, hashes, begins, cuts, read)

    def _look_up(self, known: Known, hashes: Words, begins: Ints, ends: Ints, read: Read) -> tuple[Ints, Ints]:
        places, there = known.places(hashes)
        if not there.all():
            missing = np.flatnonzero(~there)
            _, firsts = np.unique(hashes[missing], return_index=True)
            new = missing[firsts].tolist()
            known.learn({int(hashes[i]): read(int(begins[i]), int(ends[i])) for i in new})
            places, there = known.places(hashes)
            if not there.all():
                return self._look_up(known, hashes, begins, ends, read)
        return known.first[places], known.second[places]

    def _read_one(self, line: bytes, number: int, rows: Rows) -> None:
        """A line that is not where the others have their columns: a switch, a loss, a head line, a strange one."""
        found = read_line(line)
        if found is None:
            self._read_strange(line, number)
            return
        if found.kind == IGNORED:
            if written := WRITTEN.match(line):
                self.lost += max(0, int(written[2]) - int(written[1]))
            return
        names = self.devices if found.kind == EVENT else self.functions
        rows.kind[number], rows.cpu[number], rows.pid[number] = found.kind, found.cpu, found.pid
        rows.depth[number], rows.ns[number] = found.depth, found.ns
        rows.name[number] = names.number(found.name) if found.name else -1

    def _read_strange(self, line: bytes, number: int) -> None:
        """A line that is not function_graph's own."""
        if lost := LOST.match(line):
            self.loss_seen = True
            self.lost += int(lost[1] or 0)
            return
        if not self.unreadable:
            self.first_unreadable = f"line {self.lines + number + 1}: {line[:80]!r}"
        self.unreadable += 1

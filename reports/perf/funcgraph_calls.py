"""Rows of a function_graph trace into calls: begins matched with ends, each with what ran inside it.

A task's calls are one stack wherever it runs: a task that sleeps in a call can end it on another CPU. The indentation
says how deep a call is on its stack; all that a stack has at one depth must be leaves and pairs of begin and end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reports.perf.funcgraph_chunk import Flags, Ints
from reports.perf.funcgraph_lines import ARROW, CLOSE, DEPTH_MAX, EVENT, LEAF, OPEN, SWITCH
from reports.perf.funcgraph_rows import Rows

NO_PID, NOBODY = -1, np.int64(1) << 40
IDLE, UNKNOWN = -1, -(1 << 32)
"""Stacks of the idle tasks (all have pid 0), and of whoever runs before a CPU's first switch: minus the CPU."""
UNTOLD = -2
NO_DEVICE = -1
OUTER = DEPTH_MAX + 2
"""Stack numbers are this far apart, so that the key one lower is never another stack's."""


@dataclass(frozen=True)
class Roles:
    """By function number: who takes packets in (softirq's work, or an interrupt), and who sends on a task's behalf."""

    receives: Flags
    sends: Flags


@dataclass(frozen=True)
class Calls:
    """Calls with their ends, times -1 where there are none; ``total_ns`` without the receiving work nested in a sender.

    ``pid`` is -2 minus the CPU where only the CPU's first switch, still to come, can tell it.
    """

    name: Ints
    device: Ints
    pid: Ints
    total_ns: Ints
    self_ns: Ints


@dataclass(frozen=True)
class Pending:
    """Calls whose end is still to come, outermost first for each stack."""

    stack: Ints
    depth: Ints
    name: Ints
    device: Ints
    receives: Flags
    inner: Ints
    cut: Ints

    @staticmethod
    def none() -> Pending:
        """At a trace's begin."""
        empty = np.zeros(0, np.int64)
        return Pending(empty, empty, empty, empty, np.zeros(0, np.bool_), empty, empty)


@dataclass
class Faults:
    """What does not fit together."""

    unopened: int = 0
    unclosed: int = 0
    crossed: int = 0


@dataclass
class Matcher:
    """Matches the rows of one chunk after the other; keeps what is pending on each CPU and stack."""

    pending: Pending = field(default_factory=Pending.none)
    faults: Faults = field(default_factory=Faults)
    running: dict[int, int] = field(default_factory=dict)
    device: dict[int, int] = field(default_factory=dict)
    interrupted: set[int] = field(default_factory=set)
    first: dict[int, int] = field(default_factory=dict)

    def match(self, rows: Rows, roles: Roles) -> Calls:
        """The calls that have come to their end."""
        stack = self._stacks(rows)
        device = _latest(rows.cpu, rows.kind == EVENT, rows.name, self.device, NO_DEVICE)
        interrupts = self._interrupts(rows)
        at = np.flatnonzero((rows.kind == LEAF) | (rows.kind == OPEN) | (rows.kind == CLOSE))
        old = self.pending
        size = len(old.stack)
        table = _Table(
            kind=np.concatenate([np.full(size, OPEN), rows.kind[at]]),
            stack=np.concatenate([old.stack, stack[at]]),
            depth=np.concatenate([old.depth, rows.depth[at]]),
            name=np.concatenate([old.name, rows.name[at]]),
            device=np.concatenate([old.device, device[at]]),
            ns=np.concatenate([np.full(size, -1), rows.ns[at]]),
            receives=np.concatenate([old.receives, interrupts[at]]),
            inner=np.concatenate([old.inner, np.zeros(len(at), np.int64)]),
            cut=np.concatenate([old.cut, np.zeros(len(at), np.int64)]),
        )
        done, self.pending = table.settle(roles, self.faults)
        return done

    def task(self, pid: int) -> int:
        """A call's ``pid``, told in the end by the CPU's first switch if there was one; else -1."""
        return pid if pid >= 0 else self.first.get(UNTOLD - pid, NO_PID)

    def _interrupts(self, rows: Rows) -> Flags:
        """Which rows begin an interrupt's work: the first call of a CPU behind an arrow."""
        found = np.zeros(len(rows.kind), np.bool_)
        is_call = (rows.kind == LEAF) | (rows.kind == OPEN)
        arrows = [(-1, cpu) for cpu in self.interrupted]
        arrows += [(int(at), int(rows.cpu[at])) for at in np.flatnonzero(rows.kind == ARROW)]
        self.interrupted = set()
        for at, cpu in arrows:
            behind = rows.cpu[at + 1 :] == cpu
            behind &= is_call[at + 1 :]
            if behind.any():
                found[at + 1 + int(np.argmax(behind))] = True
            else:
                self.interrupted.add(cpu)
        return found

    def _stacks(self, rows: Rows) -> Ints:
        """The stack that each row belongs to."""
        switches = np.flatnonzero(rows.kind == SWITCH)
        named = rows.pid.copy()
        for at in switches.tolist():
            self._name_unknown(int(rows.cpu[at]), int(rows.pid[at]), at, rows, named)
        unnamed = (named < 0) & (rows.pid < 0)
        if unnamed.any():
            named = np.where(unnamed, _latest(rows.cpu, rows.kind == SWITCH, rows.ns, self.running, NO_PID), named)
        else:
            self.running |= dict(zip(rows.cpu[switches].tolist(), rows.ns[switches].tolist(), strict=True))
        idle = np.where(named == 0, IDLE - rows.cpu, named)
        return np.where(named == NO_PID, UNKNOWN - rows.cpu, idle)

    def _name_unknown(self, cpu: int, pid: int, at: int, rows: Rows, named: Ints) -> None:
        """A CPU's first switch also says who ran before it."""
        if cpu in self.first:
            return
        self.running[cpu] = self.first[cpu] = pid
        before = np.flatnonzero((rows.cpu[:at] == cpu) & (rows.pid[:at] < 0))
        named[before] = pid
        self.pending.stack[self.pending.stack == UNKNOWN - cpu] = pid or IDLE - cpu


@dataclass
class _Table:
    """Begins, ends and leaves in the trace's order, those from before it first."""

    kind: Ints
    stack: Ints
    depth: Ints
    name: Ints
    device: Ints
    ns: Ints
    receives: Flags
    inner: Ints
    cut: Ints

    def settle(self, roles: Roles, faults: Faults) -> tuple[Calls, Pending]:
        """Match, find who is inside whom, and sum up."""
        size = len(self.kind)
        if not size:
            empty = np.zeros(0, np.int64)
            return Calls(empty, empty, empty, empty, empty), Pending.none()
        end = self._ends(faults)
        parent = self._parents(end, faults)
        timed = np.where(end < size, self.ns[np.minimum(end, size - 1)], -1)
        whole = (self.kind != CLOSE) & (end < size)
        spent = np.where(whole, np.maximum(timed, 0), 0)
        sends, cuts = self._roles(parent, roles)
        inside = (parent >= 0) & whole
        self.inner += np.bincount(parent[inside], spent[inside], size).astype(np.int64)
        of = np.flatnonzero(cuts & whole)
        above = parent[of]
        while len(of):
            self.cut += np.bincount(above, spent[of], size).astype(np.int64)
            above = parent[above]
            of, above = of[above >= 0], above[above >= 0]
        device = np.where(sends & ~self.receives, NO_DEVICE, self.device)
        total = np.where(timed < 0, -1, np.maximum(timed - self.cut, 0))
        own = np.where(timed < 0, -1, np.maximum(timed - self.inner, 0))
        pid = np.where(self.stack > UNKNOWN // 2, np.maximum(self.stack, 0), self.stack - UNKNOWN + UNTOLD)
        done = np.flatnonzero(whole)
        left = np.flatnonzero((self.kind == OPEN) & (end == NOBODY))
        pending = Pending(
            stack=self.stack[left],
            depth=self.depth[left],
            name=self.name[left],
            device=device[left],
            receives=self.receives[left],
            inner=self.inner[left],
            cut=self.cut[left],
        )
        return Calls(*(column[done] for column in (self.name, device, pid, total, own))), pending

    def _ends(self, faults: Faults) -> Ints:
        """Where each call ends: its own place for a leaf, NOBODY where the end is to come, past all if none comes."""
        size = len(self.kind)
        runs = np.flatnonzero(np.concatenate([[True], self.stack[1:] != self.stack[:-1]]))
        _, number = np.unique(self.stack[runs], return_inverse=True)
        self._key = np.repeat(number, np.diff(np.append(runs, size))) * OUTER + self.depth + 1
        small = self._key.astype(np.uint16) if int(self._key.max()) < 1 << 16 else self._key
        self._order = order = np.argsort(small, kind="stable")
        kind, key = self.kind[order], self._key[order]
        follows = np.append(key[1:] == key[:-1], False)
        closes = follows & (np.append(kind[1:], LEAF) == CLOSE)
        is_open = kind == OPEN
        end = np.where(kind == LEAF, order, size)
        end[is_open & closes] = order[1:][(is_open & closes)[:-1]]
        end[is_open & ~follows] = NOBODY
        unopened = (kind == CLOSE) & ~np.concatenate([[False], (is_open & closes)[:-1]])
        faults.unopened += int(unopened.sum())
        faults.unclosed += int((is_open & follows & ~closes).sum())
        ends = np.empty(size, np.int64)
        ends[order] = end
        pairs = np.flatnonzero((self.kind == OPEN) & (ends < size))
        told = self.name[ends[pairs]]
        faults.crossed += int(((told >= 0) & (told != self.name[pairs])).sum())
        return ends

    def _parents(self, end: Ints, faults: Faults) -> Ints:
        """The call that each call is inside of; -1 for the outermost."""
        places = (self._key << 32) + np.arange(len(self._key))
        ordered = places[self._order]
        found = np.searchsorted(ordered, ordered - (1 << 32)) - 1
        candidate = self._order[np.maximum(found, 0)]
        ours = (found >= 0) & (self._key[candidate] == self._key[self._order] - 1) & (self.kind[candidate] == OPEN)
        parent = np.full(len(self._key), -1, np.int64)
        parent[self._order] = np.where(ours, candidate, -1)
        is_call = self.kind != CLOSE
        parent[~is_call] = -1
        faults.unopened += int((is_call & (parent < 0) & (self.depth > 0)).sum())
        inside = np.flatnonzero(parent >= 0)
        late = (end[inside] > end[parent[inside]]) & (end[parent[inside]] != len(end)) & (end[inside] != len(end))
        faults.crossed += int(late.sum())
        return parent

    def _roles(self, parent: Ints, roles: Roles) -> tuple[Flags, Flags]:
        """Which calls are a sender's or inside one, and which begin receiving work that is nested in another call."""
        takes = (self.receives | roles.receives[np.maximum(self.name, 0)]) & (self.kind != CLOSE)
        sends = roles.sends[np.maximum(self.name, 0)] & (parent < 0)
        self.receives = takes.copy()
        cuts = np.zeros(len(takes), np.bool_)
        for depth in range(1, int(self.depth.max()) + 1):
            at = np.flatnonzero((self.depth == depth) & (parent >= 0))
            above = parent[at]
            cuts[at] = takes[at] & ~self.receives[above]
            self.receives[at] |= self.receives[above]
            sends[at] = sends[above]
        return sends, cuts


def _latest(cpu: Ints, marked: Flags, values: Ints, before: dict[int, int], otherwise: int) -> Ints:
    """For each row the value of the nearest marked row of its CPU, up to itself; ``before`` is carried on."""
    latest = np.full(len(cpu), otherwise, np.int64)
    for number in np.unique(cpu).tolist():
        own = np.flatnonzero(cpu == number)
        told = own[marked[own]]
        known = np.concatenate([[before.get(number, otherwise)], values[told]])
        latest[own] = known[np.searchsorted(told, own, side="right")]
        before[number] = int(known[-1])
    return latest

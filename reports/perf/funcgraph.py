"""What a function_graph trace of ftrace says of each function: how often it ran, how long, for which packets.

``FuncGraphParser`` takes the text in pieces and keeps counts, not lines, so a trace may be as long as it likes.
Functions are keyed with their module and without what compilers add to names (``gre_rcv [ip_gre]``), and grouped by the
device that the packet came in by: that of the nearest ``netif_receive_skb`` event before the call on its CPU; ``""``
for a sender's own calls and where no packet has come in yet. Receiving work that runs inside a sender's call (a softirq
at the end of ``udp_sendmsg``, an interrupt) is cut out of the totals of all calls around it; self times are without any
traced call.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from reports.perf.durations import Distribution, Histograms, Ints
from reports.perf.funcgraph_calls import Calls, Matcher, Roles
from reports.perf.funcgraph_lines import LINE_MAX
from reports.perf.funcgraph_rows import NAMES_MAX, RowReader
from topology.errors import EvidenceIncomplete, Misuse

CHUNK = 1 << 20
"""Bytes that are read at once; memory is in proportion to this, not to the trace."""
GROUPS_MAX = 2048
"""Pairs of function and device that are told apart; a histogram pair takes 40 kB."""
PIDS_MAX = 1 << 16
RECEIVES = re.compile(
    r"(__)?do_softirq|handle_softirqs|net_rx_action|process_backlog|br_handle_frame"
    r"|(__)?netif_receive_skb(_\w+)?|(ip|ipv6|arp|udp|udpv6|tcp_v[46]|icmp|icmpv6|gre|vxlan|ip6?_tunnel)(_list)?_rcv"
    r"|ip6?_(list_)?rcv_finish|ip6?_forward|ip6?_(local_deliver|input)(_finish)?|ip_(local_)?defrag"
    r"|(__|asm_)?sysvec_\w+|(asm_)?common_interrupt|do_IRQ|smp_\w+_interrupt"
)
"""Work for packets that came in, and interrupts: none of it is done for the sender that it runs inside. Not
``ip_rcv`` alone: packets that are received as a list skip it."""
SENDS = re.compile(
    r"(udp|udpv6|tcp|raw|rawv6|ping_v4|ping_v6|inet|sock|__sock|unix_dgram)_sendmsg"
    r"|__sys_send(to|msg|mmsg)|ip_(queue_xmit|send_skb|make_skb|append_data|push_pending_frames)"
)
"""Where a task begins to send: what is not receiving work inside these belongs to no receiving device."""
SMALL = 1 << 20


@dataclass(frozen=True)
class CallStats:
    """A function's calls: ``total`` with what they call, ``own`` without (both without nested receiving work).

    ``calls`` counts those without a duration too, as there are in a trace without that column.
    """

    calls: int
    total: Distribution
    own: Distribution


@dataclass(frozen=True)
class FuncGraph:
    """A whole trace, summed up.

    ``functions`` by name, ``groups`` by (name, device), ``by_pid`` counts of (name, pid of the task in whose
    context the call ran; -1: not known); ``problems`` say why the trace is not whole, and are empty where it is.
    """

    functions: Mapping[str, CallStats]
    groups: Mapping[tuple[str, str], CallStats]
    by_pid: Mapping[tuple[str, int], int]
    lines: int
    lost: int
    problems: tuple[str, ...]

    def require_whole(self) -> None:
        """Raise EvidenceIncomplete where events were lost or calls do not fit together: the figures are then wrong."""
        if self.problems:
            raise EvidenceIncomplete("\n".join(self.problems))

    def pid_filter(self, pids: Iterable[int]) -> Mapping[str, int]:
        """How many calls of each function would have been counted had only these tasks been traced (set_ftrace_pid)."""
        wanted = frozenset(pids)
        counted: Counter[str] = Counter(dict.fromkeys(self.functions, 0))
        for (name, pid), calls in self.by_pid.items():
            counted[name] += calls if pid in wanted else 0
        return dict(counted)


@dataclass
class FuncGraphParser:
    """Feed it a trace's bytes in pieces of any size, then ask it to ``finish``."""

    _rows: RowReader = field(default_factory=RowReader)
    _matcher: Matcher = field(default_factory=Matcher)
    _total: Histograms = field(default_factory=Histograms)
    _own: Histograms = field(default_factory=Histograms)
    _groups: dict[tuple[int, int], int] = field(default_factory=dict)
    _calls: Counter[int] = field(default_factory=Counter)
    _by_pid: Counter[tuple[int, int]] = field(default_factory=Counter)
    _waiting: list[bytes] = field(default_factory=list)
    _size: int = 0
    _roles: Roles = field(default_factory=lambda: Roles(np.zeros(0, np.bool_), np.zeros(0, np.bool_)))
    _too_many: bool = False
    _finished: bool = False
    _cut_short: bool = False

    def feed(self, data: bytes) -> None:
        """Take the next piece. Never raises for what is in it: what cannot be read is told by the result."""
        if self._finished:
            raise Misuse("function graph - feed - expected before finish - seen after it")
        for begin in range(0, len(data), CHUNK):
            piece = data[begin : begin + CHUNK]
            self._waiting.append(piece)
            self._size += len(piece)
            if self._size >= CHUNK:
                self._work(b"".join(self._waiting))

    def finish(self) -> FuncGraph:
        """The trace has ended: sum up."""
        if not self._finished:
            rest = b"".join(self._waiting)
            self._work(rest + b"\n" if rest and not rest.endswith(b"\n") else rest)
            self._finished = True
            self._cut_short = bool(rest) and not rest.endswith(b"\n")
        return self._summary()

    def _work(self, data: bytes) -> None:
        """Take all whole lines; keep what is behind the last one, if it can be a line's begin."""
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if len(rest) > LINE_MAX:
            rest, data, end = b"", data + b"\n", len(data) + 1
        self._waiting, self._size = ([rest] if rest else []), len(rest)
        if end:
            rows = self._rows.read(data[:end])
            self._know_roles()
            self._count(self._matcher.match(rows, self._roles))

    def _know_roles(self) -> None:
        """Look at the names that are new."""
        names = self._rows.functions.names
        if len(names) == len(self._roles.receives):
            return
        texts = [_text(name) for name in names]
        self._roles = Roles(
            np.array([RECEIVES.fullmatch(name.split(" [")[0]) is not None for name in texts]),
            np.array([SENDS.fullmatch(name.split(" [")[0]) is not None for name in texts]),
        )

    def _count(self, calls: Calls) -> None:
        """Put calls into their groups."""
        if not len(calls.name):
            return
        devices = int(calls.device.max()) + 2
        pairs, places = _distinct(calls.name * devices + calls.device + 1)
        known = [self._group(pair // devices, pair % devices - 1) for pair in pairs.tolist()]
        groups = np.array(known, np.int64)[places]
        counts = np.bincount(groups)
        for group in np.flatnonzero(counts).tolist():
            self._calls[group] += int(counts[group])
        timed = calls.total_ns >= 0
        self._total.add(groups[timed], calls.total_ns[timed])
        self._own.add(groups[timed], calls.self_ns[timed])
        tasks, counts = np.unique(calls.pid * NAMES_MAX + calls.name, return_counts=True)
        for task, count in zip(tasks.tolist(), counts.tolist(), strict=True):
            pid, name = divmod(task, NAMES_MAX)
            full = len(self._by_pid) >= PIDS_MAX and (name, pid) not in self._by_pid
            self._too_many |= full
            self._by_pid[(name, -1 if full else pid)] += count

    def _group(self, name: int, device: int) -> int:
        """The number of a function's group."""
        if (number := self._groups.get((name, device))) is None:
            if len(self._groups) >= GROUPS_MAX:
                self._too_many = True
                name, device = 0, -1
            number = self._groups.setdefault((name, device), len(self._groups))
        return number

    def _summary(self) -> FuncGraph:
        functions, devices = self._rows.functions.names, self._rows.devices.names
        by_name: dict[str, list[int]] = {}
        by_group: dict[tuple[str, str], list[int]] = {}
        for (name, device), group in self._groups.items():
            by_name.setdefault(_text(functions[name]), []).append(group)
            key = (_text(functions[name]), _text(devices[device]) if device >= 0 else "")
            by_group.setdefault(key, []).append(group)
        by_pid: Counter[tuple[str, int]] = Counter()
        for (number, pid), calls in self._by_pid.items():
            by_pid[_text(functions[number]), self._matcher.task(pid)] += calls
        return FuncGraph(
            functions={name: self._stats(groups) for name, groups in sorted(by_name.items())},
            groups={key: self._stats(groups) for key, groups in sorted(by_group.items())},
            by_pid=by_pid,
            lines=self._rows.lines,
            lost=self._rows.lost,
            problems=tuple(self._problems()),
        )

    def _stats(self, groups: list[int]) -> CallStats:
        calls = sum(self._calls[group] for group in groups)
        return CallStats(calls, self._total.distribution(groups), self._own.distribution(groups))

    def _problems(self) -> Iterable[str]:
        rows, faults = self._rows, self._matcher.faults
        if rows.lost or rows.loss_seen:
            yield f"function graph - events - expected all - seen {rows.lost or 'some'} lost - a larger buffer helps"
        if rows.unreadable:
            seen = f"{rows.unreadable} others - {rows.first_unreadable}"
            yield f"function graph - lines - expected ftrace's - seen {seen}"
        if self._cut_short:
            yield "function graph - end - expected a whole line - seen part of one"
        if pending := len(self._matcher.pending.stack):
            yield f"function graph - end - expected every call to have ended - seen {pending} that have not"
        if faults.unopened:
            yield f"function graph - calls - expected each inside its caller - seen {faults.unopened} without a begin"
        if faults.unclosed:
            yield f"function graph - calls - expected an end of each - seen {faults.unclosed} without"
        if faults.crossed:
            yield f"function graph - calls - expected each to end inside its caller - seen {faults.crossed} that do not"
        full = max(len(rows.functions.names), len(rows.devices.names)) >= NAMES_MAX
        if full or self._too_many:
            yield f"function graph - names - expected at most {GROUPS_MAX} groups of calls - seen more"


def parse(pieces: Iterable[bytes]) -> FuncGraph:
    """A trace that comes in pieces."""
    parser = FuncGraphParser()
    for piece in pieces:
        parser.feed(piece)
    return parser.finish()


def _distinct(values: Ints) -> tuple[Ints, Ints]:
    """As np.unique with its inverse, without sorting what are small numbers."""
    most = int(values.max())
    if most > SMALL:
        found, inverse = np.unique(values, return_inverse=True)
        return found, inverse
    seen = np.flatnonzero(np.bincount(values))
    places = np.zeros(most + 1, np.int64)
    places[seen] = np.arange(len(seen))
    return seen, places[values]


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")

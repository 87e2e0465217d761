"""Reads a function_graph trace of ftrace line by line: how often each function ran, how long, for which packets.

The text is that of kernel/trace/trace_functions_graph.c, Linux 4.x to 6.16, with CPU, task and duration in each line,
as ``fixtures/instruments/ftrace.py`` asks for it. Functions are keyed with their module and without compiler suffixes
(``gre_rcv [ip_gre]``) and grouped by the device that the packet came in by: that of the last ``netif_receive_skb``
event before the call on its CPU; ``""`` for a sender's own calls and where no packet has come in yet. Receiving work
that runs inside a sender's call (a softirq at the end of ``udp_sendmsg``, an interrupt) is cut out of the total of
every call around it; own times exclude every traced callee. A task's calls form one stack wherever it runs, since a
task that sleeps in a call can end it on another CPU.
Memory is bounded: durations are kept, not lines.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from topology.errors import EvidenceIncomplete

DEPTH_MAX = 64
"""The kernel follows at most 50 nested calls (FTRACE_RETFUNC_DEPTH, include/linux/ftrace.h)."""
LINE_MAX = 8192
"""Bytes; the kernel prints a line into one page (TRACE_SEQ_SIZE)."""
GROUPS_MAX = 2048
"""Pairs of function and device that are counted apart; further ones are counted together, and that is a problem."""
TASKS_MAX = 1 << 16
"""Pairs of function and task that are counted apart, and tasks that may be inside a call."""
PARTS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""The parts of all calls at which a distribution is kept for its picture."""
OTHERS = ("(other functions)", "")
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
"""Functions by which a task begins to send: calls inside them belong to no receiving device, unless they receive."""
PREFIX = re.compile(
    r" *(?P<cpu>\d{1,9})\) [^|]{0,40}-(?P<pid>\d{1,10}) * \| "
    r"[ +!#*@$] (?:(?P<us>\d{1,20})(?:\.(?P<ns>\d{1,3}))? us {1,8}| {12})\|  "
)
"""CPU, task, and mark with duration; the text of the call follows, indented by two blanks for each call around it."""
INTERRUPT = re.compile(r" *(\d{1,9})\) .{0,40}?-\d{1,10} * \|   (?:={10}(>)|<={10}) \|$")
LOST = re.compile(r"CPU:\d{1,9} \[LOST(?: (\d{1,18}))? EVENTS\]$")
WRITTEN = re.compile(r"# entries-in-buffer/entries-written: (\d{1,18})/(\d{1,18})")
IGNORED = re.compile(r"$|#| -{42}| *\d{1,9}\) .{0,40}?-\d{1,10} * => ")
"""Blank lines, comments, rules, and a CPU's switch to another task."""
NAME = r"[^\s(){};/|=<>\[\]]{1,256}(?: \[[^\s\]]{1,64}\])?"
CALL = re.compile(rf"({NAME})\(\)(;| \{{)$")
CLOSE = re.compile(rf"\}}(?: /\* ({NAME}) \*/)?$")
DEVICE = re.compile(r"/\* netif_receive_skb: dev=(\S{1,64}) skbaddr(?:=|$)")
SUFFIX = re.compile(r"(?:\.(?:constprop|isra|part|cold)(?:\.\d+)?)+(?= \[|$)")
Task = tuple[int, int]
"""A pid, and the CPU for the idle tasks (all pid 0), else -1."""


@dataclass(frozen=True)
class Distribution:
    """Nanoseconds of ``count`` calls: percentiles (nearest rank), maximum and sum; ``parts_ns`` are those at PARTS."""

    count: int = 0
    p50_ns: int = 0
    p90_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0
    sum_ns: int = 0
    parts_ns: tuple[int, ...] = ()


def distribution(parts: Iterable[Iterable[int]]) -> Distribution:
    """Sum up the durations of several groups of calls as one."""
    durations = sorted(chain.from_iterable(parts))
    if not durations:
        return Distribution()
    p50, p90, p99 = (_at(durations, part) for part in (0.5, 0.9, 0.99))
    kept = tuple(_at(durations, part) for part in PARTS)
    return Distribution(len(durations), p50, p90, p99, durations[-1], sum(durations), kept)


def _at(durations: Sequence[int], part: float) -> int:
    """The nearest rank, counted in hundredths, since 0.99 is no binary fraction."""
    return durations[-(-len(durations) * round(part * 100) // 100) - 1]


@dataclass(frozen=True)
class CallStats:
    """A function's calls: ``total`` with what they call, ``own`` without (both without nested receiving work)."""

    calls: int
    total: Distribution
    own: Distribution


@dataclass(frozen=True)
class FuncGraph:
    """A whole trace, summed up.

    ``functions`` by name, ``groups`` by (name, device), ``by_pid`` counts of (name, pid of the task in whose
    context the call ran); ``problems`` say why the trace is not whole, and are empty where it is.
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
        """Count the calls of each function that tracing these tasks alone would have shown (set_ftrace_pid)."""
        wanted, counted = frozenset(pids), dict.fromkeys(self.functions, 0)
        for (name, pid), calls in self.by_pid.items():
            counted[name] += calls if pid in wanted else 0
        return counted


@dataclass
class Group:
    """Nanoseconds of the ended calls of one function for packets of one device."""

    total: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)


@dataclass
class Open:
    """A call that has not ended: ``inner_ns`` ran in its callees, ``cut_ns`` in receiving work nested in a sender."""

    name: str
    device: str
    depth: int
    receives: bool
    sends: bool
    inner_ns: int = 0
    cut_ns: int = 0


@lru_cache(maxsize=1 << 14)
def fold(name: str) -> tuple[str, bool, bool]:
    """Return a function's name without compiler suffixes, and whether it receives and whether it sends."""
    folded = SUFFIX.sub("", name)
    symbol = folded.split(" [")[0]
    return folded, RECEIVES.fullmatch(symbol) is not None, SENDS.fullmatch(symbol) is not None


class FuncGraphParser:
    """Feed it a trace's bytes in pieces of any size, then ask it to ``finish``."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}
        self._by_task: Counter[tuple[str, Task]] = Counter()
        self._stacks: dict[Task, list[Open]] = {}
        self._device: dict[int, str] = {}
        self._interrupted: set[int] = set()
        self._faults: Counter[str] = Counter()
        self._rest = b""
        self._lines = self._lost = 0
        self._loss_seen = False
        self._unreadable = ""

    def feed(self, data: bytes) -> None:
        """Take the next piece. Never raises for its content: the result says what could not be read."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: LINE_MAX + 1]
        for line in lines:
            self._read(line)

    def finish(self) -> FuncGraph:
        """End the trace and sum it up."""
        cut_short = bool(self._rest)
        if cut_short:
            self._read(self._rest)
        return self._summary(tuple(self._problems(cut_short)))

    def _read(self, raw: bytes) -> None:
        self._lines += 1
        line = raw.decode(errors="backslashreplace")
        if len(raw) > LINE_MAX or not (self._read_call(line) or self._read_other(line)):
            self._faults["unreadable"] += 1
            self._unreadable = self._unreadable or f"line {self._lines}: {raw[:80]!r}"

    def _read_other(self, line: str) -> bool:
        """Read a line that is no call; return whether it was one."""
        if lost := LOST.match(line):
            self._loss_seen = True
            self._lost += int(lost[1] or 0)
        elif written := WRITTEN.match(line):
            self._lost += max(0, int(written[2]) - int(written[1]))
        elif interrupt := INTERRUPT.match(line):
            self._interrupted |= {int(interrupt[1])} if interrupt[2] else set()
        else:
            return IGNORED.match(line) is not None
        return True

    def _read_call(self, line: str) -> bool:
        """Read a call's begin or end, or a packet's arrival; return whether it was one."""
        prefix = PREFIX.match(line)
        if prefix is None:
            return False
        text, cpu = line[prefix.end() :], int(prefix["cpu"])
        bare = text.lstrip(" ")
        if bare.startswith("/*"):
            if device := DEVICE.match(bare):
                self._device[cpu] = device[1]
            return True
        depth, odd = divmod(len(text) - len(bare), 2)
        if odd or depth > DEPTH_MAX:
            return False
        ns = int(prefix["us"]) * 1000 + int((prefix["ns"] or "").ljust(3, "0")) if prefix["us"] else None
        pid = int(prefix["pid"])
        task = (pid, -1 if pid else cpu)
        call, close = CALL.match(bare), CLOSE.match(bare)
        ends = close is not None or (call is not None and call[2] == ";")
        if (call or close) is None or ends != (ns is not None):
            return False
        if call:
            self._begin(task, cpu, depth, call[1])
        if close and ns is not None:
            self._close(task, depth, close[1], ns)
        elif ns is not None:
            self._end(task, ns)
        return True

    def _begin(self, task: Task, cpu: int, depth: int, symbol: str) -> None:
        name, receives, sends = fold(symbol)
        stack = self._stacks.setdefault(task, [])
        self._faults["crowded"] += len(self._stacks) > TASKS_MAX
        self._drop(stack, depth)
        around = stack[-1] if stack and stack[-1].depth == depth - 1 else None
        self._faults["unopened"] += around is None and depth > 0
        receives = receives or cpu in self._interrupted or (around is not None and around.receives)
        self._interrupted.discard(cpu)
        sends = around.sends if around else sends
        device = "" if sends and not receives else self._device.get(cpu, "")
        stack.append(Open(name, device, depth, receives, sends))

    def _drop(self, stack: list[Open], depth: int) -> None:
        """Forget calls that are at least so deep: their ends are missing."""
        while stack and stack[-1].depth >= depth:
            stack.pop()
            self._faults["unclosed"] += 1

    def _close(self, task: Task, depth: int, symbol: str | None, ns: int) -> None:
        stack = self._stacks.get(task, [])
        self._drop(stack, depth + 1)
        if not stack or stack[-1].depth != depth:
            self._faults["unopened"] += 1
            return
        self._faults["crossed"] += symbol is not None and fold(symbol)[0] != stack[-1].name
        self._end(task, ns)

    def _end(self, task: Task, ns: int) -> None:
        """Count a task's innermost call, which has just ended."""
        stack = self._stacks[task]
        call = stack.pop()
        if stack:
            stack[-1].inner_ns += ns
            if call.receives and not stack[-1].receives:
                for outer in stack:
                    outer.cut_ns += ns
        else:
            del self._stacks[task]
        key = (call.name, call.device)
        if key not in self._groups and len(self._groups) >= GROUPS_MAX:
            self._faults["crowded"] += 1
            key = OTHERS
        group = self._groups.setdefault(key, Group())
        group.total.append(max(ns - call.cut_ns, 0))
        group.own.append(max(ns - call.inner_ns, 0))
        by_task = (key[0], task)
        full = len(self._by_task) >= TASKS_MAX and by_task not in self._by_task
        self._faults["crowded"] += full
        self._by_task[(OTHERS[0], (0, 0)) if full else by_task] += 1

    def _summary(self, problems: tuple[str, ...]) -> FuncGraph:
        by_name: dict[str, list[Group]] = defaultdict(list)
        for (name, _), group in self._groups.items():
            by_name[name].append(group)
        by_pid: Counter[tuple[str, int]] = Counter()
        for (name, (pid, _)), calls in self._by_task.items():
            by_pid[name, pid] += calls
        return FuncGraph(
            functions={name: _stats(groups) for name, groups in sorted(by_name.items())},
            groups={key: _stats([group]) for key, group in sorted(self._groups.items())},
            by_pid=by_pid,
            lines=self._lines,
            lost=self._lost,
            problems=problems,
        )

    def _problems(self, cut_short: bool) -> Iterator[str]:
        pending, faults = sum(map(len, self._stacks.values())), self._faults
        lost = self._lost or self._loss_seen
        found: tuple[tuple[object, str, str, str], ...] = (
            (lost, "events", "all", f"{self._lost or 'some'} lost - a larger buffer helps"),
            (faults["unreadable"], "lines", "ftrace's", f"{faults['unreadable']} others - {self._unreadable}"),
            (cut_short, "end", "a whole line", "part of one"),
            (pending, "end", "every call to have ended", f"{pending} that have not"),
            (faults["unopened"], "calls", "each inside its caller", f"{faults['unopened']} without a start"),
            (faults["unclosed"], "calls", "an end of each", f"{faults['unclosed']} without"),
            (faults["crossed"], "calls", "each to end inside its caller", f"{faults['crossed']} that do not"),
            (faults["crowded"], "names", f"at most {GROUPS_MAX} functions and {TASKS_MAX} tasks", "more"),
        )
        for holds, what, wanted, seen in found:
            if holds:
                yield f"function graph - {what} - expected {wanted} - seen {seen}"


def parse(pieces: Iterable[bytes]) -> FuncGraph:
    """Read a trace that comes in pieces."""
    parser = FuncGraphParser()
    for piece in pieces:
        parser.feed(piece)
    return parser.finish()


def _stats(groups: list[Group]) -> CallStats:
    total = distribution(group.total for group in groups)
    return CallStats(total.count, total, distribution(group.own for group in groups))

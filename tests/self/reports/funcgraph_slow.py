"""Function_graph text read slowly and obviously, every duration kept: what the fast reading is compared with."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from reports.perf.funcgraph import RECEIVES, SENDS

LINE = re.compile(
    r"^(?: *[0-9]+\.[0-9]{6} \|  )?"
    r"(?: *(?P<cpu>[0-9]+)\) )?"
    r"(?:.{0,30}?-(?P<pid>[0-9]+) * \| )?"
    r"(?: [.a-zA-Z0-9#]{4,6} \| )?"
    r"(?:[ +!#*@$] (?:(?P<us>[0-9.]+) us +| {12})\|  )?"
    r"(?P<indent> *)(?P<text>[^ |=<].*)$"
)
SWITCH = re.compile(r"^ *(?P<cpu>[0-9]+)\) .*-(?P<before>[0-9]+) * => .*-(?P<after>[0-9]+) *$")
CALL = re.compile(r"^(?P<name>[^\s(]+(?: \[\S+\])?)\(.*\)(?P<end>;| \{)(?: /\*.*\*/)?$")
CLOSING = re.compile(r"^\}(?: /\* ?(?P<name>[^\s=]+(?: \[\S+\])?)?.*\*/)?$")
DEVICE = re.compile(r"^/\* netif_receive_skb: dev=(\S+) ")


@dataclass
class Open:
    """A call that has not ended."""

    name: str
    device: str
    pid: int
    receives: bool
    sends: bool
    inner: int = 0
    cut: int = 0


@dataclass
class Slow:
    """Totals and own times by (name, device), None where there are none; counts by (name, pid)."""

    total: dict[tuple[str, str], list[int | None]] = field(default_factory=lambda: defaultdict(list))
    own: dict[tuple[str, str], list[int | None]] = field(default_factory=lambda: defaultdict(list))
    by_pid: Counter[tuple[str, int]] = field(default_factory=Counter)
    stacks: dict[tuple[int, int], list[Open]] = field(default_factory=lambda: defaultdict(list))
    device: dict[int, str] = field(default_factory=dict)
    running: dict[int, int] = field(default_factory=dict)
    arrow: set[int] = field(default_factory=set)
    whole: bool = True

    def read(self, line: str) -> None:
        if not line.strip(" -") or re.match(r" \(Overruns|#(?! +[0-9.]+ us)", line):
            return
        if switch := SWITCH.match(line):
            self.running[int(switch["cpu"])] = int(switch["after"])
            return
        if "==========" in line:
            cpu = re.search(r"([0-9]+)\)", line)
            if ">" in line:
                self.arrow.add(int(cpu[1]) if cpu else -1)
            return
        found = LINE.match(line)
        if not found:
            self.whole = False
            return
        cpu_number = int(found["cpu"] or -1)
        pid = int(found["pid"]) if found["pid"] else self.running.get(cpu_number, -1)
        ns = round(float(found["us"]) * 1000) if found["us"] else None
        self.act(cpu_number, pid, len(found["indent"]) // 2, ns, found["text"])

    def act(self, cpu: int, pid: int, depth: int, ns: int | None, text: str) -> None:
        if text.startswith("/*"):
            if device := DEVICE.match(text):
                self.device[cpu] = device[1]
            return
        stack = self.stacks[(pid, cpu if pid <= 0 else -1)]
        if call := CALL.match(text):
            self.whole &= depth == len(stack)
            stack.append(self.begin(folded(call["name"]), cpu, pid, stack))
            if call["end"] == ";":
                self.end(stack, ns)
        elif closing := CLOSING.match(text):
            name = closing["name"]
            told = name and name != "ret" and folded(name)
            if depth != len(stack) - 1 or (told and told != stack[-1].name):
                self.whole = False
            elif stack:
                self.end(stack, ns)
        else:
            self.whole = False

    def begin(self, name: str, cpu: int, pid: int, stack: list[Open]) -> Open:
        symbol = name.split(" [")[0]
        around = stack[-1] if stack else None
        takes = bool(RECEIVES.fullmatch(symbol)) or cpu in self.arrow
        self.arrow.discard(cpu)
        receives = takes or bool(around and around.receives)
        sends = around.sends if around else bool(SENDS.fullmatch(symbol))
        device = "" if sends and not receives else self.device.get(cpu, "")
        return Open(name, device, pid, receives, sends)

    def end(self, stack: list[Open], ns: int | None) -> None:
        call = stack.pop()
        spent = ns or 0
        if stack:
            stack[-1].inner += spent
            if call.receives and not stack[-1].receives:
                for outer in stack:
                    outer.cut += spent
        key = (call.name, call.device)
        self.total[key].append(None if ns is None else max(ns - call.cut, 0))
        self.own[key].append(None if ns is None else max(ns - call.inner, 0))
        self.by_pid[(call.name, call.pid)] += 1


def folded(name: str) -> str:
    return re.sub(r"\.(constprop|isra|part|cold)(\.[0-9]+)?", "", name)


def slow_parse(text: str) -> Slow:
    slow = Slow()
    for switch in reversed(list(filter(None, map(SWITCH.match, text.splitlines())))):
        slow.running[int(switch["cpu"])] = int(switch["before"])
    for line in text.splitlines():
        if re.match(r"CPU:[0-9]+ \[LOST", line):
            slow.whole = False
        else:
            slow.read(line)
    slow.whole &= not any(slow.stacks.values())
    return slow

"""One line of ftrace's function_graph text: what the fast reading falls back to, and learns its columns from.

The text is what kernel/trace/trace_functions_graph.c prints, Linux 4.x to 6.16, with any of its options. Left to
right, each column only where its option is on: time and ``|``; CPU and ``)``; task-pid and ``|``; irq-info and ``|``;
mark, duration and ``|``; then the text of the call, indented by two blanks for each call around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LEAF, OPEN, CLOSE, EVENT, SWITCH, ARROW, CALL, IGNORED = range(8)
"""What a line is: a call that calls nothing traced, a call's begin, its end, the arrival of a packet at a device,
the CPU's change to another task, an interrupt's begin, a call of which only the duration tells whether it is a leaf,
nothing of interest."""
DEPTH_MAX = 64
"""The kernel follows at most 50 calls inside one another (FTRACE_RETFUNC_DEPTH, include/linux/ftrace.h)."""
LINE_MAX = 8192
"""Bytes; the kernel prints a line into one page (TRACE_SEQ_SIZE)."""
PREFIX = re.compile(
    rb"(?:(?P<time> *\d{1,20}\.\d{6}) \|  )?"
    rb"(?P<cpu> *\d{1,9}\) )?"
    rb"(?P<task>[^|]{0,40}-\d{1,10} * \| )?"
    rb"(?P<latency> [.a-zA-Z#0-9]{4,6} \| )?"
    rb"(?P<duration>[ +!#*@$] (?:\d{1,20}(?:\.\d{1,3})? us {1,8}| {12})\|  )?"
)
TASK = re.compile(rb"-(\d{1,10}) *(?:\|? ?)$")
SWITCHED = re.compile(rb" *(\d{1,9})\) .{0,40}?-(\d{1,10}) * => .{0,40}?-(\d{1,10}) *$")
LOST = re.compile(rb"CPU:\d{1,9} \[LOST(?: (\d{1,18}))? EVENTS\]$")
WRITTEN = re.compile(rb"# entries-in-buffer/entries-written: (\d{1,18})/(\d{1,18})")
NAME = re.compile(rb"([^\s(){};/|=<>\[\]]{1,256}(?: \[[^\s\]]{1,64}\])?)")
DEVICE = re.compile(rb"/\* netif_receive_skb: dev=(\S{1,64}) skbaddr(?:=|$)")
SUFFIX = re.compile(rb"(?:\.(?:constprop|isra|part|cold)(?:\.\d+)?)+(?= \[|$)")
OVERRUNS = re.compile(rb" \(Overruns: \d{1,20}\)$")
HEAD = re.compile(rb"#(?! \d+(?:\.\d+)? us )")
"""Not the mark of a duration of more than a millisecond, with which a line without a CPU begins."""
RULE = b" ------------------------------------------"


@dataclass(frozen=True)
class Line:
    """A line's columns: ``cpu`` and ``pid`` -1 and ``ns`` -1 where there is no such column, or it is blank.

    ``name`` is the function's with its module, of a close its own where it is printed, of an event the device's; for a
    switch ``pid`` is the task before and ``ns`` the one after it. ``bar`` is where the duration's column ends, or -1.
    """

    kind: int
    cpu: int = -1
    pid: int = -1
    depth: int = 0
    name: bytes = b""
    ns: int = -1
    bar: int = -1
    cpu_span: tuple[int, int] = (-1, -1)
    task_span: tuple[int, int] = (-1, -1)


@lru_cache(maxsize=1 << 9)
def read_line(line: bytes) -> Line | None:
    """A line without its newline; None where it is not one of function_graph's."""
    if not line or HEAD.match(line) or line.startswith(RULE) or OVERRUNS.match(line):
        return Line(IGNORED)
    if switched := SWITCHED.match(line):
        cpu, before, after = map(int, switched.groups())
        return Line(SWITCH, cpu, before, ns=after)
    if len(line) > LINE_MAX or not (prefix := PREFIX.match(line)):
        return None
    text = line[prefix.end() :]
    cpu = int(prefix["cpu"][:-2]) if prefix["cpu"] else -1
    pid = read_pid(prefix["task"]) if prefix["task"] else -1
    arrow = text.strip(b" |")
    if arrow in (b"==========>", b"<=========="):
        return Line(ARROW if arrow.endswith(b">") else IGNORED, cpu, pid)
    ns = _nanoseconds(prefix["duration"] or b"")
    bare = text.lstrip(b" ")
    depth, odd = divmod(len(text) - len(bare), 2)
    kind, name = read_text(bare)
    if kind != EVENT and (odd or depth > DEPTH_MAX) and kind != IGNORED:
        return None
    if kind is None or (prefix["duration"] and not fits(kind, ns)):
        return None
    bar = prefix.end("duration") - 3 if prefix["duration"] else -1
    return Line(kind, cpu, pid, depth, name, ns, bar, prefix.span("cpu"), prefix.span("task"))


def fits(kind: int, ns: int) -> bool:
    """Whether a line of this kind has a duration, or none: leaves and ends have, begins and comments have none."""
    return ns >= 0 if kind in (LEAF, CLOSE) else ns < 0


def read_pid(task: bytes) -> int:
    """The process number of a task's column, as in ``  python3-394   | ``; -1 where there is none."""
    found = TASK.search(task)
    return int(found[1]) if found else -1


@lru_cache(maxsize=1 << 14)
def fold(name: bytes) -> bytes:
    """A function's name without what a compiler has added to it (``ip_fragment.constprop.0``), its module kept."""
    return SUFFIX.sub(b"", name)


def read_text(text: bytes) -> tuple[int | None, bytes]:
    """What follows the indentation: its kind (None: unreadable), and the name of the function or the device.

    Text may end at an equals sign, behind which arguments, results and addresses differ from line to line.
    """
    if text[:1] == b"}":
        return _closing(text)
    if text[:2] == b"/*":
        device = DEVICE.match(text)
        return (EVENT, device[1]) if device else (IGNORED, b"")
    name = NAME.match(text)
    if not name or text[name.end() : name.end() + 1] != b"(":
        return None, b""
    rest = text[: text.rfind(b" /*")] if text.endswith(b"*/") else text
    if rest.endswith(b");"):
        return LEAF, fold(name[1])
    if rest.endswith(b") {"):
        return OPEN, fold(name[1])
    return None, b""


def read_cut_text(text: bytes) -> tuple[int | None, bytes]:
    """As ``read_text``, of a text that was cut off before its (of a comment: its second) equals sign."""
    if text[:1] == b"}":
        return _closing(text)
    if text[:2] == b"/*":
        return read_text(text)
    name = NAME.match(text)
    if not name or text[name.end() : name.end() + 1] != b"(":
        return None, b""
    return CALL, fold(name[1])


def _closing(text: bytes) -> tuple[int | None, bytes]:
    """``}``, ``} /* name */``, ``} /* name ret=0x1 */``, ``} /* name = 0x1 */`` or ``} /* = 0x1 */``."""
    if text == b"}":
        return CLOSE, b""
    if not text.startswith(b"} /*"):
        return None, b""
    comment = text[4:].lstrip(b" ")
    name = NAME.match(comment)
    if not name or comment[name.end() : name.end() + 1] == b"=" or name[1] in (b"ret", b"*"):
        return CLOSE, b""
    return CLOSE, fold(name[1])


def _nanoseconds(duration: bytes) -> int:
    """Of ``+ 10.234 us    |  ``; -1 for a blank column."""
    number = duration[2 : duration.find(b" us")].strip() if b" us" in duration else b""
    if not number:
        return -1
    whole, _, part = number.partition(b".")
    return int(whole) * 1000 + int(part.ljust(3, b"0"))

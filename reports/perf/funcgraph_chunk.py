"""A chunk of function_graph text as an array of bytes: what stands in a column, for all lines in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reports.perf.funcgraph_lines import DEPTH_MAX

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
PAD = 256
"""Bytes on both sides of a chunk, so that no column of a short line lies outside."""
NUMBER = 12
"""The duration's characters behind mark and blank: a number, `` us ``, blanks (trace_print_graph_duration)."""
FIRST = np.array([(1 << (8 * size)) - 1 for size in range(9)], np.uint64)
"""Masks for the first 0 to 8 bytes of a word."""
MULTIPLIER, FOLDED = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
BLANK, BAR, POINT, SLASH, EQUALS, CLOSING = b" |./=)"
MARK = np.isin(np.arange(256), np.frombuffer(b" +!#*@$", np.uint8))


@dataclass(frozen=True)
class Layout:
    """Where a line's columns are: the bar behind the duration, CPU and task from and to; -1 where there is none."""

    bar: int
    cpu: tuple[int, int]
    task: tuple[int, int]


class Chunk:
    """Whole lines; positions are those in ``data``, which has PAD bytes more on either side."""

    def __init__(self, lines: bytes) -> None:
        self.data = b"\0" * PAD + lines + b"\0" * PAD
        self.bytes = np.frombuffer(self.data, np.uint8)
        self.ends = np.flatnonzero(self.bytes == 10)
        self.starts = np.concatenate([np.array([PAD], np.int64), self.ends[:-1] + 1])
        self._words: Words = np.ndarray((len(self.data) - 7,), "<u8", self.data, strides=(1,))

    def lines(self, numbers: Ints) -> list[bytes]:
        """Lines without their newlines."""
        spans = zip(self.starts[numbers].tolist(), self.ends[numbers].tolist(), strict=True)
        return [self.data[begin:end] for begin, end in spans]

    def text(self, begin: int, end: int) -> bytes:
        """What stands there."""
        return self.data[begin:end]

    def fitting(self, layout: Layout) -> Ints:
        """The lines that have something of every column in its place."""
        long = np.flatnonzero(self.ends - self.starts > layout.bar + 3)
        bar = self.starts[long] + layout.bar
        at = self.bytes
        fits = (at[bar] == BAR) & (at[bar - 1] == BLANK) & (at[bar - 13] == BLANK) & MARK[at[bar - 14]]
        fits &= (at[bar + 1] == BLANK) & (at[bar + 2] == BLANK)
        if layout.task[0] >= 0:
            fits &= at[bar - (layout.bar - layout.task[1]) - 2] == BAR
        found: Ints = long[fits]
        return found

    def durations(self, bars: Ints) -> tuple[Ints, Flags]:
        """Nanoseconds, -1 for a blank column; and whether the column holds nothing else."""
        ns = np.full(len(bars), -1, np.int64)
        sound = self.bytes[bars - NUMBER] == BLANK
        sound &= self._words[bars - 8] == np.uint64(0x2020202020202020)
        timed = np.flatnonzero(self.bytes[bars - NUMBER] != BLANK)
        if not len(timed):
            return ns, sound
        place = bars[timed, None] - NUMBER + np.arange(NUMBER)
        digits = self.bytes[place].astype(np.int32).T - 48
        is_digit = (digits >= 0) & (digits <= 9)
        length = np.argmax(digits == BLANK - 48, axis=0)
        point = np.argmax(digits[:8] == POINT - 48, axis=0)
        value = np.zeros(len(timed), np.int64)
        count = np.zeros(len(timed), np.int64)
        inside = np.ones(len(timed), np.bool_)
        for column in range(8):
            inside &= column < length
            counted = is_digit[column] & inside
            value = np.where(counted, value * 10 + digits[column], value)
            count += counted
        parts = np.where(point > 0, length - point - 1, 0)
        good = (length > 0) & (length <= 8) & (count == length - (point > 0)) & (parts <= 3)
        good &= (point == 0) | (point < length)
        behind = np.minimum(length, NUMBER - 4)
        lines = np.arange(len(timed))
        good &= (digits[behind + 1, lines] == ord("u") - 48) & (digits[behind + 2, lines] == ord("s") - 48)
        ns[timed] = value * np.power(10, 3 - np.clip(parts, 0, 3))
        sound[timed] = good
        return ns, sound

    def indented(self, places: Ints) -> tuple[Ints, Ints, Flags]:
        """Where the texts begin, how deep they are, and whether they are indented by pairs of blanks."""
        begins = places.copy()
        blank = np.flatnonzero(self.bytes[begins] == BLANK)
        for _ in range(DEPTH_MAX + 1):
            if not len(blank):
                break
            begins[blank] += 2
            blank = blank[self.bytes[begins[blank]] == BLANK]
        sound = (self.bytes[begins - 1] == BLANK) & (self.bytes[begins] != BLANK)
        return begins, (begins - places) >> 1, sound

    def cpus(self, starts: Ints, column: tuple[int, int]) -> tuple[Ints, Flags]:
        """The CPU's number, -1 without such a column; and whether it is one."""
        first, end = column
        cpu = np.full(len(starts), -1, np.int64)
        sound = np.ones(len(starts), np.bool_)
        if first < 0:
            return cpu, sound
        cpu[:] = 0
        for place in range(first, end - 2):
            digit = self.bytes[starts + place].astype(np.int64) - 48
            is_digit = (digit >= 0) & (digit <= 9)
            cpu = np.where(is_digit, cpu * 10 + digit, cpu)
            sound &= is_digit | ((digit == BLANK - 48) & (cpu == 0))
        sound &= is_digit & (self.bytes[starts + end - 2] == CLOSING)
        return cpu, sound

    def cuts(self, begins: Ints, ends: Ints) -> Ints:
        """Where texts end that are the same in many lines: at the first equals sign, of a comment the second."""
        signs = np.flatnonzero(self.bytes == EQUALS)
        if not len(signs):
            return ends
        first = np.searchsorted(signs, begins) + (self.bytes[begins] == SLASH)
        places = signs[np.minimum(first, len(signs) - 1)]
        return np.where((first < len(signs)) & (places < ends), places, ends)

    def hashes(self, begins: Ints, ends: Ints) -> Words:
        """A number of 64 bits for what stands between; equal texts have equal ones."""
        lengths = ends - begins
        hashes = self._mixed(lengths.astype(np.uint64), begins, lengths)
        for offset in range(8, int(lengths.max(initial=0)), 8):
            longer = np.flatnonzero(lengths > offset)
            hashes[longer] = self._mixed(hashes[longer], begins[longer] + offset, lengths[longer] - offset)
        return hashes

    def _mixed(self, hashes: Words, places: Ints, sizes: Ints) -> Words:
        """Hashes with the next 8 bytes in them, or fewer where fewer are left."""
        hashes ^= self._words[places] & FIRST[np.minimum(sizes, 8)]
        hashes *= MULTIPLIER
        hashes ^= hashes >> FOLDED
        return hashes

    def task_hashes(self, starts: Ints, column: tuple[int, int]) -> Words:
        """As ``hashes``, of a task's column: 14 characters or a few more (TRACE_GRAPH_PROCINFO_LENGTH), and `` | ``."""
        first, end = column
        hashes = self._words[starts + first] * MULTIPLIER
        hashes ^= hashes >> FOLDED
        for place in range(first + 8, end - 3, 8):
            hashes ^= self._words[starts + min(place, end - 11)]
            hashes *= MULTIPLIER
            hashes ^= hashes >> FOLDED
        return hashes

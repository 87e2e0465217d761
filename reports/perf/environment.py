"""Environment of a measurement, and doubts about its figures beyond ratios of one run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reports.record.exhibits import Figures
from reports.words import counted

STEAL_MAX_PERCENT = 5.0
"""Share of time that a hypervisor gives to others: more than that shows in medians."""
DEBUG_OPTIONS = (
    *("CONFIG_KASAN", "CONFIG_KCSAN", "CONFIG_PROVE_LOCKING", "CONFIG_LOCKDEP", "CONFIG_DEBUG_KMEMLEAK"),
    *("CONFIG_DEBUG_PAGEALLOC_ENABLE_DEFAULT", "CONFIG_SLUB_DEBUG_ON", "CONFIG_DEBUG_OBJECTS"),
)
"""Options that make a kernel slower in every function (Documentation/dev-tools)."""
STEAL_FIELD, FIELDS_OF_TIME = 7, 8
"""Fields of /proc/stat, line 1, behind ``cpu``: user nice system idle iowait irq softirq steal (proc(5))."""


@dataclass(frozen=True)
class Environment:
    """A measurement's conditions.

    ``load`` is the machine's load average of a minute when it began; ``steal_percent`` the share of the time meanwhile
    that a hypervisor gave to others, None where that is not counted; ``debug`` the options of DEBUG_OPTIONS that the
    kernel has, None where its configuration cannot be read; ``shared`` the pinning, and the processes per core.
    """

    kernel: str
    release: str
    accelerator: str
    cores: int
    processor: str
    clock_source: str
    governor: str
    load: float
    steal_percent: float | None
    debug: tuple[str, ...] | None
    shared: str = ""

    @property
    def doubts(self) -> list[str]:
        """The reasons why absolute figures say little about other machines."""
        steal = self.steal_percent or 0.0
        reasons = {
            "software emulation (TCG): every instruction is translated, and memory costs as much as arithmetic": (
                self.accelerator == "tcg"
            ),
            f"{steal:.1f} % of the time was stolen by the hypervisor (more than {STEAL_MAX_PERCENT:g} %)": (
                steal > STEAL_MAX_PERCENT
            ),
            f"the kernel checks itself: {', '.join(self.debug or ())}": bool(self.debug),
            f"the processor's frequency is governed by {self.governor}": self.governor not in ("performance", ""),
        }
        return [reason for reason, holds in reasons.items() if holds]

    def lines(self) -> Iterator[tuple[str, str]]:
        """Name and value of each line for the report."""
        yield "kernel", f"{self.kernel}, Linux {self.release}, {self.accelerator}"
        yield "processor", f"{self.processor}, {counted(self.cores, 'core')}"
        yield "clock source", self.clock_source
        yield "frequency governor", self.governor or "none to be seen"
        yield "load before", f"{self.load:.2f}"
        yield "stolen time", "not counted" if self.steal_percent is None else f"{self.steal_percent:.1f} %"
        yield "debug options", "unknown" if self.debug is None else ", ".join(self.debug) or "none"
        if self.shared:
            yield "cores", self.shared


def environment_table(environments: Mapping[str, Environment]) -> Figures:
    """The environment of everything measured, and doubts about absolute figures."""
    rows = [(where, name, value) for where, found in environments.items() for name, value in found.lines()]
    words = [f"{where}: {doubt}." for where, found in environments.items() for doubt in found.doubts]
    words.append("Figures are believed as ratios to the bare path of the same kernel in the same run.")
    data = {where: {**dict(found.lines()), "doubts": found.doubts} for where, found in environments.items()}
    return Figures.table("environment", ("where", "what", "value"), rows, words, data, of_the_run=True)


def steal_percent(before: str, after: str) -> float | None:
    """The stolen share of the time between two readings of /proc/stat; None where it is not counted."""
    first, second = _times(before), _times(after)
    if first is None or second is None or (total := sum(second) - sum(first)) <= 0:
        return None
    return 100 * (second[STEAL_FIELD] - first[STEAL_FIELD]) / total


def _times(stat: str) -> list[int] | None:
    words = stat.split("\n", 1)[0].split()
    if len(words) <= FIELDS_OF_TIME or words[0] != "cpu" or not all(word.isdecimal() for word in words[1:]):
        return None
    return [int(word) for word in words[1 : FIELDS_OF_TIME + 1]]


def debug_options(config: str | None) -> tuple[str, ...] | None:
    """The options of a kernel's configuration that slow it down; None without a configuration."""
    if config is None:
        return None
    on = set(config.splitlines())
    return tuple(option for option in DEBUG_OPTIONS if f"{option}=y" in on)


def processor_of(cpuinfo: str) -> tuple[str, int]:
    """The processor's name, and how many cores there are, of /proc/cpuinfo."""
    fields = [[part.strip() for part in line.partition(":")] for line in cpuinfo.splitlines()]
    names = [value for key, _, value in fields if key == "model name"]
    return (names[0] if names else "unknown"), max(1, sum(key == "processor" for key, _, _ in fields))

"""Processor cores of a measurement, and the processes that shared one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from reports.words import counted

CORES_MIN = 3
"""One for the client, one for the server, and one for all the rest."""
OFTEN = 0.1
"""Part of the looks: processes that worked in fewer are not shown."""
SHARE_MIN = 0.01
"""Part of a process's work: a core with less of it does not show it."""
CPUS_MAX = 1 << 16
Cpus = frozenset[int]


@dataclass(frozen=True)
class Core:
    """One physical core: those of its CPUs that we may use, and whether these are all that it has."""

    cpus: Cpus
    whole: bool

    def __str__(self) -> str:
        numbers = " and ".join(map(str, sorted(self.cpus)))
        return f"CPU {numbers}" if len(self.cpus) == 1 else f"CPUs {numbers} (one core)"


@dataclass(frozen=True)
class Pinning:
    """The CPUs of the client's core, those of the server's, and those of all others."""

    client: Cpus
    server: Cpus
    rest: Cpus

    @property
    def ends(self) -> tuple[int, int]:
        """One CPU for the client and one for the server; the others of their cores stay empty."""
        return min(self.client), min(self.server)

    def __str__(self) -> str:
        client, server = self.ends
        return f"pinned: client to CPU {client}, server to CPU {server}, everything else to others"


def cpus_of(text: str) -> Cpus:
    """The CPUs of a list as the kernel writes it, ``0-3,8`` (cpuset(7), "List format"); other words count nothing."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last.isdecimal() or not last) and int(last or first) < CPUS_MAX:
            found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def cores_of(siblings: Mapping[int, str], allowed: Collection[int]) -> tuple[Core, ...]:
    """The cores that we may use, in the order of their CPUs.

    ``siblings`` are the texts of thread_siblings_list by CPU (Documentation/admin-guide/cputopology.rst); a CPU
    without one counts as a core of its own.
    """
    of_each = {cpus_of(siblings.get(cpu, "")) | {cpu} for cpu in allowed}
    cores = {Core(cpus & frozenset(allowed), cpus <= set(allowed)) for cpus in of_each}
    return tuple(sorted(cores, key=lambda core: min(core.cpus)))


def choose(cores: Sequence[Core], time_for: int) -> Pinning | None:
    """Cores for client, server and the rest; None where there are too few, or the processor time of too few.

    Client and server have the last two cores that are wholly ours: the first has most interrupts, and part of a core
    is shared with foreign processes.
    """
    whole = [core for core in cores if core.whole]
    if len(cores) < CORES_MIN or time_for < CORES_MIN or len(whole) < 2:
        return None
    client, server = whole[-2:]
    others = (core.cpus for core in cores if core not in (client, server))
    return Pinning(client.cpus, server.cpus, frozenset().union(*others))


def sharing(cores: Sequence[Core], pinning: Pinning | None, seen: Mapping[str, Mapping[int, int]], looks: int) -> str:
    """Pinning, and the processes seen at work on each core: ``seen`` counts them for each CPU."""
    how = str(pinning) if pinning else f"nothing pinned: {counted(len(cores), 'core')}, and {CORES_MIN} are needed"
    parts = [how]
    for core in cores:
        here = []
        for name, at in sorted(seen.items()):
            total = sum(at.values())
            share = sum(at.get(cpu, 0) for cpu in core.cpus) / max(1, total)
            if total >= OFTEN * looks and share >= SHARE_MIN:
                here.append(f"{name} {share * 100:.0f} %")
        parts += [f"{core}: {', '.join(here)}"] if here else []
    return "; ".join(parts)

"""Which processor cores a measurement keeps to, and what shared a core with what. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from reports.words import counted

CORES_MIN = 3
"""One for the client, one for the server, and one for all the rest."""
OFTEN = 0.1
"""Of the looks: who was at work in fewer is not told."""
SHARE_MIN = 0.01
"""Of what was seen of somebody: who was on a core more rarely is not told there."""
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
    """The CPUs of a list as the kernel writes it, ``0-3,8`` (cpuset(7), "List format"); what is none counts nothing."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last.isdecimal() or not last) and int(last or first) < CPUS_MAX:
            found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def cores_of(siblings: Mapping[int, str], allowed: Collection[int]) -> tuple[Core, ...]:
    """The cores that we may use, in the order of their CPUs.

    ``siblings`` are the texts of thread_siblings_list by CPU (Documentation/admin-guide/cputopology.rst); a CPU
    without one is taken for a core of its own.
    """
    of_each = {cpus_of(siblings.get(cpu, "")) | {cpu} for cpu in allowed}
    cores = {Core(cpus & frozenset(allowed), cpus <= set(allowed)) for cpus in of_each}
    return tuple(sorted(cores, key=lambda core: min(core.cpus)))


def choose(cores: Sequence[Core], time_for: int) -> Pinning | None:
    """Who keeps to which core; None where there are too few, or processor time (``time_for`` so many) is rationed.

    Client and server have the last two cores that are wholly ours: the first has most interrupts, and on a part of a
    core one shares it with strangers.
    """
    whole = [core for core in cores if core.whole]
    if len(cores) < CORES_MIN or time_for < CORES_MIN or len(whole) < 2:
        return None
    client, server = whole[-2:]
    others = (core.cpus for core in cores if core not in (client, server))
    return Pinning(client.cpus, server.cpus, frozenset().union(*others))


def sharing(cores: Sequence[Core], pinning: Pinning | None, seen: Mapping[str, Mapping[int, int]], looks: int) -> str:
    """What was pinned, and who was seen at work on which core: ``seen`` has how often each was on each CPU."""
    how = str(pinning) if pinning else f"nothing pinned: {counted(len(cores), 'core')}, and {CORES_MIN} are needed"
    often = {who: at for who, at in seen.items() if sum(at.values()) >= OFTEN * looks}
    told = (f"{core}: {', '.join(who)}" for core in cores if (who := _on(core, often)))
    return "; ".join((how, *told))


def _on(core: Core, seen: Mapping[str, Mapping[int, int]]) -> list[str]:
    """Who was on a core, and what part of what was seen of him."""
    parts = {who: sum(at.get(cpu, 0) for cpu in core.cpus) / max(1, sum(at.values())) for who, at in seen.items()}
    return [f"{who} {part * 100:.0f} %" for who, part in sorted(parts.items()) if part >= SHARE_MIN]

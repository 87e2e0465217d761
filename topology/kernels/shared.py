"""Limits that all network namespaces of a kernel share: neighbour tables, open files, namespaces.

The tables are read over rtnetlink, which gives them in every namespace: their files under ``/proc`` are in the first
one only, and so is the way to set their limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from topology.errors import EvidenceIncomplete
from topology.kernels.link import Agent
from topology.kernels.rtnl.messages import NEIGHBOUR_TABLE, Message, parsed, readable
from topology.plan import NO_ROOM, Room

TABLES: Mapping[str, int] = {"arp_cache": 4, "ndisc_cache": 6}
REQUEST = NEIGHBOUR_TABLE.request()
LIMITS = "/proc/self/limits"


@dataclass(frozen=True)
class NeighbourTable:
    """A kernel's table for one IP version: entries now and at most, and how often one more was refused since boot."""

    version: int
    most: int
    entries: int
    overflows: int

    @property
    def setting(self) -> str:
        """The sysctl of its limit, which only the first network namespace has."""
        return f"net.ipv{self.version}.neigh.default.gc_thresh3"

    def fix(self, need: int) -> str:
        """The command that makes room for so many more entries, with as much again to spare."""
        return f"as root: sysctl -w {self.setting}={1 << (2 * (need + self.entries)).bit_length()}"


def neighbour_tables(agent: Agent) -> list[NeighbourTable]:
    """The tables of the kernel under an agent; NetlinkError where the answer is malformed.

    A dump in several parts repeats a table at the start of each part (neightbl_dump_info, net/core/neighbour.c).
    """
    answer = agent.call("netlink", REQUEST, chunks=[[None, len(REQUEST), 0]]).body
    with readable("agent"):
        tables = [
            _table(said) for said in parsed(NEIGHBOUR_TABLE, answer) if said.get("name") in TABLES and "most" in said
        ]
    return list({table.version: table for table in tables}.values())


def _table(said: Message) -> NeighbourTable:
    return NeighbourTable(TABLES[said["name"]], said["most"], said["entries"], said["overflows"])


def check_no_overflow(before: Sequence[NeighbourTable], after: Sequence[NeighbourTable]) -> None:
    """Raise EvidenceIncomplete where a table was full in between: the network did not lose those packets."""
    known = {table.version: table.overflows for table in before}
    for new in after:
        if refused := new.overflows - known.get(new.version, 0):
            what = f"neighbour table of IPv{new.version} - expected room for every entry - seen {refused} refused"
            used = f"{new.entries} of {new.most} entries used, by all namespaces of the kernel"
            raise EvidenceIncomplete(f"{what} - {used} - {new.fix(new.most)}")


def shortages(agent: Agent, room: Room, namespaces_max: int | None) -> list[str]:
    """List the limits of an agent's kernel that are too low for a lab, each with the command that raises it.

    ``namespaces_max`` is how many network namespaces this machine allows; None where the kernel is another.
    """
    if room == NO_ROOM:
        return []
    found = []
    for table in neighbour_tables(agent):
        need = room.neighbours.get(table.version, 0)
        if need > table.most:
            what = f"{table.setting} - expected {need} or more, shared by all namespaces - seen {table.most}"
            found.append(f"{what} - {table.fix(need)}")
    if (most := _open_files(agent)) is not None and room.files > most:
        found.append(f"open files - expected {room.files} or more - seen {most} - as root: ulimit -Hn {2 * room.files}")
    if namespaces_max is not None and room.namespaces > namespaces_max:
        what = f"user.max_net_namespaces - expected {room.namespaces} or more - seen {namespaces_max}"
        found.append(f"{what} - as root: sysctl -w user.max_net_namespaces={2 * room.namespaces}")
    return found


def _open_files(agent: Agent) -> int | None:
    """Limit of files that the agent opens; None where there is none."""
    (text,) = agent.call("read_files", files=[[None, LIMITS]]).get("texts", list)
    line = next((line for line in str(text).splitlines() if line.startswith("Max open files")), "")
    return int(hard) if (hard := (line.split() or [""])[-2:][0]).isdigit() else None

"""The hops of a packet's path through a fabric, with the header stack at each, and where it ends early. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from topology.model import Device, Node
from topology.packet import Layers, stack_of
from topology.refs import Placed
from topology.wire.stack import Stack

Direction: TypeAlias = Literal["in", "out"]


@dataclass(frozen=True)
class ExpectedHop(Placed):
    """One interface that a packet must pass, in one direction, and all its headers there."""

    node: str
    interface: str
    direction: Direction
    layers: Layers

    @cached_property
    def stack(self) -> Stack:
        """The headers as a pattern, made when first asked for: most journeys are only looked at for where they go."""
        return stack_of(self.layers)


@dataclass(frozen=True)
class Ending:
    """The place where a packet ends early: the state found there, and the state that would let it pass (``wanted``), in
    the words of ``kind``.

    ``kind`` is that of a difference between states (``reports.judge.state``), or ``forwarding``. ``others`` are places
    that may be to blame as well, such as the other end of a tunnel; ``asks`` says who waits for an answer to an address
    request that ended here.
    """

    node: str
    interface: str | None
    live: str
    kind: str = "forwarding"
    wanted: str = ""
    others: tuple[Ending, ...] = ()
    asks: str = ""
    hops: tuple[ExpectedHop, ...] = field(default=(), compare=False, repr=False)
    """Of an address request, the hops up to here."""

    def __str__(self) -> str:
        place = f"{self.node}:{self.interface}" if self.interface else self.node
        words = [f"{place}: {self.live}", *map(str, self.others)]
        return "; ".join(words) + (f": {self.asks}" if self.asks else "")


def ending(at: Node | Device, live: str, kind: str = "forwarding", wanted: str = "") -> Ending:
    """Return the ending at a node, or at a device of one."""
    if isinstance(at, Node):
        return Ending(at.name, None, live, kind, wanted)
    return Ending(at.node, at.name, live, kind, wanted)


@dataclass(frozen=True)
class ExpectedPath:
    """One legal path of a packet; ``end`` says where and why it ends early, and is None when it arrives."""

    hops: tuple[ExpectedHop, ...]
    end: Ending | None = None

    @property
    def dropped(self) -> str:
        """The end as text; empty if the packet arrives."""
        return str(self.end) if self.end else ""

    def __str__(self) -> str:
        return " ".join(str(hop.ref) for hop in self.hops)


Hops: TypeAlias = tuple[ExpectedHop, ...]
Paths: TypeAlias = Iterator[ExpectedPath]


def seen(device: Device, direction: Direction, layers: Layers, hops: Hops) -> Hops:
    """Return the hops so far and one more."""
    return (*hops, ExpectedHop(device.node, device.name, direction, layers))

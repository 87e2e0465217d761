"""The hops of a packet's path through a fabric, with the header stack at each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from topology.model import Device
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
class ExpectedPath:
    """One legal path of a packet; ``dropped`` says where and why it ends early, and is empty when it arrives."""

    hops: tuple[ExpectedHop, ...]
    dropped: str = ""

    def __str__(self) -> str:
        return " ".join(str(hop.ref) for hop in self.hops)


Hops: TypeAlias = tuple[ExpectedHop, ...]
Paths: TypeAlias = Iterator[ExpectedPath]


def seen(device: Device, direction: Direction, layers: Layers, hops: Hops) -> Hops:
    """Return the hops so far and one more."""
    return (*hops, ExpectedHop(device.node, device.name, direction, layers))

"""The reference to an interface, ``node:interface``, and what is placed at one. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class PortRef:
    """An interface of a node, written ``node:interface``."""

    node: str
    interface: str

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


class Placed:
    """What is at an interface, in one direction."""

    node: str
    interface: str
    direction: str

    @property
    def ref(self) -> PortRef:
        """The interface as ``node:interface``."""
        return PortRef(self.node, self.interface)

    @property
    def place(self) -> str:
        """The interface and direction as ``node:interface direction``."""
        return f"{self.node}:{self.interface} {self.direction}"

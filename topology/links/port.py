"""The devices without parameters of their own: ends of veth pairs, and the loopback device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from topology.links.base import Device
from topology.refs import PortRef

LOOPBACK = "lo"


@dataclass(frozen=True, kw_only=True)
class Loopback(Device):
    """The loopback device of a namespace; its addresses stay reachable when links go down."""

    ethernet: ClassVar = False


@dataclass(frozen=True, kw_only=True)
class Port(Device):
    """One end of a veth pair."""

    peer: PortRef

    kinds: ClassVar = ("veth",)
    noun: ClassVar = "port"
    modules: ClassVar = {"veth": "veth"}

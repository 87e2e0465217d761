"""What a device's message says of learning and ageing becomes part of its state; the kernel's defaults do not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.self.kernels.dumps import END, link
from topology.kernels.rtnl.lean import lean
from topology.kernels.rtnl.links import devices

BRIDGE = {"IFLA_BR_HELLO_TIMER": 9, "IFLA_BR_FORWARD_DELAY": 1500}
VXLAN = {"IFLA_VXLAN_ID": 7, "IFLA_VXLAN_PORT": 4789}
USUAL = {("vni", "7"), ("local", "none"), ("remote", "none"), ("dstport", "4789"), ("dev", "none"), ("ttl", "auto")}


def parameters(kind: str, data: dict[str, Any]) -> set[tuple[str, str]]:
    """The parameters read of a device of a kind with these data."""
    info = {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": list(data.items())})]}
    (found,) = devices(lean("links", link(3, "d", [("IFLA_LINKINFO", info)]) + END)).links
    return set(found.parameters)


@pytest.mark.parametrize(
    ("kind", "data", "seen"),
    [
        ("bridge", {**BRIDGE, "IFLA_BR_AGEING_TIME": 30000}, set()),
        ("bridge", {**BRIDGE, "IFLA_BR_AGEING_TIME": 0}, {("ageing", "0")}),
        ("bridge", {**BRIDGE, "IFLA_BR_AGEING_TIME": 1550}, {("ageing", "15.5")}),
        ("vxlan", {**VXLAN, "IFLA_VXLAN_LEARNING": 1, "IFLA_VXLAN_AGEING": 300}, USUAL),
        (
            "vxlan",
            {**VXLAN, "IFLA_VXLAN_LEARNING": 0, "IFLA_VXLAN_AGEING": 0},
            USUAL | {("learning", "off"), ("ageing", "0")},
        ),
    ],
)
def test_learning_and_ageing_are_read(kind: str, data: dict[str, Any], seen: set[tuple[str, str]]) -> None:
    """A bridge's ageing in hundredths of a second, a VXLAN device's in seconds, and that it does not learn."""
    assert parameters(kind, data) == seen

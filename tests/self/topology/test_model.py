"""A fabric describes itself: names that are known and names that are not, links, tunnels, needs."""

from __future__ import annotations

import pytest

from tests.self.builders import reference
from topology.errors import UnknownName
from topology.model import stable_mac


def test_unknown_node_lists_the_known_ones() -> None:
    """A name that the lab does not have is refused with those that it has."""
    with pytest.raises(UnknownName, match=r"unknown node of ece792 'lc9'; known: con_ns1, .*sc2"):
        reference()["lc9"]


def test_unknown_device_lists_the_known_ones() -> None:
    """A device that the node does not have is refused with those that it has."""
    with pytest.raises(UnknownName, match="unknown device of cs1 'eth0'; known: cs1_br1"):
        reference()["cs1"]["eth0"]


@pytest.mark.parametrize(
    ("node", "attribute"), [("cs1", "gre"), ("lc1", "vxlan"), ("sc1", "vtep"), ("con_ns2", "address")]
)
def test_what_is_not_there_is_refused(node: str, attribute: str) -> None:
    """A node without a tunnel, or without an address, has none to give."""
    with pytest.raises(UnknownName, match=f"of {node}"):
        getattr(reference()[node], attribute)


def test_mac_is_local_unicast_and_stable() -> None:
    """A made MAC is the same in every build, locally administered, unicast, and the interface's own."""
    mac = stable_mac("ece792", "lc1", "lc1_sc1")
    assert mac == reference()["lc1"]["lc1_sc1"].mac == "02:e5:25:d4:3e:21"
    first = int(mac[:2], 16)
    assert (first & 2, first & 1) == (2, 0)
    assert len({device.mac for device in reference().devices if device.mac}) == 31

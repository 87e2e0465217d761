"""The paths whose throughput is compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.self.topology.simulated_frames import expected_layers
from tests.self.topology.simulation import Network, Seen
from topology.errors import UnknownName
from topology.expected import expected_journey
from topology.model import Fabric
from topology.mtu import device_mtu
from topology.packet import Probe
from topology.paths import PATHS, fabric_of, mtu_of, path
from topology.plan import make_plan

MTUS = {"veth": 1500, "bridge": 1500, "vxlan": 1450, "gre": 1476, "vxlan-in-gre": 1426}


def probe_of(name: str) -> Probe:
    """The probe of a path, as one packet."""
    found = path(name)
    return Probe(found.source, found.target, found.src, found.dst, "udp")


@pytest.fixture(scope="module")
def every() -> Fabric:
    """All paths at once."""
    return fabric_of(PATHS)


@pytest.mark.parametrize("name", PATHS)
def test_path_carries_what_its_name_says(name: str, every: Fabric) -> None:
    """A packet between the measured addresses arrives, inside exactly the tunnels of the path, at the table's MTU."""
    journey = expected_journey(every, probe_of(name))
    assert not journey.dropped
    widest = max((hop.layers for hop in journey.paths[0].hops), key=len)
    assert tuple(layer for layer, _ in widest if layer in ("gre", "vxlan")) == PATHS[name]
    node = every[path(name).source]
    device = next(d for d in node.devices if path(name).src in {i.ip for i in d.addresses})
    assert device_mtu(node, device) == mtu_of(name) == MTUS[name]


@pytest.mark.parametrize("name", PATHS)
def test_simulated_kernels_agree(name: str, every: Fabric) -> None:
    """Kernels with the plan carry the packet as the model expects."""
    probe = replace(probe_of(name), protocol="icmp")
    trace, arrived = Network(make_plan(every)).probe(probe.source, path(name).src, path(name).dst)
    hops = expected_journey(every, probe).paths[0].hops
    assert trace == [Seen(hop.node, hop.interface, hop.direction, expected_layers(hop.layers)) for hop in hops]
    assert arrived == [(probe.target, 64)]


def test_addresses_and_names_are_all_different(every: Fabric) -> None:
    """Nothing of one path can be taken for another's."""
    addresses = [str(address) for device in every.devices for address in device.addresses]
    macs = [device.mac for device in every.devices if device.mac]
    names = [node.name for node in every.nodes]
    for found in (addresses, macs, names):
        assert len(set(found)) == len(found)
    assert all(len(name) <= 15 for name in names)


def test_unknown_path_is_refused() -> None:
    """An unknown path is refused with the known ones."""
    with pytest.raises(UnknownName, match="vxlan-in-gre"):
        fabric_of(["vxlam"])

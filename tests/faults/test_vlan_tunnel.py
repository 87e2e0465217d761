"""One VXLAN device for all VNIs, each a VLAN of its bridge: carried as by a device for each, its mistakes named."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter
from topology.model import Port, Vxlan

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

ENDS = ("cs1", "cs5")
VLANS = (101, 102)
DEVICE = """
ip link del dev {name}; ip link set dev {bridge} type bridge vlan_filtering 1
ip link add name {name} mtu {mtu} type vxlan external local {local} dstport {port} dev {dev}
ip link set dev {name} master {bridge} up
bridge link set dev {name} vlan_tunnel on
for vid in {vlans}; do
    bridge vlan add dev {name} vid $vid
    bridge vlan add dev {name} vid $vid tunnel_info id 10$vid
    bridge fdb append 00:00:00:00:00:00 dev {name} dst {remote} src_vni 10$vid self
done
for port in {ports}; do bridge vlan del dev $port vid 1; bridge vlan add dev $port vid 101 pvid untagged; done
"""
UNMAPPED = "bridge vlan del dev {name} vid 101; bridge vlan add dev {name} vid 101"
MAPPED = UNMAPPED + "; bridge vlan add dev {name} vid 101 tunnel_info id "
MISTAKES: Mapping[str, tuple[str, str, str]] = {
    "another VNI": (
        MAPPED + "99",
        MAPPED + "10101",
        "vid 101 tunnel_info id",
    ),
    "vlan_tunnel off": (
        "bridge link set dev {name} vlan_tunnel off",
        "bridge link set dev {name} vlan_tunnel on; "
        "for vid in {vlans}; do bridge vlan add dev {name} vid $vid tunnel_info id 10$vid; done",
        "vlan_tunnel off",
    ),
    "no remote under the VNI": (
        "bridge fdb del 00:00:00:00:00:00 dev {name} dst {remote} src_vni 10101 self",
        "bridge fdb append 00:00:00:00:00:00 dev {name} dst {remote} src_vni 10101 self",
        "no remote for frames",
    ),
    "no VNI for the VLAN": (
        UNMAPPED,
        MAPPED + "10101",
        "no tunnel_info",
    ),
    "port in another VLAN": (
        "bridge vlan del dev {host} vid 101; bridge vlan add dev {host} vid 102 pvid untagged",
        "bridge vlan del dev {host} vid 102; bridge vlan add dev {host} vid 101 pvid untagged",
        "vlan_filtering, not in VLAN 10",
    ),
}
"""By name what makes the mistake at a node and what undoes it, and the words of its cause."""


def said(fabric: LiveFabric, vxlan: Vxlan, text: str) -> str:
    """The commands for a device of the declared fabric; ``host`` is the port of the pair's end."""
    bridge = fabric.declared[vxlan.node].bridge_of(vxlan.name)
    assert bridge is not None
    ports = [port for port in fabric.declared[vxlan.node].all(Port) if port.name in bridge.members]
    known = {key: getattr(vxlan, key) for key in ("name", "mtu", "local", "port", "dev", "remote")}
    ends = {"bridge": bridge.name, "ports": " ".join(port.name for port in ports), "vlans": " ".join(map(str, VLANS))}
    return text.format(**known, **ends, host=next(port.name for port in ports if port.peer.node in ENDS))


def test_one_device_for_all_vnis_is_followed(pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """The pair arrives; a mistake at either VTEP is named, or both ends that differ by it."""
    pair = next(pair for pair in pristine.declared.pairs if (pair.source, pair.target) == ENDS)
    ends = pristine.declared.all(Vxlan)

    def run(vxlan: Vxlan, text: str) -> None:
        done = pristine.run(vxlan.node, "sh", "-ec", said(pristine, vxlan, text))
        assert done.code == 0, done
        pristine.forget_neighbours()

    for vxlan in ends:
        run(vxlan, DEVICE)
    assert Spotter(undeclared).pair(pair).causes == ()
    for vxlan, (name, (mistake, undo, words)) in zip(cycle(ends), MISTAKES.items(), strict=False):
        run(vxlan, mistake)
        causes = Spotter(undeclared).pair(pair).causes
        assert vxlan.node in {cause.node for cause in causes}, name
        assert words in causes[0].live, name
        run(vxlan, undo)
    assert Spotter(undeclared).pair(pair).causes == ()

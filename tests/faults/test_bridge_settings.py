"""Settings of bridges, of their ports and of address resolution, changed on a copy of the fabric."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from topology.model import Bridge

pytestmark = pytest.mark.faults
PORT_SETTINGS = (
    "state listening",
    "state disabled",
    "hairpin on",
    "guard on",
    "learning off",
    "flood off",
    "mcast_flood off",
    "bcast_flood off",
    "neigh_suppress on",
    "isolated on",
)


def run_in(fabric: LiveFabric, node: str, command: str) -> None:
    """Run a shell command in a node."""
    done = fabric.run(node, "sh", "-c", command)
    assert done.code == 0, done.stderr


def test_each_setting_is_named_and_its_fix_undoes_it(pristine: LiveFabric) -> None:
    """Each setting of a bridge, of its port or of address resolution is one difference, and its fix removes it."""
    bridge = next((found for found in pristine.declared.all(Bridge) if found.members), None)
    if bridge is None:
        pytest.skip("the lab has no bridge with a port")
    node, port = bridge.node, bridge.members[0]
    changes = {setting: f"bridge link set dev {port} {setting}" for setting in PORT_SETTINGS}
    changes["arp off"] = f"ip link set dev {port} arp off"
    changes["vlan_filtering on"] = f"ip link set dev {bridge.name} type bridge vlan_filtering 1"
    changes["stp on"] = f"ip link set dev {bridge.name} type bridge stp_state 1"
    for setting, command in changes.items():
        run_in(pristine, node, command)
        found = {cause.live: cause for cause in pristine.differences(node)}
        assert setting in found, (setting, found)
        run_in(pristine, node, found[setting].fix)
        assert pristine.differences(node) == (), setting

"""What the endings of live state say as causes, each with a command that shows it."""

from __future__ import annotations

from reports.diagnosis.explain import causes_of, explained
from tests.self.builders import reference
from tests.self.dataplane.changes import changed
from tests.self.dataplane.test_endings import ROUTED, SEGMENT, both, group, link
from tests.self.dataplane.test_reasons import REASONS
from topology.expected import probe_between


def test_whole_fabric_has_no_cause() -> None:
    """Nothing is said of pairs that arrive as they are promised to."""
    for pair in reference().pairs:
        assert explained(changed({}), probe_between(reference(), pair.source, pair.target), pair.kind) is None


def test_cause_has_a_command_that_shows_it() -> None:
    """Both ends of a tunnel that disagree are causes, each with a command for its own node."""
    _, changes, *_ = REASONS["checksums at one end"]
    found = explained(changed(changes), probe_between(reference(), *ROUTED))
    assert found is not None
    near, far = causes_of(found)
    assert (near.node, near.kind, near.live, near.source) == ("lc1", "gre", "csum yes", "kernel")
    assert (near.show, far.show) == (
        "ip -n lc1 -d link show dev gretun-cont",
        "ip -n lc2 -d link show dev gretun-cont",
    )


def test_device_outside_its_bridge_is_named_where_a_daemon_knows_no_remotes() -> None:
    """A daemon tells others nothing of such a device, and whoever lacks a remote therefore is not to blame."""
    told = both(group("vxlan-cont", "none"), link("vxlan-cont", parameters={"learning": "off"}))
    for master in ("bridge1", None):
        outside = both(told, link("vxlan-cont", master=master))
        live = changed({"con_ns1": outside, "con_ns3": told})
        for ends in (SEGMENT, SEGMENT[::-1]):
            found = explained(live, probe_between(reference(), *ends))
            said = [(one.node, one.interface, one.kind) for one in causes_of(found)] if found else []
            assert said == ([] if master else [("con_ns1", "vxlan-cont", "bridge")])

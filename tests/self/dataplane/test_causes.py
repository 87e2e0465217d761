"""What the endings of live state say as causes, each with a command that shows it."""

from __future__ import annotations

from reports.diagnosis.explain import causes_of, explained
from tests.self.builders import reference
from tests.self.dataplane.changes import changed
from tests.self.dataplane.test_endings import ROUTED
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

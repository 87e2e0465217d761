"""The live state of every node is the declared one."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric

pytestmark = [pytest.mark.underlay, pytest.mark.overlay]


def test_node_is_as_declared(node: str, fabric: LiveFabric) -> None:
    """A node has the declared state, from links to sysctls, and nothing else that affects packets."""
    assert fabric.differences(node) == ()

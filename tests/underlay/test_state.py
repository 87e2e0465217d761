"""The live state of every node is the declared one."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric

pytestmark = [pytest.mark.underlay, pytest.mark.overlay]


def test_node_is_as_declared(node: str, fabric: LiveFabric) -> None:
    """A node has what is declared and nothing else that decides what becomes of packets, from links to sysctls."""
    assert fabric.differences(node) == ()

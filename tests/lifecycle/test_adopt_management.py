"""Management interfaces of a foreign fabric are no part of it: neither seen, nor a way, nor a change."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter
from tests.lifecycle.kit.foreign import run_as_owner
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.pairs_files import load_pairs_text
from topology.kernels.host import HereKernel
from topology.nodes.registry import ADOPTED

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone]
A, B, ASIDE = (f"{name}{os.getpid() % 10**6}" for name in ("mg-a-", "mg-b-", "mg-c-"))
LINKS = (
    (A, "mgmt", "192.0.2.1/24", B, "mgmt", "192.0.2.2/24"),
    (A, "oob", "198.51.100.1/24", ASIDE, "far", "198.51.100.2/24"),
    (A, "eth1", "10.98.7.1/24", B, "eth1", "10.98.7.2/24"),
)
"""Two hosts joined by a link and by a management network, and a node that another such network alone joins."""
PAIR = f"pairs: [{{source: {A}, target: {B}, kind: bridge}}]\n"


@pytest.fixture
def kernel() -> Iterator[HereKernel]:
    """The kernel here, and the hosts on it."""
    try:
        kernel = HereKernel.start(lambda _: None)
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    try:
        for name in (A, B, ASIDE):
            run_as_owner("ip", "netns", "add", name)
        for near, end, address, far, other, peer in LINKS:
            run_as_owner(
                "ip", "-n", near, "link", "add", "name", end, "type", "veth", "peer", "name", other, "netns", far
            )
            for node, device, own in ((near, end, address), (far, other, peer)):
                run_as_owner("ip", "-n", node, "addr", "add", own, "dev", device)
                run_as_owner("ip", "-n", node, "link", "set", "dev", device, "up")
        yield kernel
    finally:
        kernel.close()
        for name in (A, B, ASIDE):
            run_as_owner("ip", "netns", "del", name)


def test_management_is_no_part_of_an_adopted_fabric(kernel: HereKernel) -> None:
    """The pair is proven by its own link; management is not tapped, is no change, and no probe leaves by it."""
    pairs = load_pairs_text(f"{PAIR}management: [mgmt, 198.51.100.0/24]")
    adopted = LiveFabric(pairs, kernel, ADOPTED)
    assert set(adopted.names) == {A, B}
    assert {device.name for node in adopted.declared.nodes for device in node.devices} == {"eth1"}
    before = adopted.live_states()
    assert Spotter(adopted).pair(pairs.pairs[0]).carried_as("bridge")
    run_as_owner("ip", "netns", "exec", A, "ping", "-c", "1", "-W", "2", "192.0.2.2")
    adopted.taps.collect()
    assert {(seen.node, seen.interface) for seen in adopted.seen} == {(A, "eth1"), (B, "eth1")}
    run_as_owner("ip", "-n", A, "link", "set", "dev", "mgmt", "mtu", "1400")
    assert adopted.changed_since(before) == ()
    run_as_owner("ip", "-n", A, "route", "add", "10.98.7.2/32", "via", "192.0.2.2", "dev", "mgmt")
    adopted.live_states()
    lost = Spotter(adopted).pair(pairs.pairs[0])
    words = f"not sent: {A}: no route to 10.98.7.2 in the fabric; it would take 10.98.7.2/32 via 192.0.2.2 dev mgmt"
    assert words in lost.arrived.message


def test_without_a_word_of_it_management_is_part_of_the_fabric(kernel: HereKernel) -> None:
    """What is not said to be management joins, is tapped, and carries the pair."""
    pairs = load_pairs_text(PAIR)
    adopted = LiveFabric(pairs, kernel, ADOPTED)
    assert set(adopted.names) == {A, B, ASIDE}
    trip = Spotter(adopted).pair(pairs.pairs[0])
    assert {seen.interface for seen in trip.out.sightings} == {"mgmt"}

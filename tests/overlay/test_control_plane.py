"""Routing daemons agree with each other, with the lab's promises, and with their kernels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.control import EVPN, FORWARDED, PREFIX_ROUTES, ROUTER_MACS, SESSIONS
from reports.evidence import Finding
from topology.promises import Pair, Segment

pytestmark = pytest.mark.overlay


@pytest.mark.check(SESSIONS)
def test_sessions_are_established(router: str, judged: Callable[..., Finding]) -> None:
    """Every BGP session that a router is configured for is up."""
    assert judged(router)


@pytest.mark.check(EVPN)
def test_evpn_has_a_route_for_each_host_and_vtep(evpn_segment: Segment, judged: Callable[..., Finding]) -> None:
    """Each VTEP has a type 2 route for every host of a segment, a type 3 route for every VTEP, and no others."""
    assert judged(evpn_segment)


@pytest.mark.check(PREFIX_ROUTES)
def test_evpn_has_a_route_for_each_subnet_of_a_vrf(vrf_router: str, judged: Callable[..., Finding]) -> None:
    """A router has a type 5 route for every subnet to each VTEP that has it, with that VTEP's router MAC."""
    assert judged(vrf_router)


@pytest.mark.check(ROUTER_MACS)
def test_routed_frames_are_between_routers(routed_pair: Pair, judged: Callable[..., Finding]) -> None:
    """Between VTEPs a VRF's packet is in a frame from router to router; each lowers its TTL by one."""
    assert judged(routed_pair)


@pytest.mark.check(FORWARDED)
def test_kernel_forwards_as_bgp_says(router: str, judged: Callable[..., Finding]) -> None:
    """A router's kernel has the routes and forwarding entries that BGP has chosen, and no others from a daemon."""
    assert judged(router)

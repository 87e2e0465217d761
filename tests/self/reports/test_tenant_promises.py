"""The promises of tenants, asked of made-up evidence: each holds where all is as declared, and fails where not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import pytest

from fixtures.instruments.live import LiveFabric
from reports.judge.trip import Leg, Trip
from tests.self.builders import NONCE, Change, leg, reference, seen_hop, sighting, with_field, without_gre
from tests.tenants import test_tenants as promises
from topology.errors import PromiseBroken
from topology.expected import ExpectedJourney, expected_journey, probes_of, reply_to
from topology.formats.lab import LABS
from topology.formats.tenants_csv import read_tenants
from topology.model import Fabric, Vxlan
from topology.packet import Layers
from topology.promises import Tenant
from topology.tenants import add_tenants

PROMISES: dict[str, Callable[[Tenant, Trip, LiveFabric], None]] = {
    "Bridge": promises.test_bridge_stays_on_its_leaf,
    "VXLAN": promises.test_vxlan_carries_the_frame_under_its_own_vni,
    "GRE": promises.test_gre_carries_the_packet_under_its_own_key,
    "L3": promises.test_l3_is_bare_and_rewritten_at_each_routed_hop,
}
MAC = "02:00:00:00:00:99"


@cache
def fabric() -> Fabric:
    """The reference lab with the assignment's tenants."""
    return add_tenants(reference(), read_tenants(LABS / "ece792-tenants.csv"))


def tenant(kind: str) -> Tenant:
    """The assignment's row of a type."""
    return next(found for found in fabric().tenants if found.type == kind)


class Declared(LiveFabric):
    """A fabric of which only the declaration is asked."""

    def __init__(self, declared: Fabric) -> None:
        self.declared = declared


@dataclass(frozen=True)
class Wrong:
    """A change of the packets seen at a node (and, where one is named, an interface) on one way."""

    kind: str
    node: str
    change: Change
    interface: str = ""
    back: bool = False


def trip(kind: str, wrong: Wrong | None = None) -> Trip:
    """Request and answer of a type's row, as they must be seen but for what is wrong."""
    request = replace(probes_of(fabric(), tenant(kind).pair)[0], nonce=NONCE)
    out, back = expected_journey(fabric(), request), expected_journey(fabric(), reply_to(request))
    return Trip(_leg(out, wrong, False), _leg(back, wrong, True))


def _leg(expected: ExpectedJourney, wrong: Wrong | None, back: bool) -> Leg:
    seen = []
    for number, hop in enumerate(expected.paths[0].hops):
        here = wrong and wrong.back == back and wrong.node == hop.node and wrong.interface in ("", hop.interface)
        seen.append(seen_hop(fabric(), hop, number, wrong.change if wrong and here else None))
    return leg(expected, seen)


def bare(layers: Layers) -> Layers:
    """A tunnelled packet without its tunnel, on its link."""
    inner = [index for index, (name, _) in enumerate(layers) if name == "ipv4"][-1]
    return (layers[0], *layers[inner:])


def without_key(layers: Layers) -> Layers:
    """A GRE packet whose header has no key."""
    return tuple((name, {k: v for k, v in fields.items() if k != "key"}) for name, fields in layers)


def in_gre(layers: Layers) -> Layers:
    """A packet in a tunnel that it does not belong in."""
    outer = {"src": "26.0.0.2", "dst": "28.0.0.2", "ttl": 63, "proto": 47}
    return (layers[0], ("ipv4", outer), ("gre", {"proto": 0x0800}), *layers[1:])


WRONGS = {
    "bridge, TTL lowered": Wrong("Bridge", "cs2", with_field("ipv4", ttl=63)),
    "bridge, source MAC rewritten": Wrong("Bridge", "cs2", with_field("ether", src=MAC)),
    "VXLAN, another VNI": Wrong("VXLAN", "sc2", with_field("vxlan", vni=30)),
    "VXLAN, inner MAC rewritten": Wrong("VXLAN", "sc2", with_field("ether", -1, src=MAC)),
    "VXLAN, inner TTL lowered": Wrong("VXLAN", "sc2", with_field("ipv4", -1, ttl=63)),
    "VXLAN, bare": Wrong("VXLAN", "sc2", bare),
    "VXLAN, in GRE too": Wrong("VXLAN", "sc2", in_gre),
    "VXLAN, frame changed on arrival": Wrong("VXLAN", "CS2X", with_field("ether", src=MAC)),
    "GRE, no key": Wrong("GRE", "sc2", without_key),
    "GRE, another key": Wrong("GRE", "sc2", with_field("gre", key=3)),
    "GRE, bare": Wrong("GRE", "sc2", without_gre),
    "GRE, other ends": Wrong("GRE", "sc2", with_field("ipv4", src="25.0.0.2")),
    "GRE, inner TTL as sent": Wrong("GRE", "sc2", with_field("ipv4", -1, ttl=64)),
    "L3, in a tunnel": Wrong("L3", "sc2", in_gre),
    "L3, TTL not lowered": Wrong("L3", "lc1", with_field("ipv4", ttl=64), "lc1_sc2"),
    "L3, MACs not rewritten": Wrong("L3", "sc2", with_field("ether", src=MAC), "sc2_lc2"),
    "L3, address translated": Wrong("L3", "CSY", with_field("ipv4", src="28.0.0.1")),
    "L3, answer in a tunnel": Wrong("L3", "sc2", in_gre, back=True),
}


@pytest.mark.parametrize("kind", PROMISES)
def test_promise_holds_where_all_is_as_declared(kind: str) -> None:
    """A row whose packets look as its type wants them keeps its promise."""
    PROMISES[kind](tenant(kind), trip(kind), Declared(fabric()))


@pytest.mark.parametrize("name", WRONGS)
def test_promise_fails_where_a_packet_is_wrong(name: str) -> None:
    """A packet that arrives, but not as its row's type promises, fails the promise."""
    wrong = WRONGS[name]
    with pytest.raises((AssertionError, PromiseBroken)):
        PROMISES[wrong.kind](tenant(wrong.kind), trip(wrong.kind, wrong), Declared(fabric()))


@pytest.mark.parametrize(("kind", "node", "interface"), [("Bridge", "lc1", "row1"), ("L3", "sc1", "sc1_lc1")])
def test_promise_fails_where_a_packet_strays(kind: str, node: str, interface: str) -> None:
    """A copy of the packet where it has no business fails the promise, though the packet arrives."""
    good = trip(kind)
    expected = good.out.expected
    seen = [*good.out.journey.sightings, sighting(fabric(), node, interface, "in", expected.paths[0].hops[0].layers, 2)]
    with pytest.raises((AssertionError, PromiseBroken)):
        PROMISES[kind](tenant(kind), replace(good, out=leg(expected, seen)), Declared(fabric()))


def test_promise_fails_where_two_rows_share_a_vni() -> None:
    """A VNI that another tunnel has as well is not the row's own."""
    shared = [
        replace(node, devices=tuple(replace(d, vni=10_002) if isinstance(d, Vxlan) else d for d in node.devices))
        for node in fabric().nodes
    ]
    with pytest.raises(AssertionError):
        PROMISES["VXLAN"](tenant("VXLAN"), trip("VXLAN"), Declared(replace(fabric(), nodes=tuple(shared))))

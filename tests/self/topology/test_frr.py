"""What FRR's daemons print is read as they mean it; recorded from FRR 8.4.4."""

from __future__ import annotations

import json
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from topology.formats.lab import load_lab
from topology.frr import NEIGHBOURS, ROUTES, VNIS, Frr, answers, far_vteps, installed, sessions, trial
from topology.nodes.frr import Need

FILE = Path(__file__).parents[1] / "data" / "frr.json"


@cache
def recorded() -> dict[str, dict[str, dict[str, Any]]]:
    """Answers by what was wrong, node and question."""
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(FILE.read_text())
    return found


@pytest.mark.parametrize(
    ("when", "node", "wanted"),
    [
        ("healthy", "leaf1", []),
        ("wrong-as", "leaf1", ["session with swp1 Idle: OPEN Message Error/Bad Peer AS (AS 64999 expected)"]),
        ("wrong-as", "spine1", ["session with swp1 Idle: Waiting for peer OPEN"]),
        ("shutdown", "leaf1", ["session with swp2 Active: Waiting for peer OPEN"]),
        ("shutdown", "spine2", ["session with swp1 Idle: shut down by its configuration"]),
        ("link-down", "leaf1", ["session with swp1 Idle: no neighbour is known on the interface"]),
    ],
)
def test_session_that_is_down_says_why(when: str, node: str, wanted: list[str]) -> None:
    """Each neighbour's session is read, and one that is down gives FRR's reason."""
    found = sessions(recorded()[when][node][NEIGHBOURS])
    assert len(found) == 2
    assert [str(one) for one in found if not one.is_up] == wanted


def test_routes_count_once_installed() -> None:
    """An address is reached by an installed route to it, and by no other."""
    tables = recorded()["healthy"]["leaf1"][ROUTES[4]]
    assert installed([tables], ip_address("10.0.0.12"))
    assert not installed([tables], ip_address("10.0.0.99"))
    pending = {"10.0.0.99/32": [{"prefix": "10.0.0.99/32", "selected": True}]}
    assert not installed([tables, pending], ip_address("10.0.0.99"))
    assert not installed([tables], ip_address("fd00::1"))


def test_routes_of_each_vrf_count_as_frr_10_nests_them() -> None:
    """FRR 10 prints the tables of all VRFs by their names, where FRR 8 prints one flat table."""
    nested = {"default": recorded()["healthy"]["leaf1"][ROUTES[4]], "red": {}}
    assert installed([nested], ip_address("10.0.0.12"))
    assert not installed([nested], ip_address("10.0.0.99"))


@pytest.mark.parametrize(
    ("when", "node", "vni", "wanted"),
    [
        ("healthy", "leaf1", 10100, ["10.0.0.12"]),
        ("healthy", "leaf1", 77, []),
        ("no-advertise", "leaf1", 10100, []),
        ("no-advertise", "leaf2", 10100, []),
        ("wrong-import", "leaf2", 10100, []),
        ("wrong-import", "leaf2", 10200, ["10.0.0.11"]),
    ],
)
def test_far_vteps_are_those_that_zebra_knows(when: str, node: str, vni: int, wanted: list[str]) -> None:
    """The VTEPs of a VNI are read; there is none where no route was imported or the VNI is unknown."""
    assert sorted(map(str, far_vteps(recorded()[when][node][VNIS], vni))) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("{}\n{}", [{}, {}]),
        ('{"a": 1}\n\n[2]\n', [{"a": 1}, [2]]),
        ("% BGP instance not found\n", []),
        ('{"a": 1}\n% Unknown command', [{"a": 1}]),
        ("[" * 100_000, []),
    ],
)
def test_answers_are_read_up_to_what_is_no_json(text: str, wanted: list[Any]) -> None:
    """Values stand one after the other; words in their place are no answer, and nesting costs nothing."""
    assert answers(text) == wanted


def test_what_is_no_answer_is_read_as_nothing() -> None:
    """A daemon's answer of another form gives no session, no route and no VTEP."""
    strange_ones: list[object] = [None, [], "x", {"default": 1}, {"default": {"swp1": []}}, {"10": {"remoteVteps": 3}}]
    for strange in strange_ones:
        assert sessions(strange) == []
        assert far_vteps(strange, 10) == frozenset()
        assert not installed([strange], ip_address("10.0.0.1"))


def test_need_is_what_promises_ask_of_a_router() -> None:
    """A leaf needs routes to hosts behind the other one, and the VTEPs of its VNIs; a spine its sessions alone."""
    routed, bridged = load_lab("bgp-unnumbered"), load_lab("evpn-l2")
    assert sorted(map(str, Need.of(routed, routed["leaf1"]).targets)) == ["10.2.1.2", "10.2.2.2"]
    assert Need.of(routed, routed["spine1"]) == Need(True, (), {})
    far = frozenset({ip_address("10.0.0.12")})
    assert Need.of(bridged, bridged["leaf1"]) == Need(True, (), {10100: far, 10200: far})


def test_need_of_asymmetric_irb_is_no_route_to_a_host() -> None:
    """A leaf bridges to hosts of its own subnets, unless the VRF's VNI is to carry the packets to them."""
    bridged, routed = load_lab("evpn-ospf"), load_lab("evpn-l3vni")
    need = Need.of(bridged, bridged["leaf1"])
    assert (need.targets, [*map(str, need.bridged)]) == ((), ["172.16.2.2", "172.16.1.2"])
    assert [*map(str, Need.of(bridged, bridged["leaf2"]).targets)] == ["172.19.0.1"]
    assert "172.16.2.2" in map(str, Need.of(routed, routed["leaf1"]).targets)


def test_commands_start_each_daemon_in_the_nodes_own_path_space() -> None:
    """zebra comes first, staticd runs always, the configuration last; a trial needs every daemon of the lab once."""
    frr = Frr("router bgp 1\n", ("bgpd", "bfdd"))
    made = frr.commands("r1", "r1.conf")
    assert [line.split()[0] for line in made] == [
        "install",
        *(f"/usr/lib/frr/{one}" for one in ("zebra", "staticd", "bgpd", "bfdd")),
        "vtysh",
    ]
    assert all("r1" in line.split() or line.endswith("/r1") for line in made)
    assert frr.commands("r1", "my lab/r1.conf")[-1] == "vtysh -N r1 -f 'my lab/r1.conf'"
    assert trial([frr, Frr("")]).count("test -x") == 4
    assert trial([]) == ""

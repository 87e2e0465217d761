"""Tenants on the reference lab: nothing collides, and what the plan tells a kernel does what is promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import replace
from ipaddress import IPv4Network, collapse_addresses
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.builders import reference
from tests.self.draws import draws
from tests.self.topology.agreement import assert_simulated, walked
from tests.self.topology.ip_commands import complaints
from tests.self.topology.lab_text import written
from tests.self.topology.simulation import Network, Refused
from tests.self.topology.tenant_files import ROWS, Row, many_rows, tidy, untidy
from topology.expected import expected_journey, probes_of
from topology.formats import load
from topology.formats.lab import LABS, known_labs, load_lab_text
from topology.formats.tenants_csv import read_tenants, read_tenants_text
from topology.model import NAME_MAX, Fabric, Gre, Vxlan
from topology.plan import Operation, make_plan
from topology.tenants import add_tenants
from topology.tenants.pools import POOLS

KINDS = {"Bridge": "bridge", "VXLAN": "l2-overlay", "GRE": "l3-overlay", "L3": "routed"}
ASSIGNMENT = LABS / "ece792-tenants.csv"


def grown(text: str) -> Fabric:
    """The reference lab with the tenants of a file's text."""
    return add_tenants(reference(), read_tenants_text(text))


def assignment() -> Fabric:
    """The reference lab with the assignment's rows."""
    return add_tenants(reference(), read_tenants(ASSIGNMENT))


def operations(fabric: Fabric) -> list[Operation]:
    """Everything that a kernel gets."""
    plan = make_plan(fabric)
    return [*plan.sysctls, *(op for phase in plan.phases for op in phase)]


def twice(things: Iterable[Hashable]) -> list[Hashable]:
    """List duplicates."""
    return [thing for thing, count in Counter(things).items() if count > 1]


def collisions(fabric: Fabric) -> list[object]:
    """Everything that two parts of a fabric share and must not."""
    devices = list(fabric.devices)
    interfaces = [interface for device in devices for interface in device.addresses]
    vteps, tunnels = Counter(vxlan.vni for vxlan in fabric.all(Vxlan)), fabric.all(Gre)
    names = [node.name for node in fabric.nodes]
    subnets = {IPv4Network(interface.network) for interface in interfaces}
    return [
        *twice(names),
        *twice(name.casefold() for name in names),
        *twice(device.ref for device in devices),
        *twice(device.mac for device in devices if device.mac),
        *twice(interface.ip for interface in interfaces),
        *twice((node.name, route.prefix) for node in fabric.nodes for route in node.routes),
        *twice((node.name, i.network) for node in fabric.nodes for device in node.devices for i in device.addresses),
        *twice((gre.node, gre.local, gre.remote, gre.key) for gre in tunnels),
        *((vni, count) for vni, count in vteps.items() if count != 2),
        *(name for name in chain(names, (device.name for device in devices)) if len(name) > NAME_MAX),
        *(subnets if sum(s.num_addresses for s in collapse_addresses(subnets)) != 256 * len(subnets) else ()),
    ]


def as_planned(fabric: Fabric, rows: list[Row]) -> None:
    """Every row has a tenant with what its type needs, where it must be."""
    assert len(fabric.tenants) == len(rows)
    assert fabric.pairs[len(reference().pairs) :] == tuple(tenant.pair for tenant in fabric.tenants)
    for number, (tenant, row) in enumerate(zip(fabric.tenants, rows, strict=True), 1):
        assert (tenant.number, tenant.type, tenant.pair.row) == (number, row.type, number)
        assert (tenant.pair.source, tenant.pair.target) == (row.source, row.target)
        assert tenant.pair.kind == KINDS[row.type]
        assert tenant.leaves == tuple(f"lc{leaf}" for leaf in row.leaves)
        for end in (row.source, row.target):
            assert fabric[end].has(f"row{number}")
        ends = [fabric[ref.node][ref.interface] for ref in tenant.tunnel]
        if row.type == "VXLAN":
            assert [end.vni for end in ends if isinstance(end, Vxlan)] == [10_000 + number] * 2
        elif row.type == "GRE":
            assert [(end.node, end.key) for end in ends if isinstance(end, Gre)] == [
                (leaf, number) for leaf in tenant.leaves
            ]
        else:
            assert ends == []


def test_reference_lab_is_simulated_as_expected() -> None:
    """The model of forwarding and the simulated kernels agree on every pair of the reference lab."""
    assert_simulated(reference(), reference().pairs)


@settings(max_examples=draws(3))
@given(ROWS.filter(bool), st.data())
def test_random_tenants_collide_nowhere_and_are_carried_as_promised(rows: list[Row], data: st.DataObject) -> None:
    """However a file is typed, its rows get what they need, nothing of it twice, and the lab itself stays as it was."""
    fabric = grown(data.draw(untidy(rows)))
    as_planned(fabric, rows)
    assert collisions(fabric) == []
    for before, after in zip(reference().nodes, fabric.nodes, strict=False):
        assert (after.name, after.role) == (before.name, before.role)
        assert after.devices[: len(before.devices)] == before.devices
        assert after.routes[: len(before.routes)] == before.routes
    assert complaints(make_plan(fabric).commands) == []


@settings(max_examples=draws(2))
@given(ROWS.filter(bool))
def test_random_tenants_are_simulated_as_expected(rows: list[Row]) -> None:
    """The model of forwarding and the simulated kernels agree on every hop of tenants and of the lab's own pairs."""
    fabric = grown(tidy(rows))
    assert_simulated(fabric, fabric.pairs)


def test_many_tenants_collide_nowhere() -> None:
    """A hundred and fifty rows of all types, some customers in several, are planned without a collision and arrive."""
    rows = many_rows(150, seed=792)
    assert len(rows) == 150
    fabric = grown(tidy(rows))
    as_planned(fabric, rows)
    assert collisions(fabric) == []


def test_planned_fabric_passes_the_lab_files_own_checks() -> None:
    """Written as a lab file, a lab with tenants is one that the loader accepts, and reads as the same fabric."""
    fabric = grown(tidy(many_rows(15, seed=1)))
    read = load_lab_text(written(fabric))
    assert {node.name: (frozenset(node.devices), node.routes) for node in read.nodes} == {
        node.name: (frozenset(node.devices), node.routes) for node in fabric.nodes
    }


@pytest.mark.parametrize(
    ("node", "lines"),
    [
        (
            "lc1",
            [
                "addr add 41.0.0.2/24 dev row2",
                "route add 43.0.0.0/24 via 26.0.0.1 dev lc1_sc2",
                "addr add 100.0.0.254/24 dev row4",
                "link add name gretun-row4 type gre local 26.0.0.2 remote 28.0.0.2 ttl inherit key 4",
                "route add 101.0.0.0/24 dev gretun-row4",
                "addr add 110.0.0.254/24 dev row3",
                "route add 111.0.0.0/24 via 26.0.0.1 dev lc1_sc2",
            ],
        ),
        (
            "lc2",
            [
                "route add 41.0.0.0/24 via 28.0.0.1 dev lc2_sc2",
                "addr add 43.0.0.2/24 dev row2",
                "route add 100.0.0.0/24 dev gretun-row4",
                "addr add 101.0.0.254/24 dev row4",
                "route add 110.0.0.0/24 via 28.0.0.1 dev lc2_sc2",
                "addr add 111.0.0.254/24 dev row3",
            ],
        ),
        (
            "sc2",
            [
                "route add 41.0.0.0/24 via 26.0.0.2 dev sc2_lc1",
                "route add 43.0.0.0/24 via 28.0.0.2 dev sc2_lc2",
                "route add 110.0.0.0/24 via 26.0.0.2 dev sc2_lc1",
                "route add 111.0.0.0/24 via 28.0.0.2 dev sc2_lc2",
            ],
        ),
    ],
)
def test_the_assignments_rows_get_the_reports_subnets_and_routes(node: str, lines: list[str]) -> None:
    """The first row of each type is addressed and routed as in the reference report."""
    commands = make_plan(assignment()).commands
    assert [line for line in lines if f"ip -n {node} {line}" not in commands] == []


ADDRESSED = [lab for lab in known_labs() if lab != "ipv6-underlay" and not load(lab).has_daemons]
"""Labs of which spines and leaves have IPv4 addresses on their links."""


@pytest.mark.parametrize("lab", [*ADDRESSED, "leafspine-2x2"])
def test_one_row_of_each_type_is_carried_over_every_lab(lab: str) -> None:
    """Leaves that have no route to each other's tunnel ends get one, and what was planned is carried as promised."""
    fabric = add_tenants(load(lab), read_tenants(LABS / "mixed-tenants.csv"))
    assert len(fabric.tenants) == 5
    assert {
        tenant.type: expected_journey(fabric, probes_of(fabric, tenant.pair)[0]).kind for tenant in fabric.tenants
    } == KINDS


def test_names_are_taken_in_any_case() -> None:
    """CS1 of the assignment is cs1 of the lab, and stays where it is; a new node keeps its first row's spelling."""
    fabric = grown("CS1, CS5, L3\nNew, cs5, VXLAN\nnEW, Cs1, Bridge\n")
    assert [str(tenant.pair) for tenant in fabric.tenants] == [
        "cs1-cs5-routed-row1",
        "New-cs5-l2-overlay-row2",
        "New-cs1-bridge-row3",
    ]
    assert [device.name for device in fabric["New"].devices] == ["row2", "row3"]
    assert len(fabric.nodes) == len(reference().nodes) + 1 + 2 + 1


def test_a_new_node_goes_where_its_partner_needs_it() -> None:
    """Sources go to leaf 1 and destinations to leaf 2, unless the other end is there already."""
    fabric = grown("a,b,L3\nc,a,L3\ncs3,d,GRE\ne,cs4,Bridge\nf,g,Bridge\ng,h,VXLAN")
    assert [tenant.leaves for tenant in fabric.tenants] == [
        ("lc1", "lc2"),
        ("lc2", "lc1"),
        ("lc2", "lc1"),
        ("lc2", "lc2"),
        ("lc1", "lc1"),
        ("lc1", "lc2"),
    ]


def test_positions_are_the_rows() -> None:
    """Each part of a row has that row's place: a refusal by the kernel names the CSV's line."""
    rows = read_tenants_text("a,b,VXLAN\n\n c,d,GRE\ne,f,L3\na,g,Bridge\n", "my.csv")
    fabric = add_tenants(reference(), rows)
    old = {(op.node, op.command) for op in operations(reference())}
    new = [op for op in operations(fabric) if (op.node, op.command) not in old]
    assert {str(op.where) for op in new} == {"my.csv:1:1", "my.csv:3:2", "my.csv:4:1", "my.csv:5:1"}
    assert [str(tenant.pair.where) for tenant in fabric.tenants] == [str(row.where) for row in rows.rows]


def test_pools_are_documented() -> None:
    """The page for users names every pool."""
    page = (Path(__file__).parents[3] / "docs" / "tenants.md").read_text()
    assert [pool for pool in POOLS.values() if f"`{pool}`" not in page] == []


@pytest.mark.parametrize("lost", ["route add 43.0.0.0/24 via 26.0.0.1", "link set dev vxlan master", "ip_forward=1"])
def test_simulation_loses_what_the_plan_leaves_out(lost: str) -> None:
    """Without a route, a bridge's member or forwarding the simulated kernels deliver nothing."""
    fabric = assignment()
    plan = make_plan(fabric)
    phases = tuple(tuple(op for op in phase if lost not in op.command) for phase in plan.phases)
    network = Network(replace(plan, phases=phases, sysctls=tuple(op for op in plan.sysctls if lost not in op.command)))
    assert walked(network, probes_of(fabric, fabric.tenants[1].pair)[0])[1] == []


@pytest.mark.parametrize(
    "again", ["link add name gretun-row4", "addr add 41.0.0.2/24", "route add 111.0.0.0/24", "link add name vxlan"]
)
def test_simulation_refuses_what_is_there_already(again: str) -> None:
    """A device, an address or a route that is made twice is refused, as the kernel would."""
    plan = make_plan(assignment())
    twice_made = tuple((*phase, *(op for op in phase if again in op.command)) for phase in plan.phases)
    with pytest.raises(Refused, match="EEXIST"):
        Network(replace(plan, phases=twice_made))


def test_collisions_are_noticed() -> None:
    """Two rows of one number share names, subnets, a VNI and a key, and every one of these is found."""
    fabric = assignment()
    again = replace(fabric, nodes=(*fabric.nodes, *fabric.nodes[-4:], fabric["lc1"]))
    kinds = {type(found) for found in collisions(again)}
    assert {str, tuple} <= kinds
    assert len(collisions(again)) > 20

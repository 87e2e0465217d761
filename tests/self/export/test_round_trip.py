"""A fabric that is written for containerlab and read again is the same fabric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.builders import reference, vxlan_lab
from tests.self.draws import draws
from tests.self.topology.test_plan import MIXED
from topology.errors import Misuse, UnknownName
from topology.expected import check_pairs
from topology.export import EXPORTS, NAMES, export
from topology.export.clab import to_clab
from topology.formats import load
from topology.formats.clab import load_clab_text
from topology.formats.lab import LABS, load_lab_text
from topology.formats.tenants_csv import read_tenants
from topology.model import PORT_MTU, Device, Fabric, Node, Port, Routing
from topology.plan import make_plan
from topology.promises import Spread, Survival
from topology.tenants import add_tenants

DATA = Path(__file__).parents[1] / "data"
FILES = (
    *(path for path in sorted(LABS.glob("*.yaml")) if not load(path).has_daemons),
    *sorted(DATA.glob("*.yaml")),
    *sorted(DATA.glob("*.clab.yml")),
)
AWKWARD = (
    "on",
    "y",
    "no",
    "Null",
    "0x1f",
    "007",
    "1e3",
    "dev",
    "up",
    "type",
    "via",
    "master",
    "a.b",
    "1_0",
    "name",
    "eth0",
    *("mtu", "src", "dst", "to", "id", "link", "local", "remote", "peer", "netns", "address", "nomaster", "nexthop"),
)


def read_again(fabric: Fabric) -> Fabric:
    """The fabric that its export declares, under its own file's name; reading it has left nothing to tell."""
    found = load_clab_text(to_clab(fabric), extra_checks=(check_pairs,))
    assert found.notes == ()
    return replace(found, file=fabric.file)


def _said(node: Node) -> tuple[Node, frozenset[Device]]:
    """A node with its devices in no order, every port with an MTU."""
    ports = (replace(device, mtu=device.mtu or PORT_MTU) for device in node.all(Port))
    return replace(node, devices=()), frozenset((*ports, *(d for d in node.devices if not isinstance(d, Port))))


def test_generated_fabric_survives_the_round_trip() -> None:
    """A fabric that no file declares comes back with the kernel's MTU said, and devices in a lab file's order."""
    fabric = load("leafspine-2x2")
    found = read_again(fabric)
    assert replace(found, nodes=()) == replace(fabric, nodes=())
    assert [_said(node) for node in found.nodes] == [_said(node) for node in fabric.nodes]


def test_every_promise_and_setting_of_equal_cost_ways_survives() -> None:
    """Both outcomes of a spread, what it survives, events, and settings of the routing come back as they were."""
    fabric = load("ecmp")
    source, target = fabric.pairs[0].source, fabric.pairs[0].target
    failover = (Survival("spine-dead", 1.5, 3, 0, 1, 2), Survival("spine-dark", 0.3), Survival("nothing", lost=0))
    spreads = tuple(Spread(source, target, even, survives) for even in (False, True) for survives in (False, True))
    for routing in (Routing(2, ignore_linkdown=True), Routing(0, ignore_linkdown=True), Routing(1), Routing()):
        changed = replace(fabric, routing=routing, spreads=spreads, failover=failover)
        assert read_again(changed) == changed


def test_tenants_are_refused_not_dropped() -> None:
    """A fabric with tenants is no containerlab file, and says so; it can be drawn."""
    rows = read_tenants(LABS / "ece792-tenants.csv")
    fabric = add_tenants(load("ece792"), rows)
    with pytest.raises(Misuse, match=r"tenants of .*ece792-tenants\.csv cannot be written for containerlab"):
        to_clab(fabric)
    assert "row1" in export(fabric, "dot")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_lab_survives_the_round_trip(path: Path) -> None:
    """Nodes, devices, addresses, routes, links, pairs and title of every lab come back equal, and so does its plan.

    Segments become their pairs.
    """
    fabric = load(path)
    fabric = replace(fabric, pairs=tuple(replace(pair, segment="") for pair in fabric.pairs), segments=(), apart=())
    found = read_again(fabric)
    assert found.nodes == fabric.nodes
    assert found == fabric
    assert make_plan(found) == make_plan(fabric)


def test_lab_of_every_device_survives_the_round_trip() -> None:
    """IPv6, a VXLAN device inside a tunnel, keys, TTLs and bridges without members come back equal."""
    fabric = load_lab_text(MIXED)
    assert read_again(fabric) == fabric


@st.composite
def fabrics(draw: st.DrawFn) -> Fabric:
    """Two leaves with awkward names and every optional setting drawn, linked, tunnelled, and a customer behind each."""
    names = draw(st.lists(st.sampled_from(AWKWARD), min_size=4, max_size=4, unique=True))
    ports = draw(st.lists(st.sampled_from(AWKWARD), min_size=5, max_size=5, unique=True))
    up, down, tunnel, vx, br = (f"'{port}'" for port in ports)
    a, b, c, d = (f"'{name}'" for name in names)
    key = draw(st.sampled_from(["", ", key: 0", ", key: 7", ", key: 4294967295"]))
    settings_ = [draw(st.sampled_from(["", ", mtu: 1300", ", ttl: 9", ", ttl: inherit"])) for _ in range(2)]
    dev = draw(st.sampled_from(["", f", dev: {up}", f", dev: {tunnel}"]))
    mtus = draw(st.sampled_from(["{}", f"{{{up}: 1400}}", f"{{{down}: 9000, {up}: 1280}}"]))
    macs = draw(st.sampled_from(["{}", f"{{{up}: 02:00:00:00:00:77, {br}: 02:00:00:00:00:78}}"]))
    leaf = """
  {node}:
    role: leaf
    addresses: {{{up}: [10.0.0.{n}/30, "fd00::{n}/64"], {down}: 10.{n}.0.254/24, {tunnel}: 10.8.0.{n}/30}}
    mtu: {mtus}
    mac: {macs}
    bridges: {{{br}: [{vx}]}}
    vxlan: {{{vx}: {{vni: 9, local: 10.0.0.{n}, remote: 10.0.0.{m}{dev}}}}}
    gre: {{{tunnel}: {{local: 10.0.0.{n}, remote: 10.0.0.{m}{key}{setting}}}}}
    routes: [10.{m}.0.0/24 dev {raw}, "::/0 via fd00::{m}"]
"""
    leaves = [
        leaf.format(
            node=node,
            n=n,
            m=3 - n,
            up=up,
            down=down,
            tunnel=tunnel,
            vx=vx,
            br=br,
            key=key,
            dev=dev,
            raw=ports[2],
            mtus=mtus if n == 1 else "{}",
            macs=macs if n == 1 else "{}",
            setting=settings_[n - 1],
        )
        for n, node in ((1, a), (2, b))
    ]
    customers = [
        f"  {node}: {{role: customer, addresses: {{{up}: 10.{n}.0.1/24}}, routes: [default via 10.{n}.0.254]}}\n"
        for n, node in ((1, c), (2, d))
    ]
    ends = [(names[0], ports[0], names[1], ports[0]), (names[0], ports[1], names[2], ports[0])]
    ends.append((names[3], ports[0], names[1], ports[1]))
    links = "".join(f"  - ['{w}:{x}', '{y}:{z}']\n" for w, x, y, z in ends)
    pairs = f"  - {{source: {c}, target: {d}, kind: l3-overlay}}\n"
    fabric = load_lab_text(f"lab: drawn\nnodes:{''.join(leaves)}{''.join(customers)}links:\n{links}pairs:\n{pairs}")
    return replace(fabric, title=draw(st.text(max_size=20)))


@settings(max_examples=draws(2))
@given(fabrics())
def test_drawn_fabric_survives_the_round_trip(fabric: Fabric) -> None:
    """A fabric with any names, titles and settings comes back equal."""
    assert read_again(fabric) == fabric


def test_difference_would_be_seen() -> None:
    """The round trip's comparison finds a difference in one setting."""
    fabric = reference()
    changed = replace(fabric.nodes[0], devices=tuple(replace(device, mtu=1400) for device in fabric.nodes[0].devices))
    other = replace(fabric, nodes=(changed, *fabric.nodes[1:]))
    assert read_again(other) != fabric
    assert read_again(other) == other


def exported(fabric: Fabric) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    """The export as another reader of YAML sees it."""
    document: Mapping[str, Mapping[str, Mapping[str, object]]] = yaml.safe_load(to_clab(fabric))
    return document


def test_export_has_containerlabs_form() -> None:
    """Name, kinds, nodes with a kind and text labels, links of two ends: what containerlab's schema asks for."""
    document = exported(reference())
    assert set(document) == {"name", "topology"}
    assert set(document["topology"]) == {"defaults", "kinds", "nodes", "links"}
    assert document["topology"]["kinds"]["linux"]["network-mode"] == "none"  # type: ignore[index]
    for node in document["topology"]["nodes"].values():
        assert isinstance(node, dict)
        assert node["kind"] == "linux"
        assert all(isinstance(value, str) for value in node["labels"].values())
        assert all(isinstance(line, str) for line in node.get("exec", ()))


def test_macs_that_are_not_derived_are_written() -> None:
    """A MAC of its own makes a link long; a port without an MTU has the kernel's 1500, not containerlab's 9500."""
    fabric = vxlan_lab()

    def change(device: Device) -> Device:
        return replace(device, mac="02:00:00:00:00:99", mtu=None) if isinstance(device, Port) else device

    first = replace(fabric.nodes[0], devices=(change(fabric.nodes[0].devices[0]), *fabric.nodes[0].devices[1:]))
    text = to_clab(replace(fabric, nodes=(first, *fabric.nodes[1:])))
    assert text.count('mac: "02:00:00:00:00:99"') == text.count("type: veth") == 1
    assert "mtu: 9500" not in text
    assert load_clab_text(text).nodes[0].devices[0].mtu == 1500


def test_unknown_format_is_refused_with_the_known_ones() -> None:
    """A target of no known suffix or name is answered with those there are."""
    for target in ("lab.svg", "yml", "", "clab.txt"):
        with pytest.raises(UnknownName, match=r"known: .*FILE\.clab\.yml.*FILE\.dot.*clab, dot"):
            export(reference(), target)
    assert {export(reference(), name) for name in ("clab", "-", "x.clab.yaml")} == {to_clab(reference())}
    assert all(export(reference(), f"x{suffix}") for suffix in EXPORTS)
    assert set(NAMES.values()) <= set(EXPORTS)

"""The reference lab is what its report describes; and what a lab file may leave out or write short."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from topology import formats
from topology.errors import LabError, Misuse, Position, UnknownName
from topology.formats.lab import LABS, known_labs, load_lab, load_lab_text
from topology.formats.lab_values import route
from topology.model import Bridge, Fabric, Gre, NextHop, Port, Vxlan
from topology.promises import ABOVE, MtuPromise, Share, Survival
from topology.refs import PortRef
from topology.state import declared_state

REFERENCE = (LABS / "ece792.yaml").read_text()
SMALL = """
lab: small
nodes:
  a:
    role: leaf
    addresses: {up: [10.0.0.1/30, fd00::1/64], loop: 10.9.9.1/32, tun: 10.1.0.1/30}
    mtu: {up: 1400, loop: 1300}
    mac: {up: 02:00:00:00:00:AA}
    bridges: {loop: []}
    gre: {tun: {local: 10.0.0.1, remote: 10.0.0.2, key: 0x10, ttl: 9, mtu: 1300}}
    routes: [default via 10.0.0.2, "::/0 dev up", 10.9.9.2 dev tun via 10.1.0.2]
  b:
    role: leaf
    addresses: {up: 10.0.0.2/30, tun: 10.1.0.2/30}
    bridges: {br: [in]}
    gre: {tun: {local: 10.0.0.2, remote: 10.0.0.1, key: 16}}
  c: {role: customer}
links:
  - {endpoints: [a:up, b:up], mtu: 9000}
  - [b:in, c:out]
"""


@pytest.fixture(scope="module")
def reference() -> Fabric:
    return load_lab("ece792")


@pytest.fixture(scope="module")
def small() -> Fabric:
    return load_lab_text(SMALL)


def test_the_gre_tunnel_is_the_reports(reference: Fabric) -> None:
    """The leaves' tunnel has no key, inherits the TTL, and leaves its MTU to the kernel."""
    assert [(str(g.local), str(g.remote), g.key, g.ttl, g.mtu, g.mac) for g in reference.all(Gre)] == [
        ("26.0.0.2", "28.0.0.2", None, None, None, None),
        ("28.0.0.2", "26.0.0.2", None, None, None, None),
    ]


def test_routes_and_pairs_are_the_reports(reference: Fabric) -> None:
    """Leaf 1 routes to leaf 2's networks by spine or tunnel, and ten pairs are promised."""
    assert [str(route) for route in reference["lc1"].routes] == [
        "27.0.0.0/24 via 25.0.0.1 dev lc1_sc1",
        "28.0.0.0/24 via 26.0.0.1 dev lc1_sc2",
        "23.0.0.0/24 dev gretun-cont",
        "30.0.0.0/24 dev gretun-cont",
    ]
    assert [str(route) for route in reference["cs5"].routes] == ["default via 20.0.0.254"]
    assert len(reference.pairs) == 10
    assert {pair.kind for pair in reference.pairs} == {"bridge", "l2-overlay", "l3-overlay", "hairpin"}
    assert len(reference.spine_links) == 4


def test_every_place_leads_to_the_text_it_came_from(reference: Fabric) -> None:
    """Each part of the fabric knows the line and column that declared it."""
    lines = (LABS / "ece792.yaml").read_text().split("\n")

    def at(where: Position) -> str:
        return lines[where.line - 1][where.column - 1 :]

    assert all(at(node.where).startswith(f"{node.name}:") for node in reference.nodes)
    assert all(at(port.where).startswith(str(port.ref)) for port in reference.all(Port))
    tunnels = (*reference.all(Vxlan), *reference.all(Gre), *reference.all(Bridge))
    assert all(at(device.where).startswith(f"{device.name}:") for device in tunnels)
    assert all(at(link.where).startswith(f"[{link.a}, {link.b}]") for link in reference.links)
    routes = [route for node in reference.nodes for route in node.routes]
    assert all(at(route.where).startswith(str(route)) for route in routes)
    assert all(at(pair.where).startswith(f"{{source: {pair.source}") for pair in reference.pairs)


def test_optional_keys_reach_the_device(small: Fabric) -> None:
    """MTU, MAC, key, TTL and several addresses are taken as declared."""
    up, tunnel = small["a"]["up"], small["a"].gre
    assert up.addresses == (ip_interface("10.0.0.1/30"), ip_interface("fd00::1/64"))
    assert (up.mtu, up.mac) == (1400, "02:00:00:00:00:aa")
    assert small["b"]["up"].mtu == 9000
    assert (small["a"]["loop"].mtu, small["b"]["br"].mtu) == (1300, None)
    assert (tunnel.key, tunnel.ttl, tunnel.mtu) == (16, 9, 1300)
    assert small["a"]["up"] == small["a"].all(Port)[0]
    assert small["c"].all(Port)[0].peer == PortRef("b", "in")


def test_routes_are_read_as_ip_route_reads_them(small: Fabric) -> None:
    """A default is of its gateway's family, a bare address is a host, and the words come in any order."""
    first, second, third = small["a"].routes
    assert (first.prefix, second.prefix) == (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert (third.prefix, third.dev, third.via) == (
        ip_network("10.9.9.2/32"),
        "tun",
        ip_address("10.1.0.2"),
    )


@pytest.mark.parametrize("name", ["nexthop", "onlink", "dev", "via", "default", "nexthop-1"])
def test_device_of_a_route_may_be_called_like_a_word_of_it(name: str) -> None:
    """Behind ``dev`` stands a name, whatever it is, as ip-route(8) reads it."""
    hop = f"via 10.0.0.1 dev {name}"
    assert route(f"10.9.0.0/16 dev {name}").next_hops == (NextHop(None, name),)
    assert route(f"10.9.0.0/16 {hop} onlink").next_hops == (NextHop(ip_address("10.0.0.1"), name, onlink=True),)
    several = route(f"10.9.0.0/16 nexthop {hop} nexthop via 10.0.0.2 dev {name} nexthop dev {name}")
    assert [hop.dev for hop in several.next_hops] == [name] * 3
    assert str(several) == f"10.9.0.0/16 nexthop {hop} nexthop via 10.0.0.2 dev {name} nexthop dev {name}"


def test_a_pair_says_of_sizes_what_the_lab_does_not(reference: Fabric) -> None:
    """A pair's sizes default to the lab's; if neither says anything all is allowed and computed."""
    first, _, l2, _, l3, *_ = reference.pairs
    assert (first.mtu, first.mtu.customers, first.mtu.above) == (l2.mtu, 1426, ABOVE)
    assert (l3.mtu.customers, l3.mtu.above) == (1476, ("icmp",))
    half = REFERENCE.replace("customers: 1476, above: icmp", "above: [icmp, silence, icmp]")
    assert load_lab_text(half).pairs[4].mtu == MtuPromise(1426, ("icmp", "silence"))
    bare = REFERENCE.replace(", mtu: {customers: 1476, above: icmp}", "").replace("\nmtu: {", "\n# {")
    assert {pair.mtu for pair in load_lab_text(bare).pairs} == {MtuPromise()}


def test_an_alias_stands_for_its_value() -> None:
    """A value may be written once and named again."""
    text = SMALL.replace("endpoints: [a:up, b:up], mtu: 9000", "endpoints: [a:up, b:up], mtu: &m 9000")
    fabric = load_lab_text(text + "  - {endpoints: [a:x, c:x], mtu: *m}\n")
    assert fabric["c"]["x"].mtu == 9000


def test_a_lab_is_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is a lab that comes with hopcheck, a path is read as it is, and messages show it from here."""
    assert "ece792" in known_labs()
    (tmp_path / "labs").mkdir()
    mine = tmp_path / "labs" / "mine.yml"
    mine.write_text("\ufeff" + SMALL, encoding="utf-8")
    assert load_lab(mine).file == str(mine)
    monkeypatch.chdir(tmp_path)
    assert load_lab("labs/mine.yml").file == load_lab(mine).file == formats.load(mine).file == "labs/mine.yml"


def test_an_unknown_lab_or_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A name that no lab has, and a suffix that no format has, are answered with those there are."""
    with pytest.raises(UnknownName, match=r"unknown lab 'ece793'; known: .*ece792"):
        load_lab("ece793")
    with pytest.raises(UnknownName, match=r"format of a lab file '.toml'; known: .clab.yaml, .clab.yml, .yaml, .yml"):
        formats.load(tmp_path / "lab.toml")


@pytest.mark.parametrize(
    ("name", "said"), [("none.yaml", "no such file"), ("", "not a file"), ("a\0.yaml", "no such file")]
)
def test_a_file_that_cannot_be_read_is_misuse(tmp_path: Path, name: str, said: str) -> None:
    """A missing file, a directory and an impossible path are said to be so, with the known labs."""
    with pytest.raises(Misuse, match=said) as caught:
        load_lab(tmp_path / name)
    assert "ece792" in str(caught.value)


def test_throughput_is_a_part_of_the_bare_paths() -> None:
    """A path's share is a fraction, of UDP at every size unless the lab says otherwise."""
    said = "throughput:\n  - {path: vxlan, at-least: 40 %}\n"
    said += "  - {path: gre, protocol: tcp, size: 800, at-least: 12.5%}\n"
    assert load_lab_text(SMALL + said).throughput == (Share("vxlan", "udp", 0.4), Share("gre", "tcp", 0.125, 800))
    assert load_lab_text(SMALL).throughput == ()


def test_an_events_bounds_are_read_in_their_units() -> None:
    """Times have a unit, counts have none, and what is left out is not promised."""
    said = "failover:\n  - {event: spine-dead, without-service: 300 ms, lost: 3}\n"
    said += "  - {event: spine-dark, without-service: 1.5s, duplicated: 0, reordered: 1, looped: 2}\n"
    wanted = (Survival("spine-dead", 0.3, lost=3), Survival("spine-dark", 1.5, None, 0, 1, 2))
    assert load_lab_text((LABS / "ecmp.yaml").read_text() + said).failover == wanted


LINK_LOCAL = """
lab: local
nodes:
  a: {role: leaf, addresses: {x: ["10.0.0.1/30", "fe80::1/64"], y: ["10.0.1.1/30", "fe80::1/64"]}}
  b: {role: leaf, addresses: {x: ["10.0.0.2/30", "fe80::2/64"]}}
  c: {role: leaf, addresses: {y: ["10.0.1.2/30", "fe80::2/64"]}}
links: [[a:x, b:x], [a:y, c:y]]
"""


def test_link_local_address_is_one_of_its_link_alone() -> None:
    """IPv6 link-local addresses and their subnet may be on several links (RFC 4291), but an address once on each."""
    assert len(load_lab_text(LINK_LOCAL).nodes) == 3
    with pytest.raises(LabError, match=r"fe80::1 is the address of a:x already"):
        load_lab_text(LINK_LOCAL.replace("fe80::2", "fe80::1", 1))
    with pytest.raises(LabError, match=r"is the address of a:x already"):
        load_lab_text(LINK_LOCAL.replace("fe80::", "fd80::"))


def test_link_local_addresses_are_no_part_of_a_nodes_state() -> None:
    """A readout leaves link-local addresses and routes out, so a declared one must not be reported as missing."""
    state = declared_state(load_lab_text(LINK_LOCAL)["a"])
    assert {str(interface) for _, interface in state.addresses} == {"10.0.0.1/30", "10.0.1.1/30"}
    assert not any(route.prefix.is_link_local for route in state.routes)

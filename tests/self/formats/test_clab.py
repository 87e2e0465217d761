"""A containerlab file becomes the fabric that it configures; omissions, changes and derivations are noted."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from tests.self.formats.clabs import LAB, LINE, TEXT, edited, load, place, with_lines
from topology import formats
from topology.derived_pairs import with_derived_pairs
from topology.formats.clab import load_clab
from topology.model import Bridge, Fabric, Gre, Loopback, Vxlan, stable_mac
from topology.plan import make_plan
from topology.refs import PortRef


@pytest.fixture(scope="module")
def lab() -> Fabric:
    return load_clab(LAB)


def commands(fabric: Fabric, node: str) -> list[str]:
    """The plan's commands in a node, without its name."""
    return [
        op.command.replace(f"ip -n {node} ", "ip ")
        for phase in make_plan(fabric).phases
        for op in phase
        if op.node == node
    ]


def test_suffix_decides(lab: Fabric) -> None:
    """A file whose name ends in .clab.yml is read as containerlab's, whatever its folder; and knows its name."""
    assert formats.load(LAB) == lab
    assert (lab.name, lab.file.rsplit("/", 1)[-1]) == ("two-leaves", "two-leaves.clab.yml")
    assert {suffix for suffix in formats.FORMATS if formats.FORMATS[suffix] is formats.load_clab} == formats.SILENT


def test_links_are_the_fabrics(lab: Fabric) -> None:
    """Both forms of a link become one, in file order, with containerlab's own MTU where none is given."""
    assert str(lab.links[0]) == "spine1:eth1 -- leaf1:eth1"
    assert lab["leaf1"].all(Vxlan)[0].mtu == 1450
    assert [lab[link.a.node][link.a.interface].mtu for link in lab.links] == [9500, 9000, 1500, 1500, 1500, 1500]
    assert lab["h1"]["eth1"].mac == "02:00:00:00:0a:01"
    assert lab["h2"]["eth1"].mac == stable_mac("two-leaves", "h2", "eth1")


def test_tunnel_is_what_the_lines_and_the_kernel_make(lab: Fabric) -> None:
    """A VXLAN device has the remote of its command or of its forwarding database, and is in its bridge."""
    left, right = lab["leaf1"].vxlan, lab["leaf2"].vxlan
    assert (left.local, left.remote) == (right.remote, right.local) == (ip_address("10.0.0.1"), ip_address("10.0.0.2"))
    assert (right.vni, right.port, right.dev) == (10, 4789, None)
    assert lab["leaf1"].all(Bridge)[0].members == ("vxlan10", "eth2", "eth3")
    assert [str(device.addresses[0]) for device in lab["leaf1"].all(Loopback)] == ["10.0.0.1/32"]


def test_bridge_of_a_kind_has_its_name_and_ports(lab: Fabric) -> None:
    """A node of kind bridge is a switch with one bridge over every port that links give it."""
    assert (lab["sw3"].role, lab["sw3"].all(Bridge)[0].name) == ("switch", "sw3")
    assert lab["sw3"].all(Bridge)[0].members == ("sw3-leaf1", "sw3-h3")
    inherited = "sysctls: {net.ipv4.ip_forward: 1}\n    exec: [ip link add br7 type bridge, ip link set br7 up]"
    assert load(edited(("env: {TZ: UTC}", inherited)))["sw3"] == lab["sw3"]


def test_every_place_leads_to_the_line_it_came_from(lab: Fabric) -> None:
    """Each part of the fabric knows the line of the containerlab file that declared it."""
    lines = TEXT.split("\n")

    def at(line: int) -> str:
        return lines[line - 1]

    assert all(f"{node.name}:" in at(node.where.line) for node in lab.nodes)
    assert all(str(route.prefix.network_address) in at(route.where.line) for node in lab.nodes for route in node.routes)
    assert all(device.name in at(device.where.line) for device in lab.all(Vxlan))
    assert all(link.a.interface in at(link.where.line + (link.b == PortRef("h1", "eth1")) * 2) for link in lab.links)


NOTED = (
    ("^spine1:\n", "no label hopcheck.role and no group says it"),
    ("^binds:", "'binds' is left out"),
    ("- ^ethtool", "offloads"),
    ("- ^iperf3", "'iperf3 -s -D' is not run"),
)


def test_what_is_left_out_is_reported_once_at_its_place() -> None:
    """Everything that was left out, changed or derived is noted, each thing once, with its place, in file order."""
    notes = load(TEXT).notes
    assert len(notes) == len(NOTED), notes
    for note, (where, words) in zip(notes, NOTED, strict=True):
        assert note.startswith(f"{place(TEXT, where)}: ")
        assert words in note


LEFT_OUT = (
    (("prefix: ", "prefixes: "), "^prefixes: ", "unknown key 'prefixes'"),
    (("cap-add: [NET_ADMIN]", "caps: [NET_ADMIN]"), "^caps", "unknown key 'caps'"),
    (("cap-add: [NET_ADMIN]", "cmd: /start"), "^cmd: /start", "'cmd' is left out"),
    (("{kind: bridge}", "{kind: bridge, exec: [ls]}"), "[^ls]", "an exec line of a bridge"),
    ((LINE, "- ip route del 10.77.0.0/16"), "- ^ip route del", "no route"),
    ((LINE, "- ip addr del 10.77.0.1/16 dev eth1"), "- ^ip addr del", "no such address"),
    ((LINE, "- ip link del br7"), "- ^ip link del", "no device 'br7'"),
    ((LINE, "- ip link set eth0 mtu 1400"), "- ^ip link set eth0", "management interface"),
    ((LINE, "- ip route add 0.0.0.0/0 via 192.168.10.2"), "- ^ip route add 0.0", "fails (File exists)"),
    ((LINE, "- ip route add default via 192.168.10.2 metric 9"), "- ^ip route add def", "is never used"),
    ((LINE, "- sysctl -w kernel.pid_max=99"), "- ^sysctl -w kernel", "no network's"),
    ((LINE, "- sh -c 'ls | wc -l'"), "- ^sh -c 'ls", "is not run"),
    ((LINE, "- cat /proc/sys/net/ipv4/ip_forward"), "- ^cat", "is not run"),
    ((LINE, "- echo 1 > /proc/sys/net/ipv4/ip_forward"), "- ^echo", "containerlab runs no shell"),
    ((LINE, "- python3 -m http.server 80"), "- ^python3", "is not run"),
)


@pytest.mark.parametrize(("edit", "where", "words"), LEFT_OUT, ids=[edit[1] for edit, *_ in LEFT_OUT])
def test_what_is_left_out_is_noted(edit: tuple[str, str], where: str, words: str) -> None:
    """An omission that does not change the fabric is noted at its place, and the lab loads."""
    text = edited(edit)
    assert [note for note in load(text).notes if note.startswith(f"{place(text, where)}: ") and words in note]


@pytest.mark.parametrize(
    "gone", ["ip route del 0.0.0.0/0", "ip route del default via 172.20.20.1", "ip link set eth0 down"]
)
def test_default_route_of_the_management_network_can_be_removed(gone: str) -> None:
    """Without containerlab's own default route a default route is taken there too, and no note says otherwise."""
    assert not [
        note for note in load(with_lines(gone, "ip route add default via 192.168.10.2")).notes if "fails" in note
    ]


@pytest.mark.parametrize(
    "line",
    [
        *("ip -details -color a", "ip -human-readable -s -s link", "ip -V", "ip -d link", "ip rule list", "ip neigh"),
        *("bridge -d -j fdb show", "sysctl -a", "iptables -L", "iptables -t nat -L POSTROUTING -nv", "ip6tables -S"),
        *("nft -a list ruleset", "tc -s qdisc show dev eth1", "brctl show", "ifconfig -a", "route -n", "wg show"),
        *("vtysh -c 'show ip route' -c 'sh bgp sum'", "systemctl status frr", "birdc show protocols"),
    ],
)
def test_looking_changes_nothing(line: str) -> None:
    """Commands that only look are accepted without a note, also those of programs that can change the network."""
    assert load(with_lines(line)) == load(with_lines("ip a"))


@pytest.mark.parametrize("line", ["ping -c 1 192.168.10.2", "tcpdump -i eth1 -c 1", "traceroute 192.168.10.2"])
def test_probing_is_not_run(line: str) -> None:
    """Programs that send or record packets are left out with a note."""
    assert [note for note in load(with_lines(line)).notes if "is not run" in note]


UNDERSTOOD = {
    ("ip a a 10.5.0.1/24 dev eth1",): "ip addr add 10.5.0.1/24 dev eth1",
    ("ip address add dev eth1 10.5.0.1/24 brd + scope global",): "ip addr add 10.5.0.1/24 dev eth1",
    ("ip addr add 10.5.0.1 dev eth1",): "ip addr add 10.5.0.1/32 dev eth1",
    ("/sbin/ip -6 addr add fd00::5/64 dev eth1 nodad",): "ip addr add fd00::5/64 dev eth1 nodad",
    ("sudo ip route add 10.9.0.0/16 via 192.168.10.2 dev eth1",): "ip route add 10.9.0.0/16 via 192.168.10.2 dev eth1",
    ("ip r a 10.9.0.0/16 dev eth1 scope link proto static",): "ip route add 10.9.0.0/16 dev eth1",
    ("ip route replace default via 192.168.10.3",): "ip route add default via 192.168.10.3",
    ("ip route del default", "ip route add default via 192.168.10.3"): "ip route add default via 192.168.10.3",
    ("ip addr add fd00::5/64 dev eth1", "ip -6 route add default dev eth1"): "ip -6 route add default dev eth1",
    ("ip addr add fd00::5/64 dev eth1", "ip route add default via fd00::6"): "ip -6 route add default via fd00::6",
    ("ip link add br7 up mtu 1400 address 02:00:00:00:00:77 type bridge",): "ip link add name br7 address "
    "02:00:00:00:00:77 mtu 1400 type bridge",
    ("sh -c 'ip link add br7 type bridge && ip link set br7 up; ip link show'",): "ip link add name br7",
    ("sh -c 'ip link add br7 type bridge >/dev/null 2>&1; ip link set br7 up&>/dev/null'",): "ip link add name br7",
    (
        "bash -ec 'ip link add br7 type bridge || true\nip link set br7 up 2>/dev/null >/dev/null'",
    ): "ip link add name br7",
    (
        "sysctl -w net.ipv4.ip_forward=0 net/ipv4/conf/all/rp_filter=0",
        "sysctl net.ipv4.ip_forward",
    ): "ip link set dev lo",
    (
        "ip link add br7 type bridge",
        "ip link set eth1 master br7",
        "ip link set eth1 nomaster",
        "ip link set br7 up",
    ): "ip link set dev br7 up",
}
"""Exec lines of h1, and a command of the plan that must come of them, or its beginning."""


@pytest.mark.parametrize("lines", UNDERSTOOD, ids=lambda lines: "; ".join(lines)[:70])
def test_line_does_here_what_it_does_there(lines: tuple[str, ...]) -> None:
    """Each way to write a command is read as ip(8) reads it, without a note."""
    fabric = load(with_lines(*lines))
    assert [command for command in commands(fabric, "h1") if command.startswith(UNDERSTOOD[lines])]
    assert not [note for note in fabric.notes if ":59:" in note or ":60:" in note], fabric.notes


A, B = "via 192.168.10.2", "via 192.168.10.3"
TO = "10.9.0.0/16"
REMOVED: tuple[tuple[tuple[str, ...], list[str]], ...] = (
    ((f"add {TO} {A}", f"add {TO} {B} metric 5", f"del {TO}"), [f"{TO} {B}"]),
    ((f"add {TO} {A}", f"add {TO} {B} metric 5", f"del {TO} metric 5"), [f"{TO} {A}"]),
    ((f"add {TO} {A}", f"add {TO} {B} metric 5", f"del {TO} {B}"), [f"{TO} {A}"]),
    ((f"add {TO} {A}", f"add {TO} {B} metric 5", f"del {TO} dev eth1"), [f"{TO} {B}"]),
    ((f"add {TO} {A}", f"del {TO} {B}"), [f"{TO} {A}"]),
    ((f"add {TO} {A}", f"del {TO} dev lo"), [f"{TO} {A}"]),
    ((f"add {TO} {A}", f"del {TO} metric 5"), [f"{TO} {A}"]),
    ((f"add {TO} {A}", f"replace {TO} {B}"), [f"{TO} {B}"]),
    ((f"add {TO} nexthop {A} nexthop {B}", f"del {TO} nexthop {A} nexthop {B}"), []),
    ((f"add {TO} nexthop {A} nexthop {B}", f"del {TO} nexthop {B} nexthop {A}"), [f"{TO} nexthop {A} nexthop {B}"]),
)
"""Ends of ``ip route`` commands of h1, and its routes to the prefix afterwards."""


@pytest.mark.parametrize(("ends", "left"), REMOVED, ids=["; ".join(ends) for ends, _ in REMOVED])
def test_only_the_route_that_a_deletion_matches_is_removed(ends: tuple[str, ...], left: list[str]) -> None:
    """``ip route del`` removes the route of the gateway, device and metric that it names, else that of least metric."""
    fabric = load(with_lines(*(f"ip route {end}" for end in ends)))
    assert [str(route) for route in fabric["h1"].routes if TO in str(route)] == left


@pytest.mark.parametrize("metric", ["", " metric 0", " metric 1024"])
def test_ipv6_route_of_no_metric_has_1024(metric: str) -> None:
    """An IPv6 route with a metric below 1024 wins over one with none, and that over one with more."""
    plain, other = (f"ip -6 route add fd06::/64 via fd05::{n}" for n in (2, 3))
    for more, taken in ((100, 3), (2000, 2)):
        lines = ("ip addr add fd05::1/64 dev eth1", f"{plain}{metric}", f"{other} metric {more}")
        routes = [str(route) for route in load(with_lines(*lines))["h1"].routes]
        assert routes == [f"fd06::/64 via fd05::{taken}"]


GRE = """
name: g
topology:
  nodes:
    a:
      kind: linux
      sysctls: {net.ipv4.ip_forward: 1}
      exec:
        - ip addr add 10.0.0.1/30 dev eth1
        - ip addr add fd00::1/64 dev eth1
        - ip tunnel add old mode gre local 10.0.0.1 remote 10.0.0.2 ttl 9 key 0.0.1.0
        - ip link set old up
        - ip link add six type ip6gre local fd00::1 remote fd00::2 ikey 7 okey 7 encaplimit none
        - ip link set six up mtu 1400
        - ip link add vx type vxlan id 5 remote 10.0.0.2 dev eth1
        - ip link set vx up
    b:
      kind: linux
      exec:
        - ip addr add 10.0.0.2/30 dev eth1
        - ip addr add fd00::2/64 dev eth1
        - ip link add old type gre local 10.0.0.2 remote 10.0.0.1 key 256
        - ip link set old up
        - ip link add six type ip6gre local fd00::2 remote fd00::1 key 7 hoplimit 3 encaplimit none
        - ip link set six up
        - ip link add vx type vxlan id 5 local 10.0.0.2 remote 10.0.0.1 dstport 0
        - ip link set vx up
  links:
    - endpoints: [a:eth1, b:eth1]
    - {type: dummy, endpoint: {node: a, interface: d0}}
"""


def test_gre_and_defaults_are_the_kernels() -> None:
    """A tunnel of each command has the TTL, key and port that Linux gives it where the line says nothing."""
    fabric = load(GRE)
    a, b = fabric["a"], fabric["b"]
    assert [(gre.name, gre.key, gre.ttl, gre.mtu) for gre in fabric.all(Gre)] == [
        ("old", 256, 9, None),
        ("six", 7, 64, 1400),
        ("old", 256, None, None),
        ("six", 7, 3, None),
    ]
    assert {vxlan.port for vxlan in fabric.all(Vxlan)} == {8472}
    assert a.vtep == ip_address("10.0.0.1")
    assert isinstance(a["d0"], Bridge)
    assert (a.role, b.role) == ("leaf", "customer")


def test_pairs_of_labels_are_the_fabrics() -> None:
    """Labels of the defaults and of nodes declare pairs, in this order."""
    text = edited(
        ("env: {TZ: UTC}", "labels: {hopcheck.title: Two leaves, hopcheck.pairs: 'h2 h3 l2-overlay'}"),
        ("h2: {kind: linux,", 'h2: {kind: linux, labels: {hopcheck.pairs: "h1 l2-overlay,"},'),
    )
    fabric = load(text)
    assert [str(pair) for pair in fabric.pairs] == ["h2-h3-l2-overlay", "h2-h1-l2-overlay"]
    assert fabric.title == "Two leaves"


def test_pairs_are_derived_where_none_are_given() -> None:
    """Without pairs, those that the model lets arrive are taken, and a note says so; with one, none is added."""
    derived = formats.load(LAB, derive=with_derived_pairs)
    assert {str(pair) for pair in derived.pairs} == {"h1-h2-l2-overlay", "h2-h3-l2-overlay", "h1-h3-bridge"}
    assert "declares no pairs; 3 are derived" in derived.notes[-1]
    assert formats.load(LAB).pairs == ()


H2, LABELS = "h2: {kind: linux,", "      labels:"
ROLES = (
    ((), {"spine": ["spine1"], "leaf": ["leaf1", "leaf2"], "switch": ["sw3"], "customer": ["h1", "h2", "h3"]}),
    (((H2, f"{H2} group: leafs,"),), {"leaf": ["leaf1", "leaf2", "h2"]}),
    (((H2, f"{H2} group: red,"),), {"customer": ["h1", "h2", "h3"]}),
    (((H2, f"{H2} group: leaf, labels: {{hopcheck.role: switch}},"),), {"switch": ["h2", "sw3"]}),
    (((LINE, "- sysctl -w net.ipv4.ip_forward=1"),), {"spine": ["spine1", "h1"]}),
    (
        (("    router:\n", "    router:\n      labels: {hopcheck.role: spine}\n"),),
        {"spine": ["spine1", "leaf1", "leaf2"]},
    ),
    (
        (
            ("env: {TZ: UTC}", "labels: {graph-level: 3}"),
            ("      binds:", "      labels: {graph-level: 2}\n      binds:"),
        ),
        {"spine": ["leaf2"], "leaf": ["spine1", "leaf1"]},
    ),
)


@pytest.mark.parametrize(("edits", "roles"), ROLES)
def test_role_is_said_or_derived(edits: tuple[tuple[str, str], ...], roles: dict[str, list[str]]) -> None:
    """A label decides, then a group's name, then what the node does: forward, end tunnels, bridge, or none of it."""
    fabric = load(edited(*edits))
    assert {role: [node.name for node in fabric.nodes if node.role == role] for role in roles} == roles

"""Parts of a containerlab file beyond hopcheck are refused, each at its place, all at once."""

from __future__ import annotations

import json
import re

import pytest

from tests.self.formats.clabs import LINE, TEXT, edited, load, place, refused, with_lines
from topology.formats import lab_checks

GRAMMAR = re.compile(r"mine\.clab\.yml:[1-9]\d*:[1-9]\d*: [^;\n]+; .+")
ENDS = "local 192.168.10.1 remote 192.168.10.2"
LINES = {
    # Devices of kinds, and options, that hopcheck does not make.
    "ip link add name eth1.10 type vlan id 10": "names no link",
    "ip link add bond0 type bond": "'bond'",
    "ip link add red type vrf table 10": "'vrf'",
    "ip link add br0": "'no type'",
    "ip link add link eth1 name br0 type bridge": "puts a device on another",
    "ip link add br0 type bridge vlan_filtering 1": "vlan_filtering 1",
    "ip link add br0 mode 7 type bridge": "'mode'",
    "ip link add eth1 type bridge": "a device 'eth1' already",
    f"ip link add vx type vxlan id 5 {ENDS} group 239.1.1.1 dev eth1": "'group'",
    f"ip link add vx type vxlan id 5 {ENDS} ttl 5": "ttl 5",
    f"ip link add g type erspan {ENDS}": "'erspan'",
    f"ip link add g type gre {ENDS} csum": "'csum'",
    f"ip link add g type gre {ENDS} ikey 1 okey 2": "two directions differ",
    f"ip link add g type gre {ENDS} ikey 1": "two directions differ",
    f"ip link add g type gre {ENDS} tos 0x10": "tos 0x10",
    "ip link add g type ip6gre local fd00::1 remote fd00::2": "encaplimit none",
    f"ip tunnel add t mode ipip {ENDS}": "'ipip'",
    "ip -6 tunnel add t mode gre local fd00::1 remote fd00::2": "'gre'",
    "ip tunnel add t local 192.168.10.1 mode gre": "'local'",
    "ip link add vx type vxlan id": "ends too early",
    # Devices, addresses and routes.
    "ip link set eth1 down": "eth1 is left down",
    "ip link set eth9 up": "no device 'eth9'",
    "ip link set eth1 netns 7": "'netns'",
    "ip link set eth1 arp off": "arp off",
    "ip link set eth1 master br9": "'br9' is no bridge",
    "ip link set mtu 1400": "names no device",
    "ip link set br up": "'br'",
    "ip link set eth1 type bridge_slave hairpin on": "changes what eth1 was made as",
    "ip link del eth1": "removed again",
    "ip addr add 192.168.10.9/24": "names no device",
    "ip addr add 192.168.11.1 peer 192.168.11.2 dev eth1": "'peer'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 src 192.168.10.1": "'src'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 metric x": "the metric 'x'",
    "ip route add 10.9.0.0/16 nexthop via 192.168.10.2 weight 2 nexthop via 192.168.10.3": "'weight 2'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 nexthop via 192.168.10.3": "a next hop comes before 'nexthop'",
    "ip route add 10.9.0.0/16 nexthop": "has neither gateway nor device",
    "ip route add blackhole 10.9.0.0/16": "'blackhole'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 table 100": "table 100",
    "ip rule add from 10.0.0.0/8 table 100": "is unsupported",
    "ip neigh add 192.168.10.7 lladdr 02:00:00:00:00:07 dev eth1": "is unsupported",
    "ip netns exec blue ip link show": "is unsupported",
    "ip -n blue link set eth1 up": "option '-n'",
    "ip -batch /setup": "option '-batch'",
    "bridge fdb add 02:00:00:00:00:07 dev eth1 dst 10.0.0.1": "no VXLAN device",
    "bridge fdb add 02:00:00:00:00:07 dev eth1 master static": "'master'",
    "bridge vlan add dev eth1 vid 10": "learn",
    # Other programs, the kernel's own settings, and the shell.
    "cp /one /proc/sys/net/ipv4/ip_forward": "setting of the network's",
    "python3 -c \"open('/proc/sys/net/ipv4/ip_forward', 'w').write('1')\"": "setting of the network's",
    "sh -c 'echo 1500 > /sys/class/net/eth1/mtu'": "'>'",
    "sh -c 'cat /one | tee /proc/sys/net/ipv4/ip_forward'": "'|'",
    "sh -c 'cat <<EOF > /proc/sys/net/ipv4/ip_forward\n1\nEOF'": "'<<'",
    "sh -c 'cd /proc/sys/net/ipv4 && echo 1 > ip_forward'": "'cd'",
    "python3 /setup.py": "is a script",
    "bash /setup.sh": "is a script",
    "/usr/lib/frr/docker-start": "is a script",
    "timeout 5 ip link set eth1 mtu 1400": "may change the network",
    "sh -c 'X=1 ip link set eth1 mtu 1400'": "may change the network",
    "iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE": "translates addresses (NAT)",
    "iptables -A FORWARD -j DROP": "may change the network",
    "iptables -L -A FORWARD -j DROP": "may change the network",
    "nft -f list": "may change the network",
    "tc qdisc add dev eth1 root netem delay 10ms": "may change the network",
    "vtysh -b": "may change the network",
    "vtysh -c 'show version' -c 'configure terminal'": "may change the network",
    "vtysh -c 'show version\nconfigure terminal'": "may change the network",
    "route add default gw 192.168.10.2": "may change the network",
    "/etc/init.d/networking restart": "may change the network",
    "/usr/lib/frr/ospf6d -d": "may change the network",
    "sh -c 'ip link set eth1 up || ip link set eth2 up'": "may continue differently",
    "sh -c 'for i in 1 2; do ip addr add 10.0.$i.1/24 dev eth1; done'": "'for'",
    "sh -c 'ip addr add $(cat /ip) dev eth1'": "is not understood",
    "sh -c 'ip link show | grep eth1'": "'|'",
    "sh -c 'ip link set \"eth1 up'": "do not close",
    "ip link set eth1 up && ip link set eth1 mtu 1400": "'&&'",
    "ip link set 'eth1 up": "do not close",
    f"ip link set eth1 alias {'x' * 5000}": "characters",
    "sysctl -w net.ipv4.ip_forward=2": "'2'",
    "sysctl -w net.ipv4.ip_forward": "has no value",
    "sysctl -w net.ipv4.fib_multipath_hash_policy=3": "set to '3'",
    "sysctl -w net.ipv4.conf.all.ignore_routes_with_linkdown=1": "differ",
    "sysctl -w net.ipv6.fib_multipath_hash_policy=1": "net.ipv6.fib_multipath_hash_policy differ",
    "sysctl -w net.ipv4.conf.all.rp_filter=1": "set to '1'",
    "sysctl -w net.ipv4.tcp_congestion_control=bbr": "may change the network",
    "sysctl -p /etc/mine.conf": "from elsewhere",
}
"""An exec line of h1, and words of its problem."""


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:60])
def test_line_that_cannot_be_expressed_is_refused_at_its_place(line: str) -> None:
    """An exec line that configures the network otherwise than hopcheck can is refused, and nothing else is."""
    text = with_lines(line)
    error = refused(text)
    assert len(error.problems) == 1, str(error)
    assert str(error).startswith(place(text, f"- ^{json.dumps(line)}")), str(error)
    assert LINES[line] in str(error)
    assert GRAMMAR.fullmatch(str(error))


H2, ENV, SW3 = "h2: {kind: linux,", "env: {TZ: UTC}", "sw3: {kind: bridge}"
FDB = "bridge fdb append 00:00:00:00:00:00 dev vxlan10 dst 10.0.0.1"
ENTRY = "bridge fdb append 02:00:00:00:00:07 dev vxlan10 dst 10.0.0.1"


def h2(entry: str) -> tuple[str, str]:
    return H2, f"{H2} {entry},"


def label(entry: str) -> tuple[str, str]:
    return h2(f"labels: {{hopcheck.{entry}}}")


def default(entry: str) -> tuple[str, str]:
    return ENV, f"labels: {{hopcheck.{entry}}}"


EDITS = (
    (("name: two-leaves\n", ""), "^prefix", "no 'name'"),
    (("name: two-leaves", "name: [two]"), "name: ^[two]", "is not text"),
    ((SW3, "sw3: {kind: ovs-bridge}"), "kind: ^ovs-bridge", "'ovs-bridge'"),
    ((SW3, "sw3: {}"), "^sw3: {}", "'sw3' has no kind"),
    ((SW3, "sw3: [bridge]"), "sw3: ^[bridge]", "is not a mapping"),
    (h2("network-mode: host"), "network-mode: ^host", "another's network"),
    (label("role: boss"), "role: ^boss", "unknown role 'boss'"),
    (label("rôle: leaf"), "{^hopcheck.rôle", "did you mean 'hopcheck.role'"),
    (label("title: x"), "{^hopcheck.title", "no label"),
    (label("pairs: h3"), "pairs: ^h3", "TARGET KIND"),
    (label("pairs: h9 bridge"), "pairs: ^h9", "unknown node 'h9'"),
    (label("pairs: h3 tunnel"), "pairs: ^h3", "unknown kind 'tunnel'"),
    (label("pairs: h3 bridge"), "pairs: ^h3", "carries it as l2-overlay"),
    (label("spreads: h3"), "spreads: ^h3", "TARGET OVER [survives]"),
    (label("spreads: h3 most"), "spreads: ^h3", "unknown spread 'most'"),
    (default("spreads: h1 h2 one-way twice"), "spreads: ^h1", "is not a spread"),
    (default("pairs: h1 h2 bridge most=9"), "pairs: ^h1", "is not a pair"),
    (default("pairs: h1 h2 bridge customers=many"), "pairs: ^h1", "'many'"),
    (default("pairs: h1 h2 bridge above=icmp+luck"), "pairs: ^h1", "fate of a larger packet"),
    (default("pairs: h1 bridge"), "pairs: ^h1", "SOURCE TARGET KIND"),
    (default("isolation: overlap"), "isolation: ^overlap", "is not a setting"),
    (default("isolation: overlap=maybe"), "isolation: ^overlap", "'maybe'"),
    (("    router:\n", "    router:\n      labels: {hopcheck.pairs: h1 bridge}\n"), "{^hopcheck.pairs", "no label"),
    (h2("stages: {create: {exec: [ls]}}"), "{^exec: [ls]", "a stage"),
    (h2("<<: {}"), "^<<", "merge keys"),
    (("exec: [ip addr add 192.168.10.2/24 dev eth1]", "exec: ls"), "exec: ^ls", "is not a list"),
    (("exec: [ip addr add 192.168.10.2/24 dev eth1]", "exec: [[ls]]"), "exec: [^[ls]", "is not text"),
    (("      binds", "      labels: {hopcheck.role: customer}\n      binds"), "- ^sysctl", "leaf2 forwards"),
    (("mtu: 9000", "mtu: jumbo"), "mtu: ^jumbo", "the MTU is 'jumbo'"),
    (("mtu: 9000", "delay: 10ms"), "^delay", "'delay' of a link"),
    (("type: veth", "type: macvlan"), "- ^type: macvlan", "leaves the fabric"),
    (("type: veth", "type: wormhole"), "type: ^wormhole", "'wormhole'"),
    (('"leaf2:eth2", "h2:eth1"', '"host:eth2", "h2:eth1"'), '- ^{endpoints: ["host', "leaves the fabric"),
    (('"leaf2:eth2", "h2:eth1"', '"leaf9:eth2", "h2:eth1"'), '^"leaf9', "unknown node 'leaf9'"),
    (('"leaf2:eth2", "h2:eth1"', '"leaf2:eth2", "h2:eth0"'), '^"h2:eth0"', "manages the node"),
    (('"leaf2:eth2", "h2:eth1"', '"leaf2:eth2"'), 'endpoints: ^["leaf2:eth2"]', "a link with 1 ends"),
    (
        ("leaf1, interface: eth2}", "leaf1, interface: eth2, ipv4: 10.5.0.1/24}"),
        "^ipv4: 10.5",
        "'ipv4' of a link's end",
    ),
    (('mac: "02:00', 'mac: "03:00'), '^"03:00', "not a unicast"),
    (
        ("- ip link set vxlan10 up mtu", "- ip link set vxlan10 mtu"),
        "- ^ip link add vxlan10 type",
        "vxlan10 is left down",
    ),
    (("dst 10.0.0.1", f"dst 10.0.0.1\n        - {FDB}7"), f"- ^{FDB}7", "unknown remote 10.0.0.17"),
    (("dst 10.0.0.1", "dst 10.0.0.1 via eth1"), "- ^bridge fdb append", "which is not its dev"),
    ((f"        - {FDB}\n", ""), "- ^ip link add name vxlan10", "no 'remote'"),
    (("./leaf2:/srv/leaf2:ro", "./leaf2/frr.conf:/etc/frr/frr.conf"), '[^"./leaf2', "is not read"),
    (("id 10 local 10.0.0.1", "id 11 local 10.0.0.1"), "- ^ip link add name vxlan10", "vni 11"),
    (
        ("br10 up\n", "br10 up\n        - ip link set b7 up\n        - ip link add b7 type bridge\n"),
        "- ^ip link set b7",
        "later",
    ),
)
"""An edit of the lab, the place that is blamed, and words of the problem."""


@pytest.mark.parametrize(("edit", "where", "words"), EDITS, ids=[words for *_, words in EDITS])
def test_file_that_cannot_be_expressed_is_refused_at_its_place(edit: tuple[str, str], where: str, words: str) -> None:
    """A node, link or label that cannot be is refused at its own token."""
    text = edited(edit)
    lines = str(refused(text)).splitlines()
    assert [line for line in lines if words in line and line.startswith(f"{place(text, where)}: ")], lines
    assert all(GRAMMAR.fullmatch(line) for line in lines)


ADDRESS, ROUTE = "ip addr add 10.5.0.1/24 dev eth1", "ip route add 10.6.0.0/16 via 10.5.0.2"
SIX = "ip addr add fd05::1/64 dev eth1"
SEVERAL = "ip -6 route add fd06::/64 nexthop via fd05::2 nexthop via fd05::3"
BRIDGE, UP = "ip link add br7 type bridge", "ip link set br7 up"
LATE, DROPPED = "comes before its device is up", "the kernel drops the route"
ORDERS = {
    (ROUTE, ADDRESS): LATE,
    ("ip -6 route add fd06::/64 via fd05::2", SIX): LATE,
    (BRIDGE, "ip route add 10.6.0.0/16 dev br7", UP): LATE,
    (BRIDGE, "ip addr add 10.7.0.1/24 dev br7", "ip route add 10.6.0.0/16 via 10.7.0.2", UP): LATE,
    ("ip route add 10.6.0.0/16 nexthop via 192.168.10.2 nexthop via 10.5.0.2", ADDRESS): LATE,
    (ADDRESS, ROUTE, "ip link set eth1 down", "ip link set eth1 up"): DROPPED,
    (ADDRESS, ROUTE, "ip addr flush dev eth1", ADDRESS): DROPPED,
    ("sysctl -w net.ipv6.conf.all.disable_ipv6=1", SIX): "switched off on a node",
    (SIX, SEVERAL, "ip -6 route del fd06::/64 via fd05::2"): "removes one next hop of several",
    (SIX, "ip link set eth1 type bridge ageing_time 150"): "whole seconds",
}
"""Exec lines of h1 in an order in which the kernel refuses or drops what they make, and words of the problem."""


@pytest.mark.parametrize("lines", ORDERS, ids="; ".join)
def test_lines_that_the_kernel_would_not_keep_are_refused(lines: tuple[str, ...]) -> None:
    """A route before its device is up and has its address, or before both are taken away again, is refused."""
    assert ORDERS[lines] in str(refused(with_lines(*lines)))


@pytest.mark.parametrize(
    "lines",
    [
        (ADDRESS, ROUTE, "ip addr add 10.5.1.1/32 dev eth1", "ip addr del 10.5.1.1/32 dev eth1"),
        ("ip link set eth1 down", "ip link set eth1 up", ADDRESS, ROUTE),
        (ADDRESS, ROUTE, "ip link set eth1 down", "ip link set eth1 up", ROUTE.replace("add", "replace")),
        (SIX, "ip -6 route add fd06::/64 via fd05::2"),
    ],
    ids="; ".join,
)
def test_route_that_the_kernel_takes_and_keeps_is_not_blamed(lines: tuple[str, ...]) -> None:
    """A route stays while its device is up and has an address; one that is made anew is there again."""
    assert not [note for note in load(with_lines(*lines)).notes if DROPPED in note]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (FDB, FDB.replace("append", "add"), "File exists"),
        (FDB, FDB.replace("append", "replace"), "never replaced"),
        (ENTRY, ENTRY.replace("append", "add"), "File exists"),
        (ENTRY, ENTRY, "changes nothing"),
    ],
)
def test_forwarding_entry_that_the_kernel_does_not_take_is_refused(first: str, second: str, words: str) -> None:
    """An entry that is there is not added again; frames to all are appended to, never replaced."""
    text = edited((f"- {FDB}\n", f"- {FDB}\n        - {first}\n        - {second} self\n"))
    where = place(text, f"^{second} self")
    assert [line for line in str(refused(text)).splitlines() if words in line and line.startswith(where)]


def test_everything_wrong_is_reported_at_once() -> None:
    """Inexpressible parts, no lab and broken YAML of a lab are reported together, in file order."""
    text = edited(
        ("10.1.2.0/31 dev eth2", "10.1.2.300/31 dev eth2"),
        ("nolearning", "gbp"),
        (LINE, "- tc qdisc add dev eth1 root netem loss 1%"),
        ("mtu: 9000", "mtu: 10"),
        ('"sw3:sw3-h3"', '"sw4:sw3-h3"'),
    )
    said = ["'10.1.2.300/31'", "'gbp'", "'tc qdisc", "MTU 10", "unknown node 'sw4'"]
    lines = str(refused(text)).splitlines()
    assert len(lines) == len(said), lines
    assert all(words in line for words, line in zip(said, lines, strict=True)), lines


@pytest.mark.parametrize(
    "edit",
    [
        (ENV, "exec: [nft -f /rules]"),
        ("type: veth", "type: macvlan"),
        ("type: veth", "type: wormhole"),
        ("kind: bridge", "kind: ovs-bridge"),
        ("type bridge stp_state 0", "type bridge stp_state 1"),
    ],
    ids=lambda edit: edit[1],
)
def test_refused_part_makes_no_further_problems(edit: tuple[str, str]) -> None:
    """A line for all nodes, or a refused link, node or device, is one problem, whatever uses it."""
    assert len(refused(edited(edit)).problems) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "starting with 'name: NAME'"),
        ("- a\n", "is not a mapping"),
        ("name: x\n", "no nodes"),
        (f"a: 1\n{TEXT}a: 2", "second time"),
    ],
)
def test_file_that_is_no_topology_is_refused(text: str, words: str) -> None:
    """A file without nodes, or of another form, is no lab."""
    assert words in str(refused(text))


def test_number_of_problems_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message lists at most so many problems."""
    monkeypatch.setattr("topology.formats.clab.MAX_PROBLEMS", 5)
    monkeypatch.setattr(lab_checks, "MAX_PROBLEMS", 5)
    text = with_lines(*(f"iptables -A INPUT -s 10.0.0.{n}" for n in range(20)))
    assert len(refused(text).problems) == 5


def test_nodes_that_choose_among_next_hops_otherwise_are_refused() -> None:
    """A lab says once how next hops are chosen; a node that says otherwise, or is silent on a choice, is wrong."""
    policy = "sysctl -w net.ipv4.fib_multipath_hash_policy={}"
    other = edited((LINE, f"- {policy.format(1)}"), (ENV, f"exec: [{policy.format(0)}]"))
    assert "fib_multipath_hash_policy is 0 at" in str(refused(other))
    choice = "ip route add 10.9.0.0/16 nexthop via 192.168.10.2 nexthop via 192.168.10.3"
    silent = edited((LINE, f"- {choice}"), h2(f"sysctls: {{{policy[10:-3]}: 1}}"))
    assert "fib_multipath_hash_policy is 0 at h1, and 1 on line" in str(refused(silent))
    assert load(silent.replace(choice, "ip route")).routing.hash_policy == 1

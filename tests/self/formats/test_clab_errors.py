"""What a containerlab file says and hopcheck cannot do is refused, each at its place, all at once."""

from __future__ import annotations

import json
import re

import pytest

from tests.self.formats.clabs import LINE, TEXT, edited, load, place, refused, with_lines
from topology.formats import lab_checks

GRAMMAR = re.compile(r"mine\.clab\.yml:[1-9]\d*:[1-9]\d*: [^;\n]+; .+")

LINES = {
    # Devices of kinds, and options, that hopcheck does not make.
    "ip link add name eth1.10 type vlan id 10": "names no link",
    "ip link add v0 type veth peer name v1": "'veth'",
    "ip link add bond0 type bond": "'bond'",
    "ip link add br0": "'no type'",
    "ip link add link eth1 name br0 type bridge": "puts a device on another",
    "ip link add br0 type bridge vlan_filtering 1": "vlan_filtering 1",
    "ip link add br0 type bridge stp_state 1": "stp_state 1",
    "ip link add br0 mode 7 type bridge": "'mode'",
    "ip link add eth1 type bridge": "a device 'eth1' already",
    "ip link add vx type vxlan id 5 group 239.1.1.1 dev eth1 dstport 4789": "'group'",
    "ip link add vx type vxlan id 5 external dstport 4789": "'external'",
    "ip link add vx type vxlan id 5 local 192.168.10.1 remote 192.168.10.2 ttl 5": "ttl 5",
    "ip link add g type gretap local 192.168.10.1 remote 192.168.10.2": "'gretap'",
    "ip link add g type gre local 192.168.10.1 remote 192.168.10.2 csum": "'csum'",
    "ip link add g type gre local 192.168.10.1 remote 192.168.10.2 ikey 1": "two directions differ",
    "ip link add g type gre local 192.168.10.1 remote 192.168.10.2 ikey 1 okey 2": "two directions differ",
    "ip link add g type ip6gre local fd00::1 remote fd00::2": "encaplimit none",
    "ip link add g type gre local 192.168.10.1 remote 192.168.10.2 tos 0x10": "tos 0x10",
    "ip tunnel add t mode ipip local 192.168.10.1 remote 192.168.10.2": "'ipip'",
    "ip -6 tunnel add t mode gre local fd00::1 remote fd00::2": "'gre'",
    "ip tunnel add t local 192.168.10.1 mode gre": "'local'",
    "ip link add vx type vxlan id": "ends too early",
    # What lines do to devices, addresses and routes.
    "ip link set eth1 down": "eth1 is left down",
    "ip link set lo down": "lo is left down",
    "ip link set eth9 up": "no device 'eth9'",
    "ip link set eth1 name uplink": "'name'",
    "ip link set eth1 netns 7": "'netns'",
    "ip link set eth1 arp off": "arp off",
    "ip link set eth1 master br9": "'br9' is no bridge",
    "ip link set mtu 1400": "names no device",
    "ip link del eth1": "removed again",
    "ip addr add 192.168.10.9/24": "names no device",
    "ip addr add 192.168.11.1 peer 192.168.11.2 dev eth1": "'peer'",
    "ip addr add 192.168.10.9/24 dev eth1 scope nowhere": "scope nowhere",
    "ip addr add 300.1.1.1/24 dev eth1": "'300.1.1.1/24' is not an address",
    "ip addr add 10.7.7.1/24 dev eth7": "no interface 'eth7'",
    "ip addr add 10.0.0.9/24 dev eth0": "no interface 'eth0'",
    "ip route add": "names no prefix",
    "ip route add 10.9.0.0/16": "leads nowhere",
    "ip route add 10.9.0.0/16 via 10.99.0.1": "on no subnet of h1",
    "ip route add 10.9.0.0/16 via 192.168.10.2 onlink": "'onlink'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 metric low": "metric 'low'",
    "ip link add br type bridge": "'br'",
    "ip link add br7 type bridge ageing_time 150": "whole seconds",
    "ip link add br7 type bridge mcast_querier 1": "mcast_querier 1",
    "ip link set eth1 multicast off": "multicast off",
    "ip link set eth1 type bridge_slave hairpin on": "changes what eth1 was made as",
    "ip link add vx type vxlan id 5 remote 192.168.10.2 maxaddress 5": "'maxaddress'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 src 192.168.10.1": "'src'",
    "ip route add 10.9.0.0/16 nexthop via 192.168.10.2 weight 2 nexthop via 192.168.10.3": "'weight 2'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 nexthop via 192.168.10.3": "a next hop stands before 'nexthop'",
    "ip route add 10.9.0.0/16 nexthop": "leads nowhere",
    "ip route add blackhole 10.9.0.0/16": "'blackhole'",
    "ip route add 10.9.0.0/16 via 192.168.10.2 table 100": "table 100",
    "ip rule add from 10.0.0.0/8 table 100": "does what hopcheck cannot",
    "ip neigh add 192.168.10.7 lladdr 02:00:00:00:00:07 dev eth1": "does what hopcheck cannot",
    "ip netns exec blue ip link show": "does what hopcheck cannot",
    "ip -n blue link set eth1 up": "option '-n'",
    "ip -batch /setup": "option '-batch'",
    # Other programs, the kernel's own settings, and the shell.
    "tee /proc/sys/net/ipv4/ip_forward": "setting of the network's",
    "cp /one /proc/sys/net/ipv4/ip_forward": "setting of the network's",
    "dd if=/one of=/proc/sys/net/ipv4/ip_forward": "setting of the network's",
    "sed -i s/1/0/ /proc/sys/net/ipv4/ip_forward": "setting of the network's",
    "python3 -c \"open('/proc/sys/net/ipv4/ip_forward', 'w').write('1')\"": "setting of the network's",
    "sh -c 'echo 1500 > /sys/class/net/eth1/mtu'": "'>'",
    "sh -c 'echo 0 > /sys/devices/virtual/net/br7/bridge/ageing_time'": "'>'",
    "sh -c 'cat /one | tee /proc/sys/net/ipv4/ip_forward'": "'|'",
    "sh -c 'cat <<EOF > /proc/sys/net/ipv4/ip_forward\n1\nEOF'": "'<<'",
    "sh -c 'cd /proc/sys/net/ipv4 && echo 1 > ip_forward'": "'cd'",
    "sh -c 'yes 1 > /proc/sys/net/ipv4/ip_forward'": "'>'",
    "python3 /setup.py": "is a script",
    "/usr/lib/frr/docker-start": "is a script",
    "timeout 5 ip link set eth1 mtu 1400": "may change the network",
    "env X=1 ip link set eth1 mtu 1400": "may change the network",
    "sh -c 'X=1 ip link set eth1 mtu 1400'": "may change the network",
    "iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE": "translates addresses (NAT)",
    "nft add rule ip nat postrouting masquerade": "translates addresses (NAT)",
    "bridge fdb add 02:00:00:00:00:07 dev eth1 dst 10.0.0.1": "no VXLAN device",
    "bridge fdb add 02:00:00:00:00:07 dev eth1 master static": "'master'",
    "bridge fdb append 00:00:00:00:00:00 dev eth1 dst 10.0.0.1": "'eth1' is no VXLAN device",
    "bridge vlan add dev eth1 vid 10": "learn",
    "/etc/init.d/networking restart": "may change the network",
    "radvd -C /etc/radvd.conf": "may change the network",
    "/usr/lib/frr/ospf6d -d": "may change the network",
    "sysctl -w net.ipv4.ip_forward=2": "'2'",
    "sysctl -w net.ipv4.ip_forward": "has no value",
    "sysctl -w net.ipv4.fib_multipath_hash_policy=3": "set to '3'",
    "sysctl -w net.ipv4.conf.all.ignore_routes_with_linkdown=1": "differ",
    "sysctl -w net.ipv6.conf.all.ignore_routes_with_linkdown=1": "differ",
    "sysctl -w net.ipv6.fib_multipath_hash_policy=1": "net.ipv6.fib_multipath_hash_policy differ",
    "sysctl -w net.ipv4.conf.eth1.ignore_routes_with_linkdown=1": "set to '1'",
    "sysctl -w net.ipv4.conf.all.rp_filter=1": "set to '1'",
    "sysctl -w net.ipv4.tcp_congestion_control=bbr": "may change the network",
    "sysctl -p /etc/mine.conf": "from elsewhere",
    "iptables -A FORWARD -j DROP": "may change the network",
    "tc qdisc add dev eth1 root netem delay 10ms": "may change the network",
    "brctl addbr br0": "may change the network",
    "/sbin/ifconfig eth1 down": "may change the network",
    "vtysh -b": "may change the network",
    "bash /setup.sh": "is a script",
    "/opt/setup.sh start": "is a script",
    "sh -c 'ip link set eth1 up || ip link set eth2 up'": "another way to go on",
    "sh -c 'for i in 1 2; do ip addr add 10.0.$i.1/24 dev eth1; done'": "'for'",
    "sh -c 'ip addr add $(cat /ip) dev eth1'": "is not understood",
    "sh -c 'ip link show | grep eth1'": "'|'",
    "sh -c 'cat /x >> /proc/sys/net/ipv4/ip_forward; ip link'": "'>'",
    "sh -c 'ip link set \"eth1 up'": "do not close",
    "ip link set eth1 up && ip link set eth1 mtu 1400": "'&&'",
    "ip link set 'eth1 up": "do not close",
    f"ip link set eth1 alias {'x' * 5000}": "characters",
}
"""An exec line of h1, and what is said of it."""


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:60])
def test_line_that_cannot_be_expressed_is_refused_at_its_place(line: str) -> None:
    """An exec line that configures the network otherwise than hopcheck can is refused, and nothing else is."""
    text = with_lines(line)
    error = refused(text)
    assert len(error.problems) == 1, str(error)
    assert str(error).startswith(place(text, f"- ^{json.dumps(line)}")), str(error)
    assert LINES[line] in str(error)
    assert GRAMMAR.fullmatch(str(error))


EDITS = (
    ("name: two-leaves\n", "", "^prefix", "no 'name'"),
    ("name: two-leaves", "name: [two]", "name: ^[two]", "is not text"),
    ("sw3: {kind: bridge}", "sw3: {kind: ovs-bridge}", "kind: ^ovs-bridge", "'ovs-bridge'"),
    ("sw3: {kind: bridge}", "sw3: {}", "^sw3: {}", "'sw3' has no kind"),
    ("sw3: {kind: bridge}", "sw3: [bridge]", "sw3: ^[bridge]", "where a mapping belongs"),
    ("h2: {kind: linux,", "h2: {kind: linux, network-mode: host,", "network-mode: ^host", "another's network"),
    ("h2: {kind: linux,", "h2: {kind: linux, network-mode: 'container:h1',", "^'container:h1'", "another's network"),
    ("h2: {kind: linux,", "h2: {kind: linux, labels: {hopcheck.role: boss},", "role: ^boss", "unknown role 'boss'"),
    (
        "h2: {kind: linux,",
        "h2: {kind: linux, labels: {hopcheck.rôle: leaf},",
        "{^hopcheck.rôle",
        "did you mean 'hopcheck.role'",
    ),
    ("h2: {kind: linux,", "h2: {kind: linux, labels: {hopcheck.title: x},", "{^hopcheck.title", "no label"),
    ("h2: {kind: linux,", "h2: {kind: linux, labels: {hopcheck.pairs: h3},", "pairs: ^h3", "TARGET KIND"),
    ("h2: {kind: linux,", "h2: {kind: linux, labels: {hopcheck.pairs: h9 bridge},", "pairs: ^h9", "unknown node 'h9'"),
    (
        "h2: {kind: linux,",
        "h2: {kind: linux, labels: {hopcheck.pairs: h3 tunnel},",
        "pairs: ^h3",
        "unknown kind 'tunnel'",
    ),
    (
        "h2: {kind: linux,",
        "h2: {kind: linux, labels: {hopcheck.pairs: h3 bridge},",
        "pairs: ^h3",
        "carries it as l2-overlay",
    ),
    (
        "h2: {kind: linux,",
        "h2: {kind: linux, labels: {hopcheck.spreads: h3},",
        "spreads: ^h3",
        "TARGET OVER [survives]",
    ),
    ("env: {TZ: UTC}", "labels: {hopcheck.spreads: h1 h2 one-way twice}", "spreads: ^h1", "is not a spread"),
    ("env: {TZ: UTC}", "labels: {hopcheck.pairs: h1 h2 bridge most=9}", "pairs: ^h1", "is not a pair"),
    ("env: {TZ: UTC}", "labels: {hopcheck.pairs: h1 h2 bridge customers=many}", "pairs: ^h1", "'many'"),
    (
        "env: {TZ: UTC}",
        "labels: {hopcheck.pairs: h1 h2 bridge above=icmp+luck}",
        "pairs: ^h1",
        "fate of a larger packet",
    ),
    ("env: {TZ: UTC}", "labels: {hopcheck.isolation: overlap}", "isolation: ^overlap", "is not a setting"),
    ("env: {TZ: UTC}", "labels: {hopcheck.isolation: overlap=maybe}", "isolation: ^overlap", "'maybe'"),
    (
        "h2: {kind: linux,",
        "h2: {kind: linux, labels: {hopcheck.spreads: h3 most},",
        "spreads: ^h3",
        "unknown spread 'most'",
    ),
    ("env: {TZ: UTC}", "labels: {hopcheck.pairs: h1 bridge}", "pairs: ^h1", "SOURCE TARGET KIND"),
    ("    router:\n", "    router:\n      labels: {hopcheck.pairs: h1 bridge}\n", "{^hopcheck.pairs", "no label"),
    ("h2: {kind: linux,", "h2: {kind: linux, stages: {create: {exec: [ls]}},", "{^exec: [ls]", "a stage"),
    ("h2: {kind: linux,", "h2: {kind: linux, <<: {},", "^<<", "merge keys"),
    ("exec: [ip addr add 192.168.10.2/24 dev eth1]", "exec: ls", "exec: ^ls", "where a list belongs"),
    ("exec: [ip addr add 192.168.10.2/24 dev eth1]", "exec: [[ls]]", "exec: [^[ls]", "where text belongs"),
    (
        "kind: linux\n      group: router\n      binds",
        "kind: linux\n      labels: {hopcheck.role: customer}\n      group: router\n      binds",
        "- ^sysctl",
        "leaf2 forwards",
    ),
    ("mtu: 9000", "mtu: jumbo", "mtu: ^jumbo", "the MTU is 'jumbo'"),
    ("mtu: 9000", "delay: 10ms", "^delay", "'delay' of a link"),
    ("type: veth", "type: macvlan", "- ^type: macvlan", "leaves the fabric"),
    ("type: veth", "type: wormhole", "type: ^wormhole", "'wormhole'"),
    ('"leaf2:eth2", "h2:eth1"', '"host:eth2", "h2:eth1"', '- ^{endpoints: ["host', "leaves the fabric"),
    ('"leaf2:eth2", "h2:eth1"', '"leaf9:eth2", "h2:eth1"', '^"leaf9', "unknown node 'leaf9'"),
    ('"leaf2:eth2", "h2:eth1"', '"leaf2:eth2", "h2:eth0"', '^"h2:eth0"', "manages the node"),
    ('"leaf2:eth2", "h2:eth1"', '"leaf2:eth2"', 'endpoints: ^["leaf2:eth2"]', "a link with 1 ends"),
    ('{endpoints: ["leaf2:eth2", "h2:eth1"], mtu: 1500}', "{mtu: 1501}", "^{mtu: 1501}", "no 'endpoints'"),
    (
        "{node: leaf1, interface: eth2}",
        "{node: leaf1, interface: eth2, ipv4: 10.5.0.1/24}",
        "^ipv4: 10.5",
        "'ipv4' of a link's end",
    ),
    ('mac: "02:00:00:00:0a:01"', 'mac: "03:00:00:00:0a:01"', '^"03:00', "not a unicast"),
    (
        "- ip link set vxlan10 up mtu 1450",
        "- ip link set vxlan10 mtu 1450",
        "- ^ip link add vxlan10 type",
        "vxlan10 is left down",
    ),
    (
        "dst 10.0.0.1",
        "dst 10.0.0.1\n        - bridge fdb append 00:00:00:00:00:00 dev vxlan10 dst 10.0.0.7",
        "- ^bridge fdb append 00:00:00:00:00:00 dev vxlan10 dst 10.0.0.7",
        "nobody owns the remote 10.0.0.7",
    ),
    ("dst 10.0.0.1", "dst 10.0.0.1 via eth1", "- ^bridge fdb append", "which is not its dev"),
    (
        "        - bridge fdb append 00:00:00:00:00:00 dev vxlan10 dst 10.0.0.1\n",
        "",
        "- ^ip link add name vxlan10",
        "no 'remote'",
    ),
    ("./leaf2:/srv/leaf2:ro", "./leaf2/frr.conf:/etc/frr/frr.conf", '[^"./leaf2', "is not read"),
    ("id 10 local 10.0.0.1", "id 11 local 10.0.0.1", "- ^ip link add name vxlan10", "vni 11"),
    (
        "- ip link set br10 up\n",
        "- ip link set br10 up\n        - ip link set late up\n        - ip link add late type bridge\n",
        "- ^ip link set late",
        "late is made only later",
    ),
    (
        "- iperf3 -s -D",
        "- sysctl -w net.ipv6.conf.all.disable_ipv6=1\n        - ip addr add fd00::1/64 dev eth1",
        "- ^sysctl -w net.ipv6",
        "switched off",
    ),
)
"""An edit of the lab, the place that is blamed, and what is said."""


@pytest.mark.parametrize(("old", "new", "where", "words"), EDITS, ids=[words for *_, words in EDITS])
def test_file_that_cannot_be_expressed_is_refused_at_its_place(old: str, new: str, where: str, words: str) -> None:
    """A node, link or label that cannot be is refused at its own token."""
    text = edited((old, new))
    lines = str(refused(text)).splitlines()
    assert [line for line in lines if words in line and line.startswith(f"{place(text, where)}: ")], lines
    assert all(GRAMMAR.fullmatch(line) for line in lines)


def test_everything_wrong_is_told_at_once() -> None:
    """What cannot be expressed, what is no lab and what is no YAML of a lab are told in one reading, in file order."""
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


def test_line_of_many_nodes_is_blamed_once() -> None:
    """A line in the defaults that is wrong for every node is one problem."""
    text = edited(("env: {TZ: UTC}", "exec: [nft -f /rules]"))
    assert len(refused(text).problems) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [("type: veth", "type: macvlan"), ("type: veth", "type: wormhole"), ("kind: bridge", "kind: ovs-bridge")],
)
def test_refused_link_or_node_makes_no_further_problems(old: str, new: str) -> None:
    """What a refused link or node would have brought is not missed in the lines that use it."""
    assert len(refused(edited((old, new))).problems) == 1


def test_refused_device_is_not_blamed_again_where_it_is_used() -> None:
    """Lines about a device whose making was refused are no further problems."""
    error = refused(edited(("ip link add br10 type bridge stp_state 0", "ip link add br10 type bridge stp_state 1")))
    assert [problem.what for problem in error.problems if "stp_state" not in problem.what] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "starting with 'name: NAME'"),
        ("- a\n", "where a mapping belongs"),
        ("word", "where a mapping belongs"),
        ("name: x\n", "no nodes"),
        ("name: x\ntopology: {nodes: {}}", "no nodes"),
        (f"a: 1\n{TEXT}a: 2", "second time"),
    ],
)
def test_file_that_is_no_topology_is_refused(text: str, words: str) -> None:
    """A file without nodes, or of another form, is no lab."""
    assert words in str(refused(text))


def test_number_of_problems_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only as many problems are told as anybody reads."""
    monkeypatch.setattr("topology.formats.clab.MAX_PROBLEMS", 5)
    monkeypatch.setattr(lab_checks, "MAX_PROBLEMS", 5)
    text = with_lines(*(f"iptables -A INPUT -s 10.0.0.{n}" for n in range(20)))
    assert len(refused(text).problems) == 5


def test_lab_of_these_tests_is_sound() -> None:
    """Unchanged, the lab loads: what is refused above is refused for its change."""
    assert load(TEXT).name == "two-leaves"


def test_nodes_that_choose_among_next_hops_otherwise_are_refused() -> None:
    """A lab says once how next hops are chosen; a node that says otherwise, or has a choice and is silent, is told."""
    policy = "sysctl -w net.ipv4.fib_multipath_hash_policy={}"
    other = edited((LINE, f"- {policy.format(1)}"), ("env: {TZ: UTC}", f"exec: [{policy.format(0)}]"))
    assert "fib_multipath_hash_policy is 0 at" in str(refused(other))
    choice = "ip route add 10.9.0.0/16 nexthop via 192.168.10.2 nexthop via 192.168.10.3"
    silent = edited(
        (LINE, f"- {choice}"), ("h2: {kind: linux,", f"h2: {{kind: linux, sysctls: {{{policy[10:-3]}: 1}},")
    )
    assert "fib_multipath_hash_policy is 0 at h1, and 1 on line" in str(refused(silent))
    assert load(silent.replace(choice, "ip route")).routing.hash_policy == 1

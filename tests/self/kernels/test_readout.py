"""Dumps beside links and addresses: entries that users made are read, the kernel's own are not."""

from __future__ import annotations

import struct

import pytest
from pyroute2.netlink.nfnetlink.nftsocket import nft_chain_msg, nft_table_msg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from reports.judge.state import differences
from tests.self.builders import reference, vxlan_lab
from tests.self.kernels.dumps import (
    END,
    NEWADDR,
    NEWQDISC,
    NEWROUTE,
    NEWTFILTER,
    UNKNOWN,
    link,
    neighbour,
    packed,
    recorded,
    rule,
    state_of,
    traffic,
)
from topology.errors import NetlinkError
from topology.kernels.rtnl.dumps import STATE_REQUESTS, forget_requests
from topology.kernels.rtnl.readout import further_requests
from topology.state import DEFAULT_RULES, declared_state

DECLARED = {"6.1.0": declared_state(reference()["con_ns1"]), "6.18.44": declared_state(vxlan_lab()["v1"])}
NAMES = {
    "6.1.0": ("con_ns1", "br1_lc1", "bridge1_cs1", "vxlan-cont"),
    "6.18.44": ("v1", "v1_l1", "v1_c1", "vx"),
}
MAC = "02:00:00:00:00:77"
SELF, EXT_LEARNED, MASTER_3 = 2, 0x10, ("NDA_MASTER", 3)


def reported(tool: str, *changed: tuple[str, bytes], **further: list[bytes]) -> set[str]:
    """The entries of one tool in the state of the made-up node with some of its dumps replaced."""
    return {entry.words for entry in state_of(*changed, further=further).entries if entry.tool == tool}


@pytest.mark.parametrize("moment", ["as built", "after traffic"])
@pytest.mark.parametrize("release", DECLARED)
def test_node_as_built_is_as_declared_on_either_kernel(release: str, moment: str) -> None:
    """Multicast groups, MACs and default qdiscs that a kernel makes by itself are no difference."""
    assert differences(DECLARED[release], recorded(f"{release} {moment}")) == ()


@pytest.mark.parametrize("release", DECLARED)
def test_traffic_leaves_no_mark(release: str) -> None:
    """A reading after traffic is the one before it: counters, ages and what was learned are no part of a state."""
    assert recorded(f"{release} as built").canonical == recorded(f"{release} after traffic").canonical


@pytest.mark.parametrize("release", DECLARED)
def test_each_change_is_reported_once(release: str) -> None:
    """One change of each kind is one cause of each kind; a dynamic forwarding entry and a stale neighbour are none."""
    node, up, port, vxlan = NAMES[release]
    causes = [
        str(cause).split(" - fix: ")[0] for cause in differences(DECLARED[release], recorded(f"{release} changed"))
    ]
    expected = {
        f"{node} - sysctl - expected net.ipv4.ip_forward=0 - seen net.ipv4.ip_forward=1",
        f"{node} - {up} - sysctl - expected net.ipv4.conf.{up}.rp_filter=0 - seen net.ipv4.conf.{up}.rp_filter=2",
        f"{node} - route - expected nothing - seen blackhole 9.9.9.0/24",
        f"{node} - rule - expected nothing - seen pref 50 from 20.0.0.0/24 lookup 100",
        f"{node} - {up} - neigh - expected nothing - seen 21.0.0.9 lladdr 02:00:00:00:00:09 dev {up} nud permanent",
        f"{node} - {port} - fdb - expected nothing - seen 02:00:00:00:00:01 dev {port} master static",
        f"{node} - {vxlan} - fdb - expected nothing"
        f" - seen 02:00:00:00:00:04 dev {vxlan} dst 9.9.9.9 port 9 vni 5 self permanent",
        f"{node} - {port} - filter - expected nothing - seen dev {port} ingress protocol ip pref 5 u32",
        f"{node} - {port} - qdisc - expected nothing - seen dev {port} clsact",
        f"{node} - {up} - qdisc - expected nothing - seen dev {up} root tbf rate 1Mbit burst 10240b limit 20480b",
        *([f"{node} - nft - expected nothing - seen table inet t"] if release == "6.1.0" else []),
    }
    assert sorted(causes) == sorted(expected)


def test_every_family_is_asked_for() -> None:
    """A dump asks for both versions of IP, that of forwarding entries for bridges: pyroute2 has other defaults."""
    families = {request.what: request.data[16] for request in STATE_REQUESTS}
    assert families == {**dict.fromkeys(families, 0), "forwarding": 7}


RULES: dict[str, tuple[bytes, set[str]]] = {
    "from": (
        rule(2, [("FRA_SRC", "10.0.0.0"), ("FRA_PRIORITY", 5)], src_len=8),
        {"pref 5 from 10.0.0.0/8 lookup main"},
    ),
    "to": (rule(2, [("FRA_DST", "10.0.0.0")], dst_len=8), {"pref 0 from all to 10.0.0.0/8 lookup main"}),
    "not": (rule(2, [("FRA_SRC", "10.0.0.1")], src_len=32, flags=2), {"pref 0 not from 10.0.0.1/32 lookup main"}),
    "table": (rule(2, [("FRA_TABLE", 1000)]), {"pref 0 from all lookup 1000"}),
    "mark": (rule(2, [("FRA_FWMARK", 5), ("FRA_FWMASK", 255)]), {"pref 0 from all fwmark 0x5/0xff lookup main"}),
    "devices": (rule(2, [("FRA_IIFNAME", "a"), ("FRA_OIFNAME", "b")]), {"pref 0 from all iif a oif b lookup main"}),
    "ports": (
        rule(2, [("FRA_IP_PROTO", 17), ("FRA_DPORT_RANGE", "53:60")]),
        {"pref 0 from all ipproto 17 dport 53-60 lookup main"},
    ),
    "tos": (rule(2, [], tos=16), {"pref 0 from all tos 0x10 lookup main"}),
    "blackhole": (rule(2, [], action=6), {"pref 0 from all blackhole"}),
    "prohibit": (rule(2, [], action=8), {"pref 0 from all prohibit"}),
    "goto": (rule(2, [("FRA_GOTO", 32766)], action=2), {"pref 0 from all goto 32766"}),
    "l3mdev": (rule(2, [("FRA_L3MDEV", 1)], table=0), {"pref 0 from all l3mdev"}),
    "suppress": (rule(2, [("FRA_SUPPRESS_PREFIXLEN", 0)]), {"pref 0 from all lookup main suppress_prefixlength 0"}),
}
NEIGHBOURS: dict[str, tuple[bytes, set[str]]] = {
    **{
        f"in state {state:#x}": (neighbour(2, 2, state, [("NDA_DST", "10.0.0.9"), ("NDA_LLADDR", MAC)]), set())
        for state in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40)
    },
    "of a daemon": (
        neighbour(2, 2, 0x40, [("NDA_DST", "10.0.0.9"), ("NDA_LLADDR", MAC)], EXT_LEARNED),
        {f"10.0.0.9 lladdr {MAC} dev eth extern_learn"},
    ),
    "permanent": (
        neighbour(10, 2, 0x80, [("NDA_DST", "fd00::9"), ("NDA_LLADDR", MAC)]),
        {f"fd00::9 lladdr {MAC} dev eth nud permanent"},
    ),
}
FORWARDING: dict[str, tuple[bytes, set[str]]] = {
    "static": (neighbour(7, 2, 0x40, [("NDA_LLADDR", MAC), MASTER_3]), {f"{MAC} dev eth master static"}),
    "sticky": (neighbour(7, 2, 0x40, [("NDA_LLADDR", MAC), MASTER_3], 0x40), {f"{MAC} dev eth master static sticky"}),
    "local": (neighbour(7, 2, 0x80, [("NDA_LLADDR", MAC), MASTER_3]), {f"{MAC} dev eth master permanent"}),
    "the bridge's": (neighbour(7, 3, 0x80, [("NDA_LLADDR", MAC), MASTER_3]), {f"{MAC} dev br self permanent"}),
    "the device's": (neighbour(7, 2, 0x80, [("NDA_LLADDR", MAC)], SELF), {f"{MAC} dev eth self permanent"}),
    "in a vlan": (
        neighbour(7, 2, 0x40, [("NDA_LLADDR", MAC), MASTER_3, ("NDA_VLAN", 5)]),
        {f"{MAC} dev eth master static vlan 5"},
    ),
    "in every vlan": (
        neighbour(7, 2, 0x40, [("NDA_LLADDR", MAC), MASTER_3, ("NDA_VLAN", 1)])
        + neighbour(7, 2, 0x40, [("NDA_LLADDR", MAC), MASTER_3]),
        {f"{MAC} dev eth master static"},
    ),
    "a tunnel's": (
        neighbour(7, 4, 0x82, [("NDA_LLADDR", MAC), ("NDA_DST", "10.0.0.7"), ("NDA_IFINDEX", 2)], SELF),
        {f"{MAC} dev vx dst 10.0.0.7 via eth self permanent"},
    ),
    "of a daemon": (
        neighbour(7, 4, 0x02, [("NDA_LLADDR", MAC), ("NDA_DST", "10.0.0.7")], SELF | EXT_LEARNED),
        {f"{MAC} dev vx dst 10.0.0.7 self extern_learn"},
    ),
    "learned": (neighbour(7, 2, 0x02, [("NDA_LLADDR", MAC), MASTER_3]), set()),
    "aged": (neighbour(7, 2, 0x04, [("NDA_LLADDR", MAC), MASTER_3]), set()),
    "learned by a tunnel": (neighbour(7, 4, 0x02, [("NDA_LLADDR", MAC), ("NDA_DST", "10.0.0.7")], SELF), set()),
    "IPv4 group": (neighbour(7, 2, 0x80, [("NDA_LLADDR", "01:00:5e:00:00:01")], SELF), set()),
    "IPv6 group": (neighbour(7, 2, 0x80, [("NDA_LLADDR", "33:33:ff:00:00:01")], SELF), set()),
    "own MAC": (neighbour(7, 2, 0x80, [("NDA_LLADDR", "02:00:00:00:00:01"), MASTER_3]), set()),
    "own MAC elsewhere": (neighbour(7, 4, 0x80, [("NDA_LLADDR", "02:00:00:00:00:01")], SELF), set()),
}
QDISCS: dict[str, tuple[bytes, set[str]]] = {
    "default": (traffic(NEWQDISC, "noqueue", 2, 0, 0xFFFFFFFF), set()),
    "default of a card": (
        traffic(NEWQDISC, "mq", 2, 0, 0xFFFFFFFF) + traffic(NEWQDISC, "fq_codel", 2, 0, 0x00010001),
        set(),
    ),
    "root": (traffic(NEWQDISC, "htb", 2, 0x10000, 0xFFFFFFFF), {"dev eth root htb"}),
    "child": (traffic(NEWQDISC, "pfifo", 2, 0x20000, 0x1000A), {"dev eth parent 1:a pfifo"}),
    "ingress": (traffic(NEWQDISC, "ingress", 4, 0xFFFF0000, 0xFFFFFFF1), {"dev vx ingress"}),
    "clsact": (traffic(NEWQDISC, "clsact", 4, 0xFFFF0000, 0xFFFFFFF1), {"dev vx clsact"}),
}


def route(**fields: int) -> bytes:
    """A route to one network."""
    return packed(NEWROUTE, rtmsg(), {"family": 2, "dst_len": 24} | fields, [("RTA_DST", "10.1.0.0"), ("RTA_OIF", 2)])


LABELLED = route(table=254, type=1, proto=3, dst_len=20)
LABELLED = LABELLED[:16] + bytes([28]) + LABELLED[17:].replace(bytes((10, 1, 0, 0)), bytes((0, 6, 65, 0)))
"""The family follows the header of 16 bytes (linux/netlink.h); a label stands in the first 20 bits."""


OTHER_ROUTES: dict[str, tuple[bytes, set[str]]] = {
    "a table of its own": (route(table=100, type=1, proto=3), {"10.1.0.0/24 dev eth table 100"}),
    "default": (route(table=253, type=6, proto=3), {"blackhole 10.1.0.0/24 table default"}),
    "hijacked": (route(table=255, type=2, proto=4), {"local 10.1.0.0/24 dev eth table local"}),
    "the node's address": (route(table=255, type=2, proto=2), set()),
    "its broadcast": (route(table=255, type=3, proto=2), set()),
    "cached": (route(table=100, type=1, proto=3, flags=0x200), set()),
    "main": (route(table=254, type=1, proto=3), set()),
    "of a label (MPLS)": (LABELLED, set()),
    "by a next hop of the other IP version": (
        packed(
            NEWROUTE,
            rtmsg(),
            {"family": 2, "dst_len": 24, "table": 100, "type": 1, "proto": 3},
            [("RTA_DST", "10.1.0.0"), ("RTA_VIA", {"family": 10, "addr": "fe80::2"}), ("RTA_OIF", 2)],
        ),
        {"10.1.0.0/24 via inet6 fe80::2 dev eth table 100"},
    ),
}
ENTRIES = [
    pytest.param(tool, what, *case, id=f"{tool} {name}")
    for tool, what, cases in (
        ("ip rule", "rules", RULES),
        ("ip neigh", "neighbours", NEIGHBOURS),
        ("bridge fdb", "forwarding", FORWARDING),
        ("tc qdisc", "qdiscs", QDISCS),
        ("ip route", "routes", OTHER_ROUTES),
    )
    for name, case in cases.items()
]


@pytest.mark.parametrize(("tool", "what", "data", "words"), ENTRIES)
def test_entry_is_read_as_it_is_typed_if_a_person_made_it(tool: str, what: str, data: bytes, words: set[str]) -> None:
    """An entry reads in the words that delete it; what the kernel learns, ages or makes by itself is left out."""
    assert reported(tool, (what, data + END)) == words


def test_rules_of_both_versions_stay_apart() -> None:
    """An IPv6 rule is one of ``ip -6 rule``; those of multicast routing (families 128 and 129) are not."""
    data = rule(10, [("FRA_SRC", "fd00::")], src_len=64) + rule(128, []) + rule(129, [])
    assert reported("ip -6 rule", ("rules", data + END)) == {"pref 0 from fd00::/64 lookup main"}
    assert reported("ip rule", ("rules", data + END)) == {entry.words for entry in DEFAULT_RULES[4]}


@pytest.mark.parametrize("answer", [END, UNKNOWN], ids=["none", "unknown"])
def test_kernel_without_policy_rules_does_what_the_default_ones_say(answer: bytes) -> None:
    """A kernel built without policy rules misses nothing."""
    assert DEFAULT_RULES[4] | DEFAULT_RULES[6] <= state_of(("rules", answer)).entries


@pytest.mark.parametrize(
    ("kind", "handle", "parent", "places"),
    [
        ("clsact", 0xFFFF0000, 0xFFFFFFF1, [(2, 0xFFFFFFF2), (2, 0xFFFFFFF3)]),
        ("ingress", 0xFFFF0000, 0xFFFFFFF1, [(2, 0xFFFFFFF2)]),
        ("htb", 0x10000, 0xFFFFFFFF, [(2, 0x10000)]),
        ("netem", 0x10000, 0xFFFFFFFF, []),
        ("noqueue", 0, 0xFFFFFFFF, []),
        ("fq_codel", 0, 0xFFFFFFFF, []),
    ],
)
def test_filters_are_asked_for_where_there_may_be_some(
    kind: str, handle: int, parent: int, places: list[tuple[int, int]]
) -> None:
    """A node without qdiscs of its own costs no further question."""
    answers = {"qdiscs": [traffic(NEWQDISC, kind, 2, handle, parent) + END]}
    asked = [struct.unpack_from("=4xiII", request.data, 16) for request in further_requests("n", answers)]
    assert [(index, where) for index, _, where in asked] == places


@pytest.mark.parametrize(
    ("parent", "info", "words"),
    [
        (0xFFFFFFF2, 5 << 16 | 0x0008, "dev eth ingress protocol ip pref 5 flower"),
        (0xFFFFFFF3, 49152 << 16 | 0x0300, "dev eth egress protocol all pref 49152 flower"),
        (0x10000, 7 << 16 | 0xDD86, "dev eth parent 1: protocol ipv6 pref 7 flower"),
        (0x10001, 7 << 16 | 0xB588, "dev eth parent 1:1 protocol 0x88b5 pref 7 flower"),
    ],
)
def test_filter_is_reported_once_for_all_that_it_matches(parent: int, info: int, words: str) -> None:
    """A filter has a message of its own and one for each thing that it matches (tc_dump_tfilter)."""
    data = b"".join(traffic(NEWTFILTER, "flower", 2, handle, parent, info) for handle in (0, 1, 2))
    assert reported("tc filter", filters=[data + END]) == {words}


def test_tables_of_nftables_are_read() -> None:
    """Any table is listed."""
    tables = [packed(0xA00, nft_table_msg(), {"nfgen_family": n}, [("NFTA_TABLE_NAME", "t")]) for n in (1, 2, 99)]
    assert reported("nft", tables=[b"".join(tables) + END]) == {"table inet t", "table ip t", "table 99 t"}


NFT_ACCEPT, NFT_DROP = (("NFTA_CHAIN_POLICY", policy) for policy in (1, 0))
RESOLVER = struct.pack("=HH4s", 8, 4, bytes((127, 0, 0, 11)))
"""The address of docker's resolver, as a rule compares with it."""


def nft_rule(table: str, extra: bytes = b"") -> bytes:
    """A rule of an IPv4 table, which names it first (NFTA_RULE_TABLE)."""
    name = table.encode() + b"\0"
    body = struct.pack("=BBH", 2, 0, 0) + struct.pack("=HH", 4 + len(name), 1) + name.ljust((len(name) + 3) & ~3, b"\0")
    return struct.pack("=IHHII", 16 + len(body) + len(extra), 0xA06, 0, 0, 0) + body + extra


@pytest.mark.parametrize(
    ("table", "chains", "rules", "idle"),
    [
        ("filter", [], [], True),
        ("filter", [NFT_ACCEPT], [], True),
        ("filter", [NFT_ACCEPT, NFT_DROP], [], False),
        ("filter", [], [nft_rule("filter")], False),
        ("filter", [], [nft_rule("other")], True),
        ("filter", [], [nft_rule("filter", RESOLVER)], False),
        ("nat", [NFT_ACCEPT], [nft_rule("nat", RESOLVER)], True),
        ("nat", [NFT_ACCEPT], [nft_rule("nat", RESOLVER), nft_rule("nat")], False),
    ],
)
def test_table_that_does_nothing_differs_from_one_that_does(
    table: str, chains: list[tuple[str, int]], rules: list[bytes], idle: bool
) -> None:
    """A chain that drops, or a rule, makes a table act; the rules of docker's resolver in containers do not."""
    named = {"nfgen_family": 2}
    tables = packed(0xA00, nft_table_msg(), named, [("NFTA_TABLE_NAME", table)]) + END
    known = [packed(0xA03, nft_chain_msg(), named, [("NFTA_CHAIN_TABLE", table), policy]) for policy in chains]
    further = {"tables": [tables], "chains": [b"".join(known) + END], "nft rules": [b"".join(rules) + END]}
    (entry,) = (one for one in state_of(further=further).entries if one.tool == "nft")
    assert entry.idle == idle


@pytest.mark.parametrize(("number", "kind"), [(6, "blackhole"), (7, "unreachable"), (8, "prohibit"), (9, "throw")])
def test_route_that_refuses_is_a_route(number: int, kind: str) -> None:
    """A route that is not unicast is reported by its type, without a device."""
    routes = state_of(("routes", route(table=254, type=number) + END)).routes
    assert {str(found) for found in routes} == {f"{kind} 10.1.0.0/24"}


OF_LINK = [(2, "169.254.1.1", "169.254.0.0", 16), (10, "fe80::1", "fe80::", 64)]


@pytest.mark.parametrize(("family", "local", "prefix", "length"), OF_LINK)
def test_only_ipv6_link_local_ends_are_left_out(family: int, local: str, prefix: str, length: int) -> None:
    """The kernel makes no address of 169.254.0.0/16 by itself: one that is there was given."""
    named = {"family": family, "prefixlen": length, "index": 2}
    address = packed(NEWADDR, ifaddrmsg(), named, [("IFA_ADDRESS", local), ("IFA_LOCAL", local)])
    way = {"family": family, "dst_len": length, "table": 254, "type": 1, "proto": 2}
    subnet = packed(NEWROUTE, rtmsg(), way, [("RTA_DST", prefix), ("RTA_OIF", 2)])
    state = state_of(("addresses", address + END), ("routes", subnet + END))
    assert {str(one) for _, one in state.addresses} == ({f"{local}/{length}"} if family == 2 else set())
    assert {str(one.prefix) for one in state.routes} == ({f"{prefix}/{length}"} if family == 2 else set())


@pytest.mark.parametrize("what", ["links", "addresses", "routes"])
def test_kernel_that_knows_no_links_is_no_kernel(what: str) -> None:
    """Every kernel must answer for links."""
    with pytest.raises(NetlinkError, match=f"n - {what} - expected all of them"):
        state_of((what, UNKNOWN))


@pytest.mark.parametrize("what", ["rules", "neighbours", "forwarding", "qdiscs"])
@pytest.mark.parametrize(
    "answer", [b"", END[:8], struct.pack("=IHHIIi", 20, 2, 0, 0, 0, -1)], ids=["none", "half", "EPERM"]
)
def test_answer_that_is_not_whole_is_no_state(what: str, answer: bytes) -> None:
    """A refused or cut-off answer never counts as an empty one."""
    with pytest.raises(NetlinkError):
        state_of((what, answer))


@pytest.mark.parametrize("what", ["filters", "tables"])
def test_further_answer_that_is_not_whole_is_no_state(what: str) -> None:
    """The same for what is asked second."""
    with pytest.raises(NetlinkError, match=f"n - {what} - expected all of them"):
        state_of(further={what: [b""]})


NEIGHBOUR = [("NDA_DST", "10.0.0.9"), ("NDA_LLADDR", MAC)]
OWNED: dict[str, tuple[str, bytes, str]] = {
    "boot": ("routes", route(table=254, type=1, proto=3), ""),
    "static": ("routes", route(table=254, type=1, proto=4), ""),
    "advertised": ("routes", route(table=254, type=1, proto=9), ""),
    "zebra": ("routes", route(table=254, type=1, proto=11), "zebra"),
    "bgp": ("routes", route(table=254, type=1, proto=186), "bgp"),
    "unknown": ("routes", route(table=254, type=1, proto=250), "250"),
    "other table": ("routes", route(table=100, type=1, proto=188), "ospf"),
    "rule": ("rules", rule(2, [("FRA_PRIORITY", 7), ("FRA_PROTOCOL", 186)]), "bgp"),
    "kernel's rule": ("rules", rule(2, [("FRA_PRIORITY", 7), ("FRA_PROTOCOL", 2)]), ""),
    "neighbour": ("neighbours", neighbour(2, 2, 0x80, [*NEIGHBOUR, ("NDA_PROTOCOL", 11)]), "zebra"),
    "learned neighbour": ("neighbours", neighbour(2, 2, 0x40, NEIGHBOUR, EXT_LEARNED), "extern_learn"),
    "permanent neighbour": ("neighbours", neighbour(2, 2, 0x80, NEIGHBOUR), ""),
    "forwarding entry": ("forwarding", neighbour(7, 2, 0x40, [NEIGHBOUR[1], MASTER_3], EXT_LEARNED), "extern_learn"),
    "static forwarding entry": ("forwarding", neighbour(7, 2, 0x40, [NEIGHBOUR[1], MASTER_3]), ""),
}


@pytest.mark.parametrize("name", OWNED)
def test_owner_of_a_route_or_an_entry_is_read(name: str) -> None:
    """A daemon marks its routes, rules and neighbours with a protocol, its forwarding entries as learned elsewhere."""
    what, dump, owner = OWNED[name]
    state, before = state_of((what, dump + END)), state_of((what, END))
    (found,) = (state.routes | state.entries) - before.routes - before.entries
    assert found.owner == owner


def test_of_two_routes_alike_the_administrators_is_read() -> None:
    """A route that an administrator and a daemon have both made is the administrator's, in any order."""
    own, daemons = route(table=254, type=1, proto=4), route(table=254, type=1, proto=186)
    for both in (own + daemons, daemons + own):
        assert {one.owner for one in state_of(("routes", both + END)).routes} == {""}


def test_device_for_multicast_routing_is_the_kernels() -> None:
    """The register device that a kernel makes for a multicast routing daemon is no part of a node."""
    assert "pimreg" not in state_of(("links", link(2, "eth") + link(3, "pimreg", kind=779) + END)).links


def test_neighbours_of_a_daemon_are_not_forgotten() -> None:
    """Only what a node learned by itself is deleted: a daemon would not notice."""
    assert len(forget_requests(neighbour(2, 2, 0x02, NEIGHBOUR) + END)) == 1
    assert forget_requests(neighbour(2, 2, 0x02, NEIGHBOUR, EXT_LEARNED) + END) == []

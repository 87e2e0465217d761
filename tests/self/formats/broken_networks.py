"""The reference lab with mistakes that only show between its parts: tunnels, subnets, routes, pairs."""

from __future__ import annotations

from tests.self.formats.broken_labs import CS1, GRE1, GRE2, Broken, Said, broken

TUNNELS = (
    broken("an unknown VTEP", "remote: 23.0.0.1", "remote: 23.0.0.9", "^23.0.0.9", "unknown remote", "23.0.0.1"),
    broken("a VTEP of several", "remote: 23.0.0.1", "remotes: [23.0.0.1, 23.0.0.9]", "^23.0.0.9", "unknown remote"),
    broken("one VTEP twice", "remote: 23.0.0.1", "remotes: [23.0.0.1, 23.0.0.1]", "^23.0.0.1], dev", "twice"),
    broken("itself beside a VTEP", "remote: 23.0.0.1", "remotes: [23.0.0.1, 21.0.0.1]", "^21.0.0.1]", "ends where"),
    broken("two families of VTEPs", "remote: 23.0.0.1", "remotes: [23.0.0.1, fd00::1]", "^fd00::1", "two IP versions"),
    broken("an end elsewhere", "local: 26.0.0.2", "local: 25.0.0.2", "remote: ^26.0.0.2", "unknown remote", "25.0.0.2"),
    Broken(
        "a local of nobody's",
        (("local: 21.0.0.1", "local: 21.0.0.7"),),
        (
            Said("local: ^21.0.0.7", ("is no address of con_ns1", "21.0.0.1")),
            Said("remote: ^21.0.0.1", ("unknown remote", "21.0.0.7")),
        ),
    ),
    broken("a VXLAN dev unknown", "dev: br1_lc1", "dev: br1_lc9", "^br1_lc9", "no device 'br1_lc9'", "'br1_lc1'?"),
    broken("VNIs that differ", "vni: 30", "vni: 31", "vni: ^30", "says vni 30", "vni 31", "line 57"),
    broken("keys that differ", GRE2, GRE2.replace("ttl", "key: 7, ttl"), "key: ^7", "says key 7", "key none"),
    broken(
        "an end that points elsewhere",
        "    gre:\n      " + GRE2,
        "    gre:\n      " + GRE2 + "\n      other: {local: 27.0.0.2, remote: 26.0.0.2}",
        "local: ^27.0.0.2",
        "says local 27.0.0.2",
        "remote 28.0.0.2",
    ),
    broken(
        "a tunnel into itself",
        "remote: 28.0.0.2",
        "remote: 26.0.0.2",
        "remote: ^26.0.0.2, ttl: inherit}\n    routes:\n      - 27",
        "ends where it starts",
    ),
    broken("two families in a tunnel", "remote: 23.0.0.1", "remote: fd00::1", "^fd00::1", "two IP versions"),
    broken(
        "two GRE tunnels alike",
        GRE1,
        f"{GRE1}\n      twin: {{local: 26.0.0.2, remote: 28.0.0.2}}",
        "^twin:",
        "EEXIST",
        "a key",
    ),
    broken(
        "GRE in a bridge",
        "    routes:\n      - 27",
        "    bridges: {b: [gretun-cont]}\n    routes:\n      - 27",
        "[^gretun-cont]",
        "no Ethernet",
    ),
)

SUBNETS = (
    broken(
        "two segments in one subnet",
        "[bridge3_cs5, vxlan-cont]",
        "[bridge3_cs5]",
        "^20.0.0.3/24",
        "overlaps",
        "another Layer 2",
    ),
    Broken(
        "a wider subnet around others",
        (
            ("br1_lc1: 21.0.0.1/24", "br1_lc1: 21.0.0.1/24\n      b: 16.0.0.1/4"),
            ("bridge1: [", "b: []\n      bridge1: ["),
        ),
        (Said("^16.0.0.1/4", ("the subnet 16.0.0.0/4 of con_ns1:b overlaps", "another Layer 2")),),
    ),
    Broken(
        "an address of another subnet",
        (("cs2_br1: 20.0.0.2/24", "cs2_br1: 20.0.9.2/24"),),
        (
            Said("^20.0.9.2", ("its segment is 20.0.0.0/24",)),
            Said("20.0.9.2/24}, routes: [^default", ("on no subnet of cs2",)),
        ),
    ),
    broken(
        "another length on one segment", "cs2_br1: 20.0.0.2/24", "cs2_br1: 20.0.0.2/16", "^20.0.0.2/16", "20.0.0.0/24"
    ),
    broken(
        "an address twice",
        "cs2_br1: 20.0.0.2/24",
        "cs2_br1: 20.0.0.1/24",
        "cs2_br1: ^20.0.0.1",
        "cs1:cs1_br1 already",
        "line 79",
    ),
    broken(
        "the network's own address", "20.0.0.2/24", "20.0.0.0/24", "^20.0.0.0/24}", "the network 20.0.0.0/24 itself"
    ),
    broken("the broadcast address", "20.0.0.2/24", "20.0.0.255/24", "^20.0.0.255/24", "broadcast", "another address"),
    broken(
        "a multicast address",
        "cs2_br1: 20.0.0.2/24",
        "cs2_br1: [20.0.0.2/24, 224.0.0.5/24]",
        "^224.0.0.5",
        "no unicast",
    ),
    broken(
        "IPv6 with a small MTU",
        CS1,
        CS1.replace("20.0.0.1/24}", "[20.0.0.1/24, fd00::1/64]}, mtu: {cs1_br1: 1279}"),
        "^fd00::1",
        "1280",
    ),
    Broken(
        "a node twice in a subnet",
        (
            ("{cs1_br1: 20.0.0.1/24}", "{cs1_br1: 20.0.0.1/24, cs1_b: 20.0.0.9/24}"),
            ("  - [cs2:cs2_br1,", "  - [cs1:cs1_b, con_ns1:extra]\n  - [cs2:cs2_br1,"),
            ("bridge1: [", "bridge1: [extra, "),
        ),
        (Said("cs1_b: ^20.0.0.9/24", ("cs1:cs1_b is in 20.0.0.0/24, and so is cs1:cs1_br1", "one interface")),),
    ),
)

ROUTES = (
    broken(
        "a gateway on no subnet",
        "via 21.0.0.2",
        "via 22.0.0.2",
        "^23.0.0.0/24 via 22",
        "on no subnet of con_ns1",
        "21.0.0.0/24",
    ),
    broken(
        "a gateway behind another dev",
        "via 25.0.0.1 dev lc1_sc1",
        "via 25.0.0.1 dev lc1_sc2",
        "^27.0.0.0/24 via 25",
        "by lc1_sc1, not by lc1_sc2",
    ),
    broken("a gateway that is oneself", "via 21.0.0.2", "via 21.0.0.1", "^23.0.0.0/24 via", "con_ns1 itself"),
    broken(
        "a route's dev unknown",
        "23.0.0.0/24 dev gretun-cont",
        "23.0.0.0/24 dev gretun-con",
        "^23.0.0.0/24 dev gretun-con\n",
        "'gretun-con' is no device",
        "'gretun-cont'?",
    ),
    broken(
        "a prefix twice",
        "30.0.0.0/24 dev gretun",
        "23.0.0.0/24 dev gretun",
        "^23.0.0.0/24 dev gretun-cont\n\n",
        "line 34",
        "one route",
    ),
    broken(
        "a prefix that is on link",
        "30.0.0.0/24 dev gretun",
        "20.0.0.0/24 dev gretun",
        "^20.0.0.0/24 dev gretun-cont\n\n",
        "the subnet of lc1-bridge1",
    ),
)

PAIRS = (
    broken("an unknown target", "source: cs5, target: cs3", "source: cs5, target: cx3", "^cx3", "unknown node 'cx3'"),
    broken(
        "a pair with itself",
        "source: cs5, target: cs3",
        "source: cs5, target: cs5",
        "target: ^cs5, kind: hairpin",
        "with itself",
    ),
    broken(
        "a pair without an address",
        "source: cs5, target: cs3",
        "source: con_ns2, target: cs3",
        "source: ^con_ns2",
        "has no address",
    ),
    broken(
        "a pair twice",
        "source: cs5, target: cs4",
        "source: cs5, target: cs3",
        "cs3, kind: hairpin}\n  - ^{source: cs5",
        "already on line 116",
    ),
)

EVENT, FOR = "failover: [{event: ", "without-service:"
MTUS = (
    broken(
        "a misspelt key of the MTU", "customers: 1426", "customer: 1426", "^customer:", "'customer'", "'customers'?"
    ),
    broken("a customers' MTU too small", "customers: 1426", "customers: 60", "^60, above", "MTU 60", "68 to 65535"),
    broken(
        "a share without a unit", "pairs:", "throughput: [{path: gre, at-least: 40}]\npairs:", "^40}]", "40", "40 %"
    ),
    broken("no share at all", "pairs:", "throughput: [{path: gre, at-least: 0 %}]\npairs:", "^0 %", "no part", "40 %"),
    broken("a path unknown", "pairs:", "throughput: [{path: gri, at-least: 9 %}]\npairs:", "^gri", "path 'gri'", "gre"),
    broken("a share is missing", "pairs:", "throughput: [{path: gre}]\npairs:", "[^{path", "no 'at-least'", "40 %"),
    broken(
        "a payload too large",
        "pairs:",
        "throughput: [{path: gre, size: 65508, at-least: 9 %}]\npairs:",
        "^65508",
        "65508",
        "65507",
    ),
    broken(
        "a protocol unknown",
        "pairs:",
        "throughput: [{path: gre, protocol: sctp, at-least: 9 %}]\npairs:",
        "^sctp",
        "protocol 'sctp'",
        "udp, tcp",
    ),
    broken(
        "an event unknown", "pairs:", f"{EVENT}spine-died, lost: 1}}]\npairs:", "^spine-died", "event", "spine-dead"
    ),
    broken("a time in no unit", "pairs:", f"{EVENT}spine-dead, {FOR} 300}}]\npairs:", "^300}]", "300", "300 ms"),
    broken("no time at all", "pairs:", f"{EVENT}spine-dead, {FOR} 0 s}}]\npairs:", "^0 s", "no time", "1.5 s"),
    broken(
        "an event without a bound", "pairs:", f"{EVENT}nothing}}]\npairs:", "[^{event", "nothing is promised", "lost"
    ),
    broken(
        "an event twice",
        "pairs:",
        f"{EVENT}nothing, lost: 1}}, {{event: nothing, looped: 0}}]\npairs:",
        "^nothing, looped",
        "already",
        "once",
    ),
    broken(
        "no daemon to kill", "pairs:", f"{EVENT}daemon-killed, lost: 1}}]\npairs:", "^daemon-k", "no node", "router bgp"
    ),
    broken("an unknown fate", "[fragments, icmp,", "[fragment, icmp,", "^fragment,", "'fragment'", "fragments, icmp"),
    broken("no fate at all", "[fragments, icmp, silence]", "[]", "above: ^[]", "empty list", "one or more of"),
    broken(
        "an MTU that is a number", "mtu: {customers: 1426, above", "mtu: 1426\n# {", "mtu: ^1426", "is not a mapping"
    ),
)

SEVERAL = Broken(
    "a mistake in every section",
    (
        ("role: spine", "role: spime"),
        ("sc1_lc1: 25.0.0.1/24", "sc1_lc1: 25.0.0.0/24"),
        ("via 26.0.0.1 dev", "via 26.0.0.1 dex"),
        ("vni: 30", "vni: 31"),
        ("cs2_br1: 20.0.0.2/24", "cs2_br1: 20.0.0.1/24"),
        ("[cs3:cs3-br", "[cs9:cs3-br"),
        ("target: cs2, kind: bridge", "target: cs8, kind: bridge"),
        ("kind: hairpin", "kind: hairpim"),
    ),
    (
        Said("^spime", ("unknown role",)),
        Said("sc1_lc1: ^25.0.0.0/24", ("the network",)),
        Said("^28.0.0.0/24 via 26.0.0.1 dex", ("'dex' is no word",)),
        Said("vni: ^30", ("says vni 30",)),
        Said("cs2_br1: ^20.0.0.1", ("cs1:cs1_br1 already",)),
        Said("[^cs9:", ("unknown node 'cs9'",)),
        Said("target: ^cs8", ("unknown node 'cs8'",)),
        Said("^hairpim", ("unknown kind",)),
    ),
)

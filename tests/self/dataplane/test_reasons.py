"""Live state alone says which node loses a packet, and what ought to be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reports.diagnosis.explain import explained
from tests.self.builders import reference
from tests.self.dataplane.changes import addressed, bare, changed, filtering, gone, moved, port, routed, shown, sifting
from tests.self.dataplane.test_endings import ROUTED, SEGMENT, Change, both, entry, group, link, sysctl, without
from topology.expected import probe_between
from topology.promises import Kind

MAC_OF_CS5 = reference()["cs5"]["cs5_br3"].mac
IN_VLAN_1 = tuple((name, "1 pvid untagged") for name in ("bridge1_cs1", "bridge1_cs2", "bridge1_lc1"))
TWO_IN_VLAN_1 = IN_VLAN_1[0], ("vxlan-cont", "1 pvid untagged")
NO_ROUTE_BACK = routed("26.0.0.0/24 via 27.0.0.1 dev lc2_sc1")
REASONS: dict[str, tuple[tuple[str, str], Mapping[str, Change], str, str, str]] = {
    "bridge down": (SEGMENT, {"con_ns1": link("bridge1", up=False)}, "con_ns1:bridge1: down", "link", "up"),
    "no broadcast": (
        SEGMENT,
        {"con_ns1": port("vxlan-cont", ("bcast_flood", "off"))},
        "con_ns1:vxlan-cont: bcast_flood off",
        "bridge port",
        "bcast_flood on",
    ),
    "neither learned nor flooded": (
        SEGMENT,
        {"con_ns1": port("vxlan-cont", ("flood", "off"), ("learning", "off"))},
        "con_ns1:vxlan-cont: flood off, learning off",
        "bridge port",
        "flood on",
    ),
    "locked": (
        SEGMENT,
        {"con_ns1": port("bridge1_cs1", ("locked", "on"))},
        "con_ns1:bridge1_cs1: locked on, without an entry for",
        "bridge port",
        "locked off",
    ),
    "static entry for another port": (
        SEGMENT,
        {"con_ns1": shown("bridge fdb", "bridge1_cs2", f"{MAC_OF_CS5} dev bridge1_cs2 master static")},
        f"con_ns1:bridge1_cs2: {MAC_OF_CS5} master static",
        "fdb",
        f"{MAC_OF_CS5} dev vxlan-cont",
    ),
    "port in no VLAN": (
        SEGMENT,
        {"con_ns1": filtering(*IN_VLAN_1)},
        "con_ns1:vxlan-cont: vlan_filtering, not in VLAN 1",
        "vlan",
        "vid 1",
    ),
    "no VLAN for untagged frames": (
        SEGMENT,
        {"con_ns1": filtering(*IN_VLAN_1[1:], ("bridge1_cs1", "1 untagged"), ("vxlan-cont", "1 pvid untagged"))},
        "con_ns1:bridge1_cs1: vlan_filtering, no pvid",
        "vlan",
        "a pvid",
    ),
    "address of the VTEP gone": (
        SEGMENT,
        {"con_ns3": addressed("br3_lc2")},
        "con_ns3:br3_lc2: no address 23.0.0.1, which vxlan-cont has as local",
        "address",
        "23.0.0.1",
    ),
    "static entry for another remote": (
        SEGMENT,
        {"con_ns1": shown("bridge fdb", "vxlan-cont", f"{MAC_OF_CS5} dev vxlan-cont dst 23.0.0.7 self permanent")},
        f"con_ns1:vxlan-cont: {MAC_OF_CS5} dst 23.0.0.7",
        "fdb",
        "dst 23.0.0.1",
    ),
    "remote that no node has": (
        SEGMENT,
        {"con_ns1": group("vxlan-cont", "23.0.0.9")},
        "con_ns1:vxlan-cont: remote 23.0.0.9",
        "vxlan",
        "remote 23.0.0.1, as con_ns3:vxlan-cont has it",
    ),
    "remote that is another node": (
        SEGMENT,
        {"con_ns1": group("vxlan-cont", "23.0.0.2")},
        "con_ns1:vxlan-cont: remote 23.0.0.2",
        "vxlan",
        "remote 23.0.0.1, as con_ns3:vxlan-cont has it",
    ),
    "remote that no node has, beside ports of another VLAN": (
        SEGMENT,
        {"con_ns1": both(filtering(*TWO_IN_VLAN_1), group("vxlan-cont", "23.0.0.9"))},
        "con_ns1:vxlan-cont: remote 23.0.0.9",
        "vxlan",
        "remote 23.0.0.1, as con_ns3:vxlan-cont has it",
    ),
    "group across a router": (
        SEGMENT,
        {"con_ns1": group("vxlan-cont", "239.1.1.1"), "con_ns3": group("vxlan-cont", "239.1.1.1")},
        "con_ns1:vxlan-cont: multicast group 239.1.1.1: no multicast routing to con_ns3:vxlan-cont",
        "vxlan",
        "a remote of its own for each, or routing",
    ),
    "outer TTL of a VTEP": (
        SEGMENT,
        {"con_ns1": link("vxlan-cont", parameters={"ttl": "1"})},
        "con_ns1:vxlan-cont: ttl 1: it expires at lc1",
        "vxlan",
        "a greater ttl",
    ),
    "outer TTL of GRE": (
        ROUTED,
        {"lc1": link("gretun-cont", parameters={"ttl": "1"})},
        "lc1:gretun-cont: ttl 1: it expires at sc2",
        "gre",
        "a greater ttl",
    ),
    "checksums at one end": (
        ROUTED,
        {"lc1": link("gretun-cont", parameters={"csum": "yes"})},
        "lc1:gretun-cont: csum yes; lc2:gretun-cont: csum none",
        "gre",
        "csum none, as lc2:gretun-cont",
    ),
    "sequence numbers wanted at one end": (
        ROUTED,
        {"lc2": link("gretun-cont", parameters={"seq": "yes"})},
        "lc2:gretun-cont: seq yes; lc1:gretun-cont: seq none",
        "gre",
        "seq none, as lc1:gretun-cont",
    ),
    "GRE down": (ROUTED, {"lc2": link("gretun-cont", up=False)}, "lc2:gretun-cont: down", "link", "up"),
    "GRE to another remote": (
        ROUTED,
        {"lc2": link("gretun-cont", parameters={"remote": "26.0.0.3"})},
        "lc2:gretun-cont: remote 26.0.0.3",
        "gre",
        "remote 26.0.0.2, as lc1:gretun-cont has it",
    ),
    "a route that went with its device": (
        ROUTED,
        {"lc1": both(link("gretun-cont", up=False), routed("30.0.0.0/24"))},
        "lc1:gretun-cont: down: no route to 30.0.0.1",
        "link",
        "up",
    ),
    "another prefix length": (
        SEGMENT,
        {"cs5": both(addressed("cs5_br3", "20.0.0.3/32"), routed("20.0.0.0/24", "0.0.0.0/0"))},
        "cs5:cs5_br3: 20.0.0.3/32",
        "address",
        "20.0.0.3/24, as cs1:cs1_br1, cs2:cs2_br1, lc1:lc1-bridge1",
    ),
    "a next hop that no node has, on an unnumbered link": (
        ROUTED,
        {
            "lc1": both(
                addressed("lc1_sc2"),
                addressed("lo", "26.0.0.2/32"),
                routed("28.0.0.0/24 via 10.9.9.9 dev lc1_sc2"),
            ),
            "sc2": both(addressed("sc2_lc1"), addressed("lo", "26.0.0.1/32")),
        },
        "lc1:lc1_sc2: 28.0.0.0/24 via 10.9.9.9 dev lc1_sc2: no node has 10.9.9.9 there",
        "route",
        "another next hop",
    ),
    "a next hop that no node has": (
        ROUTED,
        {"cs1": routed("0.0.0.0/0 via 20.0.0.77 dev cs1_br1")},
        "cs1:cs1_br1: default via 20.0.0.77 dev cs1_br1: no node has 20.0.0.77 there",
        "route",
        "another next hop",
    ),
    "a gateway that is a host": (
        ROUTED,
        {"cs3": routed("0.0.0.0/0 via 30.0.0.2 dev cs3-br")},
        "cs3: default via 30.0.0.2 dev cs3-br",
        "route",
        "cs3-br, by which the other direction comes",
    ),
    "a next hop without a way on": (
        ROUTED,
        {"lc1": routed("28.0.0.0/24 via 25.0.0.1 dev lc1_sc1")},
        "lc1: 28.0.0.0/24 via 25.0.0.1 dev lc1_sc1",
        "route",
        "lc1_sc2, by which the other direction comes",
    ),
    "past the tunnel": (
        ROUTED,
        {
            "lc1": routed("30.0.0.0/24 via 26.0.0.1 dev lc1_sc2"),
            "sc2": routed("30.0.0.0/24 via 28.0.0.2 dev sc2_lc2"),
        },
        "lc1: 30.0.0.0/24 via 26.0.0.1 dev lc1_sc2",
        "route",
        "gretun-cont, by which the other direction comes",
    ),
    "a route that adds a header": (
        ROUTED,
        {"lc1": routed("30.0.0.0/24 via 26.0.0.1 dev lc1_sc2 encap mpls")},
        "lc1: 30.0.0.0/24 via 26.0.0.1 dev lc1_sc2 encap mpls",
        "route",
        "the route without encap",
    ),
    "a rule that refuses": (
        ROUTED,
        {"lc1": entry("ip rule", "pref 9 from 20.0.0.0/24 blackhole")},
        "lc1: the rule 'pref 9 from 20.0.0.0/24 blackhole'",
        "rule",
        "no such rule",
    ),
    "a rule that leads to another table": (
        ROUTED,
        {
            "lc1": both(
                entry("ip rule", "pref 9 to 30.0.0.0/24 iif lc1-bridge1 lookup 7"),
                entry("ip route", "unreachable 30.0.0.0/24 table 7"),
            )
        },
        "lc1: unreachable 30.0.0.0/24 table 7",
        "route",
        "a route to 30.0.0.1",
    ),
    "strict reverse path": (
        ROUTED,
        {"lc2": both(sysctl(4, "all", "rp_filter", "1"), NO_ROUTE_BACK)},
        "lc2:lc2_sc2: rp_filter=1 drops packets from 26.0.0.2: the way back is lc2_sc1",
        "sysctl",
        "rp_filter=0",
    ),
    "echo ignored": (
        ROUTED,
        {"cs3": lambda state: replace(state, sysctls={**state.sysctls, "net.ipv4.icmp_echo_ignore_all": "1"})},
        "cs3: net.ipv4.icmp_echo_ignore_all=1",
        "sysctl",
        "net.ipv4.icmp_echo_ignore_all=0",
    ),
    "answers for nothing": (
        SEGMENT,
        {"cs5": sysctl(4, "cs5_br3", "arp_ignore", "8")},
        "cs5:cs5_br3: arp_ignore=8",
        "sysctl",
        "arp_ignore=0",
    ),
    "one address twice": (
        SEGMENT,
        {"cs2": addressed("cs2_br1", "20.0.0.2/24", "20.0.0.3/24")},
        "cs2:cs2_br1: 20.0.0.3",
        "address",
        "another one: cs5:cs5_br3 has it too",
    ),
    "one MAC twice": (
        ("cs1", "cs2"),
        {"cs2": link("cs2_br1", mac=MAC_OF_CS5)},
        f"cs2:cs2_br1: {MAC_OF_CS5}; cs5:cs5_br3: {MAC_OF_CS5}",
        "mac",
        "another one: cs5:cs5_br3 has it too",
    ),
    "taken by a VRF": (
        SEGMENT,
        {
            "lc1": both(
                lambda state: replace(
                    state, links={**state.links, "red": replace(state.links["lc1_br1"], name="red", kind="vrf")}
                ),
                link("lc1_br1", master="red"),
                routed("21.0.0.0/24"),
                entry("ip rule", "pref 1000 from all l3mdev"),
            )
        },
        "lc1:lc1_br1: in red: no route to 21.0.0.1 outside this VRF",
        "bridge",
        "no VRF",
    ),
    "an address of another subnet": (
        ROUTED,
        {"lc2": both(addressed("lc2-br2", "30.0.1.254/24"), routed("30.0.0.0/24", "30.0.1.0/24 dev lc2-br2"))},
        "lc2:lc2-br2: 30.0.1.254/24",
        "address",
        "an address of 30.0.0.0/24, as cs3:cs3-br has",
    ),
    "a router's port without an address": (
        SEGMENT,
        {"lc1": both(addressed("lc1_br1"), routed("21.0.0.0/24"))},
        "lc1:lc1_br1: has no address and is in no bridge",
        "address",
        "an address",
    ),
    "frames let out with a tag": (
        SEGMENT,
        {"con_ns1": filtering(*IN_VLAN_1, ("vxlan-cont", "1 pvid"))},
        "con_ns1:vxlan-cont: lets frames of VLAN 1 out tagged",
        "vlan",
        "vid 1 untagged",
    ),
    "tags that the far bridge filters": (
        SEGMENT,
        {"con_ns1": filtering(*IN_VLAN_1, ("vxlan-cont", "1 pvid")), "con_ns3": sifting("bridge3", "vxlan-cont")},
        "con_ns3:bridge3_cs5: vlan_filtering, not in VLAN 1",
        "vlan",
        "vid 1",
    ),
    "a router of another subnet": (
        ROUTED,
        {"lc1": both(addressed("lc1-bridge1", "20.0.1.254/24"), routed("20.0.0.0/24"))},
        "lc1:lc1-bridge1: 20.0.1.254/24",
        "address",
        "20.0.0.254/24, a next hop of cs1:cs1_br1",
    ),
    "a port in another bridge": (
        ROUTED,
        {"con_ns2": moved("bridge2_cs3", "bridge2", "aside")},
        "con_ns2:bridge2_cs3: in aside",
        "bridge",
        "bridge2, behind which lc2:lc2-br2 is",
    ),
    "a local address of nobody": (
        SEGMENT,
        {"con_ns1": link("vxlan-cont", parameters={"local": "21.0.0.77"})},
        "con_ns1:vxlan-cont: local 21.0.0.77",
        "vxlan",
        "local 21.0.0.1, to which con_ns3:vxlan-cont sends",
    ),
    "back to where it came from, below a tunnel with a TTL of its own": (
        SEGMENT,
        {"lc1": link("gretun-cont", parameters={"ttl": "64"}), "sc2": routed("28.0.0.2/32 via 26.0.0.2 dev sc2_lc1")},
        "sc2: 28.0.0.2/32 via 26.0.0.2 dev sc2_lc1",
        "route",
        "sc2_lc2, by which the other direction comes",
    ),
    "a longer prefix past the tunnel, both ways": (
        ROUTED,
        {
            "lc1": routed("30.0.0.1/32 via 26.0.0.1 dev lc1_sc2"),
            "sc2": routed("30.0.0.1/32 via 28.0.0.2 dev sc2_lc2", "20.0.0.1/32 via 26.0.0.2 dev sc2_lc1"),
            "lc2": routed("20.0.0.1/32 via 28.0.0.1 dev lc2_sc2"),
        },
        "lc1: 30.0.0.1/32 via 26.0.0.1 dev lc1_sc2",
        "route",
        "no such route: carried as l3-overlay without it",
    ),
    "a router without any device": (
        SEGMENT,
        {"sc2": bare, "lc1": gone("lc1_sc2"), "lc2": gone("lc2_sc2")},
        "sc2: no device leads to another node",
        "link",
        "its devices",
    ),
    "a tunnel less, and a route beside it": (
        ROUTED,
        {"lc1": both(without("gretun-cont"), routed("30.0.0.0/24 via 26.0.0.1 dev lc1_sc2", "23.0.0.0/24"))},
        "lc1: no GRE device",
        "link",
        "a GRE device, as lc2:gretun-cont sends to it",
    ),
    "a VTEP less": (
        SEGMENT,
        {"con_ns3": without("vxlan-cont")},
        "con_ns3: no VXLAN device for VNI 30 on UDP port 4900",
        "link",
        "a VXLAN device, as con_ns1:vxlan-cont sends to it",
    ),
}
"""The pair, what is changed by node, where that is found and how, the kind of cause, and what ought to be."""
HARMLESS: dict[str, tuple[tuple[str, str], Mapping[str, Change]]] = {
    "flood off, but learned": (SEGMENT, {"con_ns1": port("vxlan-cont", ("flood", "off"))}),
    "all ports in one VLAN": (SEGMENT, {"con_ns1": filtering(*IN_VLAN_1, ("vxlan-cont", "1 pvid untagged"))}),
    "sequence numbers not wanted": (ROUTED, {"lc1": link("gretun-cont", parameters={"seq": "none in, yes out"})}),
    "a rule for others": (ROUTED, {"lc1": entry("ip rule", "pref 9 from 40.0.0.0/24 blackhole")}),
    "encap that a tunnel with external reads": (ROUTED, {"lc1": routed("30.0.0.0/24 dev gretun-cont encap ip")}),
    "what is not followed": (ROUTED, {"lc1": entry("ip rule", "pref 9 from all fwmark 0x1 lookup 7")}),
}
"""The pair, and a change that keeps no packet of it back, or that is not followed."""


@pytest.mark.parametrize("name", REASONS)
def test_live_state_names_node_and_cause(name: str) -> None:
    """The place and what is there come first."""
    pair, changes, words, kind, wanted = REASONS[name]
    promised: dict[tuple[str, str], Kind] = {SEGMENT: "l2-overlay", ROUTED: "l3-overlay"}
    found = explained(changed(changes), probe_between(reference(), *pair), promised.get(pair))
    assert found is not None
    assert str(found).startswith(words)
    assert (found.kind, found.wanted) == (kind, wanted)
    assert found.node in changes


@pytest.mark.parametrize(("pair", "changes"), HARMLESS.values(), ids=HARMLESS)
def test_harmless_change_is_no_cause(pair: tuple[str, str], changes: Mapping[str, Change]) -> None:
    """Nothing is blamed for a packet that is let through."""
    found = explained(changed(changes), probe_between(reference(), *pair))
    assert found is None or "is not followed" in str(found)

"""What dumps say of devices, ports and routes, in the words of ip(8) and bridge(8); and GRE's flags there and back."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from dataclasses import replace
from socket import htons
from typing import Any

import pytest
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from tests.self.kernels.dumps import END, NEWLINK, NEWROUTE, link, message, packed, state_of
from topology.formats.lab import load_lab_text
from topology.kernels.rtnl.dumps import VLANS
from topology.kernels.rtnl.links import LinkEnd, read_ends
from topology.kernels.rtnl.messages import packed_attribute
from topology.kernels.rtnl.readout import further_requests
from topology.kernels.rtnl.templates import by_pyroute2
from topology.links import KINDS
from topology.plan import make_plan
from topology.state import declared_link

ENDS = {"IFLA_GRE_LOCAL": "10.0.0.1", "IFLA_GRE_REMOTE": "10.0.0.2", "IFLA_GRE_TTL": 0}
CASES: dict[str, tuple[str, Mapping[str, Any], dict[str, str]]] = {
    "bare": ("gre", {}, {"key": "none", "csum": "none", "seq": "none", "ttl": "inherit", "tos": "0"}),
    "checksum": ("gre", {"IFLA_GRE_IFLAGS": 0x8000, "IFLA_GRE_OFLAGS": 0x8000}, {"csum": "yes", "seq": "none"}),
    "checksum sent": ("gre", {"IFLA_GRE_IFLAGS": 0, "IFLA_GRE_OFLAGS": 0x8000}, {"csum": "none in, yes out"}),
    "sequence": ("gre", {"IFLA_GRE_IFLAGS": 0x1000, "IFLA_GRE_OFLAGS": 0x1000}, {"csum": "none", "seq": "yes"}),
    "key": (
        "gre",
        {"IFLA_GRE_IFLAGS": 0x2000, "IFLA_GRE_OFLAGS": 0x2000, "IFLA_GRE_IKEY": 5, "IFLA_GRE_OKEY": 5},
        {"key": "5"},
    ),
    "keys": (
        "gre",
        {"IFLA_GRE_IFLAGS": 0x2000, "IFLA_GRE_OFLAGS": 0x2000, "IFLA_GRE_IKEY": 5, "IFLA_GRE_OKEY": 6},
        {"key": "5 in, 6 out"},
    ),
    "over IPv6": (
        "ip6gre",
        {"IFLA_IP6GRE_IFLAGS": htons(0x8000), "IFLA_IP6GRE_OFLAGS": htons(0x8000)},
        {"csum": "yes"},
    ),
    "TOS": ("gre", {"IFLA_GRE_TOS": 16}, {"tos": "16"}),
    "TOS of the packet": ("gre", {"IFLA_GRE_TOS": 1}, {"tos": "inherit"}),
    "no ageing of a bridge": ("bridge", {"IFLA_BR_AGEING_TIME": 0}, {"ageing": "0"}),
    "a bridge of 802.1ad": (
        "bridge",
        {"IFLA_BR_VLAN_FILTERING": 1, "IFLA_BR_VLAN_PROTOCOL": 0x88A8},
        {"vlan_filtering": "on", "vlan_protocol": "802.1ad"},
    ),
    "a bridge of 802.1ad that filters nothing": ("bridge", {"IFLA_BR_VLAN_PROTOCOL": 0x88A8}, {}),
    "ageing of a bridge": ("bridge", {"IFLA_BR_AGEING_TIME": 1550}, {"ageing": "15.5"}),
    "no learning": (
        "vxlan",
        {"IFLA_VXLAN_ID": 7, "IFLA_VXLAN_LEARNING": 0, "IFLA_VXLAN_AGEING": 0},
        {"learning": "off", "ageing": "0", "local": "none", "remote": "none", "dev": "none"},
    ),
    "hop limit": ("vxlan", {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_TTL": 1}, {"ttl": "1", "vni": "5"}),
    "hop limit of the packet": ("vxlan", {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_TTL_INHERIT": 1}, {"ttl": "inherit"}),
    "no checksums": ("vxlan", {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_UDP_CSUM": 0}, {"udpcsum": "off"}),
    "VXLAN's flags": (
        "vxlan",
        {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_PROXY": 1, "IFLA_VXLAN_UDP_ZERO_CSUM6_RX": 1, "IFLA_VXLAN_GPE": True},
        {"proxy": "on", "udp6zerocsumrx": "on", "gpe": "on"},
    ),
    "Geneve": (
        "geneve",
        {
            "IFLA_GENEVE_REMOTE": "10.0.0.2",
            "IFLA_GENEVE_TTL_INHERIT": 1,
            "IFLA_GENEVE_DF": 1,
            "IFLA_GENEVE_UDP_CSUM": 1,
        },
        {"ttl": "inherit", "df": "set", "udpcsum": "on"},
    ),
    "path MTU discovery of GRE off": ("gre", {"IFLA_GRE_PMTUDISC": 0}, {"pmtudisc": "off"}),
    "path MTU discovery of IPIP off": ("ipip", {"IFLA_IPIP_PMTUDISC": 0}, {"pmtudisc": "off"}),
    "a tunnel on a device": ("gre", {"IFLA_GRE_LINK": 3}, {"dev": "d"}),
    "a limit to encapsulation": (
        "ip6gre",
        {"IFLA_IP6GRE_FLAGS": 0, "IFLA_IP6GRE_ENCAP_LIMIT": 4},
        {"encaplimit": "4"},
    ),
    "a bridge's VLANs and groups": (
        "bridge",
        {"IFLA_BR_VLAN_DEFAULT_PVID": 0, "IFLA_BR_MCAST_SNOOPING": 0},
        {"vlan_default_pvid": "0", "mcast_snooping": "off"},
    ),
    "usual hop limit": ("vxlan", {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_TTL": 0}, {"ttl": "auto"}),
}


@pytest.mark.parametrize("name", CASES)
def test_parameter_is_read_in_the_words_of_ip(name: str) -> None:
    """Flags, keys, TTL and TOS are read, and where the two directions differ, both are said."""
    kind, data, words = CASES[name]
    found = parameters(kind, {**ENDS, **data} if kind == "gre" else data)
    assert words.items() <= found.items()


def parameters(kind: str, data: Mapping[str, Any]) -> dict[str, str]:
    """Read a device of a kind with these attributes."""
    info = {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": list(data.items())})]}
    return dict(state_of(("links", link(3, "d", [("IFLA_LINKINFO", info)]) + END)).links["d"].parameters)


def test_defaults_of_learning_and_ageing_are_left_out() -> None:
    """A device at the kernel's defaults says nothing of them, as its declaration does not, nor does a bridge of an
    ageing that only a change of the spanning tree makes short."""
    assert parameters("bridge", {"IFLA_BR_AGEING_TIME": 400, "IFLA_BR_TOPOLOGY_CHANGE": 1}) == {}
    assert parameters("bridge", {"IFLA_BR_AGEING_TIME": 30000, "IFLA_BR_FORWARD_DELAY": 1500}) == {}
    usual = parameters("vxlan", {"IFLA_VXLAN_ID": 7, "IFLA_VXLAN_LEARNING": 1, "IFLA_VXLAN_AGEING": 300})
    assert not usual.keys() & {"learning", "ageing"}


UNMARKED: dict[str, tuple[str, Mapping[str, Any]]] = {
    "vxlan": (
        "vxlan",
        {"IFLA_VXLAN_ID": 7, "IFLA_VXLAN_UDP_CSUM": 1, "IFLA_VXLAN_PROXY": 0, "IFLA_VXLAN_TTL_INHERIT": 0},
    ),
    "geneve over IPv4": ("geneve", {"IFLA_GENEVE_REMOTE": "10.0.0.2", "IFLA_GENEVE_UDP_ZERO_CSUM6_RX": 1}),
    "bridge": (
        "bridge",
        {"IFLA_BR_VLAN_DEFAULT_PVID": 1, "IFLA_BR_VLAN_PROTOCOL": 0x8100, "IFLA_BR_MCAST_SNOOPING": 1},
    ),
    "ipip": ("ipip", {"IFLA_IPIP_PMTUDISC": 1, "IFLA_IPIP_LINK": 0}),
}


@pytest.mark.parametrize("name", UNMARKED)
def test_what_a_new_device_has_is_left_out(name: str) -> None:
    """A kernel reports the settings of a device without options too; those are left out."""
    kind, data = UNMARKED[name]
    marks = KINDS[kind].undeclared | {"pmtudisc", "gpe", "gbp", "vnifilter"}
    assert not parameters(kind, data).keys() & marks


LAB = """
lab: gre
nodes:
  a: {{role: leaf, addresses: {{e: "{a}/64"}}, gre: {{t: {{local: "{a}", remote: "{b}", {options}}}}}}}
  b: {{role: leaf, addresses: {{e: "{b}/64"}}, gre: {{t: {{local: "{b}", remote: "{a}", {options}}}}}}}
links: [[a:e, b:e]]
"""
SIX = {"a": "fd00::1", "b": "fd00::2"}
FOUR = {"a": "10.0.0.1", "b": "10.0.0.2"}
IFLAGS, OFLAGS, TOS, FLAGS = 2, 3, 9, 13
"""Attributes of linux/if_tunnel.h, the same for both kinds."""


@pytest.mark.parametrize("options", ["key: 7", "ttl: 3", "tos: inherit", "key: 4294967295, tos: inherit, ttl: 9"])
@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["gre", "ip6gre"])
def test_kernel_gets_what_is_declared(ends: dict[str, str], options: str) -> None:
    """The flag of a key and the inherited TOS are where the kernel looks for them, and are read from there again."""
    text = LAB.format(**ends, options=options)
    fabric = load_lab_text(text if ends == SIX else text.replace("/64", "/24"))
    made = next(op for op in make_plan(fabric).phases[1] if op.node == "a" and op.arguments.get("ifname") == "t")
    with by_pyroute2() as encode:
        encoded = encode(made.api, made.verb, made.arguments)
    keyed = [packed_attribute(flags, b"\x20\x00") in encoded for flags in (IFLAGS, OFLAGS)]
    assert keyed == ["key" in options] * 2
    inherits = packed_attribute(FLAGS, struct.pack("=I", 3)) if ends == SIX else packed_attribute(TOS, b"\x01")
    assert (inherits in encoded) == ("tos" in options)
    link = state_of(("links", encoded[:4] + struct.pack("=H", 16) + encoded[6:] + END)).links["t"]
    assert link.parameters == declared_link(fabric["a"], fabric["a"]["t"]).parameters


PVID, UNTAGGED = 2, 4


def bridge(filters: int) -> bytes:
    """A bridge and a port of it, as a dump has them."""
    data = {
        "attrs": [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", {"attrs": [("IFLA_BR_VLAN_FILTERING", filters)]})]
    }
    return link(2, "eth", [("IFLA_MASTER", 3)]) + link(3, "br", [("IFLA_LINKINFO", data)]) + link(4, "vx") + END


def vlans(name: str, *known: tuple[int, int], tunnels: tuple[tuple[int, int, int], ...] = ()) -> bytes:
    """The VLANs of a port, each with its flags, and tunnels: number, VLAN, flags."""
    spec = b"".join(packed_attribute(2, struct.pack("=HH", flags, vid)) for vid, flags in known)
    for each in tunnels:
        parts = ((number + 1, value.to_bytes(2 if number else 4, sys.byteorder)) for number, value in enumerate(each))
        spec += packed_attribute(3, b"".join(packed_attribute(*part) for part in parts))
    attributes = packed_attribute(3, name.encode() + b"\0") + packed_attribute(26, spec)
    return message(NEWLINK, struct.pack("=BxHiII", 7, 1, 2, 1, 0) + attributes)


@pytest.mark.parametrize("filters", [0, 1])
def test_vlans_are_read_where_a_bridge_filters_them(filters: int) -> None:
    """The VLAN 1 of every new port means nothing to a bridge that does not filter: it is neither asked for nor read."""
    assert (VLANS in further_requests("n", {"links": [bridge(filters)], "qdiscs": [END]})) == bool(filters)
    dump = vlans("eth", (1, PVID | UNTAGGED), (20, 0)) + vlans("vx", (1, PVID | UNTAGGED)) + END
    read = state_of(("links", bridge(filters)), further={"vlans": [dump]})
    words = {entry.words for entry in read.entries if entry.tool == "bridge vlan"}
    assert words == ({"dev eth vid 1 pvid untagged", "dev eth vid 20"} if filters else set())


def test_tunnel_of_each_vlan_is_read() -> None:
    """Of VLANs and numbers that count up together a kernel tells the ends alone."""
    begin, end = 8, 16
    tunnels = ((500, 5, 0), (1010, 10, begin), (1012, 12, end), (1020, 13, 0))
    dump = vlans("eth", *((vid, 0) for vid in (5, 9, 10, 11, 12, 13)), tunnels=tunnels) + END
    read = state_of(("links", bridge(1)), further={"vlans": [dump]})
    words = {entry.words.split("vid ")[1] for entry in read.entries if entry.tool == "bridge vlan"}
    numbers = {5: 500, 10: 1010, 11: 1011, 12: 1012, 13: 1020}
    assert words == {"9", *(f"{vid} tunnel_info id {number}" for vid, number in numbers.items())}


def test_metrics_of_a_route_are_read() -> None:
    """A route with metrics is another one than that without, and a locked one is said to be."""
    fields = {"family": 2, "dst_len": 24, "table": 254, "type": 1}
    metrics = {"attrs": [("RTAX_LOCK", 1 << 2), ("RTAX_MTU", 1400), ("RTAX_HOPLIMIT", 9)]}
    dump = packed(NEWROUTE, rtmsg(), fields, [("RTA_DST", "10.1.0.0"), ("RTA_OIF", 2), ("RTA_METRICS", metrics)])
    (route,) = state_of(("routes", dump + END)).routes
    assert str(route) == "10.1.0.0/24 dev eth mtu lock 1400 hoplimit 9"
    assert route != replace(route, metrics="")


def test_header_that_a_route_adds_is_read() -> None:
    """A route with ``encap`` is another one than that without it."""
    way = [("RTA_DST", "10.1.0.0"), ("RTA_GATEWAY", "10.0.0.2"), ("RTA_OIF", 2)]
    fields = {"family": 2, "dst_len": 24, "table": 254, "type": 1}
    plain, labelled = (
        state_of(("routes", packed(NEWROUTE, rtmsg(), fields, more + way) + END)).routes
        for more in ([], [("RTA_ENCAP_TYPE", 1)])
    )
    assert [str(route) for route in labelled] == ["10.1.0.0/24 encap mpls via 10.0.0.2 dev eth"]
    assert plain != labelled


def test_moved_tunnel_has_no_device_below_it_unless_one_is_named() -> None:
    """The kernel gives its own index then (dev_get_iflink); a peer of a veth may have that of the veth."""

    def end(kind: str, below: int) -> LinkEnd:
        info = ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", kind)]})
        (found,) = read_ends("n", link(7, "x", [("IFLA_LINK", below), ("IFLA_LINK_NETNSID", 0), info]) + END)
        return found

    assert [(end("gretap", n).below, end("gretap", n).sends_elsewhere) for n in (7, 5)] == [(None, True), (5, True)]
    assert [(end("macvlan", n).below, end("macvlan", n).sends_elsewhere) for n in (7, 5)] == [(7, False), (5, False)]
    assert end("veth", 7).peer == 7

"""VLANs of the ports of a bridge that filters them, and headers that routes add."""

from __future__ import annotations

import struct

import pytest
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from tests.self.kernels.dumps import END, NEWLINK, NEWROUTE, link, message, packed, state_of
from topology.kernels.rtnl.dumps import VLANS
from topology.kernels.rtnl.messages import packed_attribute
from topology.kernels.rtnl.readout import further_requests

PVID, UNTAGGED = 2, 4


def bridge(filters: int) -> bytes:
    """A bridge and a port of it, as a dump has them."""
    data = {
        "attrs": [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", {"attrs": [("IFLA_BR_VLAN_FILTERING", filters)]})]
    }
    return link(2, "eth", [("IFLA_MASTER", 3)]) + link(3, "br", [("IFLA_LINKINFO", data)]) + link(4, "vx") + END


def vlans(name: str, *known: tuple[int, int]) -> bytes:
    """The VLANs of a port, each with its flags."""
    spec = b"".join(packed_attribute(2, struct.pack("=HH", flags, vid)) for vid, flags in known)
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

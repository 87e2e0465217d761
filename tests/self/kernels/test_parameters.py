"""A tunnel's parameters in a dump of links: each in the words of ip-link(8), said where it is not the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from socket import htons
from typing import Any

import pytest

from topology.kernels.rtnl.links import _parameters

ENDS = {"IFLA_GRE_LOCAL": "10.0.0.1", "IFLA_GRE_REMOTE": "10.0.0.2", "IFLA_GRE_TTL": 0}
"""IFLAGS and OFLAGS below are those of linux/if_tunnel.h: checksum 0x8000, key 0x2000, sequence number 0x1000.

pyroute2 leaves those of IPv6 in network byte order.
"""
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
    "hop limit": ("vxlan", {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_TTL": 1}, {"ttl": "1", "vni": "5"}),
    "usual hop limit": ("vxlan", {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_TTL": 0}, {"ttl": "auto"}),
}


@pytest.mark.parametrize("name", CASES)
def test_parameter_is_read_in_the_words_of_ip(name: str) -> None:
    """Flags, keys, TTL and TOS are read, and where the two directions differ, both are said."""
    kind, data, words = CASES[name]
    found = dict(_parameters(kind, {**ENDS, **data}, {}, 0))
    assert words.items() <= found.items()

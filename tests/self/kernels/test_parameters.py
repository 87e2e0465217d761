"""A device's parameters in a dump of links, in the words of ip-link(8)."""

from __future__ import annotations

from collections.abc import Mapping
from socket import htons
from typing import Any

import pytest

from tests.self.kernels.dumps import END, link, state_of

ENDS = {"IFLA_GRE_LOCAL": "10.0.0.1", "IFLA_GRE_REMOTE": "10.0.0.2", "IFLA_GRE_TTL": 0}
""""""
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
    "ageing of a bridge": ("bridge", {"IFLA_BR_AGEING_TIME": 1550}, {"ageing": "15.5"}),
    "no learning": (
        "vxlan",
        {"IFLA_VXLAN_ID": 7, "IFLA_VXLAN_LEARNING": 0, "IFLA_VXLAN_AGEING": 0},
        {"learning": "off", "ageing": "0", "local": "none", "remote": "none", "dev": "none"},
    ),
    "hop limit": ("vxlan", {"IFLA_VXLAN_ID": 5, "IFLA_VXLAN_TTL": 1}, {"ttl": "1", "vni": "5"}),
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
    """A device at the kernel's defaults says nothing of them, as its declaration does not."""
    assert parameters("bridge", {"IFLA_BR_AGEING_TIME": 30000, "IFLA_BR_FORWARD_DELAY": 1500}) == {}
    usual = parameters("vxlan", {"IFLA_VXLAN_ID": 7, "IFLA_VXLAN_LEARNING": 1, "IFLA_VXLAN_AGEING": 300})
    assert not usual.keys() & {"learning", "ageing"}

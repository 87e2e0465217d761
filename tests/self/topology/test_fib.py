"""Forwarding tables against a reading of all routes one by one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from topology.fib import Egress, Fib

ROUTES = st.lists(
    st.builds(
        lambda number, length, devs: (ip_network((number, length), strict=False), [Egress(dev, None) for dev in devs]),
        # Few bits that differ, so that prefixes nest and addresses hit them.
        st.sampled_from([0, 1, 2, 3, 0xFF, 0x0A000000, 0x0A000001, 0x0A800000, 0xFFFFFFFF]),
        st.sampled_from([0, 1, 8, 9, 24, 31, 32]),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True),
    ),
    max_size=12,
)
ADDRESSES = st.sampled_from([0, 1, 2, 0xFF, 0x0A000000, 0x0A000001, 0x0A800001, 0x80000000, 0xFFFFFFFF])


@given(ROUTES, ADDRESSES, st.sampled_from([None, "a", "b"]))
def test_longest_prefix_wins_and_then_the_first(
    routes: list[tuple[IPv4Network, list[Egress]]], number: int, dev: str | None
) -> None:
    """The ways are those of the longest prefix that holds the address, of its first route, bound where asked."""
    address = IPv4Address(number)
    bound = [(prefix, [way for way in ways if dev in (None, way.dev)]) for prefix, ways in routes if address in prefix]
    fitting = [(prefix, ways) for prefix, ways in bound if ways]
    longest = max((prefix.prefixlen for prefix, _ in fitting), default=None)
    first = next((ways for prefix, ways in fitting if prefix.prefixlen == longest), [])
    assert list(Fib(routes).lookup(address, dev)) == first


def test_versions_stay_apart() -> None:
    """A default route of one IP version is no way to an address of the other."""
    four, six = Egress("a", ip_address("10.0.0.1")), Egress("b", None)
    fib = Fib([(ip_network("0.0.0.0/0"), [four]), (ip_network("::/64"), [six])])
    assert list(fib.lookup(ip_address("::1"))) == [six]
    assert list(fib.lookup(ip_address("fd00::1"))) == []
    assert list(fib.lookup(ip_address("1.2.3.4"))) == [four]

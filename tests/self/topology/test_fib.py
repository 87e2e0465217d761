"""Forwarding tables against a reading of all routes one by one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from topology.fib import Fib, Way

ROUTES = st.lists(
    st.builds(
        lambda number, length, dev: (ip_network((number, length), strict=False), dev, None),
        # Few bits that differ, so that prefixes nest and addresses hit them.
        st.sampled_from([0, 1, 2, 3, 0xFF, 0x0A000000, 0x0A000001, 0x0A800000, 0xFFFFFFFF]),
        st.sampled_from([0, 1, 8, 9, 24, 31, 32]),
        st.sampled_from("abc"),
    ),
    max_size=12,
)
ADDRESSES = st.sampled_from([0, 1, 2, 0xFF, 0x0A000000, 0x0A000001, 0x0A800001, 0x80000000, 0xFFFFFFFF])


@given(ROUTES, ADDRESSES, st.sampled_from([None, "a", "b"]))
def test_longest_prefix_wins_and_then_the_first(
    routes: list[tuple[IPv4Network, str, None]], number: int, dev: str | None
) -> None:
    """The way is that of the longest prefix which holds the address, the first given of those, bound where asked."""
    address = IPv4Address(number)
    fitting = [(prefix, out) for prefix, out, _ in routes if address in prefix and dev in (None, out)]
    longest = max((prefix.prefixlen for prefix, _ in fitting), default=None)
    first = next((Way(out, None) for prefix, out in fitting if prefix.prefixlen == longest), None)
    assert Fib(routes).lookup(address, dev) == first


def test_versions_stay_apart() -> None:
    """A default route of one IP version is no way to an address of the other."""
    fib = Fib([(ip_network("0.0.0.0/0"), "a", ip_address("10.0.0.1")), (ip_network("::/64"), "b", None)])
    assert fib.lookup(ip_address("::1")) == Way("b", None)
    assert fib.lookup(ip_address("fd00::1")) is None
    assert fib.lookup(ip_address("1.2.3.4")) == Way("a", ip_address("10.0.0.1"))

"""A forwarding table: longest prefix first, however many routes there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple


class Way(NamedTuple):
    """Where a route leads: out of a device, to a gateway or (None) straight to whom the packet is for."""

    dev: str
    via: IPv4Address | IPv6Address | None


class Fib:
    """Routes by prefix, each with its equal-cost ways; of several to one prefix the first one given counts."""

    def __init__(self, routes: Iterable[tuple[IPv4Network | IPv6Network, Sequence[Way]]]) -> None:
        self._tables: dict[tuple[int, int], dict[int, list[Sequence[Way]]]] = {}
        for prefix, ways in routes:
            table = self._tables.setdefault((prefix.version, prefix.max_prefixlen - prefix.prefixlen), {})
            table.setdefault(int(prefix.network_address), []).append(ways)
        self._host_bits = sorted(self._tables, key=lambda size: size[1])

    def lookup(self, address: IPv4Address | IPv6Address, dev: str | None = None) -> Sequence[Way]:
        """The equal-cost ways to an address by the longest prefix, only out of ``dev`` where one is named."""
        number = int(address)
        for version, bits in self._host_bits:
            if version == address.version:
                for route in self._tables[version, bits].get(number >> bits << bits, ()):
                    if ways := [way for way in route if dev in (None, way.dev)]:
                        return ways
        return ()

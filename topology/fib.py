"""A forwarding table: longest prefix first, however many routes there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple


class Way(NamedTuple):
    """Where a route leads: out of a device, to a gateway or (None) straight to whom the packet is for."""

    dev: str
    via: IPv4Address | IPv6Address | None


class Fib:
    """Routes by prefix; of several to one prefix the first one given counts."""

    def __init__(
        self, routes: Iterable[tuple[IPv4Network | IPv6Network, str, IPv4Address | IPv6Address | None]]
    ) -> None:
        self._tables: dict[tuple[int, int], dict[int, list[Way]]] = {}
        for prefix, dev, via in routes:
            table = self._tables.setdefault((prefix.version, prefix.max_prefixlen - prefix.prefixlen), {})
            table.setdefault(int(prefix.network_address), []).append(Way(dev, via))
        self._host_bits = sorted(self._tables, key=lambda size: size[1])

    def lookup(self, address: IPv4Address | IPv6Address, dev: str | None = None) -> Way | None:
        """The way to an address by the longest prefix, only out of ``dev`` where one is named; None for none."""
        number = int(address)
        for version, bits in self._host_bits:
            if version == address.version:
                for way in self._tables[version, bits].get(number >> bits << bits, ()):
                    if dev in (None, way.dev):
                        return way
        return None

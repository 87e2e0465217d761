"""A forwarding table with longest-prefix match. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple


class Egress(NamedTuple):
    """The device and gateway a route resolves to; ``via`` None means that the destination is on the link, ``src`` that
    the route prefers no source."""

    dev: str
    via: IPv4Address | IPv6Address | None
    src: IPv4Address | IPv6Address | None = None


class Fib:
    """Routes by prefix, each with its equal-cost egresses, or None where it refuses packets; of several routes to one
    prefix the first given wins."""

    def __init__(self, routes: Iterable[tuple[IPv4Network | IPv6Network, Sequence[Egress] | None]]) -> None:
        self._tables: dict[tuple[int, int], dict[int, list[Sequence[Egress] | None]]] = {}
        for prefix, egresses in routes:
            table = self._tables.setdefault((prefix.version, prefix.max_prefixlen - prefix.prefixlen), {})
            table.setdefault(int(prefix.network_address), []).append(egresses)
        self._host_bits = sorted(self._tables, key=lambda size: size[1])

    def lookup(self, address: IPv4Address | IPv6Address, dev: str | None = None) -> Sequence[Egress]:
        """Return the equal-cost egresses of the longest matching prefix, restricted to ``dev`` if given."""
        number = int(address)
        for version, bits in self._host_bits:
            if version == address.version:
                for route in self._tables[version, bits].get(number >> bits << bits, ()):
                    if route is None:
                        return ()
                    if found := [egress for egress in route if dev in (None, egress.dev)]:
                        return found
        return ()

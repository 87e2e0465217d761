"""The kind of a pair, by how a packet of it is carried. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from topology.links import TUNNEL_HEADERS
from topology.promises import Encapsulation, Kind


def inside(layers: Sequence[str]) -> Sequence[str]:
    """Return the layers inside the innermost tunnel, outermost first; none where there is no tunnel."""
    innermost = max((place for place, layer in enumerate(layers) if layer in TUNNEL_HEADERS), default=len(layers))
    return layers[innermost + 1 :]


def kind_of(path: Iterable[tuple[Sequence[str], object]]) -> Kind | None:
    """Return the kind of a packet's path, from its layers, outermost first, and its innermost TTL at each hop.

    None if a packet without a frame is in a tunnel and not routed: then its ends are the tunnel's. A ``hairpin`` is
    routed between two tunnels, one after the other, at least one of which carries frames.
    """
    hops = list(path)
    wrapped = [(held, ttl) for layers, ttl in hops if (held := inside(layers))]
    routed = hops[0][1] != hops[-1][1]
    if not wrapped:
        return "routed" if routed else "bridge"
    if not routed:
        return "l2-overlay" if all("ether" in held for held, _ in wrapped) else None
    between = len({ttl for held, ttl in wrapped if not {"ipv4", "ipv6"}.isdisjoint(held)}) > 1
    return "hairpin" if between and any("ether" in held for held, _ in wrapped) else "l3-overlay"


def encapsulation(headers: Sequence[tuple[str, Mapping[str, object]]]) -> Encapsulation | None:
    """Return the innermost tunnel of a header stack (names and fields, outermost first); None where there is none."""
    at = max((place for place, (layer, _) in enumerate(headers) if layer in TUNNEL_HEADERS), default=-1)
    if at < 0:
        return None
    name, fields = headers[at]
    numbers = {word: int(str(fields[word])) for word in ("vni", "key") if fields.get(word) is not None}
    if name == "gre":
        outer = next((layer for layer, _ in reversed(headers[:at]) if layer in ("ipv4", "ipv6")), "")
        held = headers[at + 1][0] if at + 1 < len(headers) else ""
        name = f"{'ip6' if outer == 'ipv6' else ''}gre{'tap' if held == 'ether' else ''}"
    return Encapsulation((name,), **numbers)

"""Checks of tunnel devices: each end is where it says, and both ends agree."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_values import suggest
from topology.links import UDP_TUNNELS
from topology.links.tunnel import VNI_MAX, VNI_MIN
from topology.model import Address, Fabric, Tunnel, UdpTunnel, Vxlan
from topology.refs import PortRef

_COMPARED = 50


def strands(fabric: Fabric, tunnels: Sequence[Tunnel]) -> Iterator[tuple[Tunnel, Address, Tunnel | None]]:
    """Yield each tunnel device with each of its remotes, and the device there that declares the same, or None."""
    at = {tunnel.ref: fabric[tunnel.node].ends_of(tunnel) for tunnel in tunnels}
    every = [(tunnel, remote) for tunnel in tunnels for remote in tunnel.remotes if not remote.is_unspecified]
    known: dict[Hashable, Tunnel] = {}
    for tunnel, remote in every:
        for end in at[tunnel.ref]:
            known[type(tunnel), end, remote, tunnel.identity] = tunnel
    for tunnel, remote in every:
        found = (known.get((type(tunnel), remote, end, tunnel.identity)) for end in at[tunnel.ref])
        yield tunnel, remote, next((peer for peer in found if peer is not None and peer.ref != tunnel.ref), None)


def check_places(draft: Draft) -> Iterator[Problem]:
    """A tunnel starts at an address, and a VXLAN device leaves by a device, of its own node."""
    for tunnel in draft.fabric.tunnels:
        node = draft.fabric[tunnel.node]
        if tunnel.local not in node.addresses and not tunnel.local.is_unspecified:
            own = ", ".join(map(str, list(node.addresses)[:8])) or "none is declared"
            what = f"the local {tunnel.local} is no address of {node.name}"
            yield Problem(draft.of(tunnel, "local"), what, f"one of its own: {own}")
        if tunnel.local.version not in tunnel.versions:
            what = f"{tunnel.local} is an address of IPv{tunnel.local.version}, which carries no {tunnel.noun}"
            yield Problem(draft.of(tunnel, "local"), what, "addresses of IPv4")
        dev = tunnel.out_by
        if dev is not None and (dev == tunnel.name or not node.has(dev)):
            others = (device.name for device in node.devices if device is not tunnel)
            yield Problem(draft.of(tunnel, "dev"), f"{node.name} has no device {dev!r} to use", suggest(dev, others))


def check_twins(draft: Draft) -> Iterator[Problem]:
    """No node has two tunnels that the kernel cannot tell apart: it answers EEXIST to the second (``ip_tunnel_find``,
    ``vxlan_config_validate``, ``geneve_find_dev``). Nor can two kinds of tunnel have one UDP port."""
    first: dict[Hashable, Tunnel] = {}
    for tunnel in draft.fabric.tunnels:
        other = first.setdefault((tunnel.node, tunnel.local.version, tunnel.lookup), tunnel)
        if other.name != tunnel.name:
            what = f"the kernel cannot tell {tunnel.name} from {other.name} on line {other.where.line} (EEXIST)"
            yield Problem(tunnel.where, what, tunnel.twin_right)
    ports: dict[int, UdpTunnel] = {}
    for kind in UDP_TUNNELS:
        others = dict(ports)
        for one in draft.fabric.all(kind):
            ports.setdefault(one.port, one)
            if (taken := others.get(one.port)) is not None:
                what = f"the UDP port {one.port} carries {taken.noun} on line {taken.where.line}"
                yield Problem(draft.of(one, "port"), what, "a port for each kind of tunnel")


def check_sources(draft: Draft, kind: type[Tunnel]) -> Iterator[Problem]:
    """The packets of a tunnel whose source the route selects leave with one that is certain; it is the local address
    that a Geneve device declares."""
    owned = {address for node in draft.fabric.nodes for address in node.addresses}
    for tunnel in (tunnel for tunnel in draft.fabric.all(kind) if tunnel.source_by_route):
        node = draft.fabric[tunnel.node]
        for remote in tunnel.remotes:
            source = node.source_towards(remote, tunnel.out_by)
            if source is None and remote in owned and tunnel.local.version == remote.version:
                what = f"no single source address is certain for packets from {node.name} to {remote}"
                yield Problem(_remote_at(draft, tunnel, remote), what, "one route to it, by a device with an address")
            elif not tunnel.without_local and source is not None and source != tunnel.local:
                what = f"packets to {remote} leave {node.name} with the source {source}, not {tunnel.local}"
                yield Problem(draft.of(tunnel, "local"), what, f"{source} or none, or another route")


def check_entries(draft: Draft) -> Iterator[Problem]:
    """A VXLAN device's entry for a MAC leads to one of its remotes."""
    for vxlan in draft.fabric.all(Vxlan):
        for mac, remote in vxlan.entries:
            if remote not in vxlan.remotes:
                right = f"one of: {', '.join(map(str, vxlan.remotes))}"
                yield Problem(draft.of(vxlan, "entries", mac), f"{remote} is no remote of {vxlan.name}", right)


def check_vnis(draft: Draft) -> Iterator[Problem]:
    """Every VNI fits its 24 bits."""
    for tunnel in draft.fabric.all(UdpTunnel):
        if not tunnel.has_sound_identity:
            reason = "is out of range" if tunnel.vni else "means to the kernel that none is given"
            yield Problem(draft.of(tunnel, "vni"), f"the VNI {tunnel.vni} {reason}", f"{VNI_MIN} to {VNI_MAX}")


def check_peers(draft: Draft, kind: type[Tunnel]) -> Iterator[Problem]:
    """Every tunnel of a kind has another end, and both ends declare the same."""
    tunnels = [tunnel for tunnel in draft.fabric.all(kind) if not tunnel.remote.is_unspecified]
    owners: dict[Address, list[Tunnel]] = {}
    for tunnel in tunnels:
        for end in draft.fabric[tunnel.node].ends_of(tunnel):
            owners.setdefault(end, []).append(tunnel)
    lost = {tunnel.ref for tunnel in tunnels if not tunnel.has_sound_identity}
    for tunnel in tunnels:
        for index, remote in enumerate(tunnel.remotes):
            if (problem := _remote(tunnel, index, remote, owners, tunnels)) is not None:
                lost.add(tunnel.ref)
                yield Problem(_remote_at(draft, tunnel, remote), *problem)
    unmatched: dict[frozenset[PortRef], tuple[Tunnel, Tunnel]] = {}
    for tunnel, remote, peer in strands(draft.fabric, tunnels):
        if peer is None and tunnel.ref not in lost:
            others = [other for other in owners[remote][:_COMPARED] if other.ref not in lost and other is not tunnel]
            if others:
                nearest = min(others, key=lambda other: len(_differences(draft, tunnel, other)))
                unmatched[frozenset({tunnel.ref, nearest.ref})] = (tunnel, nearest)
    for tunnel, other in unmatched.values():
        fields, here, there = zip(*_differences(draft, tunnel, other), strict=True)
        what = f"{tunnel.name} says {' and '.join(here)}, its other end {other.ref} {' and '.join(there)}"
        right = f"the same at both ends (the other is on line {other.where.line})"
        yield Problem(draft.of(tunnel, str(fields[0])), what, right)


def _remote(
    tunnel: Tunnel, index: int, remote: Address, owners: Mapping[Address, Sequence[Tunnel]], tunnels: Sequence[Tunnel]
) -> tuple[str, str] | None:
    """Return the fault of a remote and the right value."""
    if tunnel.local.version != remote.version:
        what = f"the local {tunnel.local} and the remote {remote} are of two IP versions"
        return what, "two addresses of one version"
    if remote in tunnel.remotes[:index]:
        return f"the remote {remote} of {tunnel.name} is listed twice", "each remote once"
    if tunnel.local == remote:
        return f"the tunnel {tunnel.name} ends where it starts", "the other end's address"
    if remote not in owners:
        others = [other for other in tunnels if other.local not in tunnel.remotes]
        back = {str(other.local) for other in others if tunnel.local in other.remotes}
        known = sorted(back or {str(other.local) for other in others if other.node != tunnel.node})
        what = f"unknown remote {remote}: no {tunnel.noun} device has it as its local"
        return what, f"such as {known[0]}" if known else "a device at the other end"
    return None


def _differences(draft: Draft, mine: Tunnel, other: Tunnel) -> list[tuple[str, str, str]]:
    """Return the settings that disagree: this end's field, and the words of each end."""
    pairs = zip(mine.identity, other.identity, strict=True)
    found = [(n, f"{n} {_shown(a)}", f"{n} {_shown(b)}") for (n, a), (_, b) in pairs if a != b]
    if not set(draft.fabric[mine.node].ends_of(mine)) & set(other.remotes):
        found.append(("local", f"local {mine.local}", f"remote {' and '.join(map(str, other.remotes))}"))
    return found


def _shown(value: int | None) -> str:
    return "none" if value is None else str(value)


def _remote_at(draft: Draft, tunnel: Tunnel, remote: Address) -> Position:
    """Return the place of a tunnel's remote: the last of the same if it is listed twice."""
    entry = draft.spec.nodes[tunnel.node].section(tunnel.section)[tunnel.name]
    in_list = bool(dict(entry).get("remotes"))
    index = len(tunnel.remotes) - 1 - tunnel.remotes[::-1].index(remote)
    return draft.of(tunnel, *(("remotes", index) if in_list else ("remote",)))

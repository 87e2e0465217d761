"""Checks of VXLAN, Geneve and GRE devices: each end is where it says, and both ends agree."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_values import VNI_MAX, VNI_MIN, suggest
from topology.model import Address, Fabric, FrameTunnel, Geneve, Gre, Tunnel, Vxlan
from topology.refs import PortRef

TunnelT = TypeVar("TunnelT", bound=Tunnel)
_SECTION = {Vxlan: "vxlan", Geneve: "geneve", Gre: "gre"}
_COMPARED = 50
_NOUN = {Vxlan: "VXLAN", Geneve: "Geneve", Gre: "GRE"}


def identity(tunnel: Tunnel) -> tuple[tuple[str, int | None], ...]:
    """What must be equal at both ends beside the addresses."""
    if isinstance(tunnel, Gre):
        return (("key", tunnel.key),)
    return (("vni", tunnel.vni), ("port", tunnel.port))


def strands(tunnels: Iterable[TunnelT]) -> Iterator[tuple[TunnelT, Address]]:
    """Each tunnel with each of its remotes: a tunnel between two addresses."""
    return ((tunnel, remote) for tunnel in tunnels for remote in tunnel.remotes)


class Strands:
    """The strands of tunnels of one kind, each found by what its other end says of it."""

    def __init__(self, fabric: Fabric, tunnels: Sequence[Tunnel]) -> None:
        self._at = {tunnel.ref: fabric[tunnel.node].ends_of(tunnel) for tunnel in tunnels}
        self._known: dict[Hashable, Tunnel] = {}
        for tunnel, remote in strands(tunnels):
            for end in self._at[tunnel.ref]:
                self._known[type(tunnel), end, remote, identity(tunnel)] = tunnel

    def peer(self, tunnel: Tunnel, remote: Address) -> Tunnel | None:
        """The device at the other end that says the same of a strand; None where there is none."""
        found = (self._known.get((type(tunnel), remote, end, identity(tunnel))) for end in self._at[tunnel.ref])
        return next((peer for peer in found if peer is not None and peer.ref != tunnel.ref), None)

    def differences(self, mine: Tunnel, other: Tunnel) -> Sequence[tuple[str, str, str]]:
        """The settings that disagree: this end's field, and the words of each end."""
        pairs = zip(identity(mine), identity(other), strict=True)
        found = [(n, f"{n} {_said(a)}", f"{n} {_said(b)}") for (n, a), (_, b) in pairs if a != b]
        if not set(self._at[mine.ref]) & set(other.remotes):
            found.append(("local", f"local {mine.local}", f"remote {' and '.join(map(str, other.remotes))}"))
        return found


def _said(value: int | None) -> str:
    return "none" if value is None else str(value)


def _tunnels(draft: Draft) -> tuple[Tunnel, ...]:
    return _all(draft.fabric)


def _all(fabric: Fabric) -> tuple[Tunnel, ...]:
    return (*fabric.all(Vxlan), *fabric.all(Geneve), *fabric.all(Gre))


def check_places(draft: Draft) -> Iterator[Problem]:
    """A tunnel starts at an address, and a VXLAN device leaves by a device, of its own node."""
    for tunnel in _tunnels(draft):
        node, path = draft.fabric[tunnel.node], _path(tunnel)
        if tunnel.local not in node.addresses and not tunnel.local.is_unspecified:
            own = ", ".join(map(str, list(node.addresses)[:8])) or "none is declared"
            what = f"the local {tunnel.local} is no address of {node.name}"
            yield Problem(draft.at(*path, "local"), what, f"one of its own: {own}")
        dev = tunnel.dev if isinstance(tunnel, Vxlan) else None
        if dev is not None and (dev == tunnel.name or not node.has(dev)):
            others = (device.name for device in node.devices if device is not tunnel)
            yield Problem(draft.at(*path, "dev"), f"{node.name} has no device {dev!r} to use", suggest(dev, others))


def check_twins(draft: Draft) -> Iterator[Problem]:
    """No node has two tunnels that the kernel cannot tell apart: it answers EEXIST to the second.

    GRE by both ends and the key (``ip_tunnel_find``), VXLAN by VNI and port (``vxlan_config_validate``), Geneve by VNI,
    port and far end (``geneve_find_dev``). Nor can two kinds of tunnel have one UDP port.
    """
    first: dict[Hashable, Tunnel] = {}
    for tunnel in _tunnels(draft):
        ends = {Vxlan: (), Geneve: (tunnel.remote,)}.get(type(tunnel), (tunnel.local, tunnel.remote))
        other = first.setdefault((type(tunnel), tunnel.node, tunnel.local.version, ends, identity(tunnel)), tunnel)
        if other.name != tunnel.name:
            what = f"the kernel cannot tell {tunnel.name} from {other.name} on line {other.where.line}"
            right = "other ends, or a key of its own for each" if isinstance(tunnel, Gre) else "another vni or port"
            yield Problem(tunnel.where, f"{what} (EEXIST)", right)
    vxlan = {tunnel.port: tunnel for tunnel in reversed(draft.fabric.all(Vxlan))}
    for geneve in draft.fabric.all(Geneve):
        if geneve.port in vxlan:
            what = f"the UDP port {geneve.port} carries VXLAN on line {vxlan[geneve.port].where.line}"
            yield Problem(draft.at(*_path(geneve), "port"), what, "a port for each kind of tunnel")


def check_sources(draft: Draft, kind: type[FrameTunnel]) -> Iterator[Problem]:
    """The packets of a Geneve device, and of a VXLAN device that says no local address, leave with one that the route
    to the far end gives; it is the local one that a Geneve device says."""
    owned = {address for node in draft.fabric.nodes for address in node.addresses}
    by_route = [one for one in draft.fabric.all(kind) if isinstance(one, Geneve) or one.by_route]
    for tunnel, remote in strands(by_route):
        node = draft.fabric[tunnel.node]
        source = node.source_towards(remote, tunnel.dev if isinstance(tunnel, Vxlan) else None)
        if source is None and remote in owned and tunnel.local.version == remote.version:
            what = f"no one source address can be told of packets from {node.name} to {remote}"
            yield Problem(_remote_at(draft, tunnel, remote), what, "one route to it, by a device with an address")
        elif isinstance(tunnel, Geneve) and source is not None and source != tunnel.local:
            what = f"packets to {remote} leave {node.name} with the source {source}, not {tunnel.local}"
            yield Problem(draft.at(*_path(tunnel), "local"), what, f"{source}, no local, or another route")


def check_entries(draft: Draft) -> Iterator[Problem]:
    """A VXLAN device's entry for a MAC leads to one of its remotes."""
    for vxlan in draft.fabric.all(Vxlan):
        for mac, remote in vxlan.entries:
            if remote not in vxlan.remotes:
                where = draft.at(*_path(vxlan), "entries", mac)
                yield Problem(
                    where, f"{remote} is no remote of {vxlan.name}", f"one of: {', '.join(map(str, vxlan.remotes))}"
                )


def check_vnis(draft: Draft) -> Iterator[Problem]:
    """Every VNI fits its 24 bits."""
    tunnels: Sequence[FrameTunnel] = [*draft.fabric.all(Vxlan), *draft.fabric.all(Geneve)]
    for tunnel in tunnels:
        if not has_sound_vni(tunnel):
            zero = tunnel.vni == 0
            reason = "is what the kernel takes for a VNI never given" if zero else "is out of range"
            where = draft.at(*_path(tunnel), "vni")
            yield Problem(where, f"the VNI {tunnel.vni} {reason}", f"{VNI_MIN} to {VNI_MAX}")


def has_sound_vni(tunnel: Tunnel) -> bool:
    """Whether a tunnel has a VNI that a packet can carry, or needs none."""
    return isinstance(tunnel, Gre) or VNI_MIN <= tunnel.vni <= VNI_MAX


def endless(fabric: Fabric) -> frozenset[PortRef]:
    """The tunnels without another end that says the same: how far their segment reaches, nobody can say."""
    tunnels = _all(fabric)
    known = Strands(fabric, tunnels)
    return frozenset(
        tunnel.ref
        for tunnel, remote in strands(tunnels)
        if known.peer(tunnel, remote) is None and has_sound_vni(tunnel)
    )


def check_peers(draft: Draft, kind: type[Tunnel]) -> Iterator[Problem]:
    """Every tunnel of a kind has another end, and both ends say the same of it."""
    tunnels: Sequence[Tunnel] = draft.fabric.all(kind)
    owners: dict[object, list[Tunnel]] = {}
    for tunnel in tunnels:
        for end in draft.fabric[tunnel.node].ends_of(tunnel):
            owners.setdefault(end, []).append(tunnel)
    lost = {tunnel.ref for tunnel in tunnels if not has_sound_vni(tunnel)}
    for tunnel in tunnels:
        for problem in _endless(draft, tunnel, owners, tunnels):
            lost.add(tunnel.ref)
            yield problem
    known = Strands(draft.fabric, tunnels)
    unmatched: dict[frozenset[PortRef], tuple[Tunnel, Tunnel]] = {}
    for tunnel, remote in strands(tunnels):
        if tunnel.ref not in lost and known.peer(tunnel, remote) is None:
            peers = [peer for peer in owners[remote][:_COMPARED] if peer.ref not in lost]
            nearest = min(peers, key=lambda peer: len(known.differences(tunnel, peer)), default=tunnel)
            if nearest is not tunnel:
                unmatched[frozenset({tunnel.ref, nearest.ref})] = (tunnel, nearest)
    for tunnel, peer in unmatched.values():
        fields, here, there = zip(*known.differences(tunnel, peer), strict=True)
        what = f"{tunnel.name} says {' and '.join(here)}, its other end {peer.ref} {' and '.join(there)}"
        right = f"the same at both ends (the other is on line {peer.where.line})"
        yield Problem(draft.at(*_path(tunnel), str(fields[0])), what, right)


def _endless(
    draft: Draft, tunnel: Tunnel, owners: dict[object, list[Tunnel]], tunnels: Sequence[Tunnel]
) -> Iterator[Problem]:
    for index, remote in enumerate(tunnel.remotes):
        where = _remote_at(draft, tunnel, remote)
        if tunnel.local.version != remote.version:
            what = f"the local {tunnel.local} and the remote {remote} are of two IP versions"
            yield Problem(where, what, "two addresses of one version")
        elif remote in tunnel.remotes[:index]:
            yield Problem(where, f"the remote {remote} of {tunnel.name} stands there twice", "each remote once")
        elif tunnel.local == remote:
            yield Problem(where, f"the tunnel {tunnel.name} ends where it starts", "the other end's address")
        elif remote not in owners:
            others = [other for other in tunnels if other.local not in tunnel.remotes]
            back = sorted({str(other.local) for other in others if tunnel.local in other.remotes})
            known = back or sorted({str(other.local) for other in others if other.node != tunnel.node})
            what = f"nobody owns the remote {remote}: no {_NOUN[type(tunnel)]} device has it as its local"
            yield Problem(where, what, f"such as {known[0]}" if known else "a device at the other end")


def _remote_at(draft: Draft, tunnel: Tunnel, remote: Address) -> Position:
    """Where a tunnel's remote stands: the last of the same, where one stands there twice."""
    in_list = isinstance(tunnel, Vxlan) and bool(draft.spec.nodes[tunnel.node].vxlan[tunnel.name].remotes)
    index = len(tunnel.remotes) - 1 - tunnel.remotes[::-1].index(remote)
    return draft.at(*_path(tunnel), *(("remotes", index) if in_list else ("remote",)))


def _path(tunnel: Tunnel) -> tuple[str, str, str, str]:
    return ("nodes", tunnel.node, _SECTION[type(tunnel)], tunnel.name)

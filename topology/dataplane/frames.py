"""Follows a frame over Layer 2: out of a device, over its cable, across bridges, into tunnels. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from topology.dataplane import groups
from topology.dataplane.bridges import bridge_refusal, coming, is_broadcast, leaving, no_remote, no_vni, not_learned
from topology.dataplane.ends import leads_to, looping, wrong_entry
from topology.dataplane.paths import Ending, ExpectedPath, Hops, Paths, ending, seen
from topology.dataplane.reasons import wrong_ends
from topology.links import NOT_FOLLOWED
from topology.model import Address, Bridge, Device, Fabric, Node, Port, Subinterface, Tunnel, Vxlan
from topology.packet import Layers, tagged, tags_of, untagged
from topology.refs import PortRef

HOPS_MAX = 128
"""More hops than this is a forwarding loop."""


class FrameWalk(ABC):
    """Follows a frame; each method continues from a point and yields the paths it can take."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.copies: list[ExpectedPath] = []
        self._copied: set[tuple[PortRef, object]] = set()

    @abstractmethod
    def send(self, node: Node, packet: Layers, hops: Hops, out: str | None = None, came_by: str = "") -> Paths:
        """Route an IP packet out of a node; ``out`` binds it to a device."""

    @abstractmethod
    def up(self, node: Node, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame up to IP at a device."""

    def emit(self, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame out of a device."""
        if not device.up:
            yield ExpectedPath(hops, ending(device, "down", "link", "up"))
            return
        if isinstance(device, Vxlan) and device.by_packet:
            yield from self.emit(part, untagged(frame), hops) if (part := device.part(tags_of(frame))) else ()
            yield from () if part else (ExpectedPath(hops, no_vni(device, tags_of(frame))),)
            return
        hops = seen(device, "out", frame, hops)
        node = self.fabric[device.node]
        if len(hops) > HOPS_MAX:
            yield ExpectedPath(hops, looping(self.fabric, device, hops))
        elif isinstance(device, Port):
            yield from self.arrive(self.fabric[device.peer.node][device.peer.interface], frame, hops)
        elif isinstance(device, Bridge):
            yield from self.across(node, device, None, frame, hops)
        elif isinstance(device, Subinterface):
            yield from self.emit(node[device.link], tagged(frame, device.vid), hops)
        elif isinstance(device, Tunnel):
            yield from self.into_tunnel(node, device, frame, hops)
        else:
            yield ExpectedPath(hops, ending(device, f"what it is joined to {NOT_FOLLOWED}"))

    def into_tunnel(self, node: Node, tunnel: Tunnel, frame: Layers, hops: Hops) -> Paths:
        """Wrap a frame for the one end behind which its destination is, and copies for those it is flooded to."""
        wanted = str(frame[0][1]["dst"])
        if (end := wrong_entry(self.fabric, tunnel, wanted)) is not None:
            yield ExpectedPath(hops, end)
            return
        towards = tunnel.towards(wanted)
        behind = [(remote, far) for remote in towards for far in self.fabric.receivers(tunnel, remote)]
        if len(behind) > 1 or len(towards) > 1:
            behind = [end for end in behind if leads_to(self.fabric, end[1], wanted)]
        remote, far = behind[0] if behind else (towards[0], None)
        learned = self.fabric.learned_end(tunnel, far) if far is not None and tunnel.learns else None
        flooded = [other for other in towards if other != remote or not behind]
        if not behind and len(towards) > 1:
            yield ExpectedPath(hops, ending(tunnel, f"no remote leads to {wanted}", tunnel.kind))
        else:
            sent_to = remote if learned is None or len(towards) < len(tunnel.remotes) else learned
            yield from self.wrapped(node, tunnel, sent_to, frame, hops)
        if flooded and (not behind or tunnel.floods(wanted, may=True)):
            self.copy(tunnel, wanted, [self.wrapped(node, tunnel, other, frame, ()) for other in flooded])

    def wrapped(self, node: Node, tunnel: Tunnel, remote: Address, inside: Layers, hops: Hops) -> Paths:
        """Send a packet or frame to one end of its tunnel."""
        if remote.is_multicast:
            yield from self.to_group(tunnel, remote, inside, hops)
        elif remote.is_unspecified and tunnel.is_told:
            yield ExpectedPath(hops, ending(tunnel, f"what sends frames to {remote} {NOT_FOLLOWED}"))
        elif remote.is_unspecified:
            yield ExpectedPath(hops, no_remote(tunnel, inside))
        elif node.is_live and (end := wrong_ends(self.fabric, node, tunnel, remote)) is not None:
            yield ExpectedPath(hops, end)
        else:
            for packet in tunnel.wrap(inside, node.outer_source(tunnel, remote), remote):
                yield from self.send(node, packet, hops, tunnel.out_by)

    def to_group(self, tunnel: Tunnel, group: Address, frame: Layers, hops: Hops) -> Paths:
        """Let a frame out to a multicast group: to its members on the segment of the device that sends it."""
        members = self.fabric.receivers(tunnel, group)
        wanted = frame[0][1]["dst"]
        behind = [far for far in members if is_broadcast(frame) or leads_to(self.fabric, far, str(wanted))]
        if not behind:
            yield ExpectedPath(hops, groups.unheard(self.fabric, tunnel, group))
        for far in behind:
            yield from self.arrive(far, frame, hops)

    def copy(self, device: Device, wanted: object, ways: Sequence[Paths]) -> None:
        """Follow copies of a frame out of a device, once for each destination."""
        if (device.ref, wanted) not in self._copied:
            self._copied.add((device.ref, wanted))
            for way in ways:
                self.copies += way

    def arrive(self, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame into a device: to its VLAN (vlan_do_receive, net/8021q), to its bridge, or up to IP."""
        if not device.up:
            yield ExpectedPath(hops, ending(device, "down", "link", "up"))
            return
        hops = seen(device, "in", frame, hops)
        node = self.fabric[device.node]
        tag = tags_of(frame)[:1]
        if node.opaque and isinstance(device, Port):
            yield ExpectedPath(hops, ending(device, f"{node.opaque}: it {NOT_FOLLOWED}"))
        elif tag and (vlan := node.subinterface(device.name, tag[0])) is not None:
            yield from self.arrive(vlan, untagged(frame), hops)
        elif device.name in node.handed:
            yield ExpectedPath(hops, ending(device, f"what {node.handed[device.name]} does {NOT_FOLLOWED}"))
        elif (bridge := node.bridge_of(device.name)) is not None:
            yield from self.across(node, bridge, device, coming(frame, device), hops)
        elif tag:
            what = f"no sub-interface for VLAN {tag[0]}{self.moved}"
            yield ExpectedPath(hops, ending(device, what, "link", f"VLAN {tag[0]}"))
        else:
            yield from self.up(node, device, frame, hops)

    @property
    def moved(self) -> str:
        """The words for what a device of another node may take of a frame; empty where there is none."""
        elsewhere = any(node.sends_elsewhere for node in self.fabric.nodes)
        return f"; what another node has of it {NOT_FOLLOWED}" if elsewhere else ""

    def across(self, node: Node, bridge: Bridge, came_by: Device | None, frame: Layers, hops: Hops) -> Paths:
        """Let a frame cross a bridge that has learned where its destination is, or floods it."""
        wanted = str(frame[0][1]["dst"])
        own = wanted in {device.mac for device in (bridge, *node.subinterfaces(bridge.name))}
        if refusal := bridge_refusal(bridge, frame, came_by, bridge if own else None):
            yield ExpectedPath(hops, refusal)
            return
        if own:
            yield from self.arrive(bridge, leaving(bridge, frame, came_by, bridge), hops)
            return
        others = [node[name] for name in bridge.members if came_by is None or name != came_by.name]
        leading = [m for m in others if any(one.mac == wanted for one in self.beyond_port(bridge, frame, came_by, m))]
        # A port in other VLANs is another frame's way; one in none is nobody's.
        found = min(
            leading,
            key=lambda m: (bridge_refusal(bridge, frame, came_by, m) is not None, bool(bridge.vlans_of(m.name))),
            default=None,
        )
        found = found or self._without_remote(bridge, frame, came_by, others)
        static = bridge.port_of(wanted)
        if found is None:
            yield ExpectedPath(hops, ending(bridge, f"no port leads to {wanted}"))
        elif static not in (None, found.name):
            wrong = Ending(node.name, static, f"{wanted} master static", "fdb", f"{wanted} dev {found.name}")
            yield ExpectedPath(hops, wrong)
        elif refusal := bridge_refusal(bridge, frame, came_by, found) or (
            not_learned(bridge, found) if static is None else None
        ):
            yield ExpectedPath(hops, refusal)
        else:
            yield from self.emit(found, leaving(bridge, frame, came_by, found), hops)
        if bridge.floods(wanted, may=True):
            self.copy(bridge, wanted, [self.emit(member, frame, ()) for member in others if member != found])

    def _without_remote(
        self, bridge: Bridge, frame: Layers, came_by: Device | None, others: Sequence[Device]
    ) -> Device | None:
        """Return a VXLAN device of a bridge that sends a frame nowhere."""
        for out in others:
            if isinstance(out, Vxlan) and bridge_refusal(bridge, frame, came_by, out) is None:
                part = out.part(tags_of(leaving(bridge, frame, came_by, out))) if out.by_packet else out
                if part is None or part.by_daemon:
                    return out
        return None

    def beyond_port(self, bridge: Bridge, frame: Layers, came_by: Device | None, out: Device) -> Iterator[Device]:
        """Yield the devices that a frame reaches by a port of a bridge, with the tags with which it leaves there."""
        return self.fabric.behind(out, {bridge.ref}, tags_of(leaving(bridge, frame, came_by, out)))

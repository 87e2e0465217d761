"""A small network of simulated kernels, fed with the operations of a plan: an oracle for the model of forwarding.

It knows no declaration, only what a kernel would get: links, masters, addresses, routes, sysctls. Neighbours are
asked for by ARP, bridges learn and flood, and every frame that carries a probe leaves a trace at each device it passes.
Whatever a kernel would refuse (a name, an index, an address, a route or a tunnel twice) is an error here too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from tests.self.topology.simulated_frames import Arp, Between, Echo, Frame, InGeneve, InVxlan, Packet, layers
from topology.plan import NamespaceOf, Operation, Plan

BROADCAST = "ff:ff:ff:ff:ff:ff"
NOBODY = IPv4Address(0)


class Refused(Exception):
    """The kernel's error in answer."""


@dataclass
class Device:
    """One device of one kernel, with what it was made with."""

    node: str
    name: str
    index: int
    kind: str
    mac: str | None
    options: dict[str, Any]
    up: bool = False
    peer: Device | None = None
    master: Device | None = None
    members: list[Device] = field(default_factory=list)
    learned: dict[str, Device] = field(default_factory=dict)
    floods: list[IPv4Address] = field(default_factory=list)
    behind: dict[str, IPv4Address] = field(default_factory=dict)
    addresses: list[IPv4Interface] = field(default_factory=list)
    neighbours: dict[IPv4Address, str] = field(default_factory=dict)

    @property
    def header(self) -> str:
        """The header of a tunnel that is made with two ends, as its attributes name it; empty for other devices."""
        names = {name.rpartition("_")[0] for name in self.options if name.endswith(("_local", "_remote"))}
        return next((name for name in names if {f"{name}_local", f"{name}_ttl"} <= self.options.keys()), "")

    def made(self, word: str) -> Any:
        """What such a tunnel is made with."""
        return self.options.get(f"{self.header}_{word}")


@dataclass(frozen=True)
class Seen:
    """A probe at a device: where, which way, and its layers from the outermost on."""

    node: str
    device: str
    way: str
    layers: tuple[str, ...]


class Kernel:
    """One namespace."""

    def __init__(self, name: str, network: Network) -> None:
        self.name, self.network = name, network
        self.forwards = False
        self.devices = {1: Device(name, "lo", 1, "loopback", None, {}, up=True)}
        self.routes: dict[IPv4Network, list[tuple[IPv4Address | None, Device]]] = {}

    def add(self, device: Device) -> None:
        """A new link."""
        if device.index in self.devices or any(other.name == device.name for other in self.devices.values()):
            raise Refused(f"EEXIST: {self.name} {device.name}")
        if any(_identity(device) == _identity(other) for other in self.devices.values() if _identity(other)):
            raise Refused(f"EEXIST: {self.name} has a tunnel like {device.name}")
        self.devices[device.index] = device

    def owner(self, address: IPv4Address) -> Device | None:
        """The device that has an address."""
        return next((d for d in self.devices.values() for i in d.addresses if i.ip == address), None)

    def way(self, src: IPv4Address, dst: IPv4Address, bound: Device | None) -> tuple[Device, IPv4Address] | None:
        """The route of the longest prefix: device and next hop; of equal-cost ones one, by both addresses."""
        known = [(i.network, d, dst) for d in self.devices.values() for i in d.addresses]
        known += [(prefix, device, via or dst) for prefix, ways in self.routes.items() for via, device in ways]
        fitting = [found for found in known if dst in found[0] and bound in (None, found[1])]
        longest = max((found[0].prefixlen for found in fitting), default=0)
        best = [found[1:] for found in fitting if found[0].prefixlen == longest]
        return best[(int(src) + int(dst)) % len(best)] if best else None

    def send(self, packet: Packet, bound: Device | None = None) -> None:
        """Route a packet out."""
        found = self.way(packet.src, packet.dst, bound)
        if found is None:
            return
        device, next_hop = found
        if device.header and device.mac is None:
            self.network.see(device, "out", packet)
            self.send_between(device, packet, packet.ttl)
            return
        if next_hop not in device.neighbours:
            self.transmit(device, Frame(str(device.mac), BROADCAST, Arp(packet.src, next_hop)))
        if next_hop in device.neighbours:
            self.transmit(device, Frame(str(device.mac), device.neighbours[next_hop], packet))

    def send_own(self, target: IPv4Address, body: InGeneve) -> None:
        """Route out what has no source yet: it gets the first address, on the next hop's subnet, of its device."""
        found = self.way(NOBODY, target, None)
        if found is not None:
            device, next_hop = found
            self.send(Packet(next(i.ip for i in device.addresses if next_hop in i.network), target, 64, body))

    def send_between(self, device: Device, held: Packet | Frame, ttl: int) -> None:
        """Send what a tunnel between two ends holds; ``ttl`` is its own, to inherit."""
        local, remote, its_ttl, key = (device.made(word) for word in ("local", "remote", "ttl", "okey"))
        ends = (IPv4Address(local), IPv4Address(remote))
        self.send(Packet(*ends, its_ttl or ttl, Between(device.header, key, held)))

    def transmit(self, device: Device, frame: Frame) -> None:
        """Let a frame out of a device."""
        self.network.see(device, "out", frame)
        if not device.up:
            return
        if device.kind == "bridge":
            self.cross(device, None, frame)
        elif device.kind == "vxlan":
            vxlan = device.options
            inside = InVxlan(vxlan["vxlan_port"], vxlan["vxlan_id"], frame)
            known = device.behind.get(frame.dst)
            for remote in [known] if known else device.floods:
                ends = (IPv4Address(vxlan["vxlan_local"]), remote)
                self.send(Packet(*ends, 64, inside), self.devices.get(vxlan.get("vxlan_link", 0)))
        elif device.kind == "vlan":
            self.transmit(self.devices[device.options["link"]], replace(frame, tag=device.options["vlan_id"]))
        elif device.kind == "geneve":
            made = device.options
            self.send_own(IPv4Address(made["geneve_remote"]), InGeneve(made["geneve_port"], made["geneve_id"], frame))
        elif device.header:
            self.send_between(device, frame, frame.body.ttl if isinstance(frame.body, Packet) else 64)
        elif device.peer is not None and device.peer.up:
            self.network.kernels[device.peer.node].receive(device.peer, frame)

    def receive(self, device: Device, frame: Frame) -> None:
        """Let a frame into a device."""
        self.network.see(device, "in", frame)
        if frame.tag is not None:
            wanted = ("vlan", device.index, frame.tag)
            for vlan in (found for found in self.devices.values() if _identity(found) == wanted):
                self.receive(vlan, replace(frame, tag=None))
        elif device.master is not None:
            device.master.learned[frame.src] = device
            self.cross(device.master, device, frame)
        elif frame.dst in (device.mac, BROADCAST):
            self.take(device, frame)

    def cross(self, bridge: Device, source: Device | None, frame: Frame) -> None:
        """A learning bridge: to itself, to the one port it has learned, or to all others."""
        if frame.dst == bridge.mac or (frame.dst == BROADCAST and source is not None):
            self.network.see(bridge, "in", frame)
            self.take(bridge, frame)
        if frame.dst == bridge.mac:
            return
        port = bridge.learned.get(frame.dst)
        for member in [port] if port else bridge.members:
            if member is not source:
                self.transmit(member, frame)

    def take(self, device: Device, frame: Frame) -> None:
        """Handle received ARP or IP."""
        if isinstance(frame.body, Packet):
            if frame.dst != BROADCAST:  # ip_forward (net/ipv4) passes on nothing that was for all
                self.take_packet(frame.body)
        elif frame.body.is_reply:
            device.neighbours[frame.body.sender] = frame.src
        elif self.owner(frame.body.target):
            device.neighbours[frame.body.sender] = frame.src
            reply = Arp(frame.body.target, frame.body.sender, is_reply=True)
            self.transmit(device, Frame(str(device.mac), frame.src, reply))

    def take_packet(self, packet: Packet) -> None:
        """Out of a tunnel, to the end of its way, or on."""
        if not self.owner(packet.dst):
            if self.forwards and packet.ttl > 1:
                self.send(replace(packet, ttl=packet.ttl - 1))
        elif not isinstance(packet.body, Echo):
            self.unwrap(packet)
        else:
            self.network.arrived.append((self.name, packet.ttl))

    def unwrap(self, packet: Packet) -> None:
        """Out of the tunnel that the packet's headers name, where there is one."""
        body, wanted = packet.body, _wanted(packet)
        device = next((device for device in self.devices.values() if _identity(device) == wanted), None)
        if device is None:
            return
        if isinstance(body, Between) and isinstance(body.held, Packet):
            self.network.see(device, "in", body.held)
            self.take_packet(body.held)
        elif isinstance(body, Between) and isinstance(body.held, Frame):
            self.receive(device, body.held)
        elif isinstance(body, InVxlan | InGeneve):
            device.behind[body.frame.src] = packet.src
            self.receive(device, body.frame)


def _wanted(packet: Packet) -> tuple[object, ...]:
    """The packet's tunnel, in the words of ``_identity``."""
    body = packet.body
    if isinstance(body, Between):
        return (body.header, isinstance(body.held, Frame), str(packet.dst), str(packet.src), body.key)
    if isinstance(body, InVxlan):
        return ("vxlan", body.port, body.vni)
    return ("geneve", body.port, body.vni, str(packet.src)) if isinstance(body, InGeneve) else ()


def _identity(device: Device) -> tuple[object, ...]:
    """Identity of a tunnel in the kernel; empty for other devices."""
    made = device.options
    if device.header:
        return (device.header, device.mac is not None, *(device.made(word) for word in ("local", "remote", "ikey")))
    if device.kind == "vxlan":
        return ("vxlan", made["vxlan_port"], made["vxlan_id"])
    if device.kind == "vlan":
        return ("vlan", made["link"], made["vlan_id"])
    if device.kind == "geneve":
        return ("geneve", made["geneve_port"], made["geneve_id"], made["geneve_remote"])
    return ()


class Network:
    """All kernels of a plan."""

    def __init__(self, plan: Plan) -> None:
        if len(set(plan.namespaces)) != len(plan.namespaces):
            raise Refused("EEXIST: a namespace twice")
        self.kernels = {name: Kernel(name, self) for name in plan.namespaces}
        self.trace: list[Seen] = []
        self.arrived: list[tuple[str, int]] = []
        for operation in (*plan.sysctls, *(op for phase in plan.phases for op in phase)):
            self._apply(self.kernels[operation.node], operation)

    def see(self, device: Device, way: str, thing: Frame | Packet) -> None:
        """Note a probe at a device."""
        found = layers(thing)
        if found[-1] == "echo":
            self.trace.append(Seen(device.node, device.name, way, found))

    def probe(self, node: str, src: IPv4Address, dst: IPv4Address) -> tuple[list[Seen], list[tuple[str, int]]]:
        """The trace of a probe, and where it ended with which TTL, once one like it has gone both ways."""
        far = next(kernel for kernel in self.kernels.values() if kernel.owner(dst))
        for kernel, ends in ((self.kernels[node], (src, dst)), (far, (dst, src)), (self.kernels[node], (src, dst))):
            self.trace, self.arrived = [], []
            kernel.send(Packet(*ends, 64, Echo()))
        return self.trace, self.arrived

    def flood(self, node: str, name: str) -> list[Seen]:
        """The trace of a frame to all that a device lets out."""
        kernel = self.kernels[node]
        device = next(device for device in kernel.devices.values() if device.name == name)
        self.trace = []
        kernel.transmit(device, Frame(str(device.mac), BROADCAST, Packet(NOBODY, NOBODY, 64, Echo())))
        return self.trace

    def _apply(self, kernel: Kernel, op: Operation) -> None:
        said = dict(op.arguments)
        if op.api == "sysctl":
            kernel.forwards |= said["key"] == "net.ipv4.ip_forward" and said["value"] == "1"
        elif (op.api, op.verb) == ("link", "add"):
            self._add_link(kernel, said)
        elif op.api == "link":
            self._set_link(kernel, said)
        elif op.api == "fdb":
            self._add_flood(kernel.devices[said["ifindex"]], said)
        elif op.api == "addr":
            address = IPv4Interface(f"{said['address']}/{said['prefixlen']}")
            if kernel.owner(address.ip):
                raise Refused(f"EEXIST: {kernel.name} {address}")
            kernel.devices[said["index"]].addresses.append(address)
        elif op.api == "brport":
            assert kernel.devices[said["index"]].master is not None
        else:
            self._add_route(kernel, said)

    def _add_link(self, kernel: Kernel, said: dict[str, Any]) -> None:
        far = said.pop("peer", None)
        device = _made(kernel.name, said)
        kernel.add(device)
        if far is not None:
            place = far.pop("net_ns_fd")
            assert isinstance(place, NamespaceOf)
            peer = _made(place.node, {**far, "kind": "veth"})
            self.kernels[place.node].add(peer)
            device.peer, peer.peer = peer, device

    @staticmethod
    def _add_flood(device: Device, said: dict[str, Any]) -> None:
        remote = IPv4Address(said["dst"])
        if device.kind != "vxlan" or said["lladdr"] != "00:00:00:00:00:00":
            raise Refused(f"EOPNOTSUPP: {device.node} {device.name} {said['lladdr']}")
        if remote in device.floods:
            raise Refused(f"twice: {device.node} {device.name} {remote}")
        device.floods.append(remote)

    @staticmethod
    def _set_link(kernel: Kernel, said: dict[str, Any]) -> None:
        if said["index"] == 1:
            return
        device = kernel.devices[said["index"]]
        device.up |= said.get("state") == "up"
        if "master" in said:
            device.master = kernel.devices[said["master"]]
            device.master.members.append(device)

    @staticmethod
    def _add_route(kernel: Kernel, said: dict[str, Any]) -> None:
        prefix = IPv4Network(said["dst"])
        connected = {i.network: d for d in kernel.devices.values() for i in d.addresses}
        if prefix in kernel.routes or prefix in connected:
            raise Refused(f"EEXIST: {kernel.name} {prefix}")
        for hop in said.get("multipath", [said]):
            via = IPv4Address(hop["gateway"]) if "gateway" in hop else None
            beside = next((d for subnet, d in connected.items() if via and via in subnet), None)
            device = kernel.devices[hop["oif"]] if "oif" in hop else beside
            if device is None or not device.up or (via and device is not beside):
                raise Refused(f"ENETUNREACH: {kernel.name} {prefix}")
            kernel.routes.setdefault(prefix, []).append((via, device))


def _made(node: str, said: dict[str, Any]) -> Device:
    known = {name: said.pop(name, None) for name in ("ifname", "index", "kind", "address", "mtu")}
    floods = [IPv4Address(said["vxlan_group"])] if "vxlan_group" in said else []
    return Device(node, known["ifname"], known["index"], known["kind"], known["address"], said, floods=floods)

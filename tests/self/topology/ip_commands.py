"""A tiny reading of ip(8): which commands there are, and whether each finds what it needs when its turn comes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

NAME, MAC, ADDRESS = r"[A-Za-z0-9_.-]{1,15}", r"([0-9a-f]{2}:){5}[0-9a-f]{2}", r"[0-9a-f.:]+"
OWN = rf"(?: address {MAC})?(?: mtu \d+)?"
ENDS = rf"local {ADDRESS} remote {ADDRESS}"
VTEPS = rf"local {ADDRESS}(?: remote {ADDRESS})?"
COMMANDS = tuple(
    re.compile(pattern.replace("IP", rf"ip -n (?P<node>{NAME})"))
    for pattern in (
        rf"ip netns add (?P<netns>{NAME})",
        rf"ip netns exec (?P<node>{NAME}) sysctl -eqw net(\.[a-z0-9_-]+)+=\d",
        rf"IP link add name (?P<new>{NAME}){OWN} type veth peer name (?P<peer>{NAME}){OWN} netns (?P<far>{NAME})",
        rf"IP link add name (?P<new>{NAME}){OWN} type bridge",
        rf"IP link add name (?P<new>{NAME}) type vrf table \d+",
        rf"bridge -n (?P<node>{NAME}) link set dev (?P<dev>{NAME}) neigh_suppress on",
        rf"IP link add name (?P<new>{NAME}){OWN} link (?P<out>{NAME}) type vlan id \d+",
        rf"IP link add name (?P<new>{NAME}){OWN} type vxlan id \d+ {VTEPS}(?: dev (?P<dev>{NAME}))? dstport \d+"
        r"(?: nolearning)?",
        rf"IP link add name (?P<new>{NAME}){OWN} type geneve id \d+ remote {ADDRESS} dstport \d+",
        rf"bridge -n (?P<node>{NAME}) fdb append 00:00:00:00:00:00 dev (?P<dev>{NAME}) dst {ADDRESS}"
        rf"(?: via (?P<out>{NAME}))?",
        rf"IP link add name (?P<new>{NAME}){OWN} type (?:gre|gretap|ipip) {ENDS} ttl (?:inherit|\d+)(?: tos inherit)?"
        r"(?: key \d+)?",
        rf"IP link add name (?P<new>{NAME})(?: mtu \d+)? type ip6gre {ENDS} ttl (?:inherit|\d+)(?: key \d+)?"
        r" encaplimit none",
        rf"IP link set dev (?P<dev>{NAME}) (?P<up>up)",
        rf"IP link set dev (?P<dev>{NAME}) master (?P<master>{NAME})",
        rf"IP addr add (?P<address>{ADDRESS})/\d+ dev (?P<dev>{NAME})(?P<six> nodad)?",
        rf"IP(?: -6)? route add (?:default|{ADDRESS}/\d+)(?: via {ADDRESS})?(?: dev (?P<out>{NAME}))?",
        rf"IP(?: -6)? route add (?:default|{ADDRESS}/\d+)(?: nexthop(?: via {ADDRESS})?(?: dev {NAME})?){{2,}}",
    )
)


@dataclass
class Machine:
    """State so far: namespaces, their devices, and which of those are up."""

    devices: dict[str, set[str]] = field(default_factory=dict)
    up: set[tuple[str, str]] = field(default_factory=set)

    def run(self, command: str) -> Iterator[str]:
        """Carry a command out, and say what it lacks."""
        found = next((match for pattern in COMMANDS if (match := pattern.fullmatch(command))), None)
        if found is None:
            yield "is no command"
            return
        said = {name: text for name, text in found.groupdict().items() if text is not None}
        if "netns" in said:
            self.devices[said["netns"]] = {"lo"}
            return
        yield from self._needs(said)
        for node, name in ((said["node"], "new"), (said.get("far", ""), "peer")):
            if name in said:
                if said[name] in self.devices.setdefault(node, set()):
                    yield f"makes {said[name]} again"
                self.devices[node].add(said[name])
        if "up" in said:
            self.up.add((said["node"], said["dev"]))

    def _needs(self, said: dict[str, str]) -> Iterator[str]:
        node = said["node"]
        yield from (f"needs namespace {name}" for name in (node, said.get("far", node)) if name not in self.devices)
        for use in ("dev", "master", "out"):
            if use in said and said[use] not in self.devices.get(node, ()):
                yield f"needs device {said[use]}"
        if "out" in said and (node, said["out"]) not in self.up:
            yield f"needs {said['out']} to be up"


def complaints(commands: Iterable[str]) -> list[str]:
    """Everything that would go wrong with the commands in this order."""
    machine = Machine()
    return [f"{command}: {what}" for command in commands for what in machine.run(command)]

"""What can be said of a containerlab node only when all its exec lines are read, and what the kernel would fill in."""

from __future__ import annotations

from ipaddress import ip_address

from topology.formats.clab_machine import Machine, Made
from topology.formats.clab_order import check_routes
from topology.formats.lab_values import shown, suggest
from topology.formats.yaml_positions import Scalar
from topology.model import LOOPBACK


def finish(machine: Machine) -> None:
    """Refuse what was left down or came too early; complete what was left open."""
    _check_devices(machine)
    check_routes(machine)
    for name, made in machine.made.items():
        if made.kind == "vxlan":
            _complete_vxlan(machine, name, made)
    taken = {route for routes in machine.routes.values() for route in routes}
    for (_, metric), routes in machine.offered.items():
        for route in (route for route in routes if route not in taken):
            outcome = "one to the same prefix with a smaller metric is always up here"
            machine.findings.note(route.where, f"the route {shown(route.text)} of metric {metric} is left out", outcome)
    six = [name for name, texts in machine.addresses.items() if any(":" in text for text in texts)]
    for device, where in machine.without_ipv6.items():
        if device in six or (six and device in ("all", "default")):
            what = (
                f"IPv6 is switched off on a {'node' if device in ('all', 'default') else 'device'} with an IPv6 address"
            )
            machine.findings.refuse(where, what, "disable_ipv6=0")


def _check_devices(machine: Machine) -> None:
    findings, known = machine.findings, {*machine.ports, *machine.made, *machine.lost}
    for name, where in machine.early.items():
        if name in machine.made:
            what = f"{name} is made only later, on line {machine.made[name].where.line}"
            findings.refuse(where, what, "the line that makes it in front of this one")
    traced = {LOOPBACK, *known, *machine.addresses, *machine.mtu, *machine.mac, *machine.masters}
    for name, where in machine.touched.items():
        if name not in traced:
            findings.refuse(where, f"{machine.name} has no device {shown(name)}", suggest(name, known))
    for name, where in machine.down.items():
        if name in machine.made or name in machine.ports or name == LOOPBACK:
            findings.refuse(where, f"{name} is left down, and carries nothing", f"ip link set {name} up")


def _complete_vxlan(machine: Machine, name: str, made: Made) -> None:
    """The remotes, where the forwarding database has them instead of the command."""
    said_first = [made.settings.pop("remote")] if "remote" in made.settings else []
    remotes: dict[str, Scalar] = {}
    for remote in (*said_first, *machine.floods.get(name, ())):
        remotes.setdefault(_normal(remote.text), remote)
    found = list(remotes.values())
    if len(found) == 1:
        made.settings["remote"] = found[0]
    else:
        made.remotes = found


def _normal(text: str) -> str:
    """An IP address as Python writes it; other text as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text

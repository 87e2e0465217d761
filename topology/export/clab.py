"""Writes a fabric as a containerlab topology, which read again is the same fabric (docs/formats.md). Pure.

Every node is a container of kind ``linux`` without a management network; its exec lines are the commands of the plan.
What the plan does to every node alike stands once, with the kind. MACs that hopcheck derives from names are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TypeAlias

from yaml import CSafeDumper, ScalarNode, dump

from topology.errors import Misuse
from topology.model import PORT_MTU, Device, Fabric, Isolation, Link, Node, Port, stable_mac
from topology.plan import Operation, Plan, make_plan
from topology.promises import ABOVE, Pair, Spread, Survival
from topology.refs import PortRef
from topology.roles import ROLES, role_of

Yaml: TypeAlias = "str | int | Sequence[Yaml] | Mapping[str, Yaml]"

IMAGE = "nicolaka/netshoot"
"""An image with iproute2 and sysctl; any other with both does."""
HEAD = "# Written by hopcheck, which reads it back as the same fabric: pytest --lab FILE.clab.yml"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that YAML 1.1, which containerlab reads, takes for something else than text."""


def to_clab(fabric: Fabric) -> str:
    """The text of a ``.clab.yml`` file; raises Misuse for tenants, throughputs and daemons, which cannot be written."""
    if fabric.tenants:
        what = f"the {len(fabric.tenants)} tenants of {fabric.tenants_file} cannot be written for containerlab"
        raise Misuse(f"{what}; the lab without --tenants")
    if fabric.throughput:
        raise Misuse("the key throughput cannot be written for containerlab; the lab without it")
    if fabric.has_daemons:
        raise Misuse("nodes with FRR cannot be written for containerlab: one file cannot hold theirs; a lab without")
    bare = replace(fabric, nodes=tuple(_without_derived_macs(fabric, node) for node in fabric.nodes))
    plan = make_plan(bare)
    common = _common_sysctls(plan)
    document: dict[str, Yaml] = {
        "name": _text(fabric.name),
        "topology": {
            **_defaults(fabric),
            "kinds": {"linux": {"image": IMAGE, "network-mode": "none", "exec": common}},
            "nodes": {_text(node.name): _node(bare, node, plan, common) for node in bare.nodes},
            "links": [_link(bare, link) for link in bare.links],
        },
    }
    further = sum(pair.src is not None for pair in fabric.pairs)
    left_out = (
        f"# {further} pairs between further addresses are left out: a label names nodes alone\n" if further else ""
    )
    left_out += "# segments and what is apart are left out, their pairs are labels\n" if fabric.segments else ""
    return f"{HEAD}\n{left_out}{_dumped(document)}"


def _without_derived_macs(fabric: Fabric, node: Node) -> Node:
    return replace(node, devices=tuple(_without_derived_mac(fabric, device) for device in node.devices))


def _without_derived_mac(fabric: Fabric, device: Device) -> Device:
    derived = stable_mac(fabric.name, device.node, device.name)
    return replace(device, mac=None) if device.mac == derived else device


def _defaults(fabric: Fabric) -> dict[str, Yaml]:
    labels: dict[str, Yaml] = {}
    if fabric.title:
        labels["hopcheck.title"] = _Quoted(fabric.title)
    if pairs := [pair for pair in fabric.pairs if pair.src is None]:
        labels["hopcheck.pairs"] = "".join(map(_pair, pairs))
    if fabric.spreads:
        labels["hopcheck.spreads"] = "".join(map(_spread, fabric.spreads))
    if fabric.failover:
        labels["hopcheck.failover"] = "".join(map(_survival, fabric.failover))
    if fabric.isolation != Isolation():
        labels["hopcheck.isolation"] = _isolation(fabric.isolation)
    return {"defaults": {"labels": labels}} if labels else {}


def _pair(pair: Pair) -> str:
    words = [pair.source, pair.target, pair.kind]
    numbers = {"vni": pair.within.vni, "key": pair.within.key}
    words += [f"via={kind}" for kind in pair.within.via]
    words += [f"{word}={value}" for word, value in numbers.items() if value is not None]
    words += [f"customers={pair.mtu.customers}"] if pair.mtu.customers is not None else []
    words += [f"above={'+'.join(pair.mtu.above)}"] if pair.mtu.above != ABOVE else []
    return f"{' '.join(words)}\n"


def _isolation(isolation: Isolation) -> str:
    """Treatments other than Linux's."""
    usual = asdict(Isolation())
    return " ".join(f"{key.replace('_', '-')}={how}" for key, how in asdict(isolation).items() if how != usual[key])


def _spread(spread: Spread) -> str:
    over = "all-ways" if spread.even else "one-way"
    return f"{spread.source} {spread.target} {over}{' survives' if spread.survives else ''}\n"


def _survival(promise: Survival) -> str:
    bounds = {**promise.bounds}
    time = [f"without-service={bounds.pop('without_service') * 1000:g}ms"] if "without_service" in bounds else []
    return f"{' '.join([promise.event, *time, *(f'{name}={bound}' for name, bound in bounds.items())])}\n"


def _common_sysctls(plan: Plan) -> list[str]:
    """The sysctls that every node has."""
    settings = {node: _sysctls(plan, node) for node in plan.namespaces}
    first, *others = settings.values()
    return [command for command in first if all(command in other for other in others)]


def _sysctls(plan: Plan, node: str) -> list[str]:
    return [_inside(op) for op in plan.sysctls if op.node == node]


def _inside(operation: Operation) -> str:
    """A command as it is typed inside its node."""
    words = operation.command.replace(f"ip netns exec {operation.node} ", "", 1)
    program, _, rest = words.partition(f" -n {operation.node} ")
    return f"{program} {rest}" if rest else words


def _node(fabric: Fabric, node: Node, plan: Plan, common: Sequence[str]) -> Yaml:
    role = role_of(node.role, node.forwards)
    labels: dict[str, Yaml] = {
        "hopcheck.role": node.role,
        **({"hopcheck.forwards": _Quoted(str(node.forwards).lower())} if node.role not in ROLES else {}),
        "graph-level": _Quoted(str(role.row + 1)),
        "graph-icon": role.icon,
    }
    up_already = {"ip link set dev lo up", *(f"ip link set dev {port.name} up" for port in node.all(Port))}
    own = [command for command in _sysctls(plan, node.name) if command not in common]
    own += _second_mtus(fabric, node)
    own += [words for op in plan.phases[-1] if op.node == node.name and (words := _inside(op)) not in up_already]
    return {"kind": "linux", "group": node.role, "labels": labels, **({"exec": own} if own else {})}


def _second_mtus(fabric: Fabric, node: Node) -> list[str]:
    """A link has one MTU in containerlab, here that of its first end; where its second has another, a line sets it."""
    ports = ((_mtu(fabric, link.a), link.b) for link in fabric.links if link.b.node == node.name)
    return [f"ip link set dev {b.interface} mtu {_mtu(fabric, b)}" for mtu, b in ports if _mtu(fabric, b) != mtu]


def _mtu(fabric: Fabric, end: PortRef) -> int:
    return fabric[end.node][end.interface].mtu or PORT_MTU


def _link(fabric: Fabric, link: Link) -> Yaml:
    ports = [fabric[end.node][end.interface] for end in link.ends]
    mtu = _mtu(fabric, link.a)
    if not any(port.mac for port in ports):
        return {"endpoints": _Inline(_Quoted(end) for end in link.ends), "mtu": mtu}
    longer = [_long_end(port) for port in ports]
    return {"type": "veth", "endpoints": longer, "mtu": mtu}


def _long_end(port: Device) -> Yaml:
    mac = {"mac": _Quoted(port.mac)} if port.mac else {}
    return {"node": _text(port.node), "interface": _text(port.name), **mac}


def _text(name: str) -> str:
    plain = _PLAIN.fullmatch(name) and name.lower() not in _NOT_PLAIN
    return name if plain else _Quoted(name)


class _Quoted(str):
    """Text in double quotes."""


class _Inline(list["Yaml"]):
    """A list on one line, in brackets."""


class _Writer(CSafeDumper):
    """Writes text of several lines as a block."""

    def represent_str(self, text: str) -> ScalarNode:
        """Represent plain and several lines of text, and what is marked as quoted."""
        style = '"' if isinstance(text, _Quoted) else "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", str(text), style)


_Writer.add_representer(str, _Writer.represent_str)
_Writer.add_representer(_Quoted, _Writer.represent_str)
_Writer.add_representer(_Inline, lambda writer, items: writer.represent_sequence("tag:yaml.org,2002:seq", items, True))


def _dumped(document: Mapping[str, Yaml]) -> str:
    text: str = dump(document, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=4096)
    return text

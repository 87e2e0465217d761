"""The form of a containerlab file: its keys, and how a node inherits from its group, its kind and the defaults.

As containerlab has it (types/topology.go): single values from the nearest of node, group, kind and defaults; exec lines
of all four, the most general first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from topology.errors import Position
from topology.formats.clab_exec import is_about_networks
from topology.formats.clab_shell import Findings
from topology.formats.lab_refusals import ALL
from topology.formats.lab_values import shown, suggest
from topology.formats.yaml_positions import Items, Scalar, Table, Tree

TOP = "name topology prefix mgmt settings debug"
TOPOLOGY = "defaults kinds groups nodes links"
NODE = "kind group labels exec sysctls network-mode stages"
NODE_UNSEEN = """image image-pull-policy env env-files ports publish user license type position SANs mgmt-ipv4 mgmt-ipv6
    mgmt_ipv4 mgmt_ipv6 startup-delay auto-remove restart-policy cpu cpu-set memory shm-size cap-add devices runtime
    sandbox kernel dns certificate healthcheck aliases extras components config wait-for credentials
    enforce-startup-config suppress-startup-config"""
"""Image and management of a container: no packet of the fabric shows them."""
NODE_UNRUN = "binds cmd entrypoint startup-config"
"""Keys that may bring configuration that is not read here."""
CONFIGURES = re.compile(
    r"(?i)\b(frr|quagga|zebra|(bgp|ospf|ospf6|rip|isis|pim|eigrp|static|bfd|vrrp)d|daemons|vtysh|bird[6c]?|gobgp|exabgp|holo"
    r"|openbgpd|babeld|interfaces|ifcfg\S*|netplan|networkd?|NetworkManager|sysctl|ip6?tables|nftables|ufw|firewalld|wg\d*"
    r"|wireguard|ipsec|swanctl|strongswan|openvpn|keepalived|dnsmasq|dhcpd?|kea|openvswitch|ovs|vpp|startup|setup|init"
    r"|init\.d|rc\.local|local\.d|cumulus|lldpd|teamd|scripts?|config)\b|\.(sh|bash|ash|py|pl|rb|lua)\b"
)
"""Words in the paths of files that configure a container's network."""
HARMLESS_ETC = re.compile(
    r"/etc/(hosts|hostname|resolv\.conf|localtime|timezone|ssl|ssh|nginx|apache2|passwd|group|motd)\b"
)
FRR_FOLDER = "/etc/frr"
FRR_FILES = FRR_CONFIG, FRR_DAEMONS, _ = "frr.conf", "daemons", "vtysh.conf"
"""What is read of FRR's folder; the shell's own file configures no network."""
TITLE, PAIRS, SPREADS, ISOLATION = "hopcheck.title", "hopcheck.pairs", "hopcheck.spreads", "hopcheck.isolation"
FAILOVER = "hopcheck.failover"
ROLE, FORWARDS, LEVEL = "hopcheck.role", "hopcheck.forwards", "graph-level"
"""Labels: our own, and the one by which ``containerlab graph`` puts nodes into rows, 1 on top."""
LINK = "type endpoints endpoint mtu labels vars"
END = "node interface mac vars labels"


class Reader:
    """Takes mappings, lists and texts out of a file's tree; other values are refused, and read as empty ones."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def table(self, tree: Tree | None, where: Position) -> Table:
        """A mapping; an empty value is an empty one."""
        if isinstance(tree, Table):
            if "<<" in tree.entries:
                place = tree.entries["<<"][0]
                self.findings.refuse(place, "merge keys are not read", "the merged keys themselves, or an alias", *ALL)
            return tree
        if tree is not None and tree.plain() is not None:
            what = f"{shown(tree.plain())} is not a mapping"
            self.findings.refuse(tree.where, what, "lines of 'key: value'", *ALL)
        return Table(tree.where if tree is not None else where)

    def part(self, table: Table, key: str) -> Table:
        """The mapping at a key."""
        place, tree = table.entries.get(key, (table.where, None))
        return self.table(tree, place)

    def items(self, table: Table, key: str) -> list[Tree]:
        """The list at a key."""
        _, tree = table.entries.get(key, (table.where, None))
        if isinstance(tree, Items):
            return tree.items
        if tree is not None and tree.plain() is not None:
            what = f"{shown(tree.plain())} is not a list"
            self.findings.refuse(tree.where, what, "a list: [a, b], or lines of '- '", *ALL)
        return []

    def text(self, tree: Tree) -> str | None:
        """A text as it is written; None, and refused, where it is a mapping or list."""
        if isinstance(tree, Scalar):
            return tree.text
        self.findings.refuse(tree.where, f"{shown(tree.plain())} is not text", "text", *ALL)
        return None

    def check_keys(self, table: Table, known: str, link: str = "") -> None:
        """Note the unknown keys; refuse those of a ``link`` or its end, which may change it."""
        for key, (place, _) in table.entries.items():
            if key in known.split() or key == "<<":
                continue
            if link:
                what = f"the key {shown(key)} of {link} is not understood"
                self.findings.refuse(place, what, suggest(key, known.split()))
            else:
                self.findings.note(place, f"unknown key {shown(key)}", "it is left out")


@dataclass(frozen=True)
class Declared:
    """A node as the file declares it: its layers, the most general first."""

    name: str
    where: Position
    layers: tuple[Table, ...]
    reader: Reader

    def value(self, *path: str) -> Scalar | None:
        """The text at a key, from the nearest layer that has one."""
        for layer in reversed(self.layers):
            table = self.reader.part(layer, path[0]) if len(path) > 1 else layer
            _, tree = table.entries.get(path[-1], (table.where, None))
            if isinstance(tree, Scalar) and tree.text:
                return tree
        return None

    def exec_lines(self) -> Iterator[Tree]:
        """The exec lines of every layer."""
        for layer in self.layers:
            yield from self.reader.items(layer, "exec")

    def sysctls(self) -> Mapping[str, Tree]:
        """The sysctls; those of a nearer layer replace a further one's."""
        return {
            key: tree for layer in self.layers for key, (_, tree) in self.reader.part(layer, "sysctls").entries.items()
        }


def declared(topology: Table, reader: Reader) -> list[Declared]:
    """Every node of the file with what it inherits; the keys of each layer are looked through once."""
    defaults = reader.part(topology, "defaults")
    kinds, groups = (reader.part(topology, key) for key in ("kinds", "groups"))
    layers = {key: _layers(reader, table) for key, table in (("kinds", kinds), ("groups", groups))}
    _look_through(reader, defaults, TITLE, PAIRS, SPREADS, FAILOVER, ISOLATION, ROLE, FORWARDS)
    nodes = []
    for name, (where, tree) in reader.part(topology, "nodes").entries.items():
        own = reader.table(tree, where)
        _look_through(reader, own, PAIRS, SPREADS, ROLE, FORWARDS)
        group = _word(own, "group")
        kind = _word(own, "kind") or _word(layers["groups"].get(group, Table(where)), "kind") or _word(defaults, "kind")
        group = group or _word(layers["kinds"].get(kind, Table(where)), "group") or _word(defaults, "group")
        inherited = (layers["kinds"].get(kind), layers["groups"].get(group))
        chain = (defaults, *(layer for layer in inherited if layer is not None), own)
        nodes.append(Declared(name, where, chain, reader))
    return nodes


def _layers(reader: Reader, tables: Table) -> Mapping[str, Table]:
    found = {name: reader.table(tree, where) for name, (where, tree) in tables.entries.items()}
    for table in found.values():
        _look_through(reader, table, ROLE, FORWARDS)
    return found


def _word(table: Table, key: str) -> str:
    _, tree = table.entries.get(key, (table.where, None))
    return tree.text if isinstance(tree, Scalar) else ""


def _look_through(reader: Reader, table: Table, *labels: str) -> None:
    """Note the keys of a layer that are left out, and refuse keys that may configure a network."""
    findings = reader.findings
    for key, (place, _) in reader.part(table, "labels").entries.items():
        if key.startswith("hopcheck.") and key not in labels:
            findings.refuse(place, f"no label {shown(key)} is read here", suggest(key, labels))
    for key in NODE_UNRUN.split():
        if key in table.entries:
            _unread(reader, key, *table.entries[key])
    stages = reader.part(table, "stages") if "stages" in table.entries else Table(table.where)
    for place, tree in stages.entries.values():
        if isinstance(tree, Table) and "exec" in tree.entries:
            place = tree.entries["exec"][0]
            findings.refuse(place, "the exec lines of a stage are not read", "the node's own 'exec'", *ALL)
    reader.check_keys(table, f"{NODE} {NODE_UNRUN} {NODE_UNSEEN}")


def _unread(reader: Reader, key: str, place: Position, tree: Tree) -> None:
    """Refuse network configuration by a file or a start command, as its lines are not read; note all others."""
    parts = [part for part in (tree.items if isinstance(tree, Items) else [tree]) if not is_of_frr(key, part)]
    for part in parts:
        text = reader.text(part) or ""
        if key == "startup-config" or (_configures if key == "binds" else is_about_networks)(text):
            what = f"{shown(f'{key}: {text}')} may configure the network, and is not read"
            reader.findings.refuse(part.where, what, "exec lines that say the same", *ALL)
            return
    if parts:
        reader.findings.note(place, f"{key!r} is left out", "by their names these files configure no network")


def is_of_frr(key: str, part: Tree) -> bool:
    """Return whether a bind is of FRR's folder or of a file in it that is read (``clab_frr``)."""
    target = target_of(part.text) if isinstance(part, Scalar) and key == "binds" else ""
    return target == FRR_FOLDER or target in (f"{FRR_FOLDER}/{name}" for name in FRR_FILES)


def target_of(bind: str) -> str:
    """Return the place of a bind inside the container."""
    source, _, rest = bind.partition(":")
    return (rest.partition(":")[0] or source).rstrip("/")


def _configures(bind: str) -> bool:
    """Return whether the file of a bind may configure a network, by its name or as one in ``/etc``."""
    source, target = bind.partition(":")[0], target_of(bind)
    if HARMLESS_ETC.match(target):
        return False
    return bool(CONFIGURES.search(f"{source.rsplit('/', 1)[-1]} {target}")) or target.startswith("/etc/")

"""The routing daemons of a lab file's nodes: their configurations are files beside the lab's."""

from __future__ import annotations

from collections.abc import Iterator

from topology.errors import LabError, Misuse, Position, Problem
from topology.formats.lab_draft import FRR, Draft
from topology.formats.lab_schema import FrrSpec, NodeSpec
from topology.model import Vxlan
from topology.roles import ROUTERS


def check_frr(draft: Draft) -> Iterator[Problem]:
    """Daemons run in routers of their runtime, with a configuration that can be read and no line without its daemon."""
    for name, said in draft.spec.nodes.items():
        if said.frr is not None:
            yield from _of_node(draft, name, said, said.frr)
        elif said.runtime == FRR:
            what = f"{name} has the runtime {FRR} and no configuration"
            yield Problem(draft.at("nodes", name, "runtime"), what, "frr: PATH, the node's frr.conf")


def check_remotes(draft: Draft) -> Iterator[Problem]:
    """A VXLAN device without remotes is in a node whose daemon finds some, and has an address to be found by."""
    for vxlan in draft.fabric.all(Vxlan):
        if vxlan.by_daemon and draft.fabric[vxlan.node].frr is None:
            what = f"{vxlan.name} has no remote, and no daemon in {vxlan.node} finds any"
            yield Problem(draft.of(vxlan, "remotes"), what, "one or more addresses, or frr: PATH in the node")
        elif vxlan.by_daemon and vxlan.by_route:
            what = f"{vxlan.name} has no local address, by which other VTEPs know it"
            yield Problem(draft.of(vxlan, "remotes"), what, "local: ADDRESS")
        elif vxlan.by_daemon and vxlan.local.version == 6:
            what = f"{vxlan.name} has the IPv6 address {vxlan.local}, and the EVPN of FRR 8.4 knows only IPv4 VTEPs"
            yield Problem(draft.of(vxlan, "local"), what, "local: an IPv4 address, or one or more remotes")
        if vxlan.port_settings and draft.fabric[vxlan.node].bridge_of(vxlan.name) is None:
            what = f"{vxlan.name} is in no bridge that could answer in place of others"
            yield Problem(draft.of(vxlan, "suppress"), what, f"{vxlan.name} in a bridge, or no suppress")


def _of_node(draft: Draft, name: str, said: NodeSpec, frr: FrrSpec) -> Iterator[Problem]:
    if said.runtime not in ("", FRR):
        what = f"{name} has a configuration for FRR and the runtime {said.runtime}"
        yield Problem(draft.at("nodes", name, "runtime"), what, f"runtime: {FRR}, or none")
    if not draft.fabric[name].is_router:
        what = f"FRR in a {said.role}, which forwards no packets"
        yield Problem(draft.at("nodes", name, "role"), what, f"role: {' or '.join(ROUTERS)}")
    here = ("nodes", name, "frr")
    where = draft.at(*here, "config")
    where = draft.at(*here) if where == draft.key(*here) else where
    read = draft.frr[name]
    if isinstance(read, LabError):
        yield from read.problems
    elif isinstance(read, Misuse):
        what, _, right = str(read).rpartition("; ")
        yield Problem(where, what, right)
    else:
        for line, what, right in read.refused():
            yield Problem(Position(read.file, line), what, right)
        for daemon in read.lacking():
            what = f"{read.file} has lines for {daemon}, which does not run in {name}"
            yield Problem(where, what, f"daemons: [{', '.join((*read.daemons, daemon))}]")

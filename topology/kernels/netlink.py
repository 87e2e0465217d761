"""rtnetlink through the agent: pyroute2 writes and reads the messages, the agent relays them (rtnetlink(7)).

All messages of a namespace travel in one batch; each acknowledgement is matched to its operation by sequence number,
so that a refusal names the operation and the line of the lab file it comes from.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from topology.errors import AgentLost, NetlinkError
from topology.kernels.link import Agent
from topology.kernels.rtnl.dumps import NETLINK_NETFILTER, NETLINK_ROUTE, Request, firewall_requests, state_requests
from topology.kernels.rtnl.encode import Encode, by_pyroute2
from topology.kernels.rtnl.exits import Exits, exit_requests, read_exits
from topology.kernels.rtnl.forget import check_forgotten, deletions, neighbours_request
from topology.kernels.rtnl.messages import NLM_F_ACK_TLVS, NLMSG_ERROR, kernel_words, messages
from topology.kernels.rtnl.readout import Readout
from topology.kernels.rtnl.templates import SEQUENCE, Templates
from topology.plan import NamespaceOf, Operation, Plan
from topology.state import WATCHED_SYSCTLS, NodeState

CHUNK_MAX = 64
"""Messages in one system call: their acknowledgements must fit the socket's default receive buffer."""
CHUNKS_MAX = 512
"""Chunks in one request: neither it nor its answer comes near a frame's bound, and a deadline is for one."""
FIRST_SEQUENCE = 1
BELOW = 100
"""The index of the device on which a VLAN is tried."""
NODES_MAX = 256
"""Nodes that are read at a time: their dumps must fit a frame."""
FILES_MAX = 8000
"""Files in one request: with their paths they must fit a frame's header (1 MiB)."""
SOCKETS = "/proc/net/netlink"
"""The netlink sockets of a namespace, the kernel's own under port 0 (netlink_native_seq_show)."""


class Netlink:
    """Builds and reads nodes through one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._fds: dict[str, int] = {}
        self._templates = Templates()

    def build(self, plan: Plan) -> None:
        """Bring a fabric up from nothing; raises NetlinkError at the first operation that the kernel refuses.

        Namespaces that were not adopted are made.
        """
        self._add(name for name in plan.namespaces if name not in self._fds)
        self._write_sysctls(plan.sysctls_to_write(late=False))
        for phase in plan.phases:
            self.apply(phase)
        self._write_sysctls(plan.sysctls_to_write(late=True))

    def adopt(self, paths: Mapping[str, str], never: Iterable[Sequence[int]] = ()) -> None:
        """Take foreign namespaces, by name and path.

        AgentError for one of ``never`` (st_dev, st_ino).
        """
        reply = self._agent.call("netns_adopt", paths=dict(paths), never=[list(known) for known in never])
        self._take(paths, reply.get("fds", dict))

    def _add(self, names: Iterable[str]) -> None:
        wanted = list(names)
        self._take(wanted, self._agent.call("netns_add", names=wanted).get("fds", dict))

    def _take(self, names: Iterable[str], fds: Mapping[str, object]) -> None:
        for name in names:
            if type(found := fds.get(name)) is not int:
                raise AgentLost("agent - namespaces - expected a descriptor of each - seen others")
            self._fds[name] = found

    def apply(self, operations: Iterable[Operation]) -> None:
        """Carry out operations, batched per namespace in the given order."""
        by_node: dict[str, list[Operation]] = {}
        for operation in operations:
            by_node.setdefault(operation.node, []).append(operation)
        parts = [
            (node, whole[n : n + CHUNK_MAX]) for node, whole in by_node.items() for n in range(0, len(whole), CHUNK_MAX)
        ]
        with by_pyroute2() as encode:
            for n in range(0, len(parts), CHUNKS_MAX):
                self._carry_out([(node, *self._encode(part, encode)) for node, part in parts[n : n + CHUNKS_MAX]])

    def _carry_out(self, chunks: Sequence[tuple[str, bytes, Mapping[int, Operation]]]) -> None:
        answers = self.relay([(node, data, NETLINK_ROUTE) for node, data, _ in chunks])
        for (_, _, by_sequence), answer in zip(chunks, answers, strict=True):
            _check(answer, by_sequence)

    def states(self, nodes: Sequence[str]) -> dict[str, NodeState]:
        """What the kernel says of each node, counters, ages and what it has learned left out."""
        groups = [nodes[n : n + NODES_MAX] for n in range(0, len(nodes), NODES_MAX)]
        return {node: state for group in groups for node, state in self._states(group).items()}

    def _states(self, nodes: Sequence[str]) -> dict[str, NodeState]:
        """All of them in two calls, and a third where some node may have filters or nftables."""
        asked = state_requests()
        answers = iter(self._ask([(node, request) for node in nodes for request in asked]))
        readouts = {node: Readout(node, [next(answers) for _ in asked]) for node in nodes}
        sysctls, has_nftables = self._read_sysctls(dict.fromkeys(nodes, WATCHED_SYSCTLS))
        tables = firewall_requests() if has_nftables else ()
        more = [(node, one) for node, readout in readouts.items() for one in (*readout.further_requests(), *tables)]
        further: dict[str, dict[str, list[bytes]]] = {node: {} for node in nodes}
        for (node, request), answer in zip(more, self._ask(more), strict=True):
            further[node].setdefault(request.what, []).append(answer)
        return {node: readout.state(further[node], sysctls[node]) for node, readout in readouts.items()}

    def forget_neighbours(self, nodes: Sequence[str]) -> None:
        """Delete the IP neighbours that nodes have learned; one that has gone by itself meanwhile is no matter."""
        for group in (nodes[n : n + NODES_MAX] for n in range(0, len(nodes), NODES_MAX)):
            dumps = self.relay([(node, neighbours_request(), NETLINK_ROUTE) for node in group])
            asked = [(node, deletions(dump)) for node, dump in zip(group, dumps, strict=True)]
            parts = [(node, whole[n : n + CHUNK_MAX]) for node, whole in asked for n in range(0, len(whole), CHUNK_MAX)]
            for n in range(0, len(parts), CHUNKS_MAX):
                chunks = [(node, b"".join(part), NETLINK_ROUTE) for node, part in parts[n : n + CHUNKS_MAX]]
                for (node, _, _), answer in zip(chunks, self.relay(chunks), strict=True):
                    check_forgotten(node, answer)

    def exits(self, nodes: Sequence[str | None]) -> list[Exits]:
        """What could lead out of each node beside its state; None is the namespace that the agent came from."""
        asked, found = exit_requests(), list[Exits]()
        for group in (nodes[n : n + NODES_MAX] for n in range(0, len(nodes), NODES_MAX)):
            answers = iter(self.relay([(node, request, NETLINK_ROUTE) for node in group for request in asked]))
            found += [read_exits(node or "agent", [next(answers) for _ in asked]) for node in group]
        return found

    def refused_kinds(self, kinds: Iterable[str]) -> dict[str, str]:
        """The link kinds that this kernel refuses in a scratch namespace, each with the kernel's own words."""
        scratch = "hopcheck-probe"
        self._agent.call("netns_add", names=[scratch])
        try:
            return {kind: words for kind in sorted(kinds) if (words := self._try_kind(scratch, kind))}
        finally:
            self._agent.call("netns_del", names=[scratch])

    def _try_kind(self, scratch: str, kind: str) -> str:
        below = Operation(scratch, "link", "add", {"ifname": "below", "kind": "veth", "index": BELOW}, "link add below")
        extra: dict[str, dict[str, object]] = {
            "vxlan": {"vxlan_id": 1, "vxlan_port": 4789},
            "geneve": {"geneve_id": 1, "geneve_remote": "192.0.2.2", "geneve_port": 6081},
            "vlan": {"vlan_id": 1, "link": BELOW},
            "gre": {"gre_local": "192.0.2.1", "gre_remote": "192.0.2.2"},
            "ip6gre": {"ip6gre_local": "2001:db8::1", "ip6gre_remote": "2001:db8::2"},
        }
        name = f"try-{kind}"
        arguments = {"ifname": name, "kind": kind, **extra.get(kind, {})}
        try:
            tried = Operation(scratch, "link", "add", arguments, f"link add {name} type {kind}")
            self.apply([below, tried] if kind == "vlan" else [tried])
        except NetlinkError as error:
            return str(error)
        return ""

    def _write_sysctls(self, sysctls: Iterable[Operation]) -> None:
        """Those that this kernel has; nodes that get the same share one entry, and each is entered once."""
        by_node: dict[str, list[tuple[str, str]]] = {}
        for op in sysctls:
            by_node.setdefault(op.node, []).append((proc_path(op.arguments["key"]), op.arguments["value"]))
        alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for node, files in by_node.items():
            alike.setdefault(tuple(files), []).append(node)
        self._agent.call("write_files", files=[[nodes, files] for files, nodes in alike.items()], optional=True)

    def _encode(self, operations: Sequence[Operation], by_pyroute2: Encode) -> tuple[bytes, dict[int, Operation]]:
        """The operations' messages, and which operation has which sequence number."""
        chunk = bytearray()
        for sequence, operation in enumerate(operations, FIRST_SEQUENCE):
            start, arguments = len(chunk), self._resolved(operation.arguments)
            chunk += self._templates.encode(operation.api, operation.verb, arguments, by_pyroute2)
            struct.pack_into("=I", chunk, start + SEQUENCE.start, sequence)
        return bytes(chunk), dict(enumerate(operations, FIRST_SEQUENCE))

    def with_other_sysctls(self, before: Mapping[str, NodeState]) -> list[str]:
        """The nodes of which a sysctl is not as it was; all of them where there is nftables, which is not looked at."""
        keys = {node: tuple(dict.fromkeys((*WATCHED_SYSCTLS, *state.sysctls))) for node, state in before.items()}
        now, has_nftables = self._read_sysctls(keys)
        return [node for node, state in before.items() if has_nftables or now[node] != state.sysctls]

    def _read_sysctls(self, keys: Mapping[str, Sequence[str]]) -> tuple[dict[str, dict[str, str]], bool]:
        """Each node's sysctls, as far as this kernel has them; and whether it has nftables now.

        That is looked up first, because asking for it would load it: it has when netfilter's netlink socket is there.
        """
        wanted = [(node, key) for node, of_node in keys.items() for key in of_node]
        sockets, *texts = self._read([(None, SOCKETS), *((node, proc_path(key)) for node, key in wanted)])
        known: dict[str, dict[str, str]] = {node: {} for node in keys}
        for (node, key), text in zip(wanted, texts, strict=True):
            if text is not None:
                known[node][key] = text.strip()
        kernels = [line.split()[1:3] for line in (sockets or "").splitlines()]
        return known, [str(NETLINK_NETFILTER), "0"] in kernels

    def _read(self, files: Sequence[tuple[str | None, str]]) -> list[str | None]:
        """The texts of files in namespaces; None for one that is not there."""
        found: list[str | None] = []
        for start in range(0, len(files), FILES_MAX):
            part = [list(file) for file in files[start : start + FILES_MAX]]
            texts = self._agent.call("read_files", files=part).get("texts", list)
            if len(texts) != len(part) or not all(text is None or type(text) is str for text in texts):
                raise AgentLost(f"agent - files - expected {len(part)} texts - seen others")
            found += texts
        return found

    def _resolved(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with a descriptor for each namespace."""
        return {name: self._value(value) for name, value in arguments.items()}

    def _value(self, value: object) -> object:
        if isinstance(value, Mapping):
            return self._resolved(value)
        return self._fds[value.node] if isinstance(value, NamespaceOf) else value

    def _ask(self, requests: Sequence[tuple[str, Request]]) -> list[bytes]:
        """The answers to dumps' requests; nothing is sent where none is asked."""
        chunks = [(node, request.data, request.protocol) for node, request in requests]
        return self.relay(chunks) if chunks else []

    def relay(self, chunks: Sequence[tuple[str | None, bytes, int]]) -> list[bytes]:
        """Return the kernel's answers to requests, each for a namespace and a netlink protocol."""
        sizes = [[node, len(data), protocol] for node, data, protocol in chunks]
        reply = self._agent.call("netlink", b"".join(data for _, data, _ in chunks), chunks=sizes)
        lengths = reply.get("sizes", list)
        sound = len(lengths) == len(chunks) and all(type(size) is int and size >= 0 for size in lengths)
        if not sound or sum(lengths) != len(reply.body):
            raise AgentLost(f"agent - netlink - expected {len(chunks)} answers - seen other sizes")
        answers, at = [], 0
        for size in lengths:
            answers.append(reply.body[at : at + size])
            at += size
        return answers


def proc_path(key: str) -> str:
    """A sysctl's file; a key with slashes is one of a device whose name has dots (sysctl(8))."""
    return "/proc/sys/" + (key if "/" in key else key.replace(".", "/"))


def _check(answer: bytes, by_sequence: Mapping[int, Operation]) -> None:
    unanswered = dict(by_sequence)
    for kind, flags, sequence, payload in messages(answer):
        if kind != NLMSG_ERROR or sequence not in unanswered or len(payload) < 4:
            continue
        operation = unanswered.pop(sequence)
        code = -struct.unpack_from("=i", payload)[0]
        if code:
            words = kernel_words(payload[20:]) if flags & NLM_F_ACK_TLVS else ""
            known = os.strerror(code) if code in errno.errorcode else f"error {code}"
            reason = f"{known}{': ' + words if words else ''}"
            message = f"{operation.where}: {operation.node} - {operation.command} - refused: {reason}"
            raise NetlinkError(message, code)
    if unanswered:
        missing = next(iter(unanswered.values()))
        raise NetlinkError(f"{missing.where}: {missing.node} - {missing.command} - expected an answer - seen none")

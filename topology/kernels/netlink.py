"""rtnetlink through the agent: pyroute2 writes and reads the messages, the agent relays them (rtnetlink(7)).

All messages of a namespace travel in one batch; each acknowledgement is matched to its operation by sequence number,
so that a refusal names the operation and the line of the lab file it comes from.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyroute2 import IPBatch

from topology.errors import AgentLost, NetlinkError
from topology.kernels.link import Agent
from topology.kernels.rtnl.exits import Exits, exit_requests, read_exits
from topology.kernels.rtnl.messages import NLM_F_ACK_TLVS, NLMSG_ERROR, kernel_words, messages
from topology.kernels.rtnl.readout import dump_requests, read_state
from topology.plan import NamespaceOf, Operation, Plan
from topology.state import NodeState

CHUNK_MAX = 64
"""Messages in one system call: their acknowledgements must fit the socket's default receive buffer."""


class Netlink:
    """Builds and reads nodes through one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._fds: dict[str, int] = {}

    def build(self, plan: Plan) -> None:
        """Bring a fabric up from nothing; raises NetlinkError at the first operation that the kernel refuses.

        Namespaces that were not adopted are made.
        """
        self._add(name for name in plan.namespaces if name not in self._fds)
        self._write_sysctls(plan.sysctls)
        for phase in plan.phases:
            self.apply(phase)

    def adopt(self, paths: Mapping[str, str], never: Iterable[Sequence[int]] = ()) -> None:
        """Take namespaces that somebody else has made, by name and path.

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
        chunks = [
            (node, *self._encode(part))
            for node, whole in by_node.items()
            for part in (whole[n : n + CHUNK_MAX] for n in range(0, len(whole), CHUNK_MAX))
        ]
        answers = self._relay([(node, data) for node, data, _ in chunks])
        for (_, _, by_sequence), answer in zip(chunks, answers, strict=True):
            _check(answer, by_sequence)

    def states(self, nodes: Sequence[str]) -> dict[str, NodeState]:
        """What the kernel says of each node's links, addresses and routes."""
        requests = dump_requests()
        answers = iter(self._relay([(node, request) for node in nodes for request in requests]))
        return {node: read_state(node, [next(answers) for _ in requests]) for node in nodes}

    def exits(self, node: str | None) -> Exits:
        """What could lead out of a node beside its state; None is the namespace that the agent came from."""
        return read_exits(node or "agent", self._relay([(node, request) for request in exit_requests()]))

    def refused_kinds(self, kinds: Iterable[str]) -> dict[str, str]:
        """Which link kinds this kernel does not offer, each with the kernel's own words (a scratch namespace tells)."""
        scratch = "hopcheck-probe"
        self._agent.call("netns_add", names=[scratch])
        try:
            return {kind: words for kind in sorted(kinds) if (words := self._try_kind(scratch, kind))}
        finally:
            self._agent.call("netns_del", names=[scratch])

    def _try_kind(self, scratch: str, kind: str) -> str:
        extra: dict[str, dict[str, object]] = {
            "vxlan": {"vxlan_id": 1, "vxlan_port": 4789},
            "gre": {"gre_local": "192.0.2.1", "gre_remote": "192.0.2.2"},
            "ip6gre": {"ip6gre_local": "2001:db8::1", "ip6gre_remote": "2001:db8::2"},
        }
        name = f"try-{kind}"
        arguments = {"ifname": name, "kind": kind, **extra.get(kind, {})}
        try:
            self.apply([Operation(scratch, "link", "add", arguments, f"link add {name} type {kind}")])
        except NetlinkError as error:
            return str(error)
        return ""

    def _write_sysctls(self, sysctls: Iterable[Operation]) -> None:
        wanted = [(op.node, _proc_path(op.arguments["key"]), op.arguments["value"]) for op in sysctls]
        seen = self._agent.call("read_files", files=[[node, path] for node, path, _ in wanted]).get("texts", list)
        if len(seen) != len(wanted):
            raise AgentLost(f"agent - files - expected {len(wanted)} - seen {len(seen)}")
        there = [list(item) for item, text in zip(wanted, seen, strict=True) if text is not None]
        self._agent.call("write_files", files=there)

    def _encode(self, operations: Sequence[Operation]) -> tuple[bytes, dict[int, Operation]]:
        by_sequence: dict[int, Operation] = {}
        with contextlib.closing(IPBatch()) as batch:
            for operation in operations:
                start = len(batch.batch)
                getattr(batch, operation.api)(operation.verb, **self._resolve(operation.arguments))
                by_sequence[struct.unpack_from("=I", batch.batch, start + 8)[0]] = operation
            return bytes(batch.batch), by_sequence

    def _resolve(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A veth's far end is spelled out: pyroute2's shorthand has no way to choose its index."""
        if "peer" not in arguments:
            return dict(arguments)
        near = dict(arguments)
        far = dict(near.pop("peer"))
        index = far.pop("index")
        attributes = [(f"IFLA_{name.upper()}", self._value(value)) for name, value in far.items()]
        info = [("VETH_INFO_PEER", {"index": index, "attrs": attributes})]
        kind = [("IFLA_INFO_KIND", near.pop("kind")), ("IFLA_INFO_DATA", {"attrs": info})]
        return {**near, "IFLA_LINKINFO": {"attrs": kind}}

    def _value(self, value: object) -> object:
        return self._fds[value.node] if isinstance(value, NamespaceOf) else value

    def _relay(self, chunks: Sequence[tuple[str | None, bytes]]) -> list[bytes]:
        sizes = [[node, len(data)] for node, data in chunks]
        reply = self._agent.call("netlink", b"".join(data for _, data in chunks), chunks=sizes)
        lengths = reply.get("sizes", list)
        sound = len(lengths) == len(chunks) and all(type(size) is int and size >= 0 for size in lengths)
        if not sound or sum(lengths) != len(reply.body):
            raise AgentLost(f"agent - netlink - expected {len(chunks)} answers - seen other sizes")
        answers, at = [], 0
        for size in lengths:
            answers.append(reply.body[at : at + size])
            at += size
        return answers


def _proc_path(key: str) -> str:
    return "/proc/sys/" + key.replace(".", "/")


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

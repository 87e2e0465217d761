"""rtnetlink through the agent: pyroute2 writes and reads the messages, the agent relays them (rtnetlink(7)).

All messages of a namespace travel in one batch; each acknowledgement is matched to its operation by sequence number,
so that a refusal names the operation and the line of the lab file it comes from.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from topology.errors import AgentLost, NetlinkError
from topology.kernels.link import Agent
from topology.kernels.rtnl.dumps import (
    FIREWALL_REQUESTS,
    FORWARDING,
    LINKS,
    NEIGHBOURS,
    NETLINK_NETFILTER,
    NETLINK_ROUTE,
    STATE_REQUESTS,
    Request,
    bare_link,
    check_forgotten,
    forget_requests,
)
from topology.kernels.rtnl.links import LinkEnd, read_ends
from topology.kernels.rtnl.lookups import answered, route_request
from topology.kernels.rtnl.messages import NLM_F_ACK_TLVS, NLMSG_ERROR, kernel_words, messages
from topology.kernels.rtnl.readout import device_sysctls, further_requests, read_state
from topology.kernels.rtnl.templates import SEQUENCE, Encode, Templates, by_pyroute2
from topology.links import KINDS, Subinterface
from topology.plan import NamespaceOf, Operation, Plan
from topology.refs import PortRef
from topology.state import WATCHED_SYSCTLS, Answer, Lookup, NodeState

T = TypeVar("T")
Name = TypeVar("Name", bound="str | None")
CHUNK_MAX = 64
"""Messages in one system call: their acknowledgements must fit the socket's default receive buffer."""
CHUNKS_MAX = 512
"""Chunks in one request: neither it nor its answer comes near a frame's bound, and a deadline is for one."""
SCRATCH = "hopcheck-probe"
BELOW = 100
"""The index of the device on which a VLAN is tried."""
FILES_MAX = 8000
"""Files in one request: with their paths they must fit a frame's header (1 MiB)."""
SOCKETS = "/proc/net/netlink"
"""The netlink sockets of a namespace, the kernel's own under port 0 (netlink_native_seq_show)."""


class Netlink:
    """Builds and reads nodes through one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._fds: dict[str, int] = {}
        self.entrances: dict[str, str] = {}
        """The words that enter a node on its machine, where it is no namespace of the node's name."""
        self._templates = Templates()

    def build(self, plan: Plan) -> None:
        """Wire the namespaces that were added or adopted; raises NetlinkError at the first operation that the kernel
        refuses."""
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

    def add(self, names: Sequence[str]) -> None:
        """Make a namespace for each name."""
        self._take(names, self._agent.call("netns_add", names=list(names)).get("fds", dict))

    def _take(self, names: Iterable[str], fds: Mapping[str, object]) -> None:
        for name in names:
            if type(found := fds.get(name)) is not int:
                raise AgentLost("agent - namespaces - expected a descriptor of each - seen something else")
            self._fds[name] = found

    def apply(self, operations: Iterable[Operation]) -> None:
        """Carry out operations, batched per namespace in the given order."""
        by_node: dict[str, list[Operation]] = {}
        for operation in operations:
            by_node.setdefault(operation.node, []).append(operation)
        chunks = [(node, part) for node, whole in by_node.items() for part in _parts(whole, CHUNK_MAX)]
        with by_pyroute2() as encode:
            encoded = ((node, self._encode(part, encode), NETLINK_ROUTE) for node, part in chunks)
            for (_, part), answer in zip(chunks, self.relay(encoded), strict=True):
                _check(answer, part)

    def states(self, nodes: Sequence[str]) -> dict[str, NodeState]:
        """The kernel's state of each node, without counters, ages and learned entries.

        The first answers decide the further requests: filters and nftables may be nowhere.
        """
        if not nodes:
            return {}
        answers: dict[str, dict[str, list[bytes]]] = {node: {} for node in nodes}
        self._ask([(node, request) for node in nodes for request in STATE_REQUESTS], answers)
        sysctls, has_nftables = self._read_sysctls(nodes)
        tables = FIREWALL_REQUESTS if has_nftables else ()
        self._ask([(n, one) for n, known in answers.items() for one in (*further_requests(n, known), *tables)], answers)
        return {node: read_state(node, known, sysctls[node]) for node, known in answers.items()}

    def ends(self, nodes: Sequence[Name]) -> dict[Name, Sequence[LinkEnd]]:
        """Every device of each node; None is the namespace that the agent came from."""
        answers = self.relay((node, LINKS.data, NETLINK_ROUTE) for node in nodes)
        return {node: read_ends(str(node or "agent"), answer) for node, answer in zip(nodes, answers, strict=True)}

    def devices(self, nodes: Sequence[str]) -> Iterator[tuple[PortRef, LinkEnd]]:
        """Every device of the nodes, with its name in the fabric."""
        return ((PortRef(node, end.name), end) for node, known in self.ends(nodes).items() for end in known)

    def look_up(self, asked: Lookup) -> Answer:
        """The kernel's answer to a question about a packet."""
        (links,) = self.ends([asked.node]).values()
        names = {end.index: end.name for end in links}
        index = next((number for number, name in names.items() if name == asked.came_by), 0)
        requests = (route_request(asked, index), NEIGHBOURS.data, FORWARDING.data)
        return answered(asked, names, *self.relay((asked.node, data, NETLINK_ROUTE) for data in requests))

    def forget_neighbours(self, nodes: Sequence[str]) -> None:
        """Delete the IP neighbours that nodes have learned; ones that have expired meanwhile are ignored."""
        dumps = self.relay((node, NEIGHBOURS.data, NETLINK_ROUTE) for node in nodes)
        asked = [(node, forget_requests(dump)) for node, dump in zip(nodes, dumps, strict=True)]
        chunks = [(n, b"".join(part), NETLINK_ROUTE) for n, whole in asked for part in _parts(whole, CHUNK_MAX)]
        for (node, _, _), answer in zip(chunks, self.relay(chunks), strict=True):
            check_forgotten(node, answer)

    def unknown_kinds(self, kinds: Iterable[str]) -> dict[str, str]:
        """The link kinds that this kernel does not know, each with the kernel's own words; pyroute2 is not imported."""
        wanted = sorted(kinds)
        with self._scratch() as scratch:
            answers = list(self.relay((scratch, bare_link(kind), NETLINK_ROUTE) for kind in wanted))
        found = {}
        for kind, answer in zip(wanted, answers, strict=True):
            try:
                _check(answer, [Operation(SCRATCH, "link", "add", {}, f"link add type {kind}")])
            except NetlinkError as error:
                if error.errno == errno.EOPNOTSUPP:
                    found[kind] = str(error)
        return found

    def refused_kinds(self, kinds: Iterable[str]) -> dict[str, str]:
        """The link kinds that this kernel refuses in a scratch namespace, each with the kernel's own words."""
        with self._scratch() as scratch:
            return {kind: words for kind in sorted(kinds) if (words := self._try_kind(scratch, kind))}

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[str]:
        """A namespace for trials."""
        self._agent.call("netns_add", names=[SCRATCH])
        try:
            yield SCRATCH
        finally:
            self._agent.call("netns_del", names=[SCRATCH])

    def _try_kind(self, scratch: str, kind: str) -> str:
        below = Operation(scratch, "link", "add", {"ifname": "below", "kind": "veth", "index": BELOW}, "link add below")
        link = KINDS[kind]
        on = {"link": BELOW} if link is Subinterface else {}
        arguments = {"ifname": f"try-{kind}", "kind": kind, **link.tried.get(kind, {}), **on}
        tried = Operation(scratch, "link", "add", arguments, f"link add try-{kind} type {kind}")
        try:
            self.apply([below, tried] if on else [tried])
        except NetlinkError as error:
            return str(error)
        return ""

    def _write_sysctls(self, sysctls: Iterable[Operation]) -> None:
        """Write the sysctls this kernel has; nodes alike share one entry, each entered once."""
        by_node: dict[str, list[tuple[str, str]]] = {}
        for op in sysctls:
            by_node.setdefault(op.node, []).append((proc_path(op.arguments["key"]), op.arguments["value"]))
        alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for node, files in by_node.items():
            alike.setdefault(tuple(files), []).append(node)
        self._agent.call("write_files", files=[[nodes, files] for files, nodes in alike.items()], optional=True)

    def _encode(self, operations: Sequence[Operation], by_pyroute2: Encode) -> bytes:
        """The operations' messages; their sequence numbers are their places."""
        chunk = bytearray()
        for sequence, operation in enumerate(operations):
            start, arguments = len(chunk), self._resolved(operation.arguments)
            chunk += self._templates.encode(operation.api, operation.verb, arguments, by_pyroute2)
            struct.pack_into("=I", chunk, start + SEQUENCE.start, sequence)
        return bytes(chunk)

    def with_other_sysctls(self, before: Mapping[str, NodeState]) -> list[str]:
        """The nodes of which a sysctl is not as it was; all of them where there is nftables, which is not looked at."""
        now, has_nftables = self._read_sysctls(before)
        dumps = self.relay((node, LINKS.data, NETLINK_ROUTE) for node in before)
        found = {node: now[node] | device_sysctls(node, dump) for node, dump in zip(before, dumps, strict=True)}
        return [node for node, state in before.items() if has_nftables or found[node] != state.sysctls]

    def _read_sysctls(self, nodes: Iterable[str]) -> tuple[dict[str, dict[str, str]], bool]:
        """Each node's watched sysctls, as far as this kernel has them; and whether it has nftables now.

        That is looked up first, because asking for it would load it: it has when netfilter's netlink socket is there.
        """
        wanted = [(node, key) for node in nodes for key in WATCHED_SYSCTLS]
        sockets, *texts = self._read([(None, SOCKETS), *((node, proc_path(key)) for node, key in wanted)])
        known: dict[str, dict[str, str]] = {node: {} for node in nodes}
        for (node, key), text in zip(wanted, texts, strict=True):
            if text is not None:
                known[node][key] = text.strip()
        kernels = [line.split()[1:3] for line in (sockets or "").splitlines()]
        return known, [str(NETLINK_NETFILTER), "0"] in kernels

    def _read(self, files: Sequence[tuple[str | None, str]]) -> list[str | None]:
        """The texts of files in namespaces; None for one that is not there."""
        found: list[str | None] = []
        for part in _parts(files, FILES_MAX):
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

    def _ask(self, requests: Sequence[tuple[str, Request]], answers: Mapping[str, dict[str, list[bytes]]]) -> None:
        """Add each answer to those of its node and kind."""
        asked = ((node, request.data, request.protocol) for node, request in requests)
        for (node, request), answer in zip(requests, self.relay(asked), strict=True):
            answers[node].setdefault(request.what, []).append(answer)

    def relay(self, chunks: Iterable[tuple[str | None, bytes, int]]) -> Iterator[bytes]:
        """The answer to each chunk, as the answers come in."""
        waiting = iter(chunks)
        while part := list(itertools.islice(waiting, CHUNKS_MAX)):
            sizes = [[node, len(data), protocol] for node, data, protocol in part]
            reply = self._agent.call("netlink", b"".join(data for _, data, _ in part), chunks=sizes)
            lengths = reply.get("sizes", list)
            sound = len(lengths) == len(part) and all(type(size) is int and size >= 0 for size in lengths)
            if not sound or sum(lengths) != len(reply.body):
                raise AgentLost(f"agent - netlink - expected {len(part)} answers - seen other sizes")
            ends = list(itertools.accumulate(lengths))
            yield from (reply.body[end - size : end] for end, size in zip(ends, lengths, strict=True))


def _parts(whole: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    return (whole[start : start + most] for start in range(0, len(whole), most))


def proc_path(key: str) -> str:
    """A sysctl's file; a key with slashes is one of a device whose name has dots (sysctl(8))."""
    return "/proc/sys/" + (key if "/" in key else key.replace(".", "/"))


def _check(answer: bytes, operations: Sequence[Operation]) -> None:
    """Raise NetlinkError at the first operation that was refused or not acknowledged."""
    unanswered = dict(enumerate(operations))
    for kind, flags, sequence, payload in messages(answer):
        if kind != NLMSG_ERROR or sequence not in unanswered or len(payload) < 4:
            continue
        operation = unanswered.pop(sequence)
        if code := -struct.unpack_from("=i", payload)[0]:
            words = kernel_words(payload[20:]) if flags & NLM_F_ACK_TLVS else ""
            known = os.strerror(code) if code in errno.errorcode else f"error {code}"
            reason = f"{known}{': ' + words if words else ''}"
            message = f"{operation.where}: {operation.node} - {operation.command} - refused: {reason}"
            raise NetlinkError(message, code)
    for missing in unanswered.values():
        raise NetlinkError(f"{missing.where}: {missing.node} - {missing.command} - expected an answer - seen none")

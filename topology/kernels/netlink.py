"""rtnetlink through the agent: pyroute2 writes and reads the messages, the agent relays them (rtnetlink(7)).

All messages of a namespace travel in one batch; each acknowledgement is matched to its operation by sequence number,
so that a refusal names the operation and the line of the lab file it comes from.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from pyroute2 import IPBatch
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from topology.errors import AgentLost, NetlinkError
from topology.kernels.link import Agent
from topology.model import Interface
from topology.plan import NamespaceOf, Operation, Plan
from topology.state import FALLBACK_DEVICES, LinkState, NodeState, RouteState

NLMSG_ERROR, NLMSG_DONE, NLM_F_ACK_TLVS, NLMSGERR_ATTR_MSG = 2, 3, 0x200, 1
"""linux/netlink.h"""
DUMP_FLAGS = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP"""
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 18, 22, 26
RT_TABLE_MAIN, RTN_UNICAST, RTM_F_CLONED = 254, 1, 0x200
"""linux/rtnetlink.h; cloned routes are the cache of a dump, not the table."""
IFF_UP = 1
CHUNK_MAX = 64
"""Messages in one system call: their acknowledgements must fit the socket's default receive buffer."""

UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, struct.error)
"""What pyroute2 and ipaddress raise when a hostile agent's answer is not what a kernel says."""


class Netlink:
    """Builds and reads nodes through one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._fds: dict[str, int] = {}

    def build(self, plan: Plan) -> None:
        """Bring a fabric up from nothing; raises NetlinkError at the first operation that the kernel refuses."""
        self._fds = dict(self._agent.call("netns_add", names=list(plan.namespaces)).get("fds", dict))
        if any(type(self._fds.get(name)) is not int for name in plan.namespaces):
            raise AgentLost("agent - namespaces - expected a descriptor of each - seen others")
        self._write_sysctls(plan.sysctls)
        for phase in plan.phases:
            self.apply(phase)

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
        requests = [_dump(kind, message) for kind, message in _DUMPS]
        answers = iter(self._relay([(node, request) for node in nodes for request in requests]))
        return {node: _read_state(node, [next(answers) for _ in requests]) for node in nodes}

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

    def _relay(self, chunks: Sequence[tuple[str, bytes]]) -> list[bytes]:
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


_DUMPS = ((RTM_GETLINK, ifinfmsg), (RTM_GETADDR, ifaddrmsg), (RTM_GETROUTE, rtmsg))


def _proc_path(key: str) -> str:
    return "/proc/sys/" + key.replace(".", "/")


def _dump(kind: int, message_class: Any) -> bytes:
    message = message_class()
    message["header"]["type"], message["header"]["flags"] = kind, DUMP_FLAGS
    message["family"] = socket.AF_UNSPEC
    message.encode()
    return bytes(message.data)


def _check(answer: bytes, by_sequence: Mapping[int, Operation]) -> None:
    unanswered = dict(by_sequence)
    for kind, flags, sequence, payload in _messages(answer):
        if kind != NLMSG_ERROR or sequence not in unanswered or len(payload) < 4:
            continue
        operation = unanswered.pop(sequence)
        code = -struct.unpack_from("=i", payload)[0]
        if code:
            words = _kernel_words(payload[20:]) if flags & NLM_F_ACK_TLVS else ""
            known = os.strerror(code) if code in errno.errorcode else f"error {code}"
            reason = f"{known}{': ' + words if words else ''}"
            message = f"{operation.where}: {operation.node} - {operation.command} - refused: {reason}"
            raise NetlinkError(message, code)
    if unanswered:
        missing = next(iter(unanswered.values()))
        raise NetlinkError(f"{missing.where}: {missing.node} - {missing.command} - expected an answer - seen none")


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence number and payload of each message (struct nlmsghdr)."""
    at = 0
    while at + 16 <= len(data):
        size, kind, flags, sequence = struct.unpack_from("=IHHI", data, at)
        if size < 16 or at + size > len(data):
            raise NetlinkError(f"netlink - answer - expected a whole message - seen {size} of {len(data) - at} bytes")
        yield kind, flags, sequence, data[at + 16 : at + size]
        at += (size + 3) & ~3


def _kernel_words(attributes: bytes) -> str:
    """The extended acknowledgement's message."""
    at = 0
    while at + 4 <= len(attributes):
        size, kind = struct.unpack_from("=HH", attributes, at)
        if size < 4:
            break
        if kind == NLMSGERR_ATTR_MSG:
            return attributes[at + 4 : at + size].rstrip(b"\0").decode(errors="replace")
        at += (size + 3) & ~3
    return ""


def _read_state(node: str, dumps: Sequence[bytes]) -> NodeState:
    """A node's state; NetlinkError where a dump was refused, broken off or is not what a kernel says."""
    for dump in dumps:
        messages = list(_messages(dump))
        if not messages or messages[-1][0] != NLMSG_DONE or any(messages[-1][3][:4]):
            raise NetlinkError(f"{node} - netlink dump - expected all of it - seen it refused or broken off")
    try:
        return _node_state(node, *dumps)
    except UNREADABLE as error:
        seen = f"{type(error).__name__}: {str(error)[:200]}"
        raise NetlinkError(f"{node} - netlink dump - expected links, addresses, routes - seen {seen}") from error


def _node_state(node: str, links: bytes, addresses: bytes, routes: bytes) -> NodeState:
    messages = [m for m in MarshalRtnl().parse(links) if m.get("event") == "RTM_NEWLINK"]
    names = {m["index"]: m.get("IFLA_IFNAME") for m in messages}
    states = (_link_state(m, names) for m in messages)
    return NodeState(
        node,
        {state.name: state for state in states if state.name not in FALLBACK_DEVICES},
        frozenset(_addresses(addresses, names)),
        frozenset(_routes(routes, names)),
    )


def _link_state(message: Any, names: Mapping[int, str]) -> LinkState:
    info = message.get("IFLA_LINKINFO")
    kind = info.get("IFLA_INFO_KIND") if info else None
    data = info.get("IFLA_INFO_DATA") if info else None
    return LinkState(
        name=message.get("IFLA_IFNAME"),
        kind=kind or "physical",
        up=bool(message["flags"] & IFF_UP),
        mac=message.get("IFLA_ADDRESS"),
        mtu=message.get("IFLA_MTU"),
        master=names.get(message.get("IFLA_MASTER")),
        parameters=tuple(sorted(_parameters(kind, data, names))) if data else (),
    )


def _parameters(kind: str | None, data: Any, names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    if kind == "vxlan":
        yield "vni", str(data.get("IFLA_VXLAN_ID"))
        yield "local", str(data.get("IFLA_VXLAN_LOCAL") or data.get("IFLA_VXLAN_LOCAL6"))
        yield "remote", str(data.get("IFLA_VXLAN_GROUP") or data.get("IFLA_VXLAN_GROUP6"))
        yield "dstport", str(data.get("IFLA_VXLAN_PORT"))
        yield "dev", names.get(data.get("IFLA_VXLAN_LINK"), "none")
    if kind in ("gre", "ip6gre"):
        prefix = f"IFLA_{kind.upper()}_"
        flags = int(data.get(prefix + "IFLAGS") or 0)
        yield "local", str(data.get(prefix + "LOCAL"))
        yield "remote", str(data.get(prefix + "REMOTE"))
        yield "ttl", str(data.get(prefix + "TTL") or "inherit")
        yield "key", str(data.get(prefix + "IKEY")) if flags & 0x2000 else "none"


def _addresses(data: bytes, names: Mapping[int, str]) -> Iterator[tuple[str, Interface]]:
    for message in MarshalRtnl().parse(data):
        if message.get("event") != "RTM_NEWADDR" or message["index"] not in names:
            continue
        address = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
        interface = ip_interface(f"{address}/{message['prefixlen']}")
        if names[message["index"]] not in FALLBACK_DEVICES and not interface.ip.is_link_local:
            yield names[message["index"]], interface


def _routes(data: bytes, names: Mapping[int, str]) -> Iterator[RouteState]:
    for message in MarshalRtnl().parse(data):
        if message.get("event") != "RTM_NEWROUTE" or message["type"] != RTN_UNICAST:
            continue
        if message["table"] != RT_TABLE_MAIN or message["flags"] & RTM_F_CLONED:
            continue
        anywhere = "0.0.0.0" if message["family"] == 2 else "::"
        prefix = ip_network(f"{message.get('RTA_DST') or anywhere}/{message['dst_len']}")
        if prefix.is_link_local:
            continue
        for hop in message.get("RTA_MULTIPATH") or (message,):
            via = hop.get("RTA_GATEWAY")
            dev = names.get(hop.get("oif") or message.get("RTA_OIF"))
            yield RouteState(prefix, ip_address(via) if via else None, dev)

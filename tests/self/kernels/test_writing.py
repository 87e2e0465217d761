"""Messages are pyroute2's, byte for byte; each refusal is that of its own operation."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from socket import htons
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2 import IPBatch

from tests.self.builders import known_lab
from tests.self.draws import draws
from tests.self.kernels.agents import Scripted
from topology.errors import NetlinkError, Position
from topology.kernels.link import Reply
from topology.kernels.netlink import CHUNKS_MAX, Netlink
from topology.kernels.rtnl.messages import NLMSG_ERROR, messages
from topology.kernels.rtnl.writing import written
from topology.model import Bridge, Device, Fabric, Geneve, Gre, Node, Port, Route, Subinterface, Vxlan
from topology.plan import NamespaceOf, Operation, make_plan
from topology.refs import PortRef

names = st.text("abz09_-.", min_size=1, max_size=15)
macs = st.none() | st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":"))
mtus = st.none() | st.integers(68, 65535)
versions = st.sampled_from((4, 6))
GRE6_FLAGS = ("ip6gre_iflags", "ip6gre_oflags")
NUMBERS = slice(8, 16)
"""The sequence number and the sender's, in struct nlmsghdr."""


def addresses(version: int) -> st.SearchStrategy[Any]:
    return st.integers(0, (1 << (32 if version == 4 else 128)) - 1).map(
        lambda number: ip_address(number) if version == 4 else ip_address(number.to_bytes(16, "big"))
    )


@st.composite
def fabrics(draw: st.DrawFn) -> Fabric:
    """A link, and at one end one of everything that a plan can hold; nothing of it need make sense on a wire."""
    ends = draw(st.lists(names, min_size=2, max_size=2, unique=True))
    known = draw(st.lists(names, min_size=8, max_size=8, unique=True))
    version = draw(versions)
    address = addresses(version)

    def own(name: str) -> dict[str, Any]:
        interface = ip_interface(f"{draw(address)}/{draw(st.integers(0, 32 if version == 4 else 128))}")
        return {"node": ends[0], "name": name, "mtu": draw(mtus), "addresses": (interface,)}

    port, far = known[0], draw(names)
    tunnel = {"local": draw(address), "remote": draw(address)}
    devices: list[Device] = [
        Port(**own(port), mac=draw(macs), peer=PortRef(ends[1], far)),
        Vxlan(**own(known[1]), mac=draw(macs), vni=draw(st.integers(1, (1 << 24) - 1)), dev=port, **tunnel),
        Vxlan(**own(known[2]), vni=7, port=draw(st.integers(1, 65535)), **tunnel),
        Vxlan(
            **own(known[5]), vni=8, others=(draw(address), draw(address)), dev=draw(st.none() | st.just(port)), **tunnel
        ),
        Subinterface(**own(known[7]), mac=draw(macs), link=port, vid=draw(st.integers(1, 4094))),
        Geneve(**own(known[6]), mac=draw(macs), vni=draw(st.integers(1, (1 << 24) - 1)), **tunnel),
        Gre(
            **own(known[3]),
            key=draw(st.none() | st.integers(0, (1 << 32) - 1)),
            ttl=draw(st.none() | st.just(9)),
            **tunnel,
        ),
        Bridge(**own(known[4]), mac=draw(macs), members=(port, known[1])),
    ]
    prefix = ip_interface(f"{draw(address)}/{draw(st.integers(0, 32))}").network
    routes = (Route(prefix=prefix, via=draw(address), dev=port), Route(prefix=prefix, dev=known[3]))
    other = Port(node=ends[1], name=far, mac=draw(macs), mtu=draw(mtus), peer=PortRef(ends[0], port))
    near = Node(name=ends[0], role="leaf", devices=tuple(devices), routes=routes)
    return Fabric("made up", (near, Node(name=ends[1], role="spine", devices=(other,))), (), ())


def resolved(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as an agent's descriptors complete them."""
    known = {
        name: len(value.node) + 7 if isinstance(value, NamespaceOf) else value for name, value in arguments.items()
    }
    return {name: resolved(value) if isinstance(value, Mapping) else value for name, value in known.items()}


def operations(fabric: Fabric) -> Iterator[tuple[str, str, dict[str, Any]]]:
    return ((op.api, op.verb, resolved(op.arguments)) for phase in make_plan(fabric).phases for op in phase)


def by_pyroute2(batch: IPBatch, api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
    """pyroute2's message, with what it does not do: a veth's far end with an index, and flags of GRE over IPv6 in
    network order."""
    said: dict[str, Any] = {n: htons(value) if n in GRE6_FLAGS else value for n, value in arguments.items()}
    if "peer" in said:
        far = dict(said.pop("peer"))
        index, attributes = far.pop("index"), [(f"IFLA_{name.upper()}", value) for name, value in far.items()]
        info = [("VETH_INFO_PEER", {"index": index, "attrs": attributes})]
        kind = [("IFLA_INFO_KIND", said.pop("kind")), ("IFLA_INFO_DATA", {"attrs": info})]
        said["IFLA_LINKINFO"] = {"attrs": kind}
    batch.reset()
    getattr(batch, api)(verb, **said)
    message = bytearray(batch.batch)
    message[NUMBERS] = bytes(8)
    return bytes(message)


def differing(fabrics: Iterable[Fabric]) -> list[tuple[object, ...]]:
    """The operations whose messages are not pyroute2's."""
    every = (operation for fabric in fabrics for operation in operations(fabric))
    with closing(IPBatch()) as batch:
        return [one for one in every if written(*one) != by_pyroute2(batch, *one)]


@settings(max_examples=draws(1))
@given(st.lists(fabrics(), min_size=1, max_size=3))
def test_every_message_is_the_one_that_pyroute2_writes(made: list[Fabric]) -> None:
    """Each message of any plan is byte for byte pyroute2's, for all names, numbers and addresses."""
    assert differing(made) == []


@pytest.mark.parametrize("lab", ["ece792", "geneve", "vlan-trunk"])
def test_every_message_of_a_lab_is_pyroute2s(lab: str) -> None:
    """The same for what labs hold."""
    assert differing([known_lab(lab)]) == []


OPERATION = Operation("n", "link", "set", {"index": 1, "state": "up"}, "link set lo up")


def test_each_refusal_is_reported_of_its_own_operation() -> None:
    """Acknowledgements are matched by number, in whatever order: the refused operation is named with its line."""
    asked = [replace(OPERATION, command=f"number {n}", where=Position("lab", n)) for n in range(3)]

    def reply(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        codes = {sequence: 0 for _, _, sequence, _ in messages(body)}
        codes[1] = -17
        answers = [struct.pack("=IHHIIi16x", 36, NLMSG_ERROR, 0, number, 0, code) for number, code in codes.items()]
        return Reply({"sizes": [36 * len(answers)]}, b"".join(reversed(answers)))

    with pytest.raises(NetlinkError, match="lab:1:1: n - number 1 - refused: File exists"):
        Netlink(Scripted(reply)).apply(asked)


def test_a_large_plan_goes_in_several_requests() -> None:
    """However many operations there are, each is sent once, in order, in requests of bounded size."""
    sent: list[tuple[str, int]] = []

    def reply(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        numbers = [sequence for _, _, sequence, _ in messages(body)]
        sent.extend((node, size) for node, size, _ in fields["chunks"])
        answers = [struct.pack("=IHHIIi16x", 36, NLMSG_ERROR, 0, number, 0, 0) for number in numbers]
        sizes = [36 * (size // (len(body) // len(numbers))) for _, size, _ in fields["chunks"]]
        return Reply({"sizes": sizes}, b"".join(answers))

    agent, nodes = Scripted(reply), CHUNKS_MAX + 3
    Netlink(agent).apply([replace(OPERATION, node=f"n{n}") for n in range(nodes)])
    assert [len(fields["chunks"]) for _, fields in agent.asked] == [CHUNKS_MAX, 3]
    assert [node for node, _ in sent] == [f"n{n}" for n in range(nodes)]

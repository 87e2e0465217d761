from __future__ import annotations

import contextlib
import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from ipaddress import ip_interface
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from tests.self.builders import vxlan_lab
from tests.self.kernels.agents import Scripted
from topology.errors import AgentLost, EnvironmentBroken, NetlinkError
from topology.kernels import netlink
from topology.kernels.link import Reply
from topology.kernels.netlink import Netlink
from topology.plan import Operation, make_plan
from topology.state import NodeState

NEWLINK, NEWADDR, NEWROUTE, ERROR, DONE = 16, 20, 24, 2, 3
OPERATION = Operation("n", "link", "set", {"index": 1, "state": "up"}, "link set lo up")


def message(kind: int, payload: bytes, sequence: int = 0, flags: int = 0) -> bytes:
    """A netlink message."""
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload


def packed(kind: int, made: Any, fields: Mapping[str, Any], attributes: list[tuple[str, Any]]) -> bytes:
    """A message as the kernel writes it."""
    made["header"]["type"], made["header"]["flags"] = kind, 2
    made["attrs"] = attributes
    for name, value in fields.items():
        made[name] = value
    made.encode()
    return bytes(made.data)


END = message(DONE, bytes(4))


@cache
def dumps() -> tuple[bytes, bytes, bytes]:
    """Links, addresses and routes of a node with a VXLAN device in a bridge."""
    info = [
        ("IFLA_VXLAN_ID", 30),
        ("IFLA_VXLAN_LOCAL", "10.0.0.1"),
        ("IFLA_VXLAN_PORT", 4900),
        ("IFLA_VXLAN_LINK", 2),
    ]
    kinds: list[list[tuple[str, Any]]] = [
        [("IFLA_IFNAME", "eth"), ("IFLA_MTU", 1500), ("IFLA_ADDRESS", "02:00:00:00:00:01")],
        [("IFLA_IFNAME", "br"), ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge")]})],
        [
            ("IFLA_IFNAME", "vx"),
            ("IFLA_MASTER", 3),
            ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", {"attrs": info})]}),
        ],
    ]
    links = b"".join(packed(NEWLINK, ifinfmsg(), {"index": n, "flags": 1}, kind) for n, kind in enumerate(kinds, 2))
    address = packed(NEWADDR, ifaddrmsg(), {"family": 2, "prefixlen": 24, "index": 2}, [("IFA_LOCAL", "10.0.0.1")])
    way = [("RTA_DST", "10.1.0.0"), ("RTA_GATEWAY", "10.0.0.2"), ("RTA_OIF", 2)]
    route = packed(NEWROUTE, rtmsg(), {"family": 2, "dst_len": 24, "table": 254, "type": 1}, way)
    return links + END, address + END, route + END


def answering(*parts: bytes, sizes: Any = None) -> Netlink:
    """A netlink whose agent gives these answers to whatever is relayed."""
    stated = [len(part) for part in parts] if sizes is None else sizes
    return Netlink(Scripted(lambda *_: Reply({"sizes": stated}, b"".join(parts))))


def test_a_dump_becomes_a_state() -> None:
    """Links with their kinds, masters and parameters, addresses and routes are read from what the kernel says."""
    state = answering(*dumps()).states(["n"])["n"]
    assert isinstance(state, NodeState)
    assert {name: (link.kind, link.master) for name, link in state.links.items()} == {
        "eth": ("physical", None),
        "br": ("bridge", None),
        "vx": ("vxlan", "br"),
    }
    assert dict(state.links["vx"].parameters) | {"vni": "30", "dstport": "4900", "dev": "eth"} == dict(
        state.links["vx"].parameters
    )
    assert state.addresses == {("eth", ip_interface("10.0.0.1/24"))}
    assert [str(route.via) for route in state.routes] == ["10.0.0.2"]


BROKEN_OFF = {
    "nothing": b"",
    "no end": dumps()[0][: -len(END)],
    "half a message": dumps()[0][:-1],
    "refused": message(ERROR, struct.pack("=i", -1) + bytes(16)),
    "failed at its end": dumps()[0][: -len(END)] + message(DONE, struct.pack("=i", -4)),
    "empty message": bytes(16),
}


@pytest.mark.parametrize("links", BROKEN_OFF.values(), ids=BROKEN_OFF)
def test_a_dump_that_is_not_whole_is_no_state(links: bytes) -> None:
    """What the kernel refused or broke off is an error, never a node without links."""
    with pytest.raises(NetlinkError):
        answering(links, *dumps()[1:]).states(["n"])


SIZES: list[Any] = [
    [],
    [1],
    [1, 1, 1],
    [-1, 1, 1],
    [1 << 40, 0, 0],
    ["a", 0, 0],
    [True, 0, 0],
    "abc",
    {},
    3,
]


@pytest.mark.parametrize("sizes", SIZES, ids=repr)
def test_lying_sizes_are_noticed(sizes: Any) -> None:
    """The sizes of the answers must be as many as the requests and add up to the body."""
    with pytest.raises(AgentLost):
        answering(*dumps(), sizes=sizes).states(["n"])


def first_sequence() -> int:
    """The sequence number of the first message of a batch."""
    return min(Netlink(Scripted(lambda *_: Reply({}, b"")))._encode([OPERATION])[1])


def acknowledged(payload: bytes, flags: int = 0) -> NetlinkError:
    """The error that an acknowledgement leads to."""
    with pytest.raises(NetlinkError) as caught:
        answering(message(ERROR, payload, first_sequence(), flags)).apply([OPERATION])
    return caught.value


def test_a_refusal_names_the_operation_and_the_reason() -> None:
    """An acknowledgement with an error becomes the command, errno's text, its number and the kernel's words."""
    words = b"no such thing\0"
    attribute = struct.pack("=HH", 4 + len(words), 1) + words
    error = acknowledged(struct.pack("=i", -95) + bytes(16) + attribute, flags=0x200)
    assert str(error).endswith("n - link set lo up - refused: Operation not supported: no such thing")
    assert error.errno == 95


@pytest.mark.parametrize("code", [-(1 << 31), -9999, 9999, (1 << 31) - 1])
def test_an_unknown_number_is_told_as_it_is(code: int) -> None:
    """A code that no errno has is still a refusal."""
    assert f"refused: error {-code}" in str(acknowledged(struct.pack("=i", code) + bytes(16)))


@pytest.mark.parametrize("payload", [b"", b"\0\0\0"], ids=["empty", "short"])
def test_an_acknowledgement_that_says_nothing_is_none(payload: bytes) -> None:
    """An operation whose acknowledgement carries no code was not answered."""
    assert "expected an answer - seen none" in str(acknowledged(payload))


def test_a_good_acknowledgement_is_silent() -> None:
    """Code 0 is success."""
    answering(message(ERROR, bytes(20), first_sequence())).apply([OPERATION])


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("netns_add", {}),
        ("netns_add", {"fds": [1]}),
        ("netns_add", {"fds": {"s1": 3}}),
        ("netns_add", {"fds": dict.fromkeys((node.name for node in vxlan_lab().nodes), "x")}),
        ("read_files", {}),
        ("read_files", {"texts": []}),
        ("read_files", {"texts": "no"}),
        ("netlink", {}),
    ],
    ids=str,
)
def test_a_build_stops_at_a_lying_agent(op: str, fields: dict[str, Any]) -> None:
    """Descriptors, files and answers that are missing or of another type are AgentLost."""

    def reply(asked: str, body: bytes, given: Mapping[str, Any]) -> Reply:
        good: dict[str, dict[str, Any]] = {
            "netns_add": {"fds": dict.fromkeys(given.get("names", ()), 3)},
            "read_files": {"texts": ["0" for _ in given.get("files", ())]},
        }
        return Reply(fields if asked == op else good.get(asked, {}), b"")

    with pytest.raises(AgentLost):
        Netlink(Scripted(reply)).build(make_plan(vxlan_lab()))


def test_many_sysctls_travel_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large fabric's sysctls would not fit one request: all that are there are written, a few at a time."""
    monkeypatch.setattr(netlink, "FILES_MAX", 5)
    plan, written = replace(make_plan(vxlan_lab()), phases=()), []

    def reply(op: str, body: bytes, given: Mapping[str, Any]) -> Reply:
        files = given.get("files", ())
        assert len(files) <= 5
        if op == "write_files":
            written.extend(files)
        texts = [None if "/bridge/" in path else "0" for _, path, *_ in files]
        return Reply({"fds": dict.fromkeys(given.get("names", ()), 3), "texts": texts}, b"")

    Netlink(Scripted(reply)).build(plan)
    wanted = [(op.node, op.arguments["key"].split(".")) for op in plan.sysctls]
    assert [(node, path.split("/")[3:]) for node, path, _ in written] == [w for w in wanted if "bridge" not in w[1]]


def test_the_probe_namespace_goes_whatever_happens() -> None:
    """Looking for link kinds leaves no namespace, also when the agent fails meanwhile."""
    agent = Scripted(lambda op, body, fields: Reply({"fds": {}}, b""))
    with pytest.raises(AgentLost):
        Netlink(agent).refused_kinds(["veth"])
    assert agent.asked[-1] == ("netns_del", {"names": ["hopcheck-probe"]})


changes = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None, database=None)
@given(changes)
def test_mutated_dumps_are_only_errors_of_the_environment(changes: list[tuple[int, int, int]]) -> None:
    """Whatever bytes come back for a dump, nothing but the environment family is raised."""
    parts = [bytearray(part) for part in dumps()]
    for part, place, value in changes:
        parts[part][place % len(parts[part])] = value
    with contextlib.suppress(EnvironmentBroken):
        answering(*map(bytes, parts)).states(["n"])


@settings(max_examples=60, deadline=None, database=None)
@given(st.binary(max_size=64), st.booleans())
def test_random_acknowledgements_are_only_errors_of_the_environment(data: bytes, framed: bool) -> None:
    """Whatever bytes acknowledge an operation, nothing but the environment family is raised."""
    part = message(ERROR, data, first_sequence(), 0x200) if framed else data
    with contextlib.suppress(EnvironmentBroken):
        answering(part).apply([OPERATION])

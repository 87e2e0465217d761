from __future__ import annotations

import contextlib
import itertools
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_interface
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.surroundings import home, surroundings
from tests.self.builders import vxlan_lab
from tests.self.draws import draws
from tests.self.kernels.agents import Scripted
from tests.self.kernels.dumps import DONE, END, ERROR, dumps, message, packed
from topology.errors import AgentLost, EnvironmentBroken, NetlinkError
from topology.kernels.agent.frames import HEADER_MAX
from topology.kernels.link import Reply
from topology.kernels.netlink import CHUNKS_MAX, Netlink, proc_path
from topology.kernels.registry import Kernel
from topology.kernels.rtnl.dumps import FIREWALL_REQUESTS, STATE_REQUESTS
from topology.nodes.registry import bring_up
from topology.plan import Operation, make_plan
from topology.state import WATCHED_SYSCTLS, NodeState

OPERATION = Operation("n", "link", "set", {"index": 1, "state": "up"}, "link set lo up")


def answering(*parts: bytes, sizes: Any = None, texts: Any = None) -> Netlink:
    """A netlink whose agent gives these answers to whatever is relayed, and these texts of whatever files are read.

    Left alone, no file is there, and whatever else is relayed has nothing to tell.
    """

    def reply(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        if op == "read_files":
            return Reply({"texts": [None] * len(fields["files"]) if texts is None else texts}, b"")
        answers = parts if len(fields["chunks"]) == len(parts) else [END] * len(fields["chunks"])
        return Reply({"sizes": [len(part) for part in answers] if sizes is None else sizes}, b"".join(answers))

    return Netlink(Scripted(reply))


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
    """A dump that is refused or cut off is an error, never a node without links."""
    with pytest.raises(NetlinkError):
        answering(links, *dumps()[1:]).states(["n"])


SIZES: list[Any] = [[], [1], [-1, *[0] * 6], [1 << 40, *[0] * 6], ["a", *[0] * 6], [True, *[0] * 6], "abc", {}, 3]


@pytest.mark.parametrize("sizes", SIZES, ids=repr)
def test_lying_sizes_are_noticed(sizes: Any) -> None:
    """The sizes of the answers must be as many as the requests and add up to the body."""
    with pytest.raises(AgentLost):
        answering(*dumps(), sizes=sizes).states(["n"])


@pytest.mark.parametrize("texts", [[], "no", [7], ["1"] * 3, [7] * (len(WATCHED_SYSCTLS) + 1), {}], ids=repr)
def test_lying_texts_are_noticed(texts: Any) -> None:
    """The texts of sysctls must be as many as were asked for, and texts."""
    with pytest.raises(AgentLost):
        answering(*dumps(), texts=texts).states(["n"])


def asked(netlink: Netlink) -> list[tuple[str, list[Any]]]:
    """Requests to an agent, each operation with its chunks or files."""
    agent = netlink._agent
    assert isinstance(agent, Scripted)
    return [(op, fields.get("chunks") or fields.get("files") or []) for op, fields in agent.asked]


def test_all_nodes_are_read_in_two_calls() -> None:
    """A reading of nodes without filters and nftables is one relay and one reading of files for all of them."""
    netlink = answering()
    assert list(netlink.states(["a", "b", "c"])) == ["a", "b", "c"]
    calls = asked(netlink)
    assert [op for op, _ in calls] == ["netlink", "read_files"]
    assert [len(items) for _, items in calls] == [3 * len(STATE_REQUESTS), 3 * len(WATCHED_SYSCTLS) + 1]


def test_many_nodes_are_read_in_parts() -> None:
    """However large a fabric is, a request fits a frame, and every node is read."""
    names = [f"n{number}" for number in range(CHUNKS_MAX // len(STATE_REQUESTS) + 1)]
    netlink = answering()
    assert list(netlink.states(names)) == names
    assert [op for op, _ in asked(netlink)] == ["netlink", "netlink", "read_files"]


def test_many_sysctls_travel_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large fabric's sysctls would not fit one request: all are read, a few at a time, and put together rightly."""
    monkeypatch.setattr("topology.kernels.netlink.FILES_MAX", 5)

    def reply(op: str, body: bytes, given: Mapping[str, Any]) -> Reply:
        assert len(given["files"]) <= 5
        return Reply({"texts": [f"{node} {path}" for node, path in given["files"]]}, b"")

    nodes = ("a", "b")
    found, _ = Netlink(Scripted(reply))._read_sysctls(dict.fromkeys(nodes, WATCHED_SYSCTLS))
    assert found == {node: {key: f"{node} {proc_path(key)}" for key in WATCHED_SYSCTLS} for node in nodes}


def test_sysctls_of_a_large_fabric_fit_one_request() -> None:
    """Sysctls are sent once for all nodes of a role, so that a hundred more nodes cost their names only."""
    agent, few = Scripted(lambda *_: Reply({}, b"")), make_plan(vxlan_lab()).sysctls
    many = [replace(op, node=f"{op.node}-{n}") for n in range(100) for op in few]
    Netlink(agent)._write_sysctls(many)
    [(_, fields)] = agent.asked
    assert len(json.dumps(fields)) < HEADER_MAX / 40


SOCKETS = "sk Eth Pid Groups\n0 {} 0 0\n0 {} {} 0\n"


@pytest.mark.parametrize(
    ("sockets", "asks"),
    [
        (SOCKETS.format(0, 12, 0), True),
        (SOCKETS.format(0, 12, 4711), False),
        (SOCKETS.format(0, 10, 12), False),
        ("", False),
        ("\n\n", False),
    ],
)
def test_nftables_are_asked_for_where_they_are_loaded(sockets: str, asks: bool) -> None:
    """A kernel without netfilter's netlink socket is not made to load it; one with it is asked by that protocol."""
    netlink = answering(texts=[sockets, *[None] * len(WATCHED_SYSCTLS)])
    netlink.states(["n"])
    further = [items for op, items in asked(netlink)[2:] if op == "netlink"]
    assert [[chunk[2] for chunk in chunks] for chunks in further] == ([[12] * len(FIREWALL_REQUESTS)] if asks else [])


def acknowledged(payload: bytes, flags: int = 0) -> NetlinkError:
    """The error that an acknowledgement leads to."""
    with pytest.raises(NetlinkError) as caught:
        answering(message(ERROR, payload, 0, flags)).apply([OPERATION])
    return caught.value


def test_a_refusal_names_the_operation_and_the_reason() -> None:
    """An acknowledgement with an error becomes the command, errno's text, its number and the kernel's words."""
    words = b"no such thing\0"
    attribute = struct.pack("=HH", 4 + len(words), 1) + words
    error = acknowledged(struct.pack("=i", -95) + bytes(16) + attribute, flags=0x200)
    assert str(error).endswith("n - link set lo up - refused: Operation not supported: no such thing")
    assert error.errno == 95


@pytest.mark.parametrize("code", [-(1 << 31), -9999, 9999, (1 << 31) - 1])
def test_an_unknown_number_is_reported_as_it_is(code: int) -> None:
    """A code that no errno has is still a refusal."""
    assert f"refused: error {-code}" in str(acknowledged(struct.pack("=i", code) + bytes(16)))


@pytest.mark.parametrize("payload", [b"", b"\0\0\0"], ids=["empty", "short"])
def test_an_acknowledgement_that_says_nothing_is_none(payload: bytes) -> None:
    """An operation whose acknowledgement carries no code was not answered."""
    assert "expected an answer - seen none" in str(acknowledged(payload))


def test_a_good_acknowledgement_is_silent() -> None:
    """Code 0 is success."""
    answering(message(ERROR, bytes(20), 0)).apply([OPERATION])


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("netns_add", {}),
        ("netns_add", {"fds": [1]}),
        ("netns_add", {"fds": {"s1": 3}}),
        ("netns_add", {"fds": dict.fromkeys((node.name for node in vxlan_lab().nodes), "x")}),
        ("netlink", {}),
    ],
    ids=str,
)
def test_a_build_stops_at_a_lying_agent(op: str, fields: dict[str, Any]) -> None:
    """Descriptors and answers that are missing or of another type are AgentLost."""

    def reply(asked: str, body: bytes, given: Mapping[str, Any]) -> Reply:
        good: dict[str, dict[str, Any]] = {"netns_add": {"fds": dict.fromkeys(given.get("names", ()), 3)}}
        return Reply(fields if asked == op else good.get(asked, {}), b"")

    kernel = cast(Kernel, SimpleNamespace(agent=Scripted(reply)))
    with pytest.raises(AgentLost):
        bring_up(vxlan_lab(), kernel, "netns")


def test_nodes_of_one_kind_get_their_sysctls_once() -> None:
    """Sysctls of one role are sent once; each node is in one group and gets what its plan says."""
    agent, plan = Scripted(lambda *_: Reply({}, b"")), make_plan(vxlan_lab())
    Netlink(agent)._write_sysctls(plan.sysctls)
    [(op, fields)] = agent.asked
    assert (op, fields["optional"], len(fields["files"])) == ("write_files", True, 2)
    written = [(node, path, value) for nodes, files in fields["files"] for node in nodes for path, value in files]
    wanted = [
        (op.node, "/proc/sys/" + op.arguments["key"].replace(".", "/"), op.arguments["value"]) for op in plan.sysctls
    ]
    assert sorted(written) == sorted(wanted)


def test_the_probe_namespace_goes_whatever_happens() -> None:
    """Looking for link kinds leaves no namespace, also when the agent fails meanwhile."""
    agent = Scripted(lambda op, body, fields: Reply({"fds": {}}, b""))
    with pytest.raises(AgentLost):
        Netlink(agent).refused_kinds(["veth"])
    assert agent.asked[-1] == ("netns_del", {"names": ["hopcheck-probe"]})


def test_what_could_lead_out_of_a_node_is_in_its_surroundings() -> None:
    """Devices that are up, rules and tables other than the kernel's; the main table is part of the declared state."""
    data = dict(zip((request.data for request in STATE_REQUESTS), dumps(), strict=True))
    fields = {"family": 2, "dst_len": 24, "table": 100, "type": 1, "proto": 3}
    other = packed(24, rtmsg(), fields, [("RTA_DST", "10.7.0.0"), ("RTA_OIF", 2)])

    def reply(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        if op == "read_files":
            return Reply({"texts": [None] * len(fields["files"])}, b"")
        ends = list(itertools.accumulate((size for _, size, _ in fields["chunks"]), initial=0))
        asked = [data.get(body[start:end], END) for start, end in itertools.pairwise(ends)]
        answers = [other + one if one == dumps()[2] else one for one in asked]
        return Reply({"sizes": list(map(len, answers))}, b"".join(answers))

    fabric = SimpleNamespace(
        names=["n"], kernel=SimpleNamespace(agent=Scripted(reply), info=SimpleNamespace(kind="host"))
    )
    found = surroundings(cast(LiveFabric, fabric))["n"]
    assert found.up == ("eth", "br", "vx")
    assert found.rules == ("pref 7 from all lookup main",)
    assert found.routes == ("10.7.0.0/24 dev eth table 100",)
    assert home(cast(LiveFabric, fabric)).devices == ("eth", "br", "vx")


changes = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=draws(25))
@given(changes)
def test_mutated_dumps_are_only_errors_of_the_environment(changes: list[tuple[int, int, int]]) -> None:
    """Any bytes in place of a dump raise nothing but the environment family."""
    parts = [bytearray(part) for part in dumps()]
    for part, place, value in changes:
        parts[part][place % len(parts[part])] = value
    with contextlib.suppress(EnvironmentBroken):
        answering(*map(bytes, parts)).states(["n"])


@settings(max_examples=draws(15))
@given(st.binary(max_size=64), st.booleans())
def test_random_acknowledgements_are_only_errors_of_the_environment(data: bytes, framed: bool) -> None:
    """Any bytes in place of an acknowledgement raise nothing but the environment family."""
    part = message(ERROR, data, 0, 0x200) if framed else data
    with contextlib.suppress(EnvironmentBroken):
        answering(part).apply([OPERATION])

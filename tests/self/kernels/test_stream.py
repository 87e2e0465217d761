"""The agent's paced stream: numbered, at a steady rate, beside other requests, and gone when closed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.self.kernels.agents import sandboxed_agent
from topology.errors import AgentError
from topology.kernels.agent.stream import TAIL
from topology.kernels.agent.tap import RECORD
from topology.kernels.link import AgentLink
from topology.wait import wait_for

UDP = [int(socket.AF_INET), int(socket.SOCK_DGRAM), 0]
MARK = b"markmark"
INTERVAL_NS = 2_000_000
BUILD = """
ip link add v0 type veth peer name v1 netns b; ip addr add 10.9.0.1/24 dev v0; ip link set v0 up
ip -n b addr add 10.9.0.2/24 dev v1; ip -n b link set v1 up; ping -c 1 -W 5 10.9.0.2 >/dev/null
"""
FLOWS = [{"ns": "a", "socket": UDP, "bind": ["10.9.0.1", 5000 + n], "to": ["10.9.0.2", 7]} for n in range(3)]
SINK = {"ns": "b", "socket": UDP, "bind": ["10.9.0.2", 7]}


@pytest.fixture
def agent() -> Iterator[AgentLink]:
    with sandboxed_agent("a", "b") as found:
        assert found.run(["sh", "-ec", BUILD], ns="a").stderr == ""
        yield found


def opened(agent: AgentLink, **asked: Any) -> int:
    said = {"flows": FLOWS, "sinks": [SINK], "count": 30, "interval_ns": INTERVAL_NS, **asked}
    return agent.call("stream_open", MARK, **said).get("handle", int)


def marked(records: bytes) -> Iterator[tuple[int, bytes]]:
    """The time of each frame with the mark, and what follows it."""
    at = 0
    while at < len(records):
        fields = RECORD.unpack_from(records, at)
        at += RECORD.size + fields[12]
        frame, at = records[at : at + fields[11]], at + fields[11]
        if MARK in frame:
            yield fields[10], frame[frame.index(MARK) + len(MARK) :]


def children(agent: AgentLink) -> int:
    """The agent's other children: the stream's, as the shell that looks is left out."""
    return len(agent.run(["sh", "-c", "cat /proc/$PPID/task/*/children"]).stdout.split()) - 1


def test_numbers_leave_in_turn_at_their_times_while_commands_run(agent: AgentLink) -> None:
    """Flows are served in turn, each number once, and none before its time; no port is said to be closed."""
    tap = agent.call("tap_open", namespaces=["b"], buffer_bytes=1 << 20).get("handle", int)
    handle, seen, icmp = opened(agent), list[tuple[int, bytes]](), list[bytes]()

    def all_came() -> bool:
        assert agent.run(["true"]).code == 0
        body = agent.call("tap_read", handle=tap).body
        seen.extend(marked(body))
        icmp.extend([body] if b"\x03\x03" in body and MARK not in body else [])
        return len(seen) >= 30

    wait_for(all_came, 10, "thirty datagrams")
    assert [rest for _, rest in seen] == [TAIL.pack(n % 3, n // 3) for n in range(30)]
    times = [time_ns for time_ns, _ in seen]
    assert all(after >= before for before, after in pairwise(times))
    assert times[-1] - times[0] >= 28 * INTERVAL_NS
    assert icmp == []
    wait_for(lambda: children(agent) == 0, 5, "the end of the stream's child")
    agent.call("close", handle=handle)


def test_closing_ends_the_child_and_frees_the_port(agent: AgentLink) -> None:
    """A closed stream sends no more, its child is gone, and the sink's port can be taken again."""
    handle = opened(agent, count=100_000)
    assert children(agent) == 1
    agent.call("close", handle=handle)
    wait_for(lambda: children(agent) == 0, 5, "the end of the stream's child")
    agent.call("close", handle=opened(agent))


@pytest.mark.parametrize(
    "asked",
    [
        {"count": 0},
        {"count": 1 << 40},
        {"count": 1000, "interval_ns": 10**9},
        {"interval_ns": 0},
        {"flows": [{**FLOWS[0], "bind": ["10.9.0.77", 1]}]},
    ],
)
def test_unbounded_and_impossible_streams_are_refused(agent: AgentLink, asked: dict[str, Any]) -> None:
    """A stream beyond its bounds, or from an address that is not there, starts no child and holds no port."""
    with pytest.raises(AgentError):
        opened(agent, **asked)
    assert children(agent) == 0
    agent.call("close", handle=opened(agent))

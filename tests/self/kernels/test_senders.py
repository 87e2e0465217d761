"""The agent sends for a search for sizes: many packets in one request, and messages there and back."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.self.kernels.agents import sandboxed_agent
from topology.errors import AgentError
from topology.kernels.link import AgentLink, Reply
from topology.wait import wait_for

UDP = [int(socket.AF_INET), int(socket.SOCK_DGRAM), 0]
TCP = [int(socket.AF_INET), int(socket.SOCK_STREAM), 0]
DF = [[socket.IPPROTO_IP, 10, 3]]
"""IP_MTU_DISCOVER, IP_PMTUDISC_PROBE (linux/in.h)."""
NEAR, FAR = "10.9.0.1", "10.8.0.1"
BUILD = """
ip link add v0 type veth peer name v1 netns r; ip link add v2 netns r mtu 1300 type veth peer name v3 netns b
ip addr add 10.9.0.1/24 dev v0; ip link set v0 up
ip -n r addr add 10.9.0.2/24 dev v1; ip -n r link set v1 up; ip -n r addr add 10.8.0.2/24 dev v2; ip -n r link set v2 up
ip -n b addr add 10.8.0.1/24 dev v3; ip -n b link set v3 up; ip netns exec r sysctl -qw net.ipv4.ip_forward=1
ip route add 10.8.0.0/24 via 10.9.0.2; ip -n b route add 10.9.0.0/24 via 10.8.0.2
"""
"""a - r - b, the second link 1300 bytes wide on the router's side."""


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentLink]:
    with sandboxed_agent("a", "r", "b") as found:
        built = found.run(["sh", "-ec", BUILD], ns="a")
        assert built.stderr == ""
        yield found


def held(agent: AgentLink) -> str:
    """Count the agent's open sockets and sysctls; pipes come and go with the command that looks."""
    return agent.run(["sh", "-c", "ls -l /proc/$PPID/fd | grep -c -e socket: -e /proc/sys"]).stdout


def one(size: int, to: str = FAR, **more: Any) -> dict[str, Any]:
    """One packet of the namespace a."""
    return {"ns": "a", "socket": UDP, "options": DF, "bind": [NEAR, 5000], "to": [to, 7], "size": size, **more}


def send(agent: AgentLink, *sends: dict[str, Any], flush: tuple[str, ...] = ()) -> object:
    body = bytes(sum(each["size"] for each in sends))
    return agent.call("send_many", body, flush=list(flush), sends=list(sends)).fields["errnos"]


def learned(agent: AgentLink) -> bool:
    """True if a knows of a narrower path to b; asked of the kernel, which forgets on request."""
    return "mtu 1300" in agent.run(["ip", "route", "get", FAR], ns="a").stdout


def learn(agent: AgentLink) -> None:
    """Have a taught that b is 1300 bytes away; the socket must be open when the ICMP error for it arrives."""
    packet: dict[str, Any] = {
        "ns": "a",
        "socket": UDP,
        "options": DF,
        "bind": [NEAR, 5001],
        "to": [FAR, 7],
        "hold": True,
    }
    handle = agent.call("send", bytes(1400), **packet).get("handle", int)
    wait_for(lambda: learned(agent), 5, "the path MTU")
    agent.call("close", handle=handle)


def test_many_packets_go_in_one_request(agent: AgentLink) -> None:
    """Each packet has its own bytes and its own answer: refused ones are reported, the others go on."""
    sink = agent.call("echo_open", ns="b", family=2, bind=[FAR, 7], mute=True).get("handle", int)
    assert send(agent, one(100), one(1472), one(1473), one(100, "192.0.2.1"), one(0)) == [
        0,
        0,
        errno.EMSGSIZE,
        errno.ENETUNREACH,
        0,
    ]
    agent.call("close", handle=sink)


def test_learned_path_mtus_are_forgotten(agent: AgentLink) -> None:
    """Learned path MTUs are forgotten by the namespaces that are named, and by no other."""
    learn(agent)
    send(agent, flush=("r", "b"))
    assert learned(agent)
    send(agent, flush=("a", "r"))
    assert not learned(agent)


def test_each_packet_can_be_the_first_of_its_kind(agent: AgentLink) -> None:
    """Before each packet path MTUs are forgotten where it says, so none is refused for what an earlier one taught."""
    plain: dict[str, Any] = {
        "options": [[socket.IPPROTO_IP, 10, 2]]
    }  # IP_PMTUDISC_DO: refuse what the path is known not to carry
    learn(agent)
    assert send(agent, one(1400, **plain)) == [errno.EMSGSIZE]
    assert send(agent, one(1400, **plain, flush=["a"]), one(1400, **plain, flush=["a", "r"])) == [0, 0]


def test_a_mute_echo_takes_and_says_nothing(agent: AgentLink) -> None:
    """A datagram to a mute echo comes back neither as it was nor as an error, and the next finds it open still."""
    sink = agent.call("echo_open", ns="b", family=2, bind=[FAR, 9], mute=True).get("handle", int)
    script = f"exec 3<>/dev/udp/{FAR}/9; echo x >&3; timeout 0.3 head -c1 <&3; echo said $?; echo y >&3"
    done = agent.run(["bash", "-c", script], ns="a")
    assert (done.stdout, done.stderr) == ("said 124\n", "")
    agent.call("close", handle=sink)


def messages(
    agent: AgentLink,
    kind: list[int],
    *parts: bytes,
    deadline_s: float = 3,
    along: Sequence[str] = (),
    **near: Any,
) -> Reply:
    near = {"ns": "a", "socket": kind, "bind": [NEAR, 6000], **near}
    far = {"ns": "b", "socket": kind, "bind": [FAR, 6000]}
    sizes = [len(part) for part in parts]
    more: dict[str, Any] = {"near": near, "far": far, "along": list(along)}
    return agent.call("exchange_messages", b"".join(parts), sizes=sizes, deadline_s=deadline_s, **more)


PARTS = (b"a", b"bc" * 50, bytes(range(256)) * 4)


@pytest.mark.parametrize("kind", [UDP, TCP], ids=["udp", "tcp"])
def test_messages_go_there_and_come_back(agent: AgentLink, kind: list[int]) -> None:
    """Each message is kept as it came there and as it came back, byte for byte."""
    for _ in range(2):
        reply = messages(agent, kind, *PARTS)
        assert reply.fields["error"] == ""
        assert reply.fields["there"] == reply.fields["back"] == [len(part) for part in PARTS]
        assert reply.body == b"".join(PARTS) * 2


def test_who_is_along_the_way_learns_nothing(agent: AgentLink) -> None:
    """Path MTUs are forgotten before the messages, so that none is refused for what was learned, and after."""
    plain = [[socket.IPPROTO_IP, 10, 2]]  # IP_PMTUDISC_DO
    learn(agent)
    assert "too long" in messages(agent, UDP, bytes(1400), options=plain).fields["error"]
    learn(agent)
    lost = messages(agent, UDP, bytes(1400), deadline_s=0.3, along=("a", "r"), options=plain)
    assert (lost.fields["there"], lost.fields["error"]) == ([0], "")
    assert not learned(agent)


def test_taps_along_the_way_do_not_hear_messages(agent: AgentLink) -> None:
    """Messages are heard in no namespace that is named, and in all others; afterwards everywhere."""
    handle = agent.call("tap_open", namespaces=["a", "r"], buffer_bytes=1 << 20).get("handle", int)
    messages(agent, UDP, b"first words", along=("a",))
    heard = agent.call("tap_read", handle=handle)
    messages(agent, UDP, b"last words")
    later = agent.call("tap_read", handle=handle)
    # There and back: once through a, in and out of r.
    assert (heard.body.count(b"first words"), later.body.count(b"last words")) == (4, 6)
    assert later.get("drops", list) == [0, 0]
    agent.call("close", handle=handle)


def test_a_message_that_is_lost_ends_the_exchange(agent: AgentLink) -> None:
    """A late message is reported with what came, and nothing is sent after it."""
    reply = messages(agent, UDP, b"x", bytes(1400), b"y", deadline_s=0.3, options=DF)
    assert (reply.fields["there"], reply.fields["back"]) == ([1, 0], [1])
    assert reply.body == b"xx"


def test_an_exchange_that_cannot_start_says_why(agent: AgentLink) -> None:
    """A refused datagram and an unused address are the exchange's error, not the agent's."""
    assert "too long" in messages(agent, UDP, bytes(1473), options=DF).fields["error"]
    assert messages(agent, TCP, b"x", bind=["192.0.2.1", 1]).fields["error"]


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("send_many", {"flush": ["nowhere"], "sends": []}),
        ("send_many", {"flush": [], "sends": [{"ns": "a"}]}),
        ("send_many", {"flush": [], "sends": [one(1, flush=["a", "nowhere"])]}),
        ("send_many", {"sends": []}),
        ("exchange_messages", {"sizes": [1], "deadline_s": 1, "near": {"ns": "a", "socket": UDP}}),
        ("exchange_messages", {"sizes": [1], "deadline_s": "x"}),
        ("exchange_messages", {"sizes": [], "deadline_s": 1, "along": ["nowhere"]}),
    ],
    ids=str,
)
def test_impossible_requests_are_refused(agent: AgentLink, op: str, fields: dict[str, Any]) -> None:
    """Such a request is an error with nothing left open, and the agent goes on."""
    before = held(agent)
    with pytest.raises(AgentError):
        agent.call(op, b"x", **fields)
    assert held(agent) == before

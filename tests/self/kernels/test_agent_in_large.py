"""An agent with many nodes stays quick: taps read what is there, and news replaces dumps."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from fixtures.instruments.news import News
from tests.self.kernels.agents import sandboxed_agent
from topology.kernels.link import AgentLink
from topology.wait import wait_for

UDP = [int(socket.AF_INET), int(socket.SOCK_DGRAM), 0]
NONCE = bytes(range(16))


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentLink]:
    """The agent of a sandbox, with two namespaces."""
    with sandboxed_agent("a", "b") as found:
        yield found


def test_a_sentinel_is_reported_and_not_shown(agent: AgentLink) -> None:
    """A tap that its sentinel has passed says so and gives no record of it, wherever lo is up or down.

    One is named where not even our own namespace carries a sentinel.
    """
    for up in ("up", "down"), ("up", "up"), ("down", "down"):
        for ns, state in zip("ab", up, strict=True):
            agent.run(["ip", "link", "set", "lo", state], ns=ns)
        handle = agent.call("tap_open", namespaces=["a", "b"], buffer_bytes=1 << 20).get("handle", int)
        for _ in range(2):
            answer = agent.call("tap_mark", NONCE, handle=handle)
            assert (answer.get("sent", bool), answer.get("unmarked", list), answer.body) == (True, [], b""), up
    agent.run(["ip", "link", "set", "lo", "down"])
    assert agent.call("tap_mark", NONCE, handle=handle).get("unmarked", list) == [0, 1]
    agent.run(["ip", "link", "set", "lo", "up"])
    agent.call("close", handle=handle)


@pytest.mark.parametrize("lo", ["up", "down"])
def test_what_was_under_way_comes_before_a_sentinel(agent: AgentLink, lo: str) -> None:
    """Frames that were sent before the sentinel are shown with it, and their drops counted, also where lo is down."""
    assert agent.run(["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"], ns="a").code == 0
    for command in ("link set v0 up", "link set v1 up", f"link set lo {lo}", "addr add 10.9.0.1/24 dev v0"):
        assert agent.run(["ip", *command.split()], ns="a").code == 0
    assert (
        agent.run(["ip", "neigh", "replace", "10.9.0.2", "lladdr", "02:00:00:00:00:01", "dev", "v0"], ns="a").code == 0
    )
    handle = agent.call("tap_open", namespaces=["a", "b"], buffer_bytes=1 << 22).get("handle", int)
    for number in range(20):
        agent.call("send", NONCE + bytes([number]), ns="a", socket=UDP, to=["10.9.0.2", 9])
    answer = agent.call("tap_mark", NONCE, handle=handle)
    assert (answer.get("unmarked", list), answer.get("drops", list)) == ([], [0, 0])
    assert [answer.body.count(NONCE + bytes([number])) for number in range(20)] == [2] * 20
    agent.call("close", handle=handle)
    agent.run(["ip", "link", "del", "v0"], ns="a")


def test_a_sentinel_passes_a_tap_that_was_full(agent: AgentLink) -> None:
    """Waiting frames are taken first, in several answers, and the sentinel finds room."""
    agent.run(["ip", "link", "set", "lo", "up"], ns="a")
    handle = agent.call("tap_open", namespaces=["a"], buffer_bytes=1 << 22).get("handle", int)
    while not agent.call("tap_read", handle=handle).get("drops", list)[0]:
        for _ in range(200):
            agent.call("send", bytes(60_000), ns="a", socket=UDP, to=["127.0.0.1", 9])
    for _ in range(200):
        agent.call("send", bytes(60_000), ns="a", socket=UDP, to=["127.0.0.1", 9])
    first = agent.call("tap_mark", NONCE, handle=handle)
    assert (first.get("sent", bool), first.get("more", bool)) == (False, True)
    answer = first
    while not answer.get("sent", bool):
        assert answer.body
        answer = agent.call("tap_mark", NONCE, handle=handle)
    assert answer.get("unmarked", list) == []
    agent.call("close", handle=handle)


def test_a_full_tap_counts_its_drops(agent: AgentLink) -> None:
    """Frames that find no room are counted at the next reading, once, and only where they were lost."""
    handle = agent.call("tap_open", namespaces=["a", "b"], buffer_bytes=1).get("handle", int)
    agent.run(["ip", "link", "set", "lo", "up"], ns="a")
    for _ in range(50):
        agent.call("send", bytes(1000), ns="a", socket=UDP, to=["127.0.0.1", 9])
    lost, none = agent.call("tap_read", handle=handle).get("drops", list)
    assert lost > 0
    assert none == 0
    assert agent.call("tap_read", handle=handle).get("drops", list) == [lost, 0]
    agent.call("close", handle=handle)


CHANGES = (
    "ip link set w0 up",
    "ip link set w0 mtu 1400",
    "ip addr add 10.8.0.1/24 dev w0",
    "ip route add 10.7.0.0/24 via 10.8.0.2",
    "ip route del 10.7.0.0/24",
    "ip -6 addr add fd00:8::1/64 dev w0 nodad",
    "ip -6 route add fd00:7::/64 dev w0",
    "ip rule add from 192.0.2.0/24 pref 50",
    "ip -6 rule add from fd00:9::/64 pref 50",
    "ip neigh replace 10.8.0.9 lladdr 02:00:00:00:00:99 dev w0 nud permanent",
    "ip neigh replace 10.8.0.9 lladdr 02:00:00:00:00:99 dev w0 nud stale",
    "bridge fdb add 02:00:00:00:00:98 dev w1 master static",
    "bridge fdb del 02:00:00:00:00:98 dev w1 master",
    "echo 1 > /proc/sys/net/ipv4/conf/w0/forwarding",
    "echo 1 > /proc/sys/net/ipv4/conf/w0/rp_filter",
    "echo 1 > /proc/sys/net/ipv6/conf/w0/forwarding",
    "tc qdisc add dev w0 clsact",
    "ip link del w0",
)


def changed_nodes(news: News) -> list[str]:
    """Nodes with news."""
    return news.take()[0]


def test_a_watch_tells_who_has_changed(agent: AgentLink) -> None:
    """Each change of a link, address, route, rule, kept entry, qdisc or setting is reported once, by node."""
    on = [[f"/proc/sys/net/ipv6/conf/{key}/disable_ipv6", "0"] for key in ("all", "default")]
    agent.call("write_files", files=[[["b"], on]])
    made = (
        "ip link add w0 type veth peer name w1; ip link add name b0 type bridge; ip link set w1 up; ip link set b0 up"
    )
    assert agent.run(["sh", "-ec", made + "; ip link set w1 master b0"], ns="b").code == 0
    news = News(agent, ["a", "b"])
    assert changed_nodes(news) == []
    for change in CHANGES:
        assert agent.run(["sh", "-c", change], ns="b").code == 0, change
        wait_for(lambda: changed_nodes(news) == ["b"], 5, f"news of {change}")
        wait_for(lambda: not changed_nodes(news), 5, "the end of the news")
    agent.run(["ip", "addr"], ns="a")
    assert changed_nodes(news) == []


def test_learned_entries_are_reported_apart(agent: AgentLink) -> None:
    """A neighbour that ages is no change; one that is kept is."""
    handle = agent.call("watch_open", namespaces=["a"]).get("handle", int)
    neighbour = "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:99 dev n0 nud"
    assert agent.run(["sh", "-ec", "ip link add n0 type dummy || ip link add n0 type bridge"], ns="a").code == 0
    agent.call("watch_read", handle=handle)
    agent.run(["sh", "-ec", "ip link set n0 up"], ns="a")
    wait_for(lambda: agent.call("watch_read", handle=handle).fields["changed"] == [0], 5, "news of the link")
    wait_for(lambda: agent.call("watch_read", handle=handle).fields["changed"] == [], 5, "the end of the news")
    for state, kind in (("reachable", "learned"), ("permanent", "changed"), ("stale", "learned")):
        assert agent.run(["sh", "-ec", f"{neighbour} {state}"], ns="a").code == 0
        wanted = {"changed": [], "learned": [], kind: [0]}
        assert agent.call("watch_read", handle=handle).fields == wanted, state
    agent.call("close", handle=handle)


def test_a_watch_that_overflows_tells_of_change(agent: AgentLink) -> None:
    """More news than there is room for is news, and is over once it was reported."""
    news = News(agent, ["a"])
    script = "i=0; while [ $i -lt 4000 ]; do echo link set lo mtu $((65000 + i % 2)); i=$((i+1)); done | ip -batch -"
    assert agent.run(["sh", "-c", script], ns="a").code == 0
    assert changed_nodes(news) == ["a"]
    assert changed_nodes(news) == []

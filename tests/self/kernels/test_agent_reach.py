"""The agent uses namespaces, files and sockets that others have made."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from tests.self.kernels.agents import namespaces, sandboxed_agent
from tests.self.kernels.test_agent import home
from topology.errors import AgentError
from topology.kernels.link import AgentLink, Reply
from topology.kernels.rtnl.dumps import LINKS
from topology.wait import wait_for


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentLink]:
    """The agent of a sandbox, with two namespaces."""
    with sandboxed_agent("a", "b") as found:
        yield found


def test_foreign_namespace_gets_a_name(agent: AgentLink) -> None:
    """An adopted namespace is the one behind the path, serves like any other, and stays its maker's when it goes."""
    fds = agent.call("netns_adopt", paths={"adopted": "/run/netns/a"}, never=[]).get("fds", dict)
    assert type(fds["adopted"]) is int
    inside = [agent.run(["readlink", "/proc/self/ns/net"], ns=name).stdout for name in ("a", "adopted")]
    assert inside[0] == inside[1] != home(agent)
    agent.call("netns_del", names=["adopted"])
    assert namespaces(agent) == ["a", "b"]
    assert agent.run(["true"], ns="a").code == 0


@pytest.mark.parametrize("path", ["/proc/1/ns/net", "/proc/self/ns/net"])
def test_first_namespace_and_its_own_are_never_adopted(agent: AgentLink, path: str) -> None:
    """The agent refuses to enter the machine's first network namespace, and the one it came from."""
    with pytest.raises(AgentError, match="not a namespace to be entered") as caught:
        agent.call("netns_adopt", paths={"out": path}, never=[])
    assert caught.value.errno == errno.EPERM
    device, inode = agent.run(["stat", "-Lc", "%d %i", "/run/netns/b"]).stdout.split()
    with pytest.raises(AgentError, match="not a namespace to be entered"):
        agent.call("netns_adopt", paths={"out": "/run/netns/b"}, never=[[int(device), int(inode)]])
    assert "out" not in namespaces(agent)


@pytest.mark.parametrize("path", ["/run/netns/none", "/etc/passwd"])
def test_adoption_that_fails_leaves_no_name(agent: AgentLink, path: str) -> None:
    """A namespace that has gone meanwhile, or a file that is none: the others are let go, and can be named again."""
    for paths in ({"one": "/run/netns/a", "two": path}, {"one": path}):
        with pytest.raises(AgentError):
            agent.call("netns_adopt", paths=paths, never=[])
        assert namespaces(agent) == ["a", "b"]
    agent.call("netns_adopt", paths={"one": "/run/netns/a"}, never=[])
    agent.call("netns_del", names=["one"])


def test_namespaces_of_others_are_found(agent: AgentLink) -> None:
    """Namespaces of a folder have names, those of processes commands, and some are never entered."""
    agent.run(["touch", "/run/netns/stale"])
    number = agent.start(["sleep", "1000"], "b", lambda *_: None)

    def look() -> tuple[Reply, list[int]] | None:
        found = agent.call("netns_find", folder="/run/netns", never=[[7, 7]])
        started = [pid for pid, _, words in found.get("processes", list) if words == ["sleep", "sleep", "1000"]]
        return (found, started) if started else None

    found, (sleeper,) = wait_for(look, 10, "the sleeper")
    agent.run(["sh", "-c", f"rm /run/netns/stale; kill {sleeper}"])
    wait_for(lambda: agent.pump(0.1) or agent.ended(number) is not None, 10, "the sleeper's end")  # type: ignore[func-returns-value]
    named = {name: tuple(identity) for name, identity in found.get("named", list)}
    processes = {tuple(identity): words for _, identity, words in found.get("processes", list)}
    never = [tuple(identity) for identity in found.get("never", list)]
    assert sorted(named) == ["a", "b"]
    assert processes[named["b"]] == ["sleep", "sleep", "1000"]
    assert named["a"] not in processes
    assert (7, 7) in never
    own = agent.call("netns_identify", paths=["/proc/self/ns/net", "/run/netns/a", "/run/netns/none", "/etc/passwd"])
    identities = [identity and tuple(identity) for identity in own.get("found", list)]
    assert identities[0] in never
    assert identities[1:] == [named["a"], None, None]


def test_file_is_read_as_it_is(agent: AgentLink) -> None:
    """Bytes that are no text arrive unchanged; a file that is not there is an error."""
    agent.run(["sh", "-c", r"printf '\377\000x' >/run/bytes"])
    assert agent.call("read_bytes", path="/run/bytes").body == b"\xff\x00x"
    with pytest.raises(AgentError, match="FileNotFoundError"):
        agent.call("read_bytes", path="/run/none")


def test_socket_is_asked_and_answers(agent: AgentLink) -> None:
    """A request reaches a socket, its answer is read to the end, and silence has a deadline."""
    answering = "import socket; s=socket.socket(1); s.bind('/run/s'); s.listen(); print(flush=True)\n"
    answering += "c=s.accept()[0]; c.sendall(c.recv(9)[::-1]); c.close(); c=s.accept()[0]; c.recv(9); c.recv(9)"
    heard: list[bytes] = []
    agent.start(["python3", "-c", answering], None, lambda _, data: heard.append(data))
    wait_for(lambda: agent.pump(0.1) or heard, 10, "the socket")  # type: ignore[func-returns-value]
    assert agent.call("exchange", b"question", path="/run/s", deadline_s=5).body == b"noitseuq"
    with pytest.raises(AgentError, match="timed out"):
        agent.call("exchange", b"question", path="/run/s", deadline_s=0.1)


def test_name_of_another_namespace_is_noticed(agent: AgentLink) -> None:
    """After `ip netns del` and `add` of one name the new namespace is meant, in commands and in netlink."""
    made = agent.run(["sh", "-ec", "ip netns add again; ip -n again link add name old type bridge"])
    assert made.code == 0, made.stderr
    request = LINKS.data
    chunks = [["again", len(request), 0]]
    assert agent.run(["ls", "/sys/class/net"], ns="again").code == 0
    assert b"old" in agent.call("netlink", request, chunks=chunks).body
    agent.run(["sh", "-ec", "ip netns del again; ip netns add again"])
    assert b"old" not in agent.call("netlink", request, chunks=chunks).body
    inside = agent.run(["readlink", "/proc/self/ns/net"], ns="again").stdout
    assert agent.run(["stat", "-Lc", "net:[%i]", "/run/netns/again"]).stdout == inside


def test_nothing_adopted_is_held_once_released() -> None:
    """The names are gone, and a namespace ends with its owner: the far end of its cable goes with it."""
    with sandboxed_agent() as agent:
        number = agent.start(["unshare", "--net", "sleep", "1000"], None, lambda *_: None)

        def asleep() -> int:
            found = agent.call("netns_find", folder="/run/netns", never=[]).get("processes", list)
            return next((pid for pid, _, words in found if words[:2] == ["sleep", "sleep"]), 0)

        owner = wait_for(asleep, 10, "the namespace's owner")
        made = agent.run(
            ["ip", "link", "add", "name", "near", "type", "veth", "peer", "name", "far", "netns", str(owner)]
        )
        assert made.code == 0, made.stderr
        agent.call("netns_adopt", paths={"held": f"/proc/{owner}/ns/net"}, never=[])
        agent.call("tap_open", namespaces=["held"], buffer_bytes=1 << 20)
        assert agent.run(["ip", "link", "show", "dev", "far"], ns="held").code == 0
        agent.call("release")
        assert namespaces(agent) == []
        agent.run(["kill", str(owner)])
        wait_for(lambda: agent.pump(0.1) or agent.ended(number) is not None, 10, "its end")  # type: ignore[func-returns-value]
        wait_for(lambda: agent.run(["ip", "link", "show", "dev", "near"]).code != 0, 10, "the end of its namespace")

from __future__ import annotations

import hashlib
import os
import resource
import select
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fixtures.instruments.tap import Taps
from reports.evidence import Sighting
from tests.self.kernels.agents import code_of, namespaces, sandbox, sandboxed_agent
from topology.errors import AgentError, AgentLost, NetlinkError
from topology.kernels.agent import serve
from topology.kernels.link import AgentLink
from topology.kernels.netlink import Netlink
from topology.plan import Operation
from topology.wait import wait_for

UDP = [int(socket.AF_INET), int(socket.SOCK_DGRAM), 0]
NONCE = bytes(range(16))


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentLink]:
    """The agent of a sandbox, with two namespaces."""
    with sandboxed_agent("a", "b") as found:
        yield found


@pytest.fixture(scope="module")
def veth(agent: AgentLink) -> None:
    """A veth pair, 10.9.0.1 in a and 10.9.0.2 in b."""
    script = "ip link set lo up; ip link add v0 type veth peer name v1 netns b; "
    near = agent.run(["sh", "-ec", script + "ip addr add 10.9.0.1/24 dev v0; ip link set v0 up"], ns="a")
    far = agent.run(["sh", "-ec", "ip addr add 10.9.0.2/24 dev v1; ip link set v1 up; ip link set lo up"], ns="b")
    assert (near.stderr, far.stderr) == ("", "")


def home(agent: AgentLink) -> str:
    """The network namespace that the agent is in."""
    return agent.run(["readlink", "/proc/self/ns/net"]).stdout


def test_namespaces_come_and_go(agent: AgentLink) -> None:
    """An added namespace is listed, held open for netlink, separate, and gone once deleted."""
    fds = agent.call("netns_add", names=["new"]).get("fds", dict)
    assert type(fds["new"]) is int
    assert namespaces(agent) == ["a", "b", "new"]
    assert agent.run(["readlink", "/proc/self/ns/net"], ns="new").stdout != home(agent)
    agent.call("netns_del", names=["new"])
    assert namespaces(agent) == ["a", "b"]


def test_a_fabric_of_a_thousand_nodes_has_descriptors_enough() -> None:
    """The agent may open as many files as the machine allows, however few its starter may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        kernel = sandbox()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        assert kernel.agent.run(["sh", "-c", "ulimit -n"]).stdout == f"{hard}\n"
    finally:
        kernel.close()


@pytest.mark.parametrize("name", ["../x", "", "..", "-a", "a\n", "x" * 16, "ä", 7], ids=repr)
def test_what_is_no_name_is_refused(agent: AgentLink, name: object) -> None:
    """A namespace's name cannot be a path, an option, or longer than an interface's."""
    for op in ("netns_add", "netns_del"):
        with pytest.raises(AgentError):
            agent.call(op, names=[name])
    assert namespaces(agent) == ["a", "b"]


def test_a_taken_name_is_refused(agent: AgentLink) -> None:
    """A second namespace of one name is the kernel's EEXIST, and the first stays."""
    with pytest.raises(AgentError, match="FileExistsError") as caught:
        agent.call("netns_add", names=["a"])
    assert caught.value.errno == 17
    assert agent.run(["true"], ns="a").code == 0


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -15)])
def test_a_commands_end_is_its_code_or_signal(agent: AgentLink, script: str, code: int) -> None:
    """An exit code is positive, a signal negative."""
    done = agent.run(["sh", "-c", script])
    assert (done.code, done.timed_out) == (code, False)


def test_outputs_stay_apart_and_whole(agent: AgentLink) -> None:
    """A mebibyte goes in and comes out again, errors beside it."""
    text = "0123456789abcdef" * (1 << 16)
    done = agent.run(["sh", "-c", "cat; echo sorry >&2"], ns="a", stdin=text.encode())
    assert (done.stdout == text, done.stderr, done.code) == (True, "sorry\n", 0)


def test_a_late_command_is_killed_with_what_it_started(agent: AgentLink) -> None:
    """At its deadline a command and its children end, and the answer says so."""
    script = "sleep 1000 & echo $!; exec sleep 1000"
    done = agent.run(["sh", "-c", script], timeout_s=0.1)
    assert (done.code, done.timed_out) == (-9, True)
    grandchild = done.stdout.strip()
    wait_for(lambda: agent.run(["test", "-e", f"/proc/{grandchild}"]).code == 1, 5, "the grandchild's end")


def test_a_chatterer_left_behind_delays_no_command(agent: AgentLink) -> None:
    """A command's end is seen though a process that it left behind prints for ever."""
    assert code_of(agent, agent.start(["sh", "-c", "yes & echo $! >&2"], "a", lambda *_: None)) == 0
    assert agent.call("clock").get("time_ns", int)


def test_two_commands_run_at_once(agent: AgentLink) -> None:
    """The second ends while the first waits; each has its own output."""
    heard: list[bytes] = []
    first = agent.start(
        ["sh", "-c", "read line; echo got $line"], "a", lambda _, data: heard.append(data), terminal=True
    )
    assert agent.run(["echo", "second"], ns="b").stdout == "second\n"
    assert agent.ended(first) is None
    agent.call("input", b"hello\n", to=first)
    assert code_of(agent, first) == 0
    assert b"got hello" in b"".join(heard)


def test_a_terminal_is_the_commands_own(agent: AgentLink) -> None:
    """In a terminal a command has a controlling one, so that Ctrl-C reaches what runs there."""
    heard: list[bytes] = []
    number = agent.start(
        ["sh", "-c", "echo ready >/dev/tty; exec sleep 1000"], None, lambda _, d: heard.append(d), True
    )

    def ready() -> bool:
        agent.pump(0.1)
        return b"ready" in b"".join(heard)

    wait_for(ready, 5, "the terminal")
    agent.call("input", b"\x03", to=number)
    assert code_of(agent, number) == -2


def test_stream_of_a_network_is_written_to_in_silence() -> None:
    """Who is held on to writes by itself: the end of a cut connection is noticed by nobody else."""
    with sandboxed_agent() as agent:
        agent.call("hold", every_s=0.05)
        assert select.select([agent.fileno()], [], [], 5)[0]
        agent.pump(1)
        assert agent.call("clock").fields


def test_commands_inherit_no_ignored_and_no_blocked_signal() -> None:
    """However the run was started (nohup, a background job, signals blocked), commands start as from a shell."""
    odd = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in odd}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGUSR1, *odd})
    try:
        kernel = sandbox()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)
    try:
        status = kernel.agent.run(["cat", "/proc/self/status"]).stdout
    finally:
        kernel.close()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    assert [int(masks[name], 16) & ~(3 << 31) for name in ("SigIgn", "SigBlk")] == [0, 0]  # not 32, 33: nptl(7)


@pytest.mark.parametrize(
    ("pid", "behind_a_port", "raised"), [(1, True, True), (1, False, False), (7, True, False)], ids=str
)
def test_only_a_guests_own_limits_are_raised(
    monkeypatch: pytest.MonkeyPatch, pid: int, behind_a_port: bool, raised: bool
) -> None:
    """An agent that shares this machine's kernel, in a sandbox or in a test, leaves its settings alone."""
    written: list[str] = []
    monkeypatch.setattr(serve, "write_text", lambda path, *_: written.append(path))
    monkeypatch.setattr("os.getpid", lambda: pid)
    near, far = socket.socketpair()
    with near, far, Path("/dev/null").open("rb") as port:
        serve.make_room(port.fileno() if behind_a_port else near.fileno())
    assert written == (list(serve.ROOM) if raised else [])


def test_all_that_is_typed_arrives(agent: AgentLink) -> None:
    """More than a terminal holds waits until the command reads it, in order, while the agent serves on."""
    text = b"".join(b"%07d\n" % number for number in range(25_000))
    heard: list[bytes] = []
    script = f"mkfifo /run/gate; stty raw -echo; echo ready; read _ </run/gate; head -c {len(text)} | md5sum"
    number = agent.start(["sh", "-c", script], "a", lambda _, data: heard.append(data), True)

    def said(words: bytes) -> bool:
        agent.pump(0.1)
        return words in b"".join(heard)

    wait_for(lambda: said(b"ready"), 5, "the terminal")
    for start in range(0, len(text), 50_000):
        agent.call("input", text[start : start + 50_000], to=number)
    with pytest.raises(AgentError, match="does not read its input"):
        agent.call("input", bytes(1 << 20), to=number)
    assert agent.run(["sh", "-c", "echo go >/run/gate"]).code == 0
    wait_for(lambda: said(hashlib.md5(text).hexdigest().encode()), 10, "the digest of all of it")


def test_a_large_request_passes_a_large_output(agent: AgentLink) -> None:
    """Neither side waits for the other when both have more to say than the stream holds."""
    heard: list[int] = []
    number = agent.start(["head", "-c", "4000000", "/dev/zero"], None, lambda _, data: heard.append(len(data)))
    assert agent.call("clock", bytes(1 << 22), timeout_s=10).get("time_ns", int)
    assert code_of(agent, number) == 0
    assert sum(heard) == 4_000_000


def test_files_are_written_and_read_in_their_namespace(agent: AgentLink) -> None:
    """A sysctl differs between namespaces; a file that is not there is None, and passed over where it is optional."""
    path = "/proc/sys/net/ipv4/ip_forward"
    agent.call("write_files", files=[[["a"], [["/nonsense", "1"], [path, "1"]]], [["b"], [[path, "0"]]]], optional=True)
    texts = agent.call("read_files", files=[["a", path], ["b", path], ["a", "/nonsense"]]).fields["texts"]
    assert texts == ["1\n", "0\n", None]


def test_files_that_are_not_there_are_not_made(agent: AgentLink, tmp_path: Path) -> None:
    """A file is written only where there is one; a missing one that is not optional is an error."""
    with pytest.raises(AgentError, match="FileNotFoundError"):
        agent.call("write_files", files=[[["a"], [[str(tmp_path / "missing"), "now"]]]])
    assert not (tmp_path / "missing").exists()


def test_the_agent_comes_home_after_an_error(agent: AgentLink) -> None:
    """An operation that fails inside a namespace does not leave the agent there."""
    before = home(agent)
    failing: dict[str, dict[str, Any]] = {
        "write_files": {"files": [[["a"], [["/proc/sys/nonsense", "1"]]]]},
        "send": {"ns": "a", "socket": [99, 99, 99], "to": ["127.0.0.1", 9]},
        "echo_open": {"ns": "b", "family": 99, "bind": ["127.0.0.1", 7]},
        "exec": {"ns": "a", "argv": ["no-such-thing"]},
        "tap_open": {"namespaces": ["a", "nowhere"], "buffer_bytes": 1},
        "watch_open": {"namespaces": ["a", "nowhere"]},
    }
    for op, fields in failing.items():
        with pytest.raises(AgentError):
            agent.call(op, **fields)
        assert home(agent) == before


def test_an_echo_answers_until_closed(agent: AgentLink, veth: None) -> None:
    """A datagram to an open echo comes back to its sender; a handle is closed once."""
    handle = agent.call("echo_open", ns="b", family=2, bind=["10.9.0.2", 7]).get("handle", int)
    taps = Taps(agent, ["a", "b"], {})
    options = [[socket.IPPROTO_IP, socket.IP_TTL, 9]]

    def send() -> None:
        bind, to = ["10.9.0.1", 5000], ["10.9.0.2", 7]
        agent.call("send", NONCE, ns="a", socket=UDP, options=options, bind=bind, to=to)

    seen = taps.observe(send, lambda found: carrying(found) >= 4, 5)
    taps.close()
    ways = {(s.node, s.direction, s.headers[1].fields["ttl"]) for s in seen if s.headers.get("udp")}
    assert ways == {("a", "out", 9), ("b", "in", 9), ("b", "out", 64), ("a", "in", 64)}
    agent.call("close", handle=handle)
    with pytest.raises(AgentError, match="no such handle"):
        agent.call("close", handle=handle)


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("send", {"ns": "a", "socket": UDP, "to": ["127.0.0.1", 70_000]}),
        ("send", {"ns": "a", "socket": UDP, "to": []}),
        ("restored", {"set_ns": 1 << 100}),
        ("netlink", {"chunks": [["a"]]}),
        ("netlink", {"chunks": [["a", "x"]]}),
        ("exec", {"ns": None, "argv": []}),
        ("exec", {"ns": None, "argv": ["a\0b"]}),
        ("exec", {"ns": None, "argv": 7}),
        ("tap_mark", {"handle": 99}),
        ("tap_read", {}),
        ("watch_open", {"namespaces": 7}),
        ("watch_read", {"handle": 99}),
        ("exec", {"ns": None, "argv": ["no-such-thing"]}),
        ("exec", {"ns": "nowhere", "argv": ["true"]}),
        ("input", {"to": 10_000}),
        ("nonsense", {}),
        ("__init__", {}),
        (None, {}),
    ],
    ids=str,
)
def test_bad_requests_do_not_end_the_agent(agent: AgentLink, op: Any, fields: dict[str, Any]) -> None:
    """An unknown operation, or one with impossible arguments, is refused; the sandbox stays up."""
    with pytest.raises(AgentError):
        agent.call(op, **fields)
    assert agent.run(["true"]).code == 0


def carrying(seen: Sequence[Sighting]) -> int:
    """Count the sightings that carry the nonce."""
    return sum(NONCE in sighting.frame for sighting in seen)


def test_the_kernels_refusal_comes_with_number_and_words(agent: AgentLink) -> None:
    """A refused netlink message is reported with the operation, errno and the kernel's own words."""
    arguments = {"ifname": "x", "kind": "vlan", "link": 1, "vlan_id": 5000}
    bad = Operation("a", "addr", "add", {"address": "10.0.0.1", "prefixlen": 24, "index": 999}, "addr add 10.0.0.1/24")
    good = Operation("a", "link", "set", {"index": 1, "state": "up"}, "link set lo up")
    with pytest.raises(NetlinkError, match=r"a - addr add 10.0.0.1/24 - refused: No such device") as caught:
        Netlink(agent).apply([good, bad, good])
    assert caught.value.errno == 19
    with pytest.raises(NetlinkError, match=r"refused: .*: .+"):
        Netlink(agent).apply([Operation("a", "link", "add", {**arguments, "kind": "nonsense"}, "link add x")])
    Netlink(agent).apply([good])


def test_taps_see_every_interface_but_no_loopback(agent: AgentLink, veth: None) -> None:
    """A datagram over a veth pair is seen going out and coming in; sentinels and loopback are not evidence."""
    taps = Taps(agent, ["a", "b"], {})

    def send() -> None:
        agent.call("send", NONCE, ns="a", socket=UDP, to=["127.0.0.1", 9])
        agent.call("send", NONCE, ns="a", socket=UDP, to=["10.9.0.2", 9])

    seen = taps.observe(send, lambda found: carrying(found) >= 2, 5)
    taps.close()
    ours = [(s.node, s.interface, s.direction) for s in seen if s.headers.layers[:3] == ("ether", "ipv4", "udp")]
    assert sorted(ours) == [("a", "v0", "out"), ("b", "v1", "in")]
    assert all(s.interface != "lo" for s in seen)


def test_the_end_of_the_stream_ends_everything() -> None:
    """A closed link takes the agent along, and the commands that run under it; closing may be repeated."""
    kernel = sandbox()
    try:
        kernel.agent.call("netns_add", names=["n"])
        kernel.agent.start(["sleep", "1000"], "n", lambda *_: None)
        kernel.agent.call("clock")
        inner = kernel._inner_pid()
        child = int(Path(f"/proc/{inner}/task/{inner}/children").read_text())
        assert Path(f"/proc/{child}").exists()
    finally:
        kernel.close()
        kernel.close()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (inner, child)), 5, "the end of both")
    with pytest.raises(AgentLost, match="the kernel was closed"):
        kernel.agent.call("clock")


def test_no_descriptor_is_left_of_a_sandbox() -> None:
    """Starting and closing a sandbox leaves this process as it was."""
    sandbox().close()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    sandbox().close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

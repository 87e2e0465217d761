"""A container engine, tested without one: a client that stands in, and HTTP as bytes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from docker import APIClient
from docker.errors import APIError, DockerException
from requests import PreparedRequest, Request, Session
from requests.exceptions import ConnectionError as Unreachable

from tests.self.kernels.agents import Scripted
from topology.errors import AgentError, EngineError
from topology.kernels.engine import CONFINEMENT, LABELS, Container, Engine
from topology.kernels.engine_guest import ADDRESS, engine_behind, response, spelled_out
from topology.kernels.link import Reply
from topology.kernels.netlink import Netlink
from topology.kernels.ownership.processes import Owner
from topology.kernels.registry import Kernel
from topology.node import Node
from topology.nodes import docker
from topology.nodes.docker import is_static

DEAD = "{}/boot before/ns/1/1"


class Client:
    """docker's client with containers in a dictionary; it fails at given commands."""

    def __init__(self) -> None:
        self.containers_: dict[str, dict[str, Any]] = {}
        self.state: dict[str, Any] = {"Running": True, "Pid": 7, "Status": "running"}
        self.status_of_removal = 0
        self.imported = 0

    def create_host_config(self, **settings: object) -> Mapping[str, object]:
        return settings

    def create_container(self, image: str, **settings: Any) -> Mapping[str, str]:
        self.containers_[settings["name"]] = {"image": image, **settings}
        return {"Id": settings["name"]}

    def start(self, container: str) -> None:
        assert container in self.containers_

    def inspect_container(self, container: str) -> Mapping[str, object]:
        return {"State": self.state}

    def containers(self, filters: Mapping[str, str], **_: object) -> list[dict[str, Any]]:
        name, _equals, value = filters["label"].partition("=")
        entries = [
            {"Id": key, "Names": [f"/{key}"], "Labels": made["labels"]} for key, made in self.containers_.items()
        ]
        return [entry for entry in entries if value in ("", entry["Labels"].get(name))]

    def remove_container(self, container: str, **how: object) -> None:
        assert how == {"force": True, "v": True}
        if self.status_of_removal:
            answer = type("Answer", (), {"status_code": self.status_of_removal, "url": "", "reason": "no"})()
            raise APIError("no", response=answer)
        del self.containers_[container]

    def images(self, name: str) -> list[str]:
        return [name] * self.imported

    def import_image_from_data(self, data: bytes, **_: object) -> None:
        self.imported += 1

    def version(self) -> Mapping[str, str]:
        raise DockerException("it is asleep")


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def engine(client: Client) -> Engine:
    return Engine(cast(APIClient, client), "unix:///engine")


def test_node_has_nothing_but_its_own_network(engine: Engine, client: Client) -> None:
    """A container has no network of the engine's, a read-only root, two capabilities, and no resolver that answers."""
    made = engine.run_node("image", "lc1")
    (settings,) = client.containers_.values()
    confined = settings["host_config"]
    assert confined == CONFINEMENT
    assert (confined["network_mode"], confined["read_only"], confined["cap_drop"]) == ("none", True, ["ALL"])
    assert confined["cap_add"] == ["NET_ADMIN", "NET_RAW"]
    assert confined["dns"] == ["127.0.0.1"]
    assert made == Container(settings["name"], "lc1", 7, settings["environment"][0])
    session, owner, node = (settings["labels"][label] for label in LABELS)
    assert (session, Owner.parse(owner), node) == (engine.session, Owner.this_process(), "lc1")


def test_node_that_does_not_run_is_an_error(engine: Engine, client: Client) -> None:
    """A container that ended at once shows its state."""
    client.state = {"Running": False, "Pid": 0, "Status": "exited"}
    with pytest.raises(EngineError, match="node lc1 - expected running - seen exited"):
        engine.run_node("image", "lc1")


def test_only_the_sessions_own_are_removed(engine: Engine, client: Client) -> None:
    """Another run's containers stay."""
    other = Engine(cast(APIClient, client), "unix:///engine")
    for one in (engine, other):
        one.run_node("image", "lc1")
    engine.remove_own()
    assert [made["labels"][LABELS[0]] for made in client.containers_.values()] == [other.session]


def test_only_those_of_dead_owners_are_strays(engine: Engine, client: Client) -> None:
    """A killed run's containers go; those of a living or unknown run stay."""
    for name, owner in (
        ("mine", str(Owner.this_process())),
        ("dead", DEAD.format(socket.gethostname())),
        ("strange", DEAD.format("another machine")),
        ("odd", "x"),
    ):
        labels = dict(zip(LABELS, (f"s-{name}", owner, name), strict=True))
        client.create_container("image", name=name, labels=labels)
    assert engine.of_dead_owners() == [("s-dead", "dead")]
    engine.remove_of_dead_owners()
    assert sorted(client.containers_) == ["mine", "odd", "strange"]


def test_removal_by_two_at_once_is_no_error(engine: Engine, client: Client) -> None:
    """A container that has gone meanwhile, or is just going, still counts as seen; any other refusal is reported."""
    engine.run_node("image", "lc1")
    for client.status_of_removal in (404, 409):
        assert engine.remove_session(engine.session) == 1
    client.status_of_removal = 500
    with pytest.raises(EngineError, match="container engine - container hopcheck-"):
        engine.remove_own()


def test_image_is_put_there_once(engine: Engine, client: Client) -> None:
    """The same busybox makes the same image, which is imported unless it is there."""
    assert engine.ensure_image(b"busybox") == engine.ensure_image(b"busybox")
    assert client.imported == 1
    assert engine.ensure_image(b"another") != engine.ensure_image(b"busybox")


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:2375"])
def test_engine_elsewhere_is_refused_unasked(address: str) -> None:
    """Containers of another machine's engine cannot be entered; it is not even spoken to."""
    with pytest.raises(EngineError, match=f"expected one on this machine .* seen {address}"):
        Engine.at(address)


def prepared(method: str, path: str, data: bytes | str | None = None) -> PreparedRequest:
    return Session().prepare_request(Request(method, f"{ADDRESS}{path}", data=data))


@pytest.mark.parametrize("data", [None, b"\x00tar", '{"a": 1}'])
def test_request_is_spelled_out(data: bytes | str | None) -> None:
    """The bytes are one request with its length, after which the connection closes."""
    head, _, body = spelled_out(prepared("POST", "/v1.41/x?y=1", data)).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1.41/x?y=1 HTTP/1.1\r\n")
    assert b"Connection: close" in head
    assert body == (data.encode() if isinstance(data, str) else data or b"")
    assert f"Content-Length: {len(body)}".encode() in head


@pytest.mark.parametrize(
    "raw",
    [
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n',
    ],
    ids=["with its length", "in chunks"],
)
def test_answer_is_read(raw: bytes) -> None:
    """Status, headers and body arrive, in pieces or not."""
    answer = response(prepared("GET", "/x"), raw)
    assert (answer.status_code, answer.json()) == (200, {"a": 1})


@pytest.mark.parametrize(
    "raw", [b"", b"\x00" * 80, b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
def test_what_is_no_answer_is_a_broken_connection(raw: bytes) -> None:
    """Rubbish from a guest never becomes an answer."""
    with pytest.raises(Unreachable, match="no HTTP"):
        response(prepared("GET", "/x"), raw)


def test_guests_engine_is_spoken_to_through_the_agent() -> None:
    """A request of the client library reaches the agent, and the answer comes back."""
    asked: list[bytes] = []

    def answer(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        asked.append(body)
        return Reply({}, b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"Version": "20.10.24"}')

    assert engine_behind(Scripted(answer)).version == "20.10.24"
    assert asked[0].startswith(b"GET /v1.41/version")


ELF = b"\x7fELF rest"


class Carrier:
    """A kernel whose agent knows one process, and whose engine makes containers of that number."""

    def __init__(
        self, client: Client, busybox: bytes = ELF, environment: Callable[[str], str] = lambda own: own
    ) -> None:
        self.made = Engine(cast(APIClient, client), "unix:///engine")
        self.busybox, self.environment = busybox, environment
        self.agent = Scripted(self.answer)

    def engine(self) -> Engine:
        return self.made

    def answer(self, op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        if op == "read_bytes" and not self.busybox:
            raise AgentError("agent - read_bytes - FileNotFoundError: /bin/busybox")
        if op == "netns_adopt":
            raise AgentError("agent - netns_adopt - that far and no further")
        known = f"PATH=/bin\0{self.environment(f'HOPCHECK_NODE={self.made.session}/a')}\0"
        return Reply({"texts": [known]}, self.busybox)


def bring_up(carrier: Carrier) -> None:
    docker.start(cast(Kernel, carrier), [Node(name="a", role="switch")], Netlink(carrier.agent))


def test_namespaces_are_entered_by_the_processes_of_the_containers(client: Client) -> None:
    """The agent is asked for the namespaces of the containers' processes, but never to enter its own."""
    carrier = Carrier(client)
    with pytest.raises(AgentError, match="no further"):
        bring_up(carrier)
    op, fields = carrier.agent.asked[-1]
    ours = Path("/proc/self/ns/net").stat()
    assert (op, fields["paths"]) == ("netns_adopt", {"a": "/proc/7/ns/net"})
    assert fields["never"] == [[ours.st_dev, ours.st_ino]]


@pytest.mark.parametrize("environment", ["HOPCHECK_NODE=another/a", ""])
def test_process_of_another_machine_is_not_entered(
    client: Client, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine in a virtual machine counts processes otherwise: a process of ours with that number is left alone."""
    monkeypatch.setattr(docker, "EXEC_TIMEOUT_S", 0.05)
    carrier = Carrier(client, environment=lambda _: environment)
    with pytest.raises(EngineError, match="node a - expected process 7 on this machine - seen another"):
        bring_up(carrier)
    assert "netns_adopt" not in [op for op, _ in carrier.agent.asked]


def test_process_that_is_not_yet_the_program_is_waited_for(client: Client) -> None:
    """An engine calls a container started before its process has the node's environment."""
    looks = iter(("", "HOPCHECK_NODE=another/a"))
    carrier = Carrier(client, environment=lambda own: next(looks, own))
    with pytest.raises(AgentError, match="no further"):
        bring_up(carrier)
    assert next(looks, None) is None


@pytest.mark.parametrize("busybox", [b"", b"#!/bin/sh", ELF + b"/lib64/ld-linux-x86-64.so.2"])
def test_userland_that_is_not_static_is_refused_with_its_mend(client: Client, busybox: bytes) -> None:
    """A busybox that is missing or needs libraries cannot be a node's only program."""
    with pytest.raises(EngineError, match=r"expected a static program .* apt-get install busybox-static"):
        bring_up(Carrier(client, busybox))
    assert client.containers_ == {}
    assert not is_static(busybox)

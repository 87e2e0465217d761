"""Foreign containers are found through their engine: a stand-in for it, and the agent's answers."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import APIClient
from docker.errors import APIError
from requests import Response

from tests.self.adopting.test_others import Open
from tests.self.kernels.agents import Scripted
from topology.errors import AgentError, EngineError
from topology.kernels.engine import Engine, Running
from topology.kernels.link import Reply
from topology.kernels.others import Found, common_name, find_others, frr_versions
from topology.kernels.registry import Kernel, Others

BLUE, RED = "b" * 64, "d" * 64
FOUND: Mapping[str, Any] = {"named": [], "processes": [], "never": []}


class Client:
    """docker's client: what is listed, and of each what is known, or with which status it is refused."""

    def __init__(self, **known: Mapping[str, Any] | int) -> None:
        self.known = known

    def containers(self) -> list[Mapping[str, str]]:
        return [{"Id": container} for container in self.known]

    def inspect_container(self, container: str) -> Mapping[str, Any]:
        known = self.known[container]
        if isinstance(known, int):
            refusal = Response()
            refusal.status_code = known
            raise APIError("gone", response=refusal)
        return {"Id": container, **known}

    def close(self) -> None:
        """Nothing is open."""


def inspected(name: str, host: str, pid: int = 7) -> Mapping[str, Any]:
    """The engine's data on a container."""
    return {"Name": f"/{name}", "Config": {"Hostname": host}, "State": {"Pid": pid}}


def engine(**known: Mapping[str, Any] | int) -> Engine:
    """An engine that runs these."""
    return Engine(cast(APIClient, Client(**known)), "unix:///none")


def test_container_goes_by_its_name_and_its_host_name() -> None:
    """The host name that the engine makes of the id is no name; what has no process (any more) is left out."""
    named, unnamed = inspected("clab-x-leaf1", "leaf1"), inspected("web", BLUE[:12], 9)
    known: dict[str, Mapping[str, Any] | int] = {RED: named, BLUE: unnamed, "e": inspected("dead", "dead", 0), "f": 404}
    assert engine(**known).running() == [Running(RED, ("clab-x-leaf1", "leaf1"), 7), Running(BLUE, ("web",), 9)]


def test_engine_that_refuses_is_reported() -> None:
    """Only that a container has gone meanwhile is no error."""
    with pytest.raises(EngineError, match="container engine - list of containers"):
        engine(**{RED: 500}).running()


@contextlib.contextmanager
def beside(monkeypatch: pytest.MonkeyPatch, mentions: str) -> Iterator[Open]:
    """A kernel beside an engine with one container, process 7; ``mentions`` is what the agent reads of that process."""

    class Beside(Open):
        def others(self) -> Others:
            return Others("/there", (), engine=Engine.of_this_machine)

    def answer(op: str, _: bytes, fields: Mapping[str, Any]) -> Reply:
        if op == "read_files" and not mentions:
            raise AgentError("no such process")
        known: dict[str, Mapping[str, Any]] = {
            "read_files": {"texts": [mentions]},
            "netns_identify": {"found": [[4, 9] for _ in fields.get("paths", ())]},
        }
        return Reply(known.get(op, FOUND), b"")

    kernel = Beside()
    kernel.agent = Scripted(answer)  # type: ignore[assignment]
    monkeypatch.setattr(Engine, "of_this_machine", lambda: engine(**{BLUE: inspected("web", BLUE[:12])}))
    yield kernel


@pytest.mark.parametrize(
    ("mentions", "names"),
    [(f"/docker/{BLUE}/hostname", [("web",)]), (f"/docker/{RED}/hostname", []), ("", [])],
    ids=["the container's", "another's", "none"],
)
def test_container_is_believed_where_its_process_says_so(
    monkeypatch: pytest.MonkeyPatch, mentions: str, names: list[tuple[str, ...]]
) -> None:
    """An engine in a virtual machine counts processes otherwise: a number alone may mislead."""
    with beside(monkeypatch, mentions) as kernel:
        found, without = find_others(cast(Kernel, kernel))
    assert ([one.names for one in found], without) == (names, "")


def test_why_there_are_no_containers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine namespaces are found all the same, and the reason is there for who misses a container."""

    def none() -> Engine:
        raise EngineError("container engine unix:///none - no such file")

    with beside(monkeypatch, "") as kernel:
        monkeypatch.setattr(Engine, "of_this_machine", none)
        assert find_others(cast(Kernel, kernel)) == ([], "container engine unix:///none - no such file")


def test_containers_of_a_machine_of_its_own_go_by_their_names() -> None:
    """Its engine and the links in its folder count its processes from its own 1, and the agent knows them otherwise."""
    answers: Mapping[str, Mapping[str, Any]] = {
        "netns_find": {
            **FOUND,
            "processes": [[100, [4, 5], ["init"]], [107, [4, 9], ["sleep"]], [108, [4, 8], ["sleep"]]],
            "numbers": [[1, 100], [7, 107], [8, 108]],
            "links": [["linked", 8], ["stale", 99]],
        },
        "netns_identify": {"found": [[4, 9]]},
    }

    class Machine(Open):
        def others(self) -> Others:
            return Others("/there", engine=lambda: engine(**{BLUE: inspected("CS1", BLUE[:12])}), init=100)

    def answer(op: str, _: bytes, fields: Mapping[str, Any]) -> Reply:
        if op == "read_files":
            (asked,) = fields["files"]
            return Reply({"texts": [BLUE if asked[1].startswith("/proc/107/") else ""]}, b"")
        return Reply(answers[op], b"")

    kernel = Machine()
    kernel.agent = Scripted(answer)  # type: ignore[assignment]
    found, without = find_others(cast(Kernel, kernel))
    assert without == ""
    assert {one.names: one.path for one in found} == {
        ("CS1",): "/proc/107/ns/net",
        ("linked",): "/proc/108/ns/net",
        ("host",): "/proc/100/ns/net",
    }


def test_version_of_frr_is_read_where_a_container_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that is paused, or has no FRR, hides that of no other one; a namespace is not asked."""

    def output_of(_: Engine, container: str, argv: object) -> str:
        if container == "paused":
            raise EngineError("container engine - vtysh in paused - seen 409")
        return "FRRouting 10.5.0 (leaf1).\r\n" if container == "leaf1" else "exec: vtysh: not found"

    monkeypatch.setattr(Engine, "output_of", output_of)
    words = {"a": "container paused", "b": "container leaf1", "c": "container web", "d": "namespace d"}
    nodes = {name: Found((1, 1), "/x", (name,), (word,)) for name, word in words.items()}
    assert frr_versions(Others("/there", engine=engine), nodes) == {"b": "10.5.0"}
    assert frr_versions(Others("/there"), nodes) == {}


@pytest.mark.parametrize(
    ("names", "common"),
    [
        ("clab-dc1-leaf1 clab-dc1-leaf2 clab-dc1-h1", "clab-dc1"),
        ("clab-dc-1-leaf1 clab-dc-1-h1", "clab-dc-1"),
        ("clab-dc1-leaf1 clab-dc2-leaf1", "clab"),
        ("leaf1 leaf2", ""),
        ("clab-dc1-leaf1 web", ""),
        ("clab-dc1-leaf1", ""),
        ("", ""),
    ],
)
def test_fabric_has_the_name_that_its_containers_share(names: str, common: str) -> None:
    """As containerlab names them; one node alone, and names that are alike by chance, name no fabric."""
    assert common_name(names.split()) == common


def test_output_of_a_container_is_read_in_part() -> None:
    """However much a foreign container prints, what is kept of it is bounded."""
    printed = itertools.chain([b"FRRouting 10.5.0"], itertools.repeat(b"y" * 4096))
    response = SimpleNamespace(iter_content=lambda _: printed, close=lambda: None)
    client = SimpleNamespace(
        exec_create=lambda *_, **__: {"Id": "e"}, _url=lambda *_: "", _post_json=lambda *_, **__: response
    )
    said = Engine(cast(APIClient, client), "unix:///none").output_of("web", ["vtysh"])
    assert said.startswith("FRRouting 10.5.0")
    assert len(said) < 1 << 16

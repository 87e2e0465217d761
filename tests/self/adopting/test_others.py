from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.self.kernels.agents import Scripted
from tests.self.kernels.kinds import Good
from topology.errors import AgentLost, KernelUnavailable
from topology.kernels.link import Reply
from topology.kernels.others import Found, find_others, identities, merged
from topology.kernels.registry import Others

FIRST, OWN, BLUE, RED, LONE = ((4, number) for number in range(5))
NEVER = frozenset((FIRST, OWN))


NOTHING: Mapping[str, Any] = {"named": [], "processes": [], "never": [], "sizes": [], "found": []}


class Open(Good):
    """A kernel that reaches what others have made, without an engine."""

    def others(self) -> Others:
        return Others("/there", (OWN,))


def opened(**answers: Any) -> Open:
    """Such a kernel, whose agent has found this."""
    kernel = Open()
    kernel.agent = Scripted(lambda *_: Reply({**NOTHING, **answers}, b""))  # type: ignore[assignment]
    return kernel


def test_namespace_with_many_names_is_one() -> None:
    """A name, a container and processes of one namespace make one entry, reached by the first, with all its names."""
    containers = [("lab-blue", ("lab-blue", "blue"), 7, BLUE)]
    processes = [(7, BLUE, ["sleep", "sleep", "9"]), (9, LONE, ["nginx", "nginx"])]
    blue, red, lone = merged("/there", [("one", BLUE), ("two", BLUE), ("red", RED)], containers, processes, NEVER)
    assert blue.names == ("one", "two", "lab-blue", "blue")
    assert (blue.path, str(blue)) == ("/there/one", "namespace one, namespace two, container lab-blue")
    assert (red.names, red.process) == (("red",), "")
    assert (lone.path, str(lone), lone.names, lone.process) == ("/proc/9/ns/net", "process 9 (nginx)", (), "nginx")


def test_entrance_is_typed_as_one_word() -> None:
    """A name may have blanks and characters of the shell."""
    found = merged("/there", [("my leaf; ls", BLUE)], [("$lab", ("lab",), 7, RED)], [(9, LONE, ["nginx"])], NEVER)
    words = ["ip netns exec 'my leaf; ls'", "docker exec '$lab'", "nsenter -t 9 -n"]
    assert [one.entrance for one in found] == words


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["bash", "bash", "--norc", "--noediting", "-is", "mininet:h1"], ("h1",)),
        (["mininet:h1"], ()),
        (["bash", "bash", "-c", "echo mininet:h1"], ()),
        (["", ""], ()),
    ],
)
def test_host_of_mininet_goes_by_its_name(words: list[str], names: tuple[str, ...]) -> None:
    """The last argument of a Mininet host's shell names it; the same letters elsewhere do not."""
    (found,) = merged("/there", [], [], [(5, LONE, words)], NEVER)
    assert found.names == names


def test_what_is_never_entered_is_marked() -> None:
    """The machine's first namespace and the run's own are known, even under a name, so that a message can say so."""
    found = merged("/there", [("host", FIRST), ("blue", BLUE)], [], [(1, FIRST, ["init"]), (2, OWN, ["python"])], NEVER)
    assert [(str(one), one.forbidden) for one in found] == [
        ("namespace host", True),
        ("namespace blue", False),
        ("process 2 (python)", True),
    ]


def test_kernel_without_an_engine_is_looked_at_all_the_same() -> None:
    """The agent's answer is all there is."""
    found, without = find_others(opened(named=[["blue", list(BLUE)]], never=[list(FIRST)]))
    assert found == [Found(BLUE, "/there/blue", ("blue",), ("namespace blue",))]
    assert without == ""


def test_closed_kernel_has_nothing_to_adopt() -> None:
    """A sandbox whose agent can enter nothing of others says so."""
    with pytest.raises(KernelUnavailable, match="kernel good - namespaces of others"):
        find_others(Good())


RUBBISH: list[Mapping[str, Any]] = [
    {"named": [["blue"]]},
    {"named": [["blue", ["a", "b"]]]},
    {"named": {"blue": [1, 2]}},
    {"processes": [[1, [1, 2]]]},
    {"processes": [[1, [1, 2], 7]]},
    {"never": [None]},
]


@pytest.mark.parametrize("answers", RUBBISH, ids=repr)
def test_answer_of_another_form_ends_the_look(answers: Mapping[str, Any]) -> None:
    """Only names and numbers are believed."""
    with pytest.raises(AgentLost):
        find_others(opened(**answers))


@pytest.mark.parametrize("found", [[], [None, None], [[1]], [["a", 1]], [7]], ids=repr)
def test_answer_of_another_form_identifies_nothing(found: list[Any]) -> None:
    """One answer for each path, None or two numbers."""
    with pytest.raises(AgentLost):
        identities(Scripted(lambda *_: Reply({"found": found}, b"")), ["/there/blue"])
    assert identities(Scripted(lambda *_: Reply({"found": [None, list(RED)]}, b"")), ["/a", "/b"]) == [None, RED]

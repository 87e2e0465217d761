"""Nodes with FRR are started and waited for through an agent; what goes wrong is said in FRR's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from topology.errors import DeadlineExceeded, EnvironmentBroken, Misuse
from topology.formats.lab import load_lab
from topology.frr import BFD_PEERS, NEIGHBOURS
from topology.kernels.link import Completed
from topology.kernels.netlink import Netlink
from topology.kernels.registry import Kernel
from topology.model import Fabric
from topology.nodes import frr

DATA = Path(__file__).parents[1] / "data"
ANSWERS = json.loads((DATA / "frr.json").read_text())
LAB = load_lab("evpn-l2")
LEAF = LAB["leaf1"]


@dataclass
class Machine:
    """Runs nothing, and answers each command as told."""

    answer: Callable[[Sequence[str]], Completed]
    ran: list[tuple[str | None, Sequence[str], bytes]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], ns: str | None = None, stdin: bytes = b"", timeout_s: float = 30) -> Completed:
        """Note the command."""
        self.ran.append((ns, argv, stdin))
        return self.answer(argv)

    def add(self, names: Sequence[str]) -> None:
        """Note the namespaces."""
        self.added += names

    @property
    def kernel(self) -> Kernel:
        """A kernel with this for its agent."""
        return cast(Kernel, SimpleNamespace(agent=self))


def done(code: int = 0, out: str = "", err: str = "", timed_out: bool = False) -> Callable[[Sequence[str]], Completed]:
    """Answer every command alike."""
    return lambda argv: Completed(tuple(argv), code, out, err, timed_out)


def started(machine: Machine) -> None:
    """Start a leaf on it."""
    frr.start(machine.kernel, [LEAF], cast(Netlink, machine))


def shown(when: str) -> Callable[[Sequence[str]], Completed]:
    """Answer as the recorded leaf did."""
    return lambda argv: Completed(tuple(argv), 0, json.dumps(ANSWERS[when]["leaf1"].get(argv[-1])), "")


def test_daemons_start_in_their_node_with_its_configuration() -> None:
    """The namespace is made, then one command in it starts the daemons; the configuration is its input."""
    machine = Machine(done())
    started(machine)
    ((node, argv, stdin),) = machine.ran
    assert (machine.added, node) == (["leaf1"], "leaf1")
    assert LEAF.frr is not None
    assert stdin.decode() == LEAF.frr.config
    assert argv[:2] == ["sh", "-c"]
    started_in_order = " && ".join(f"/usr/lib/frr/{one} -d -N leaf1" for one in ("zebra", "staticd", "bgpd"))
    assert f"{started_in_order} && vtysh -N leaf1 -f /run/frr/leaf1/frr.conf" in argv[2]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            done(2, err="line 2: % Unknown command[25]:  bogus line\n"),
            Misuse,
            "leaf1.conf: leaf1 - FRR refuses line 2: %",
        ),
        (done(1, err="privs_init: no such user\n"), EnvironmentBroken, "seen exit code 1: privs_init: no such user"),
        (done(timed_out=True), DeadlineExceeded, "expected to start"),
    ],
)
def test_daemons_that_do_not_start_say_why(
    answer: Callable[[Sequence[str]], Completed], error: type[Exception], words: str
) -> None:
    """A refused line is the user's, any other failure the environment's."""
    with pytest.raises(error) as raised:
        started(Machine(answer))
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("healthy", ""),
        ("wrong-as", "leaf1 - session with swp1 Idle: OPEN Message Error/Bad Peer AS (AS 64999 expected)"),
        ("no-advertise", "leaf1 - VNI 10100 - expected the VTEPs 10.0.0.12"),
    ],
)
def test_fabric_is_up_once_its_daemons_say_so(when: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions and VTEPs are waited for; after the deadline all that is missing is listed."""
    monkeypatch.setattr(frr, "CONVERGED_TIMEOUT_S", 0.0)
    healthy = shown("healthy")
    machine = Machine(lambda argv: (shown(when) if argv[-1] in ANSWERS[when]["leaf1"] else healthy)(argv))
    if not words:
        frr.converged(machine.kernel, LAB, [LEAF])
        return
    with pytest.raises(DeadlineExceeded) as raised:
        frr.converged(machine.kernel, LAB, [LEAF])
    assert words in str(raised.value)
    assert str(raised.value).startswith("evpn-l2 - convergence - expected within 0 s")


def test_router_without_any_session_has_not_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A BGP that knows no neighbour yet is waited for, too."""
    monkeypatch.setattr(frr, "CONVERGED_TIMEOUT_S", 0.0)
    with pytest.raises(DeadlineExceeded, match="expected BGP sessions - seen none"):
        frr.converged(Machine(done(out="{}")).kernel, LAB, [LEAF])


def without_bfd(lab: str, node: str) -> Fabric:
    """A lab in which one node's configuration has no line for BFD."""
    fabric, frr_of = load_lab(lab), load_lab(lab)[node].frr
    assert frr_of is not None
    config = "\n".join(line for line in frr_of.config.splitlines() if not line.endswith(" bfd"))
    changed = replace(fabric[node], frr=replace(frr_of, config=config))
    return replace(fabric, nodes=tuple(changed if one.name == node else one for one in fabric.nodes))


def spine_and_leaf(sessions: Mapping[str, Any], peers: Mapping[str, Any]) -> Machine:
    """Answers the questions for BGP and BFD sessions as told for each node."""
    told = {NEIGHBOURS: sessions, BFD_PEERS: peers}
    return Machine(
        lambda argv: Completed(
            tuple(argv), 0, "\n".join(json.dumps(told[one].get(argv[2])) for one in argv if one in told), ""
        )
    )


OF_LEAF = [{"peer": "fe80::1", "interface": "swp1", "status": "down"}]
FAULTS = json.loads((DATA / "frr-faults.json").read_text())["bgp-unnumbered-bfd"]


@pytest.mark.parametrize(
    ("fault", "own", "error", "words"),
    [
        ("bfd-one-sided", [], Misuse, "leaf1.conf: leaf1 - BFD with spine1 by swp1 - expected BFD, as spine1 has - "),
        ("bfd-one-sided", OF_LEAF, DeadlineExceeded, "spine1 - session with swp1 Established with BFD Down"),
        ("bfd-shutdown", [], DeadlineExceeded, "spine1 - session with swp1 Established with BFD Down"),
    ],
)
def test_bfd_of_one_end_of_a_session_alone_is_refused_at_once(
    fault: str, own: list[Any], error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end without BFD is named with the line that it lacks; one that has a BFD session by other words, or has shut
    it down, may come up and is waited for."""
    monkeypatch.setattr(frr, "CONVERGED_TIMEOUT_S", 0.0)
    lab = without_bfd("bgp-unnumbered-bfd", "leaf1")
    machine = spine_and_leaf({node: answers[0] for node, answers in FAULTS[fault].items()}, {"leaf1": own})
    with pytest.raises(error) as raised:
        frr.converged(machine.kernel, lab, [lab["spine1"]])
    assert words in str(raised.value)
    assert ("right would be 'neighbor swp1 bfd' here" in str(raised.value)) is (error is Misuse)


def test_bfd_of_one_end_of_an_ospf_link_alone_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end whose interface has no ``ip ospf bfd`` is named; where it has the line, its session is waited for."""
    monkeypatch.setattr(frr, "CONVERGED_TIMEOUT_S", 0.0)
    up = {"default": {"vrfId": 0, "10.0.0.11": {"bgpState": "Established"}}}
    peers = {"spine1": [{"peer": "10.0.0.11", "interface": "swp1", "status": "down"}], "leaf1": []}
    for lab, error, words in (
        (without_bfd("evpn-ospf", "leaf1"), Misuse, "right would be 'interface swp1 / ip ospf bfd' here"),
        (load_lab("evpn-ospf"), DeadlineExceeded, "spine1 - BFD with 10.0.0.11 down"),
    ):
        with pytest.raises(error, match=words):
            frr.converged(spine_and_leaf({"spine1": up}, peers).kernel, lab, [lab["spine1"]])

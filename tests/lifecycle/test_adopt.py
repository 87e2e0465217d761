"""A fabric that another user has built is proven where it is, and left as it was found."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from fixtures.instruments.spot import Spotter
from tests.lifecycle.kit.foreign import Foreign, foreign_containers, foreign_fabric, renamed, run_as_owner
from tests.lifecycle.kit.suite import SuiteRun
from tests.lifecycle.kit.watch import watched_network
from topology.errors import EngineError, EnvironmentBroken, KernelUnavailable, NotApplicable
from topology.formats.lab import load_lab
from topology.formats.pairs_files import load_pairs_text
from topology.kernels.guest import GuestKernel
from topology.kernels.host import HereKernel
from topology.kernels.netlink import Netlink
from topology.kernels.others import frr_versions
from topology.nodes.registry import ADOPTED
from topology.plan import make_plan

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone]
VXLAN = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"
NODE = re.compile(r"\b([slvc]\d)\b(?!-)")
ADDRESS = re.compile(r"\b10\.(\d+)\.0\.")

ROUTER = {"timeout": 'shift; exec "$@"', "vtysh": 'echo "FRRouting 10.5.0 (x) on Linux($*)."'}
"""Programs of a container with FRR."""
VANISHING = '''
from pathlib import Path
from tests.lifecycle.kit.foreign import run_as_owner

def test_before(fabric):
    assert fabric.names

def test_owner(fabric):
    """Its owner takes a node away during the run."""
    path = fabric.adopted.found["our-c2"].path
    run_as_owner("ip", "netns", "del", Path(path).name)

def test_after(fabric):
    assert fabric.names
'''


def here() -> HereKernel:
    """A kernel that reaches what is on this machine; NotApplicable without root."""
    try:
        return HereKernel.start(lambda _: None)
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error


def fingerprint(lab: Path) -> str:
    """A digest of all that decides what becomes of packets on the adopted fabric, read anew."""
    kernel = here()
    try:
        return LiveFabric(load_lab(lab), kernel, ADOPTED).fingerprint()
    finally:
        kernel.close()


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A lab whose nodes have names and addresses that nothing else on this machine is likely to have."""
    path, own = tmp_path / "lab.yaml", rf"10.{100 + os.getpid() % 150}.\1."
    path.write_text(ADDRESS.sub(own, NODE.sub(r"our-\1", VXLAN.read_text())))
    return path


@pytest.fixture
def foreign(lab: Path) -> Iterator[Foreign]:
    """The lab, built on this machine by its owner, in namespaces that have other names than its nodes."""
    here().close()
    with foreign_fabric(load_lab(lab)) as fabric:
        yield fabric


@pytest.fixture
def hand_made(lab: Path) -> Iterator[Foreign]:
    """The lab built by hand: kernel defaults wherever the lab declares nothing, loopback down everywhere."""
    here().close()
    with foreign_fabric(load_lab(lab), by_hand=True) as fabric:
        yield fabric


@pytest.fixture
def adopting(suite: Callable[..., SuiteRun], lab: Path) -> Callable[..., SuiteRun]:
    """Runs the suite on what is there."""
    return lambda *more, **where: suite("--adopt", "--lab", str(lab), "--kernel", "here", *more, **where)


def test_adopted_fabric_is_proven_and_left_as_it_was(
    foreign: Foreign, adopting: Callable[..., SuiteRun], lab: Path
) -> None:
    """The whole suite passes on a fabric found by its addresses; neither it nor the machine's network sees a change."""
    before = foreign.state(), fingerprint(lab)
    with watched_network() as on_machine, foreign.watched() as on_fabric:
        run = adopting("-m", "overlay")
    assert run.code == 0, run.output
    assert run.results["kernel"]["kind"] == "here"
    assert run.results["summary"]["passed"] >= 40
    assert run.left == {}
    assert (on_machine, on_fabric) == ([], [])
    assert (foreign.state(), fingerprint(lab)) == before


def test_fabric_made_by_hand_is_proven(hand_made: Foreign, adopting: Callable[..., SuiteRun]) -> None:
    """Kernel defaults that the lab does not declare, loopback down and a route to other networks are no fault.

    With forwarding off in a leaf the same fabric fails, and that is the cause.
    """
    management = hand_made.names["our-l1"]
    run_as_owner("ip", "-n", management, "link", "add", "name", "mgmt", "type", "veth", "peer", "name", "mgmt-far")
    run_as_owner("ip", "-n", management, "addr", "add", "192.0.2.2/24", "dev", "mgmt")
    for end in ("mgmt", "mgmt-far"):
        run_as_owner("ip", "-n", management, "link", "set", "dev", end, "up")
    run_as_owner("ip", "-n", management, "route", "add", "default", "via", "192.0.2.1")
    hand_made.run("our-l2", "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
    run = adopting("-m", "overlay")
    assert run.code == 0, run.output
    assert run.results["summary"]["passed"] >= 40
    hand_made.run("our-l1", "sysctl", "-qw", "net.ipv4.ip_forward=0")
    run = adopting("-m", "overlay", out="wrong")
    assert run.code == 1, run.output
    causes = {(test["cause"]["node"], test["cause"]["live"]) for test in run.with_verdict("failed")}
    assert causes == {("our-l1", "net.ipv4.ip_forward=0")}


def test_pairs_alone_are_proven_by_what_is_seen(
    foreign: Foreign, suite: Callable[..., SuiteRun], tmp_path: Path
) -> None:
    """In an undeclared fabric each pair, named or by address, is carried as said; a wrong kind is reported."""
    nodes, pairs = foreign.declared, foreign.declared.pairs
    ends = [(foreign.names[pair.source], nodes[pair.target].address, pair.kind) for pair in pairs]
    lines = [f"- {{source: {source}, target: {target}, kind: {kind}}}" for source, target, kind in ends]
    expectation = tmp_path / "expect.yaml"
    expectation.write_text("\n".join(["pairs:", *lines]))
    with foreign.watched() as changes:
        run = suite("--adopt", "--expect", str(expectation), "--kernel", "here", "-m", "overlay")
    assert run.code == 0, run.output
    assert run.results["summary"]["passed"] == 3 * len(pairs)
    assert changes == []
    assert run.left == {}
    expectation.write_text("\n".join(["pairs:", *lines]).replace("kind: bridge", "kind: routed"))
    run = suite("--adopt", "--expect", str(expectation), "--kernel", "here", "-m", "overlay", out="wrong")
    assert run.code == 1, run.output
    messages = {test["message"].split(" - ", 1)[1].split(" - evidence")[0] for test in run.with_verdict("failed")}
    assert messages == {"expected carried as routed - seen bridge"}


FAULTS = (
    ("our-s1", "sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1", "forwards no IPv4 packets"),
    ("our-v2", "ip link set dev vx nomaster", "ip link set dev vx master br", "has no address and is in no bridge"),
    ("our-v1", "bridge link set dev vx state 0", "bridge link set dev vx state 3", "state disabled"),
)
"""Mistakes, each with what undoes it, and the node and the words of its cause."""


def test_cause_is_named_where_only_pairs_are_declared(
    foreign: Foreign, suite: Callable[..., SuiteRun], tmp_path: Path
) -> None:
    """The state of the nodes says at which of them a packet of a pair ends, and why."""
    expectation = tmp_path / "expect.yaml"
    ends = ((foreign.names[pair.source], foreign.names[pair.target], pair.kind) for pair in foreign.declared.pairs)
    pairs = (f"- {{source: {source}, target: {target}, kind: {kind}}}" for source, target, kind in ends)
    expectation.write_text("\n".join(["pairs:", *pairs]))
    for number, (node, command, undo, words) in enumerate(FAULTS):
        foreign.run(node, *command.split())
        run = suite("--adopt", "--expect", str(expectation), "--kernel", "here", "-m", "overlay", out=str(number))
        causes = [test["cause"] for test in run.with_verdict("failed") if test["cause"]]
        named = [cause for cause in causes if cause["node"] == foreign.names[node] and words in cause["live"]]
        assert named, run.output
        foreign.run(node, *undo.split())


@contextlib.contextmanager
def way_to_outside(foreign: Foreign, node: str) -> Iterator[None]:
    """A port ``out`` of a node to a namespace that is not of the fabric, as a container's to its engine's bridge."""
    outsider = f"{foreign.names[node]}x"
    run_as_owner("ip", "netns", "add", outsider)
    try:
        far = ("peer", "name", "out", "netns", outsider)
        run_as_owner("ip", "-n", foreign.names[node], "link", "add", "name", "out", "type", "veth", *far)
        for name in (foreign.names[node], outsider):
            run_as_owner("ip", "-n", name, "link", "set", "dev", "out", "up")
        yield
    finally:
        run_as_owner("ip", "netns", "del", outsider)


def test_probe_that_would_leave_is_not_sent(foreign: Foreign, lab: Path) -> None:
    """A node whose route leads outside the fabric sends no probe there: the pair fails, with the route."""
    pair = foreign.declared.pairs[0]
    target = f"{foreign.declared[pair.target].address}/32"
    with way_to_outside(foreign, pair.source):
        foreign.run(pair.source, "ip", "route", "add", target, "via", "192.0.2.1", "dev", "out", "onlink")
        kernel = here()
        try:
            adopted = LiveFabric(load_lab(lab), kernel, ADOPTED)
            trip = Prober(adopted).trip(pair.source, pair.target)
            route = f"{target} via 192.0.2.1 dev out"
            assert (
                f"{pair.source}: no route to {target[:-3]} in the fabric; it would take {route}" in trip.arrived.message
            )
            assert trip.cause is not None
            assert (trip.cause.node, trip.cause.live) == (pair.source, route)
            assert [seen for seen in adopted.seen if seen.interface == "out"] == []
            drawn = Spotter(adopted).survey()
        finally:
            kernel.close()
        assert [words for words in drawn.left_out if "no route in the fabric" in words] != []
        kept_out = {(pair.source, pair.target), (pair.target, pair.source)}
        assert not kept_out & {(path.source, path.target) for path in drawn.paths}
        assert drawn.found != ()


def test_missing_route_is_not_made_up_for_by_a_way_out(
    foreign: Foreign, adopting: Callable[..., SuiteRun], lab: Path
) -> None:
    """With a default route to an engine's network and the declared route gone the pairs fail, and that is the cause.

    The digest of the fabric's state tells the change, and the run itself changes nothing.
    """
    before = fingerprint(lab)
    with way_to_outside(foreign, "our-c3"):
        foreign.run("our-c3", "ip", "route", "replace", "default", "via", "192.0.2.1", "dev", "out", "onlink")
        assert fingerprint(lab) != before
        with foreign.watched() as changes:
            run = adopting("-m", "overlay")
    assert changes == []
    assert run.code == 1, run.output
    causes = {(test["cause"]["node"], test["cause"]["live"]) for test in run.with_verdict("failed")}
    assert causes == {("our-c3", "default via 192.0.2.1 dev out")}
    far = foreign.declared["our-c4"].address
    words = f"our-c3: no route to {far} in the fabric; it would take default via 192.0.2.1 dev out"
    assert any(words in test["message"] for test in run.with_verdict("failed"))


def test_node_that_is_not_there_once_is_named_with_what_is(
    foreign: Foreign, adopting: Callable[..., SuiteRun], lab: Path
) -> None:
    """Without one of the nodes, or with two that have its address, nothing is proven; the run lists what there is."""
    address = foreign.declared["our-c4"].address
    expected = f"our-c4 - expected a namespace of this name, or one with {address} - seen"
    foreign.run("our-c3", "ip", "addr", "add", f"{address}/24", "dev", "c3_l1")
    with pytest.raises(EnvironmentBroken, match=re.escape(f"{expected} 2:")):
        fingerprint(lab)
    foreign.run("our-c3", "ip", "addr", "del", f"{address}/24", "dev", "c3_l1")
    foreign.remove("our-c4")
    run = adopting("tests/underlay")
    assert run.code == 6, run.output
    assert f"{expected} none" in run.output
    assert f"namespace {foreign.names['our-c3']}" in run.output
    assert run.left == {}


def test_node_that_vanishes_meanwhile_is_errored(
    foreign: Foreign, adopting: Callable[..., SuiteRun], tmp_path: Path
) -> None:
    """A namespace that its owner removes during the run is errored with the node's name; later tests skip."""
    module = tmp_path / "test_vanishing.py"
    module.write_text(VANISHING)
    run = adopting("-p", "conftest", str(module))
    verdicts = {test["id"].split("::")[1]: test["verdict"] for test in run.results["tests"]}
    assert verdicts == {"test_before": "passed", "test_owner": "errored", "test_after": "not proven"}, run.output
    (errored,) = run.with_verdict("errored")
    assert f"our-c2 - expected namespace {foreign.names['our-c2']} still there - seen it gone" in errored["message"]
    assert run.left == {}


def test_containers_of_an_engine_are_adopted(lab: Path, adopting: Callable[..., SuiteRun]) -> None:
    """A fabric of containers is found by their host names and proven, and is as it was."""
    kernel = here()
    try:
        kernel.engine()
        containers = LiveFabric(load_lab(lab), kernel, "docker")
        before = containers.live_states()
        run = adopting("-m", "overlay")
        assert run.code == 0, run.output
        assert run.results["summary"]["passed"] >= 40
        assert containers.live_states() == before
    except EngineError as error:
        raise NotApplicable(str(error)) from error
    finally:
        kernel.close()


def test_foreign_containers_are_adopted_by_name_and_by_address() -> None:
    """Two containers without a lab, wired by hand: their pair is proven by what is seen, and unchanged.

    The version of FRR is that which the container's own vtysh says.
    """
    kernel = here()
    try:
        one, other = (f"{name}{os.getpid() % 10**6}" for name in ("one-", "other-"))
        with foreign_containers(one, other, programs=ROUTER) as pids:
            ends = [("eth1", "netns", str(pids[name])) for name in (one, other)]
            run_as_owner("ip", "link", "add", "name", *ends[0], "type", "veth", "peer", "name", *ends[1])
            for number, pid in enumerate(pids.values(), 1):
                inside = ("nsenter", "--target", str(pid), "--net", "ip")
                run_as_owner(*inside, "addr", "add", f"10.99.99.{number}/24", "dev", "eth1")
                run_as_owner(*inside, "link", "set", "dev", "eth1", "up")
            pairs = load_pairs_text(f"pairs: [{{source: {one}, target: 10.99.99.2, kind: bridge}}]")
            adopted = LiveFabric(pairs, kernel, ADOPTED)
            before = adopted.live_states()
            trip = Spotter(adopted).pair(pairs.pairs[0])
            assert trip.arrived
            assert trip.carried_as("bridge")
            assert adopted.adopted
            assert adopted.adopted.cables == 1
            assert frr_versions(kernel.others(), adopted.adopted.found) == {one: "10.5.0"}
            assert {sighting.node for sighting in trip.out.sightings} == {one, other}
            assert adopted.live_states() == before
    except EngineError as error:
        raise NotApplicable(str(error)) from error
    finally:
        kernel.close()


def test_fabric_inside_a_guest_is_adopted(lab: Path) -> None:
    """A fabric in a guest is found there by name and by addresses, goes the declared way, and stays as it is."""
    declared = load_lab(lab)
    try:
        kernel = GuestKernel.start(lambda _: None)
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    try:
        netlink = Netlink(kernel.agent)
        plan = make_plan(renamed(declared, {n.name: f"x{n.name}" for n in declared.nodes[1:]}))
        netlink.add(plan.namespaces)
        netlink.build(plan)
        adopted = LiveFabric(declared, kernel, ADOPTED)
        before = adopted.live_states()
        trips = [Prober(adopted).trip(pair.source, pair.target) for pair in declared.pairs]
        assert [trip.as_declared.message for trip in trips if not trip.as_declared] == []
        assert adopted.live_states() == before
    finally:
        kernel.close()


def test_map_of_what_is_there_needs_no_lab(foreign: Foreign, suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """Every link of an undeclared fabric that carries probes is drawn, and nothing is changed."""
    graph = tmp_path / "map.dot"
    with foreign.watched() as changes:
        run = suite("--adopt", f"--map={graph}", "--kernel", "here")
    assert run.code == 0, run.output
    names = foreign.names
    for link in foreign.declared.links:
        a, b = sorted(f"{names[end.node]}:{end.interface}" for end in link.ends)
        assert re.search(rf"{a} +-> {b}  ether", run.output), run.output
    spine, leaf = (names[node] for node in ("our-s1", "our-l1"))
    assert f'"{spine}" -> "{leaf}" [taillabel="s1_l1", headlabel="l1_s1"' in graph.read_text()
    assert changes == []
    assert run.left == {}

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.checks import CheckBook
from fixtures.cli import check_options
from fixtures.instruments.live import LiveFabric
from fixtures.lab import load
from fixtures.run import Run
from fixtures.session import pytest_report_collectionfinish, run_key
from fixtures.shell import ERRORED, draw_map
from fixtures.sizes import SizeBook
from reports.checks import Check, closed, control, domains, forgery, replication
from reports.diagnosis.loop import Copies
from tests.self.adopting.test_others import opened
from tests.self.builders import vxlan_lab
from tests.self.fixtures.runs import Settings
from topology.errors import KernelUnavailable, NodeNotFound, NotApplicable
from topology.kernels.registry import Kernel
from topology.model import Fabric
from topology.nodes import registry
from topology.nodes.adopted import AdoptedRuntime, Onlooker, described
from topology.packet import Probe
from topology.plan import make_plan
from topology.promises import Management
from topology.state import LinkState, NodeState, RouteState, declared_state


def config(out: Path, **options: Any) -> pytest.Config:
    """A configuration that adopts."""
    return cast(pytest.Config, Settings(out, **{"--adopt": True, **options}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"--keep": True}, "--adopt and --keep exclude each other"),
        ({"--pause-on-error": True}, "--adopt and --pause-on-error exclude each other"),
        ({"--shell": "c1"}, "--adopt and --shell exclude each other"),
        ({"--topology-only": True}, "--adopt and --topology-only exclude each other"),
        ({"--fresh": True}, "--adopt and --fresh exclude each other"),
        ({"breaks": ["l1: true"]}, "--adopt and --break exclude each other: .* never changed"),
        ({"--plan": True}, "--adopt and --plan exclude each other"),
        ({"--export": "x.dot"}, "--adopt and --export exclude each other"),
        ({"--doctor": True}, "--adopt and --doctor exclude each other"),
        ({"--kernel": "host"}, "--adopt needs --kernel here, ssh://"),
        ({"--runtime": "docker"}, "--adopt and --runtime exclude each other"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_of_an_adopted_fabric_is_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    """An option that would keep, rebuild or break what is not ours is a usage error; without --adopt it stands."""
    sound = {"--fresh": False, "--kernel": "auto"}
    with pytest.raises(pytest.UsageError, match=words):
        check_options(config(tmp_path, **{**sound, **options}))
    check_options(config(tmp_path, **{**sound, "--adopt": False, **options}))
    check_options(config(tmp_path, **sound))


def test_workers_do_not_share_an_adopted_fabric(tmp_path: Path) -> None:
    """With -n each worker would take what another's probes do for its own."""
    shared = config(tmp_path, **{"--fresh": False, "--kernel": "auto"})
    shared.option.dist = "load"
    with pytest.raises(pytest.UsageError, match="--adopt and -n exclude each other"):
        check_options(shared)


def test_there_is_no_copy_of_an_adopted_fabric(tmp_path: Path) -> None:
    """A test that breaks a copy does not apply."""
    with pytest.raises(NotApplicable, match="there are no copies of it to break"):
        Run(config(tmp_path), vxlan_lab()).another_fabric()


def test_an_adopted_fabric_is_looked_for_where_others_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """auto means the kernel here, and no link kind is tried there; another kernel is taken as asked for."""
    asked: list[tuple[object, ...]] = []

    def start(*arguments: object) -> None:
        asked.append(arguments[:2])
        raise KernelUnavailable("enough")

    monkeypatch.setattr("fixtures.run.start_kernel", start)
    for kernel in ("auto", "guest"):
        with pytest.raises(KernelUnavailable):
            Run(config(tmp_path, **{"--kernel": kernel}), vxlan_lab()).kernel()
    assert asked == [("here", ()), ("guest", ())]


def onlooking(monkeypatch: pytest.MonkeyPatch) -> LiveFabric:
    """An adopted lab without a match."""
    kernel = cast(Kernel, opened())
    onlooker = Onlooker(kernel.agent)
    monkeypatch.setattr("fixtures.instruments.live.bring_up", lambda *_: onlooker)
    return LiveFabric(vxlan_lab(), kernel, registry.ADOPTED)


def test_whatever_would_change_an_adopted_fabric_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command, no route put back, no plan, nothing sent outside, nothing forgotten: the agent is not asked."""
    live = onlooking(monkeypatch)
    onlooker = live.adopted
    assert onlooker is not None
    plan = make_plan(vxlan_lab())
    modules = (closed, control, domains, forgery, replication)
    checks = [check for module in modules for check in vars(module).values() if isinstance(check, Check)]
    assert len(checks) == 14
    lost = {"c3": NodeState("c3", {}, frozenset(), frozenset())}
    monkeypatch.setattr(onlooker, "states", lambda _: lost)
    changes: list[Callable[[], object]] = [
        lambda: live.run("c3", "ip", "link", "set", "c3_l1", "down"),
        lambda: onlooker.build(plan),
        lambda: onlooker.apply(plan.phases[0]),
        lambda: live.put_back(["c3"]),
        *(partial(CheckBook(live).judged, check) for check in checks if check.of_ours),
    ]
    for change in changes:
        with pytest.raises(NotApplicable, match="only looked at, never changed"):
            change()
    onlooker.apply(())
    assert cast(Any, live.kernel.agent).asked == []


def test_what_is_more_than_a_probe_needs_the_users_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forged frames and packets of all sizes are for --active, which the reason names; the agent is not even asked."""
    live = onlooking(monkeypatch)
    checks = [check for check in vars(domains).values() if isinstance(check, Check)]
    checks += [forgery.TREATED, forgery.REFUSED, replication.REPLICATED]
    sends: list[Callable[[], object]] = [partial(CheckBook(live).judged, check) for check in checks]
    sends += [partial(SizeBook, live), live.forget_neighbours]
    for sent in sends:
        with pytest.raises(NotApplicable, match=r"^would send .*: allowed with --active$"):
            sent()
    assert len(checks) == 5
    assert cast(Any, live.kernel.agent).asked == []
    allowed = LiveFabric(vxlan_lab(), live.kernel, registry.ADOPTED, active=True)
    allowed.must_take("forged frames")
    with pytest.raises(NotApplicable, match="only looked at, never changed"):
        allowed.run("c3", "true")


def test_fabric_of_promises_alone_has_a_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of its nodes is declared, and what they are is read: a run on it starts like any other."""
    live, lab = onlooking(monkeypatch), vxlan_lab()
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    live.declared = described(Fabric("there", nodes=(), links=(), pairs=lab.pairs), states)
    monkeypatch.setattr(live.adopted, "states", lambda _: states)
    assert not live.is_declared
    assert len(live.fingerprint()) == 64


def test_way_out_by_management_stays_known_when_nodes_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that management would take out of the fabric is kept inside after every reading of the nodes, and what is
    management is no change of a node."""
    live, lab = onlooking(monkeypatch), vxlan_lab()
    onlooker = live.adopted
    assert onlooker is not None
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    card, way = LinkState("eth0", "veth"), RouteState(ip_network("192.0.2.0/24"), ip_address("172.20.20.1"), "eth0")
    name, other = list(states)[:2]
    states[name] = replace(states[name], links={**states[name].links, "eth0": card}, routes=states[name].routes | {way})
    onlooker.management = Management(frozenset({"eth0"}))
    monkeypatch.setattr("topology.kernels.netlink.Netlink.states", lambda _, names: {one: states[one] for one in names})
    monkeypatch.setattr(onlooker, "with_other_sysctls", lambda _: ())
    monkeypatch.setattr(LiveFabric, "_news", SimpleNamespace(names=list(states), take=lambda: ([], False)))
    probe = Probe(name, other, ip_address("10.0.0.1"), ip_address("192.0.2.1"))
    before = live.live_states()
    for _ in range(3):
        live.live_states()
        assert live.changed_since(before) == ()
        assert live.way_out(probe).startswith(f"{name}: no route to 192.0.2.1 in the fabric; it would take")


def test_active_belongs_to_an_adopted_fabric(tmp_path: Path) -> None:
    """Into a fabric of our own everything is sent; the word alone is an error."""
    sound = {"--fresh": False, "--kernel": "auto", "--active": True}
    check_options(config(tmp_path, **sound))
    with pytest.raises(pytest.UsageError, match="--active needs --adopt"):
        check_options(config(tmp_path, **{**sound, "--adopt": False}))


def test_kept_guest_is_adopted_and_nothing_else(tmp_path: Path) -> None:
    """A fabric is up in it: another one cannot be built there."""
    sound = {"--fresh": False, "--kernel": "guest:a1"}
    check_options(config(tmp_path, **sound))
    with pytest.raises(pytest.UsageError, match="--kernel guest:a1 needs --adopt"):
        check_options(config(tmp_path, **{**sound, "--adopt": False}))


def test_empty_machine_is_reported_with_why_there_are_no_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message lists every node, what there is, and the engine that did not answer."""
    monkeypatch.setattr("topology.nodes.adopted.find_others", lambda _: ([], "no engine"))
    with pytest.raises(NodeNotFound) as caught:
        AdoptedRuntime(cast(Kernel, opened())).bring_up(vxlan_lab())
    first, *nodes, there, containers = str(caught.value).splitlines()
    assert first == "the fabric cannot be adopted"
    assert len(nodes) == len(vxlan_lab().nodes)
    assert (there, containers) == ("there is: no foreign namespace", "no containers: no engine")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"--expect": "e.yaml"}, "e.yaml: no such file; a YAML file with a list pairs:"),
        ({"--expect": "e.yaml", "--tenants": "t.csv"}, "--tenants t.csv - expected beside --lab"),
        ({"--map": "", "--tenants": "t.csv"}, "--tenants t.csv - expected beside --lab"),
    ],
)
def test_what_needs_a_lab_is_refused_without_one(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """Pairs alone come from a file that is there; tenants are customers of a lab's leaves."""
    with pytest.raises(pytest.UsageError, match=words):
        load(config(tmp_path, **{"--lab": None, **options}))


def test_rows_of_a_csv_are_the_pairs_of_an_adopted_fabric(tmp_path: Path) -> None:
    """Without a lab nothing else is declared; each type says how its traffic is carried, and in which tunnel."""
    rows = tmp_path / "rows.csv"
    rows.write_text("CS1X, CS2X, VXLAN\nCSA, CSB, GRE\nCSX, CSY, L3\n")
    lab = load(config(tmp_path, **{"--lab": None, "--tenants": str(rows)}))
    assert not lab.nodes
    assert [(pair.source, pair.kind, pair.within.via) for pair in lab.pairs] == [
        ("CS1X", "l2-overlay", ("vxlan",)),
        ("CSA", "l3-overlay", ("gre", "ip6gre")),
        ("CSX", "routed", ()),
    ]


def test_rows_that_are_none_are_refused(tmp_path: Path) -> None:
    """The message has the line."""
    (tmp_path / "rows.csv").write_text("CS1X, CS2X, VXLAM\n")
    with pytest.raises(pytest.UsageError, match=r"rows\.csv:1:13: .*VXLAM"):
        load(config(tmp_path, **{"--lab": None, "--tenants": str(tmp_path / "rows.csv")}))


def test_pairs_belong_to_a_lab_where_one_is_named(tmp_path: Path) -> None:
    """With a lab a file of pairs replaces the lab's; without one it is all that is declared."""
    expect = tmp_path / "e.yaml"
    expect.write_text("pairs: [{source: c1, target: c2, kind: bridge}]")
    options = {"--expect": str(expect)}
    named, alone = load(config(tmp_path, **options)), load(config(tmp_path, **options, **{"--lab": None}))
    assert (named.name, len(named.pairs)) == ("vxlan", 1)
    assert (alone.nodes, [str(pair) for pair in alone.pairs]) == ((), ["c1-c2-bridge"])
    with pytest.raises(pytest.UsageError, match="unknown node 'c1'"):
        load(config(tmp_path, **options, **{"--lab": None, "--adopt": False}))
    assert load(config(tmp_path, **{"--map": "", "--lab": None})).nodes == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"--map": "tests/overlay"}, r"--map tests/overlay - expected a file for Graphviz, FILE.dot"),
        ({"--map": "", "--keep": True}, "--map and --keep exclude each other"),
    ],
)
def test_map_goes_into_a_file_for_graphviz_or_nowhere(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """A test's path behind a bare --map is not written over, and nothing of a map is kept."""
    settings = cast(pytest.Config, Settings(tmp_path, **options))
    steps = (check_options, partial(draw_map, lab=vxlan_lab()))
    with pytest.raises(pytest.UsageError, match=words):
        _ = [step(settings) for step in steps]


def test_map_of_nothing_is_errored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fabric that cannot be read gives the exit code of what is not known."""

    def refuse(*_: object) -> None:
        raise KernelUnavailable("it takes root")

    monkeypatch.setattr("fixtures.run.start_kernel", refuse)
    sound = {"--map": "", "--adopt": True, "--fresh": False, "--kernel": "auto"}
    assert draw_map(cast(pytest.Config, Settings(tmp_path, **sound)), vxlan_lab()) == ERRORED
    assert "no map: it takes root" in capsys.readouterr().out


def test_taps_know_of_the_requests_that_a_flush_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open taps allow for one more copy of a request after each flush of neighbours; none are opened for that."""
    live = LiveFabric(vxlan_lab(), onlooking(monkeypatch).kernel, registry.ADOPTED, active=True)
    monkeypatch.setattr(live.adopted, "forget_neighbours", lambda _: None)
    live.__dict__["as_found"] = {name: NodeState(name, {}, frozenset(), frozenset()) for name in live.names}
    live.forget_neighbours()
    assert "taps" not in live.__dict__
    taps = live.__dict__["taps"] = SimpleNamespace(copies=Copies())
    live.forget_neighbours()
    live.forget_neighbours()
    assert taps.copies.flushes == 2


@pytest.mark.parametrize(("name", "words"), [("e.yaml", ["e.yaml promises 1 pair alone: no underlay"]), (None, [])])
def test_selection_without_a_promise_says_what_is_promised(tmp_path: Path, name: str | None, words: list[str]) -> None:
    """Of a fabric known by pairs alone; of one with a lab each reason is given anyway."""
    (tmp_path / "e.yaml").write_text("pairs: [{source: c1, target: c2, kind: bridge}]")
    options = {"--expect": str(tmp_path / name), "--lab": None} if name else {}
    settings = config(tmp_path, **options)
    run = Run(settings, load(settings))
    run.left_out = {"no link with addresses": 1}
    stash = pytest.Stash()
    stash[run_key] = run
    asked = SimpleNamespace(stash=stash, getoption=lambda _: None)
    _, *said = pytest_report_collectionfinish(cast(pytest.Config, asked), [])
    assert [line.startswith(wanted) for line, wanted in zip(said, words, strict=True)] == [True] * len(words)

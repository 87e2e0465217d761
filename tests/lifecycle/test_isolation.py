"""The isolation suite on each kind of kernel and of node, whatever this session runs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.instruments.outwards import machine_tap
from tests.lifecycle.kit.suite import SuiteRun
from tests.lifecycle.kit.watch import watched_network
from topology.errors import EngineError, NotApplicable
from topology.kernels.engine import Engine

pytestmark = pytest.mark.lifecycle
ONE_TENANT = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"
TWO_TENANTS = "two-tenants"


@pytest.fixture
def on(suite: Callable[..., SuiteRun]) -> Callable[..., SuiteRun]:
    """Runs the isolation suite; this machine's own network sees no change meanwhile, and nothing is left."""

    def start(kernel: str, *arguments: str) -> SuiteRun:
        with watched_network() as changes:
            run = suite("-m", "isolation", "--kernel", kernel, *arguments)
        assert run.code == 0, run.output
        assert run.results["kernel"]["kind"] == kernel
        assert not run.with_verdict("failed") + run.with_verdict("errored")
        assert (run.left, changes) == ({}, [])
        return run

    return start


def verdicts(run: SuiteRun, name: str) -> set[str]:
    """The verdicts of one test, whatever it was tried on."""
    return {test["verdict"] for test in run.results["tests"] if test["id"].split("::")[1].split("[")[0] == name}


def machine_was_looked_at(run: SuiteRun) -> bool:
    """True if this machine's interfaces showed nothing, as far as the process may read them."""
    try:
        with machine_tap():
            allowed = {"passed"}
    except NotApplicable:
        allowed = {"not applicable"}
    return verdicts(run, "test_machine_sees_nothing_of_the_fabric") == allowed


def test_fabric_of_namespaces_is_isolated(on: Callable[..., SuiteRun]) -> None:
    """On this machine's kernel, in fresh namespaces: tenants apart, forgeries as declared, closed on both sides."""
    run = on("host", "--lab", TWO_TENANTS)
    assert machine_was_looked_at(run)
    for name in (
        "test_packet_to_the_outside_ends_inside",
        "test_shared_address_is_answered_by_its_own_domain",
        "test_other_tenants_vni_reaches_that_tenant_alone",
        "test_kernel_has_no_device_beside_the_fabric",
    ):
        assert verdicts(run, name) == {"passed"}, name


def test_fabric_of_containers_is_isolated(on: Callable[..., SuiteRun]) -> None:
    """On this machine's engine: the same promises."""
    try:
        Engine.of_this_machine().close()
    except EngineError as error:
        raise NotApplicable(str(error)) from error
    run = on("here", "--runtime", "docker", "--lab", TWO_TENANTS)
    assert machine_was_looked_at(run)
    assert verdicts(run, "test_node_has_nothing_that_leads_out") == {"passed"}


def test_lab_that_refuses_outsiders_is_failed_by_linux(suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """A lab that promises more than the kernel does fails, and the VTEPs are named."""
    lab = tmp_path / "strict.yaml"
    lab.write_text(ONE_TENANT.read_text() + "\nisolation: {foreign-sources: refused}\n")
    run = suite("-m", "isolation", "--kernel", "host", "--lab", str(lab))
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert [test["id"].split("::")[1] for test in failed] == [
        "test_foreign_source_is_treated_as_declared[v1:vx]",
        "test_foreign_source_is_treated_as_declared[v2:vx]",
    ]
    assert all("expected refused (isolation: foreign-sources: refused)" in test["message"] for test in failed)

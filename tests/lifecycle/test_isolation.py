"""The isolation suite on each kind of kernel and of node, whatever this session runs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def notes(run: SuiteRun) -> list[Any]:
    """Notes on promises that hold."""
    return [test["message"] for test in run.with_verdict("passed") if test["message"]]


def machine_was_looked_at(run: SuiteRun) -> bool:
    """True if this machine's interfaces showed nothing, as far as the process may read them."""
    try:
        with machine_tap():
            allowed = {"passed"}
    except NotApplicable:
        allowed = {"not applicable"}
    return verdicts(run, "test_machine_sees_nothing_of_the_fabric") == allowed


@pytest.mark.parametrize("lab", [TWO_TENANTS, str(ONE_TENANT)], ids=["two-tenants", "vxlan"])
def test_fabric_of_namespaces_is_isolated(on: Callable[..., SuiteRun], lab: str) -> None:
    """On this machine's kernel, in fresh namespaces: tenants apart, forgeries as declared, closed on both sides."""
    run = on("host", "--lab", lab)
    assert machine_was_looked_at(run)
    assert verdicts(run, "test_packet_to_the_outside_ends_inside") == {"passed"}
    tenants = {"passed"} if lab == TWO_TENANTS else set()
    assert verdicts(run, "test_shared_address_is_answered_by_its_own_domain") == tenants
    assert verdicts(run, "test_other_tenants_vni_reaches_that_tenant_alone") == tenants


def test_fabric_of_containers_is_isolated(on: Callable[..., SuiteRun]) -> None:
    """On this machine's engine: the same promises."""
    try:
        Engine.of_this_machine().close()
    except EngineError as error:
        raise NotApplicable(str(error)) from error
    run = on("here", "--runtime", "docker", "--lab", TWO_TENANTS)
    assert machine_was_looked_at(run)
    assert verdicts(run, "test_node_has_nothing_that_leads_out") == {"passed"}


def test_fabric_in_a_guest_is_isolated(on: Callable[..., SuiteRun]) -> None:
    """The reference lab in a microVM: VXLAN inside GRE, and what its VTEPs accept is said plainly."""
    run = on("guest", "--lab", "ece792")
    assert machine_was_looked_at(run)
    assert verdicts(run, "test_kernel_has_no_device_beside_the_fabric") == {"passed"}
    assert any("accepts VXLAN from 20.0.0.1 with VNI 30 sent by customer cs1" in note for note in notes(run))


def test_lab_that_refuses_foreign_sources_is_failed_by_linux(suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
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

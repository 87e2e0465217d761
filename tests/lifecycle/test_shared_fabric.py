"""The shared fabric is the same for every test, whatever a test before it has done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.instruments.suite import SuiteRun

pytestmark = pytest.mark.lifecycle

MEDDLER = '''
def test_before(fabric):
    assert fabric.differences(fabric.names[0]) == ()

def test_meddler(fabric):
    """Takes a link down and says nothing."""
    node = fabric.names[0]
    assert fabric.run(node, "ip", "link", "set", fabric[node].devices[0].name, "down").code == 0

def test_after(fabric):
    assert fabric.differences(fabric.names[0]) == ()
'''
BREAKER = '''
def test_breaker(fabric):
    """Ends the agent under everybody's feet."""
    fabric.kernel.agent.close()

def test_after(fabric):
    assert fabric.differences(fabric.names[0]) == ()
'''


@pytest.fixture
def run(suite: Callable[..., SuiteRun], tmp_path: Path) -> Callable[[str], SuiteRun]:
    """Runs a test module of our own on a fabric of its own."""

    def start(module: str) -> SuiteRun:
        path = tmp_path / "test_module.py"
        path.write_text(module)
        return suite("-p", "conftest", str(path))

    return start


def verdicts(run: SuiteRun) -> dict[str, str]:
    """Each test's verdict, by its name."""
    return {test["id"].split("::")[1]: test["verdict"] for test in run.results["tests"]}


def test_who_changes_the_shared_fabric_is_errored_and_it_is_restored(run: Callable[[str], SuiteRun]) -> None:
    """A test that leaves the fabric changed is errored, with what it changed; the next test finds it as declared."""
    done = run(MEDDLER)
    assert verdicts(done) == {"test_before": "passed", "test_meddler": "errored", "test_after": "passed"}, done.output
    (errored,) = done.with_verdict("errored")
    assert "link - expected up - seen down" in errored["message"]
    assert done.code == 6
    assert done.left == {}


def test_fabric_that_broke_stays_broken(run: Callable[[str], SuiteRun]) -> None:
    """When the fabric's agent dies, the test is errored and later ones are skipped with that first cause."""
    done = run(BREAKER)
    assert verdicts(done) == {"test_breaker": "errored", "test_after": "skipped"}, done.output
    (skipped,) = done.with_verdict("skipped")
    assert "the fabric broke" in skipped["message"]
    assert done.code == 6
    assert done.left == {}

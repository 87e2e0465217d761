"""Workflows, and the pipelines that docs/ci.md shows: they parse, and what they call is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from reports.record.model import NOTHING_APPLIES
from tests.self.house.sources import ROOT
from topology.formats.yaml_positions import parse

WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")}
PAGE = (ROOT / "docs/ci.md").read_text()
SHOWN = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OF_GITHUB = {"name", "on", "permissions", "concurrency", "env", "jobs"}
OF_A_JOB = {"name", "runs-on", "timeout-minutes", "needs", "if", "env", "strategy", "steps"}
OF_A_STEP = {"name", "id", "if", "uses", "with", "run", "env"}
OF_GITLAB = {"image", "tags", "rules", "cache", "script", "after_script", "allow_failure", "artifacts"}
CALLED = re.compile(r"(?:\S*/)?(?:hopcheck|pytest) (-.*)")


def read(text: str) -> Mapping[str, Any]:
    """A YAML document of mappings; a key that is there twice is an error."""
    tree, problems = parse(text, "pipeline")
    assert not problems
    return cast("Mapping[str, Any]", tree.plain())


def faults(pipeline: Mapping[str, Any]) -> Iterator[str]:
    """What GitHub or GitLab would refuse in a pipeline."""
    if "jobs" not in pipeline:
        for name, job in pipeline.items():
            yield from (f"{name}: {key}" for key in job.keys() - OF_GITLAB)
            yield from () if job.get("script") else (f"{name}: no script",)
        return
    yield from (str(key) for key in pipeline.keys() - OF_GITHUB)
    yield from () if pipeline.get("on") else ("no on",)
    for name, job in pipeline["jobs"].items():
        yield from (f"{name}: {key}" for key in job.keys() - OF_A_JOB)
        yield from (f"{name}: no {key}" for key in {"runs-on", "timeout-minutes", "steps"} - job.keys())
        for step in job.get("steps", ()):
            yield from (f"{name}: {key}" for key in step.keys() - OF_A_STEP)
            if ("uses" in step) == ("run" in step) or not re.fullmatch(
                r"[\w-]+(/[\w-]+)+@v\d+", step.get("uses", "a/b@v1")
            ):
                yield f"{name}: {step}"


def commands(pipeline: Mapping[str, Any]) -> Iterator[str]:
    """The shell commands of all jobs."""
    for job in pipeline.get("jobs", pipeline).values():
        yield from (line for step in job.get("steps", ()) for line in step.get("run", "").splitlines())
        yield from (*job.get("script", ()), *job.get("after_script", ()))


@pytest.mark.parametrize("text", [*WORKFLOWS.values(), *SHOWN], ids=[*WORKFLOWS, *map(str, range(len(SHOWN)))])
def test_pipeline_is_one_that_can_run(text: str, pytestconfig: pytest.Config) -> None:
    """Its keys are known, its steps whole, and every target, script and option that it calls exists."""
    pipeline = read(text)
    assert list(faults(pipeline)) == []
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = list(commands(pipeline))
    assert called
    for command in called:
        assert set(re.findall(r"\bmake ([\w-]+)", command)) <= targets
        assert all((ROOT / path).exists() for path in re.findall(r"(?:^|[ /])(\.ci/\w+)", command)), command
        assert unknown(command, pytestconfig) == []


def unknown(command: str, config: pytest.Config) -> list[str]:
    """The options of a call of pytest or hopcheck that it does not know."""
    given = [word.partition("=")[0] for call in CALLED.findall(command) for word in shlex.split(call)]
    known = config._parser.optparser._option_string_actions
    return [word for word in given if word.startswith("-") and word not in known]


def test_a_pipeline_that_cannot_run_is_noticed(pytestconfig: pytest.Config) -> None:
    """A misspelt key, a step that does nothing, a job without an end, an action of no version, an option of none."""
    job = {"runs-on": "x", "step": [], "steps": [{"name": "nothing"}, {"uses": "actions/checkout"}]}
    assert len(list(faults({"jobs": {"a": job}}))) == 5
    assert list(faults({"overlay": {"scripts": ["true"]}})) == ["overlay: scripts", "overlay: no script"]
    assert unknown("sudo /opt/hopcheck/hopcheck -m perf --histroy=x", pytestconfig) == ["--histroy"]


def test_crontab_calls_what_is_there(pytestconfig: pytest.Config) -> None:
    """Its line has the five fields of a time, and options that exist."""
    (line,) = re.findall(r"^(?:[\d*]+ ){5}(.*)$", PAGE, re.MULTILINE)
    assert unknown(line.partition(" >")[0], pytestconfig) == []


def test_nightly_keeps_results_and_history() -> None:
    """Also of a night that failed; the history is that of the night before."""
    steps = read(WORKFLOWS["nightly.yml"])["jobs"]["prove"]["steps"]
    uses = {step["uses"].partition("@")[0]: step for step in steps if "uses" in step}
    restored, saved = uses["actions/cache/restore"], uses["actions/cache/save"]
    assert restored["with"]["path"] == saved["with"]["path"] == "history"
    assert saved["with"]["key"].startswith(restored["with"]["restore-keys"])
    assert uses["actions/upload-artifact"]["if"] == "always()"
    assert "schedule" not in WORKFLOWS["ci.yml"]


def test_only_what_is_unknown_may_be_tolerated() -> None:
    """Of the exit codes, 6 may be orange; 1 and 7 are red."""
    tolerated = {code for text in SHOWN for job in read(text).values() if isinstance(job, dict)
                 for code in job.get("allow_failure", {}).get("exit_codes", ())}  # fmt: skip
    assert tolerated == {6}
    assert NOTHING_APPLIES == 7

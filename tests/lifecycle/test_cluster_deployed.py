"""A submission is graded over ssh and by Slurm, for real: sshd and Slurm's daemons in a sandbox without a way out."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="no dask.distributed in .venv: .ci/setup cluster")

from reports.grading.record import read_class
from tests.grading.known import files
from tests.lifecycle.kit.clusters import in_sandbox
from tests.lifecycle.kit.fixtures import POINTS
from topology.errors import NotApplicable
from topology.kernels.cache import cache_dir
from topology.kernels.image import STUDENT_RECIPE, find_image

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone, pytest.mark.soak]
RUBRIC = """
points: 10
items: [{id: rows, points: 10, rows: VXLAN, needs: [reaches, kind, both-ways]}]
"""
FILES = ("recipe", "rubric")
PROGRAMS = {"ssh": ("sshd", "openssh-server"), "slurm": ("slurmctld", "slurmctld slurmd munge")}
CLUSTERS = {"ssh": "one 1\ntwo 1\n", "slurm": "workers: 2\nmemory: 1500M\nwalltime: '01:00:00'\n"}


@pytest.mark.skipif(POINTS < 20, reason="minutes: make soak does it")
@pytest.mark.parametrize("kind", PROGRAMS)
def test_submission_is_graded_elsewhere(kind: str, tmp_path: Path) -> None:
    """Two submissions are graded by workers that were started there; by ssh on machines that had no guest image."""
    program, packages = PROGRAMS[kind]
    if not shutil.which(program, path="/usr/sbin"):
        raise NotApplicable(f"no {program}: apt-get install {packages} (with service starts refused)")
    if find_image(STUDENT_RECIPE) is None:
        raise NotApplicable("no image of submissions' machines: grade one first")
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for file, text in (files("namespaces") | {"README": name}).items():
            (tmp_path / "in" / name / file).write_text(text)
            (tmp_path / "in" / name / file).chmod(0o755)
    texts = {"rows.csv": "A1X,B1X,VXLAN\n", "rubric.yaml": RUBRIC, "cluster": CLUSTERS[kind]}
    texts["recipe.yaml"] = "steps: [{run: './build.sh {csv}'}]\nspines: 1\n"
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    paths = {
        "submission": "in/*",
        "tenants": "rows.csv",
        "recipe": "recipe.yaml",
        "rubric": "rubric.yaml",
        "out": "out",
    }
    given = [f"--{option}={tmp_path / path}" for option, path in paths.items()]
    command = (sys.executable, "-m", "pytest", *given, f"--cluster={kind}:{tmp_path / 'cluster'}")
    done = in_sandbox(kind, tmp_path / "sandbox", command, cache_dir())
    assert done.code == 0, done.stdout + done.stderr
    assert f"cluster: {kind}, " in done.stdout
    assert {promise.outcome for graded in read_class(tmp_path / "out") for promise in graded.promises} == {"kept"}

"""Gradescope's packages: what fits there, what is in the zip, and who is handed which result."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import gradescope
from fixtures.gradescope import main, run
from reports.grading.folder import regrade
from reports.grading.handout import UNKNOWN
from reports.grading.package import SIZES, Size, fit, stored_results
from reports.grading.record import write_graded
from tests.grading.kit import packed
from tests.self.builders import reference_text
from tests.self.grading.classes import ROUTE, graded
from topology.errors import Misuse
from topology.formats.recipe import Recipe, Step
from topology.formats.rubric import load_rubric, rubric_of_text
from topology.kernels.student.contents import contents_digest, folder_digest
from topology.kernels.student.unpack import Folder, unpack

FILES = {"build.sh": "ip netns add a\n", "src/create.py": "pass\n", "sub/\u00e4 b": ""}
ONCE = rubric_of_text("points: 10\nitems: [{id: a, points: 10, needs: [builds, underlay]}]")
RECIPE = "steps: [{run: sh build.sh, deadline: 2m}]\n"


def laid_out(folder: Path, files: dict[str, str] = FILES) -> Path:
    """A submission as Gradescope extracts it, with a link that leads elsewhere."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "link").symlink_to("/etc/passwd")
    return folder


def recipe(minutes: int, engine: bool = False) -> Recipe:
    return Recipe((Step("x", deadline=minutes * 60),), needs=("docker",) if engine else (), total=minutes * 60)


def test_smallest_container_and_time_out_that_suffice_are_named() -> None:
    """By the guest's memory, and by the deadlines of all builds with our own part and the reserve."""
    assert fit(recipe(5), ONCE, 512).size == SIZES[0]
    assert fit(recipe(5), ONCE, 1536).size == Size(2, 3072)
    assert fit(recipe(1), ONCE, 512).minutes == 10
    assert 15 + 2 < fit(recipe(15), ONCE, 512).minutes <= 25
    assert fit(recipe(10), load_rubric(), 512).size == SIZES[1], "half a processor proves three builds too slowly"


def test_what_cannot_fit_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what takes so long; rows are needed, and a prelude lies beside its recipe."""
    monkeypatch.setattr(gradescope, "write_package", None)
    with pytest.raises(Misuse, match=r"may take \d+ \(3 builds of 15 min each\)"):
        fit(recipe(15), load_rubric(), 512)
    (tmp_path / "rows.csv").write_text("A,B,Bridge\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "base.yaml").write_text(reference_text())
    (tmp_path / "in" / "far.yaml").write_text(f"{RECIPE}prelude: ../base.yaml\n")
    (tmp_path / "once.yaml").write_text(ONCE.text)
    rows, far, once = (f"--{name}={tmp_path / file}" for name, file in GIVEN.items())
    for words, given in {
        "TENANTS=rows.csv is missing": [],
        "(3 builds of 30 min each)": [rows],
        "base.yaml is outside the recipe's folder": [rows, far, once],
    }.items():
        assert main(["pack", str(tmp_path / "x.zip"), *given]) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()


GIVEN = {"tenants": "rows.csv", "recipe": "in/far.yaml", "rubric": "once.yaml"}


def test_digest_of_files_is_the_same_wherever_they_lie(tmp_path: Path) -> None:
    """In an archive of either kind, as it is unpacked in the guest, and extracted on the platform."""
    extracted = folder_digest(str(laid_out(tmp_path / "there")))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    for number, content in enumerate((packed(FILES), zipped.getvalue())):
        folder = Folder(str(tmp_path / str(number)))
        unpack(io.BytesIO(content), folder)
        assert contents_digest(folder.digests) == extracted
    for changed in (FILES | {"build.sh": "x"}, {**FILES, "more": ""}, {"b.sh": FILES["build.sh"]}):
        assert folder_digest(str(laid_out(tmp_path / str(len(changed)) / "x", changed))) != extracted


def test_results_are_handed_out_by_files(tmp_path: Path) -> None:
    """The package runs by itself: a known submission gets its stored result, another one is told that it has none."""
    digest = folder_digest(str(laid_out(tmp_path / "ag" / "submission")))
    write_graded(tmp_path / "grades", replace(graded("s1", {("reaches", 2): [ROUTE]}), files=digest))
    regrade(tmp_path / "grades")
    assert main(["pack", str(tmp_path / "x.zip"), f"--results={tmp_path / 'grades'}"]) == 0
    with zipfile.ZipFile(tmp_path / "x.zip") as package:
        package.extractall(tmp_path / "ag" / "source")
        assert package.getinfo("run_autograder").external_attr >> 16 & 0o111
    (tmp_path / "ag" / "results").mkdir()
    first = ran(tmp_path / "ag")
    assert first == json.loads((tmp_path / "grades" / "gradescope" / "s1.json").read_text())
    (tmp_path / "ag" / "submission" / "build.sh").write_text("changed")
    assert ran(tmp_path / "ag") == {"score": 0, "output": UNKNOWN}


def ran(autograder: Path) -> object:
    """The result that run_autograder writes, with no module of this checkout in reach."""
    environment = {
        "HOPCHECK_AUTOGRADER": str(autograder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = ("sh", str(autograder / "source" / "run_autograder"))
    subprocess.run(command, env=environment, cwd=autograder, check=True, timeout=30)
    return json.loads((autograder / "results" / "results.json").read_text())


def test_nobody_is_handed_anothers_result() -> None:
    """Equal files with equal results are handed out; with others, and of unknown files, none is."""
    records = [replace(graded(name), files=files) for name, files in (("a", "1"), ("b", "1"), ("c", "2"), ("d", ""))]
    same = {"a": b"x", "b": b"x", "c": b"y", "d": b"z"}
    assert stored_results(records, same) == ({"1": b"x", "2": b"y"}, ["d"])
    assert stored_results(records, same | {"b": b"override"}) == ({"2": b"y"}, ["d", "a", "b"])


TOLD = "import pathlib, sys; open(sys.argv[1] + '/results/results.json', 'w').write('{\"output\": \"some\"}'); "
GRADES = {
    "to the end": (TOLD, 10, "some"),
    "until our deadline": (f"{TOLD} import time; time.sleep(60)", 2.01, "ended 2 min before .* is open\nsome"),
    "until it breaks": (f"{TOLD} raise SystemExit('no guest')", 10, "not graded to the end: no guest\nsome"),
    "not at all": ("raise SystemExit(1)", 10, "not graded to the end: \nnothing is proven yet"),
}


@pytest.mark.parametrize("name", GRADES)
def test_what_is_known_at_the_end_stands(name: str, tmp_path: Path) -> None:
    """However grading ends there is a result, before the platform ends it without one."""
    code, minutes, words = GRADES[name]
    (tmp_path / "results").mkdir()
    (tmp_path / "source" / "course").mkdir(parents=True)
    (tmp_path / "source" / "course" / "settings.json").write_text(json.dumps({"minutes": minutes}))
    run(tmp_path, (sys.executable, "-c", code))
    assert re.fullmatch(words, json.loads((tmp_path / "results" / "results.json").read_text())["output"])

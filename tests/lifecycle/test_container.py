"""The image of the Containerfile has everything in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fixtures.anywhere import ROOT
from tests.lifecycle.kit.container import built, has_image, output_of
from topology.errors import EngineError, NotApplicable
from topology.kernels.engine import Engine
from topology.kernels.image import find_image, image_key
from topology.kernels.image.archive import export_image

pytestmark = pytest.mark.lifecycle
BASE = os.environ.get("HOPCHECK_BASE", "debian:12")
CONTEXT = (".ci", "topology", "reports", "fixtures", "tests")
FILES = (".dockerignore", "Containerfile", "conftest.py", "hopcheck", "pyproject.toml")


@pytest.fixture
def address() -> str:
    """The engine's socket; without an engine, its base image or a guest image there is nothing to build with."""
    try:
        found = Engine.of_this_machine().address
    except EngineError as error:
        raise NotApplicable(str(error)) from error
    if not has_image(BASE, found):
        raise NotApplicable(f"container engine - expected the image {BASE} - seen none (HOPCHECK_BASE names another)")
    if find_image() is None:
        raise NotApplicable("no guest image to bake in")
    return found


def test_image_runs_without_a_network(address: str, tmp_path: Path) -> None:
    """Its executable answers, and the guest image that it takes is in it."""
    for name in CONTEXT:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    export_image(tmp_path / "guest-image.tar.zst")
    with built(tmp_path, BASE, address) as image:
        code, output = output_of(image, "--version", address=address)
    assert code == 0, output
    assert f"guest image {image_key()}\n" in output

"""Machines of a cluster prepare themselves, and whatever ends, what was graded is kept and nothing is graded twice."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="no dask.distributed in .venv: .ci/setup cluster")

from distributed import Client

from fixtures.cluster.checkout import checkout_digest, checkout_files
from fixtures.cluster.cluster import Cluster
from fixtures.cluster.grading import graded_on
from fixtures.cluster.images import Images, images_here, offer
from fixtures.cluster.worker import carry_out
from fixtures.grading import score_class
from reports.grading.record import read_graded
from tests.lifecycle.kit.clusters import scheduler, worker
from tests.lifecycle.kit.fixtures import POINTS, SEED
from tests.lifecycle.test_cluster import FAKE, IMAGE, ordered, tried
from topology.errors import EnvironmentBroken
from topology.kernels.cache import Shelf
from topology.kernels.image import STUDENT_RECIPE
from topology.kernels.image.store import FILES, MANIFEST, Manifest, describe

pytestmark = pytest.mark.lifecycle


SOUND = random.Random(1).randbytes(1 << 17)
"""More than the small cache folder has room for, however it is packed."""


def make_image(cache: Path, content: bytes = SOUND) -> Path:
    """An image that boots nothing, in a cache folder."""
    place = cache / "images" / STUDENT_RECIPE.key
    place.mkdir(parents=True)
    for name in FILES:
        (place / name).write_bytes(content)
    members = {name: describe(place / name) for name in FILES}
    (place / MANIFEST).write_text(Manifest(STUDENT_RECIPE.key, "x86_64", members).text())
    return place


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    """The image of the submitting machine."""
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path / "here"))
    make_image(tmp_path / "here")
    assert Shelf("images").path == tmp_path / "here" / "images"
    return images_here(STUDENT_RECIPE)


@contextlib.contextmanager
def joined(address: str, said: list[str], images: Images = (), checkout: str = "", count: int = 1) -> Iterator[Cluster]:
    """A client's side of a cluster that runs, so many workers there."""
    with Client(scheduler_file=address.removeprefix("file:"), timeout=60) as client:
        client.wait_for_workers(count, timeout=60)
        client.set_metadata([checkout], {**checkout_files(), "conftest.py": "other"})
        offer(client, images)
        found = Cluster(client, said.append, partial(carry_out, checkout=checkout, images=images))
        yield found
        found.close()


def test_damaged_image_and_full_disk_and_other_files_cost_nothing(images: Images, tmp_path: Path) -> None:
    """A machine takes the image where its own is damaged, or it has none; one without room for it leaves, and says so.

    What it had been given is carried out elsewhere, once.
    """
    damaged = make_image(tmp_path / "damaged")
    (damaged / "rootfs").write_bytes(SOUND[:-1] + b"-")
    said: list[str] = []
    with scheduler(tmp_path) as (address, _), contextlib.ExitStack() as undo:
        for name in ("damaged", "none", "full"):
            undo.enter_context(worker(tmp_path, name, small=name == "full"))
        with joined(address, said, images, checkout_digest(), count=3) as workers:
            order = ordered(tmp_path, **{f"s{number}": {"seconds": 0.5} for number in range(8)})
            score_class(order, graded_on(workers, order, IMAGE, module=FAKE), said.append, workers.guests)
    for name in ("damaged", "none"):
        assert (tmp_path / name / "images" / STUDENT_RECIPE.key / "rootfs").read_bytes() == SOUND
    assert any("leaves the cluster" in line and "No space left" in line for line in said), said
    assert sorted(tried(tmp_path / "log")) == [f"s{number}" for number in range(8)]


def test_cluster_without_a_machine_that_fits_is_given_up(tmp_path: Path) -> None:
    """One line says what each lacks; nothing is written of what was not graded."""
    order = ordered(tmp_path, a={})
    words = r"expected the files of the submitting machine's .* seen another conftest.py.* goes on"
    with (
        scheduler(tmp_path) as (address, _),
        worker(tmp_path, "one"),
        joined(address, [], checkout="other") as workers,
        pytest.raises(EnvironmentBroken, match=words),
    ):
        list(graded_on(workers, order, IMAGE, module=FAKE))
    assert not (order.folder / "records").exists()


@pytest.mark.soak
@pytest.mark.parametrize("point", range(min(POINTS, 20)))
def test_killed_at_any_moment_nothing_is_lost_or_graded_twice(point: int, tmp_path: Path) -> None:
    """A worker or the scheduler is killed; the next command does what was not done, and only that."""
    draws = random.Random(f"{SEED} {point}")
    names = [f"s{number}" for number in range(8)]
    order = ordered(tmp_path, **{name: {"seconds": draws.uniform(0, 1)} for name in names})
    said, kept = list[str](), dict[str, bytes]()
    with (
        scheduler(tmp_path) as (address, head),
        worker(tmp_path, "one") as one,
        worker(tmp_path, "two"),
        contextlib.suppress(EnvironmentBroken),
        joined(address, said) as workers,
    ):
        victim, after = draws.choice((one, head)), draws.randrange(len(names))
        for number, (graded, _) in enumerate(graded_on(workers, order, IMAGE, module=FAKE)):
            kept[graded.name] = (order.folder / "records" / f"{graded.name}.json").read_bytes()
            if number == after:
                victim.kill()
    before = tried(tmp_path / "log")
    (tmp_path / "again").mkdir()
    folder = tmp_path / "again"
    with scheduler(folder) as (address, _), worker(folder, "one"), joined(address, said) as workers:
        score_class(order, graded_on(workers, order, IMAGE, module=FAKE), said.append, 1)
    again = tried(tmp_path / "log")[len(before) :]
    assert sorted(again) == sorted({*names} - {*kept})
    for name in names:
        path = order.folder / "records" / f"{name}.json"
        assert kept.get(name, path.read_bytes()) == path.read_bytes()
        assert read_graded(path).promises == read_graded(order.folder / "records" / "s0.json").promises
    assert json.loads((order.folder / "scores.json").read_text())["scores"]

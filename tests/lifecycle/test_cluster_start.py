"""What is started leaves nothing behind, and says why it cannot be; no process, no other machine."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="no dask.distributed in .venv: .ci/setup cluster")

import asyncssh
from distributed import Client

from fixtures.cluster import start
from fixtures.cluster.images import OFFERED, images_here, offer
from fixtures.cluster.option import Wanted
from tests.lifecycle.test_cluster_machines import make_image
from topology.errors import EnvironmentBroken, Misuse
from topology.kernels.image import STUDENT_RECIPE

pytestmark = pytest.mark.lifecycle
HOSTS = ("one", "two", "three", "three")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Whether each host has the key; ssh to hosts of which it is not known fails."""
    has = dict.fromkeys(HOSTS, False)

    @contextlib.asynccontextmanager
    async def connect(host: str) -> AsyncIterator[object]:
        if host not in has:
            raise OSError(f"{host} is down")

        async def run(command: str, **_: object) -> None:
            has[host] = "cat >" in command

        yield SimpleNamespace(run=run)

    monkeypatch.setattr(asyncssh, "connect", connect)
    return has


def test_key_is_on_every_host_until_the_end(keys: dict[str, bool]) -> None:
    """Workers read it there."""
    with start.keys_on(HOSTS, "key"):
        assert all(keys.values())
    assert not any(keys.values())


@pytest.mark.parametrize("down", ["one", "three"])
def test_host_that_fails_leaves_no_key_on_the_others(down: str, keys: dict[str, bool]) -> None:
    """Whether it fails first or last."""
    del keys[down]
    with pytest.raises(EnvironmentBroken, match=f"{down} is down"), start.keys_on(HOSTS, "key"):
        pass
    assert not any(keys.values())


def test_host_that_fails_at_the_end_hides_nothing(keys: dict[str, bool]) -> None:
    """What went wrong before is said first, and the key is removed from the others."""

    def fails() -> None:
        del keys["one"]
        raise Misuse("too many guests")

    with pytest.raises(EnvironmentBroken, match=r"too many guests; .* one is down"), start.keys_on(HOSTS, "key"):
        fails()
    assert not any(keys.values())


def test_workers_without_hopcheck_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a cluster that somebody has started in another environment."""

    def fails(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'fixtures'")

    @contextlib.contextmanager
    def running(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(wait_for_workers=lambda *_, **__: None, nthreads=dict, run=fails)

    monkeypatch.setattr(start, "_running", running)
    expected = "expected a scheduler and workers - seen No module named 'fixtures'"
    with (
        pytest.raises(EnvironmentBroken, match=expected),
        start.cluster(Wanted("tcp", address="tcp://one:1"), (), 1, print),
    ):
        pass


@pytest.mark.parametrize("other", [b"", b"part of what another packer made"])
def test_image_is_offered_whole_whatever_is_there(
    other: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload never goes on from other bytes, and one that was cut goes on."""
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path / "here"))
    make_image(tmp_path / "here", random.Random(1).randbytes(1 << 10))
    sent = list[str]()

    def at_scheduler(call: Callable[..., object], *given: object) -> object:
        with pytest.MonkeyPatch.context() as there:
            there.setenv("HOPCHECK_CACHE", str(tmp_path / "there"))
            sent.append(call.__name__)
            return call(*given)

    client, (image,) = cast(Client, SimpleNamespace(run_on_scheduler=at_scheduler)), images_here(STUDENT_RECIPE)
    offered = tmp_path / "there" / OFFERED
    offered.mkdir(parents=True)
    (offered / f"{image[0]}-{image[1][:16]}.tar.zst.other").write_bytes(other)
    offer(client, (image,))
    (made,) = (tmp_path / "here" / OFFERED).glob("*.zst")
    assert (offered / made.name).read_bytes() == made.read_bytes()
    sent.clear()
    offer(client, (image,))
    assert sent == ["size_of"]

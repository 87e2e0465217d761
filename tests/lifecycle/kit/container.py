"""Builds the Containerfile with this machine's engine, and runs commands in the image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker import APIClient

from topology.errors import EnvironmentBroken
from topology.kernels.engine import MACHINES_SOCKET, TIMEOUT_S

BUILD_S = 1200


def has_image(name: str, address: str = MACHINES_SOCKET) -> bool:
    """Return whether the engine has an image, without fetching it."""
    return bool(APIClient(base_url=address, version="auto", timeout=TIMEOUT_S).images(name))


@contextmanager
def built(checkout: Path, base: str, address: str = MACHINES_SOCKET) -> Iterator[str]:
    """Build the image on a base that the engine has, and remove it at the end. Raises EnvironmentBroken."""
    client, tag = APIClient(base_url=address, version="auto", timeout=BUILD_S), "hopcheck-test"
    settings = {"dockerfile": "Containerfile", "buildargs": {"BASE": base}, "pull": False, "rm": True}
    for said in client.build(path=str(checkout), tag=tag, decode=True, **settings):
        if "error" in said:
            raise EnvironmentBroken(f"container image - expected to be built - seen {said['error'][-400:]}")
    try:
        yield tag
    finally:
        client.remove_image(tag, force=True)


def output_of(image: str, *arguments: str, address: str = MACHINES_SOCKET) -> tuple[int, str]:
    """Exit code and output of the image's entry point, without any network."""
    client = APIClient(base_url=address, version="auto", timeout=TIMEOUT_S)
    settings = client.create_host_config(network_mode="none")
    made = client.create_container(image, command=list(arguments), host_config=settings)
    try:
        client.start(made["Id"])
        code = int(client.wait(made["Id"])["StatusCode"])
        return code, client.logs(made["Id"]).decode()
    finally:
        client.remove_container(made["Id"], force=True)

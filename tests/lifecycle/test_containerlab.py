"""Containerlab files run word for word: whom the kernel lets customers reach is whom the model lets them reach."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path

import pytest

from tests.lifecycle.kit.containers import Containers, Ping
from tests.lifecycle.kit.fixtures import LABS_TO_PROVE
from topology.errors import KernelUnavailable, NotApplicable
from topology.expected import expected_journey, reply_to
from topology.formats.clab import load_clab
from topology.kernels.guest import GuestKernel
from topology.model import Fabric
from topology.packet import Probe

pytestmark = [pytest.mark.lifecycle, pytest.mark.labs]
FILES = sorted((Path(__file__).parents[1] / "self" / "data" / "clab").glob("*.clab.yml"))
SAMPLE = ("source-by-route", "tagged-hosts")
"""What every run tries; HOPCHECK_LABS=all tries all of them."""
CHOSEN = [file for file in FILES if LABS_TO_PROVE == "all" or file.name.partition(".")[0] in SAMPLE]


@pytest.fixture(scope="module")
def guest() -> Iterator[GuestKernel]:
    """A guest without a fabric, in which one file after another is run."""
    try:
        kernel = GuestKernel.start(lambda _: None)
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    yield kernel
    kernel.close()


def answered(fabric: Fabric) -> dict[Ping, bool]:
    """For each customer and each address of the other nodes: whether the model has the ping answered."""
    found = {}
    nodes = [node for node in fabric.nodes if node.addresses]
    for source, target in permutations(nodes, 2):
        if source.role != "customer":
            continue
        for src, dst in product(source.addresses, target.addresses):
            if src.version == dst.version:
                probe = Probe(source.name, target.name, src, dst)
                ways = (expected_journey(fabric, one) for one in (probe, reply_to(probe)))
                found[Ping(source.name, str(src), target.name, str(dst))] = not any(way.dropped for way in ways)
    return found


@pytest.mark.parametrize("file", CHOSEN, ids=lambda file: file.name.partition(".")[0])
def test_kernel_lets_reach_whom_the_model_lets(file: Path, guest: GuestKernel) -> None:
    """Every customer's ping to every address of the other nodes is answered exactly where the model says so."""
    expected = answered(load_clab(file))
    containers = Containers(guest.agent, file.read_text(encoding="utf-8"), f"n{FILES.index(file)}-")
    containers.bring_up()
    seen = containers.reached(list(expected))
    wrong = [
        f"{ping} - expected {expected[ping]} - seen {seen[ping]}" for ping in expected if seen[ping] != expected[ping]
    ]
    assert not wrong, "\n".join(wrong)
    assert any(expected.values())

"""Cores that a measurement keeps to, on machines of several makes, and processes that shared one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.perf.cores import Pinning, choose, cores_of, cpus_of, sharing

SINGLE = {cpu: str(cpu) for cpu in range(8)}
PAIRED = {cpu: f"{cpu % 4},{cpu % 4 + 4}" for cpu in range(8)}
"""Four cores with two threads each, numbered as most machines do."""
NEIGHBOURS = {cpu: f"{cpu - cpu % 2}-{cpu - cpu % 2 + 1}" for cpu in range(8)}
"""The same, numbered as under some hypervisors."""
FOUR_APART = Pinning(frozenset({2, 6}), frozenset({3, 7}), frozenset({0, 1, 4, 5}))


@pytest.mark.parametrize(
    ("siblings", "allowed", "expected"),
    [
        (SINGLE, range(2), None),
        (SINGLE, range(3), Pinning(frozenset({1}), frozenset({2}), frozenset({0}))),
        (SINGLE, range(8), Pinning(frozenset({6}), frozenset({7}), frozenset(range(6)))),
        (PAIRED, range(8), FOUR_APART),
        (NEIGHBOURS, range(8), Pinning(frozenset({4, 5}), frozenset({6, 7}), frozenset(range(4)))),
        (PAIRED, range(4), None),
        (PAIRED, (0, 1, 2, 4, 5), Pinning(frozenset({0, 4}), frozenset({1, 5}), frozenset({2}))),
        ({}, range(3), Pinning(frozenset({1}), frozenset({2}), frozenset({0}))),
    ],
    ids=[
        "two cores",
        "three cores",
        "eight cores",
        "four cores, two threads each",
        "the same, neighbours",
        "half of each core is foreign",
        "half of one core is foreign",
        "a kernel without lists of siblings",
    ],
)
def test_client_server_and_rest_share_no_core(
    siblings: Mapping[int, str], allowed: range, expected: Pinning | None
) -> None:
    """With three cores or more, of which two are wholly ours, each has its own; with fewer nothing is pinned."""
    assert choose(cores_of(siblings, allowed), 8) == expected
    assert choose(cores_of(siblings, allowed), 2) is None, "a control group gives the time of two cores"


@given(st.sets(st.integers(0, 15), min_size=1), st.integers(1, 4))
def test_pinned_process_keeps_to_what_is_allowed(allowed: set[int], threads: int) -> None:
    """On any machine the three are apart, none is empty, and all together are the CPUs that we may use."""
    siblings = {cpu: f"{cpu - cpu % threads}-{cpu - cpu % threads + threads - 1}" for cpu in range(16)}
    found = choose(cores_of(siblings, allowed), 16)
    if found is not None:
        assert found.client | found.server | found.rest == allowed
        assert len(found.client) == len(found.server) == threads
        assert len(found.rest) == len(allowed) - 2 * threads > 0


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0-2,8\n", {0, 1, 2, 8}), ("3", {3}), ("", set()), ("a-b,-1,0-99999999999", set()), ("2-1", set())],
)
def test_lists_of_cpus_are_read(text: str, cpus: set[int]) -> None:
    """The kernel's lists are read, and anything else is no CPU."""
    assert cpus_of(text) == cpus


def test_shared_cores_are_named() -> None:
    """Each core with what worked there and its share, rare work excepted; two threads of one core are one place."""
    seen = {"client": {0: 3, 1: 1}, "server": {1: 4}, "hopcheck": {0: 1, 1: 999}, "rare": {0: 1}}
    assert sharing(cores_of(SINGLE, range(2)), None, seen, 40).split("; ") == [
        "nothing pinned: 2 cores, and 3 are needed",
        "CPU 0: client 75 %",
        "CPU 1: client 25 %, hopcheck 100 %, server 100 %",
    ]
    cores = cores_of(PAIRED, range(8))
    assert sharing(cores, FOUR_APART, {"client": {2: 1}, "hopcheck": {0: 1, 4: 1}}, 1) == (
        "pinned: client to CPU 2, server to CPU 3, everything else to others; CPUs 0 and 4 (one core): hopcheck 100 %;"
        " CPUs 2 and 6 (one core): client 100 %"
    )

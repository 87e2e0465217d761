"""Marks the tests of hopcheck itself: what fails here is hopcheck's fault, and counts as no check of a network."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.self.draws import draws

settings.register_profile("hopcheck", max_examples=draws(20), deadline=None, database=None)
settings.load_profile("hopcheck")
HERE = Path(__file__).parent
QUICK = ("formats", "reports", "topology", "wire")
"""The folders whose tests are pure: no process, no socket, no kernel."""
SLOW = (
    *("clab", "clab_errors", "clab_field", "clab_files", "clab_hostile", "compare", "evidence", "fib"),
    *("funcgraph_trees", "intent", "iperf", "json_schemas", "jumbo", "kinds", "known_labs", "lab_errors"),
    *("lab_hostile", "leafspine", "lookalikes", "map", "oracle", "pcapng", "rates", "replication", "robustness"),
    *("room", "seen_judge", "shape", "tenants"),
)
"""Modules in them that draw many samples, read many files or run tshark."""


def is_quick(path: Path) -> bool:
    """Return whether the tests of a module are marked ``quick``."""
    return path.relative_to(HERE).parts[0] in QUICK and path.stem.removeprefix("test_") not in SLOW


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules that are not quick unread where nothing else is asked for."""
    is_test = collection_path.is_relative_to(HERE) and collection_path.suffix == ".py"
    return True if is_test and config.option.markexpr.strip() == "quick" and not is_quick(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makemodule(module_path: Path) -> Generator[None, pytest.Module, pytest.Module]:
    """Mark every module here."""
    module = yield
    module.add_marker("hopcheck")
    if is_quick(module_path):
        module.add_marker("quick")
    return module

"""Marks the tests of hopcheck itself: what fails here is hopcheck's fault, and counts as no check of a network."""

from __future__ import annotations

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makemodule() -> Generator[None, pytest.Module, pytest.Module]:
    """Mark every module here."""
    module = yield
    module.add_marker("hopcheck")
    return module

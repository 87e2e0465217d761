"""pytest's way in: which plugins make the suite."""

from __future__ import annotations

pytest_plugins = [
    "fixtures.verdicts",
    "fixtures.session",
    "fixtures.selection",
    "fixtures.promises",
    "fixtures.signals",
    "fixtures.workers",
]
"""What every process has; the fixtures come with fixtures.selection, where tests are run."""

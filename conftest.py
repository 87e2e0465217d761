"""The plugins that make up hopcheck."""

from __future__ import annotations

pytest_plugins = [
    "fixtures.verdicts",
    "fixtures.session",
    "fixtures.selection",
    "fixtures.promises",
    "fixtures.signals",
    "fixtures.workers",
    "fixtures.cluster.plugin",
    "fixtures.parametrise",
    "fixtures.fabric",
    "fixtures.checks",
    "fixtures.sizes",
]

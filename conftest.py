"""pytest's way in: which plugins make the suite, and its markers."""

from __future__ import annotations

import pytest

pytest_plugins = [
    "fixtures.verdicts",
    "fixtures.session",
    "fixtures.signals",
    "fixtures.parametrise",
    "fixtures.fabric",
    "fixtures.isolation",
    "fixtures.perf",
    "fixtures.sizes",
    "fixtures.suite",
    "fixtures.workers",
]

MARKERS = (
    "underlay: what overlays stand on: links, tunnel ends, live state as declared",
    "overlay: every declared pair, hop by hop, with the underlay it stands on",
    "tenants: what each type of tenant promises, hop by hop (needs --tenants)",
    "ecmp: many flows over equal-cost ways",
    "mtu: which sizes of packets cross between every declared pair, and what becomes of larger ones",
    "perf: throughput, latency and kernel functions, in ratios to a bare path",
    "isolation: tenants, forged packets and the outside world are kept apart",
    "faults: a broken fabric is noticed, and the guilty node named",
    "lifecycle: a run leaves the machine as it found it",
    "soak: repeated as often as HOPCHECK_POINTS, HOPCHECK_PAIRS and HOPCHECK_AA say",
    "labs: every lab as a whole on every kernel and runtime, with HOPCHECK_LABS=all",
    "kinds(*kinds): the kinds of pairs that a test is about",
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)

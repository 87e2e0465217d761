"""The step summary of a job on GitHub."""

from __future__ import annotations

import re
from dataclasses import replace

from reports.record.model import Map, Place
from reports.render.github import EDGES_MAX, step_summary
from tests.self.hostile import HOSTILE_RAW
from tests.self.reports.records import record
from tests.self.reports.test_summary import ROUTE, result

FABRIC = Map([Place("s1", "spine"), Place("lc2", "leaf")], [("lc2", "s1")])


def test_outcome_causes_and_fabric_are_shown() -> None:
    """The blamed node is marked in the graph, spines are above leaves."""
    shown = step_summary(replace(record(), tests=[result("failed", cause=ROUTE), result("passed")], map=FABRIC))
    assert shown.startswith("## ❌ `2 checks: 1 passed, 1 failed`\n")
    assert "- **`lc2 - route 21.0.0.0/24 dev gretun-cont missing`** 1 failed\n" in shown
    assert f"  - fix: `{ROUTE.fix}`\n" in shown
    assert shown.endswith('  n0["s1"]\n  n1["lc2"]:::blamed\n  n0 --- n1\n```\n')
    assert step_summary(replace(record(), tests=[result("passed")])).startswith("## ✅")


def test_a_fabric_too_large_to_be_drawn_is_left_out() -> None:
    """GitHub refuses larger graphs, and steps with more text."""
    large = replace(record(), map=replace(FABRIC, links=[("lc2", "s1")] * (EDGES_MAX + 1)))
    assert "mermaid" not in step_summary(large)
    assert len(step_summary(record("x" * 10**6))) < 1 << 20


def test_a_hostile_name_is_text() -> None:
    """Outside code spans and labels nothing of it stands, and no label can end early."""
    shown = step_summary(record(HOSTILE_RAW))
    assert shown.replace("\n", "").isprintable()
    markdown, graph = shown.split("```mermaid")
    assert "<img" not in re.sub(r"(`+).*?\1(?!`)", "", markdown)
    labels = re.findall(r'^  n\d+\["(.*)"\](?::::blamed)?$', graph, re.MULTILINE)
    assert len(labels) == 2
    assert not any(set(label) & set("<>\"'`[]{}()|\\") for label in labels)

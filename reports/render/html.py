"""Pieces of the HTML report: the ladder of a trip, the head of the page. Pure; everything shown is escaped here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from reports.judge.journey import Rung, Verdict
from reports.judge.trip import Leg, Trip
from reports.render.ladder import NO_CAUSE, rung_lines
from topology.kernels.registry import KernelInfo
from topology.model import Fabric


def trip_html(trip: Trip) -> str:
    """Both legs of a trip, each as a ladder."""
    return "".join(leg_html(leg, way) for way, leg in zip(("out", "back"), trip.legs, strict=True))


def leg_html(leg: Leg, way: str) -> str:
    """One leg: a table with a row per hop, the first divergence marked, the cause and the fix below it."""
    verdict = leg.verdict
    outcome = "as declared at every hop" if verdict.passed else f"diverges: {verdict.message}"
    title = f"{verdict.source} → {verdict.target} ({leg.journey.protocol}, {way}): {outcome}"
    rows = "".join(_rows(verdict))
    head = "<tr><th></th><th>time</th><th>where</th><th></th><th>headers, outermost first</th></tr>"
    look = "hc-good" if verdict.passed else "hc-bad"
    opened = "" if verdict.passed else " open"
    table = f'<table class="hc-ladder">{head}{rows}</table>'
    summary = f'<summary class="{look}">{escape(title)}</summary>'
    return f'<details class="hc-leg"{opened}>{summary}{table}{_cause_html(verdict)}</details>'


def _rows(verdict: Verdict) -> Iterator[str]:
    start = next((rung.seen.time_ns for rung in verdict.rungs if rung.seen), 0)
    first = verdict.divergence
    for rung in verdict.rungs:
        look = "hc-good" if not rung.wrong else "hc-bad" if rung is first or rung.seen else "hc-after"
        mark = "✓" if not rung.wrong else "✗" if rung is first else "·"
        time = f"{(rung.seen.time_ns - start) / 1000:+.1f} µs" if rung.seen else ""
        cells = (mark, time, f"{rung.node} {rung.interface}", rung.direction)
        yield f'<tr class="{look}">{"".join(f"<td>{escape(c)}</td>" for c in cells)}<td>{_stacks(rung)}</td></tr>'


def _stacks(rung: Rung) -> str:
    lines = rung_lines(rung)
    if len(lines) == 1 and not rung.wrong:
        return escape(lines[0][1])
    return "<br>".join(f"<b>{escape(word)}</b> {escape(text)}" for word, text in lines)


def _cause_html(verdict: Verdict) -> str:
    if verdict.passed:
        return ""
    note = f"<p><b>note</b> {escape(verdict.note)}</p>" if verdict.note else ""
    if verdict.cause is None:
        return f"{note}<p><b>cause</b> {NO_CAUSE}</p>"
    cause = verdict.cause
    where = f"{cause.node} {cause.interface}" if cause.interface else cause.node
    text = f"{where}: {cause.kind} – expected {cause.declared} – seen {cause.live}"
    return f"{note}<p><b>cause</b> {escape(text)}<br><b>fix</b> <code>{escape(cause.fix)}</code></p>"


def head_html(lab: Fabric, kernel: KernelInfo | None, outcome: str, good: bool, words: Sequence[str] = ()) -> str:
    """The head of the page: the outcome in words, the lab and the kernel, and what was measured, in words."""
    tenants = f", {len(lab.tenants)} tenants ({lab.tenants_file})" if lab.tenants_file else ""
    lines = [f"lab {lab.name} ({lab.file}): {len(lab.nodes)} nodes, {len(lab.links)} links{tenants}"]
    lines.append(f"kernel {kernel}" if kernel else "no kernel was started")
    look = "hc-good" if good else "hc-bad"
    text = "".join(f"<p>{escape(line)}</p>" for line in (*lines, *words))
    return f'<div class="hc-head"><h2 class="{look}">{escape(outcome)}</h2>{text}</div>'


def note_html(note: str) -> str:
    """What is to be known of a promise that holds."""
    return f"<p><b>note</b> {escape(note)}</p>"


def promise_cell(promise: str) -> str:
    """The promise column's cell."""
    return f'<td class="col-promise">{escape(promise)}</td>'

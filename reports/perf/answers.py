"""Findings from a run's figures: tables, and sentences only where the figures bear them. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from reports.perf.compare import Comparison, Judged, compare
from reports.perf.iperf import Throughput
from reports.perf.shape import Scaling, claim_holds, scaling
from reports.record.exhibits import Figures, Plot, Series

TWICE, TOLERANCE = 2.0, 0.15
"""The claim "twice the size, twice the throughput", and by how much it may be off: a part of it."""
UDP_HEADERS = 28
"""UDP's 8 bytes and IPv4's 20: the overhead of a payload in a packet."""
Runs = Sequence[Throughput]


def rates_of(runs: Runs) -> list[float]:
    """Throughput of runs: bits of payload that were received, per second."""
    return [run.received.bits_per_second for run in runs]


def rates_table(title: str, runs: Mapping[str, Runs], bare: str, judged: Mapping[str, Judged]) -> Figures:
    """One line for each path of one size, with its ratio to the bare one."""
    figures = ("Mbit/s", "packets/s", "lost", "jitter ms", "sent again", "CPU % sender, receiver")
    head = ("path", *figures, "ratio to bare", "verdict")
    rows, ratios = [], {}
    for name, each in runs.items():
        ratio = "1"
        if name != bare:
            found = compare(rates_of(each), rates_of(runs[bare]))
            ratio, ratios[f"{name} to bare"] = str(found), found.median
        verdict = f"{judged[name].threshold}: {judged[name].verdict}" if name in judged else "-"
        rows.append((name, *_figures(each), ratio, verdict))
    data = {name: [_data(run) for run in each] for name, each in runs.items()}
    return Figures.table(title, head, rows, data=data, figures=ratios)


def _figures(runs: Runs) -> tuple[str, ...]:
    """The medians of some runs, in words."""
    packets = [run.received_datagrams / run.received.seconds for run in runs if run.received_datagrams is not None]
    cpus = [_median([getattr(run, f"cpu_{side}_percent") for run in runs], ".0f") for side in ("sender", "receiver")]
    return (
        f"{statistics.median(rates_of(runs)) / 1e6:.1f}",
        _median(packets, ".0f"),
        _median([run.loss for run in runs], ".1%"),
        _median([run.jitter_ms for run in runs], ".3f"),
        _median([run.sent.retransmits for run in runs], ".0f"),
        "-" if "-" in cpus else ", ".join(cpus),
    )


def _median(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return format(statistics.median(known), form) if known else "-"


def _data(run: Throughput) -> dict[str, object]:
    """A run for results.json: iperf3's own figures."""
    return {
        "sent_bits_per_second": run.sent.bits_per_second,
        "received_bits_per_second": run.received.bits_per_second,
        "sent_datagrams": run.sent_datagrams,
        "received_datagrams": run.received_datagrams,
        "loss": run.loss,
        "jitter_ms": run.jitter_ms,
        "retransmits": run.sent.retransmits,
        "series_bits_per_second": [each.bits_per_second for each in run.sent_series],
        "iperf3": run.version,
    }


def over_sizes(title: str, by_size: Mapping[int, Runs], mtu: int, bare: Mapping[int, Runs] | None = None) -> Figures:
    """Dependence of a path's throughput on the payload's size, and a judgement of the claim "twice, twice".

    In its picture the ``bare`` path stands beside it.
    """
    points = [(size, value) for size, runs in by_size.items() for value in rates_of(runs)]
    found = scaling([size for size, _ in points], [value for _, value in points])
    rows = [(str(size), *_figures(runs)[:3]) for size, runs in by_size.items()]
    words = [_slope_words(found, mtu), *_doubling_words(by_size)]
    data = {"slope": found.slope.value, "low": found.slope.low, "high": found.slope.high, "until": found.linear_until}
    plots = _plots(title, {title.partition(" ")[0]: by_size, **({"bare path": bare} if bare else {})})
    return Figures.table(title, ("payload bytes", "Mbit/s", "packets/s", "lost"), rows, words, data, plots=plots)


def _plots(title: str, paths: Mapping[str, Mapping[int, Runs]]) -> list[Plot]:
    """Throughput with the range of its rounds, and the part that is lost where any is."""
    rates = [_series(name, runs, lambda run: run.received.bits_per_second / 1e6) for name, runs in paths.items()]
    plots = [Plot("log-log", f"{title}: median and range of the rounds", "payload, bytes", "Mbit/s", rates)]
    lost = [_series(name, runs, lambda run: run.loss or 0.0) for name, runs in paths.items()]
    if any(value for series in lost for value in series.value):
        plots.append(Plot("share", f"{title}: part lost", "payload, bytes", "part lost", lost))
    return plots


def _series(name: str, by_size: Mapping[int, Runs], value: Callable[[Throughput], float]) -> Series:
    found = {size: [value(run) for run in runs] for size, runs in by_size.items()}
    middle = [statistics.median(values) for values in found.values()]
    return Series(name, [*map(float, found)], middle, [*map(min, found.values())], [*map(max, found.values())])


def _slope_words(found: Scaling, mtu: int) -> str:
    text = f"Throughput grows as size to the power of {found.slope} (1: each packet costs the same, whatever its size)"
    if found.linear_until is None or found.beyond is None:
        return f"{text}; one line fits all sizes."
    largest = mtu - UDP_HEADERS
    why = (
        f"larger payloads than {largest} bytes do not fit into one packet of {mtu} bytes, and are sent in fragments"
        if found.linear_until <= largest * 1.2
        else f"not at the size where packets are split, which is {largest}"
    )
    return f"{text}; it bends at {found.linear_until:g} bytes, from {found.before} to {found.beyond}: {why}."


def _doubling_words(by_size: Mapping[int, Runs]) -> list[str]:
    """The claim "twice the size, twice the throughput" for each two sizes of which one is twice the other."""
    out = []
    for size, runs in by_size.items():
        if (twice := by_size.get(2 * size)) is not None and len(runs) == len(twice):
            found = compare(rates_of(twice), rates_of(runs))
            holds = claim_holds(TWICE, TOLERANCE, found.low, found.high)
            out.append(f'"Twice the size, twice the throughput" from {size} to {2 * size} bytes: {holds}; {found}.')
    return out


WHY_SLOWER = (
    "A {other}'s packet is handed to the other {other} inside one kernel; a virtual machine's leaves its kernel through"
    " an emulated card, is copied by two QEMU processes and enters another kernel."
)
WHY_SLOWER_IN_A_FABRIC = (
    "A {other}'s packet enters the fabric in the kernel that it was sent in; a virtual machine's goes through an"
    " emulated card, a QEMU process and a tap device first, and the same way backwards at the other end."
)


def vm_against(
    other: str,
    by_size: Mapping[int, tuple[Runs, Runs]],
    doubts: Sequence[str],
    fabric: str = "",
    why_not_containers: str = "",
) -> Figures:
    """Throughput of virtual machines below ``other`` nodes' (``container``, ``namespace``), one line for each size.

    ``fabric`` is the lab whose customers both were, empty where they had a wire of their own; ``why_not_containers``
    says why namespaces were measured where containers were asked for.
    """
    rows, words, ratios = [], list[str](), {}
    for size, (vm, others) in by_size.items():
        found = compare(rates_of(vm), rates_of(others))
        ratios[f"{size} bytes"] = found.median
        rows.append((str(size), *_figures(vm)[:3], *_figures(others)[:3], str(found)))
        words.append(f"{size} bytes: {_effect(found)}.")
    words.append((WHY_SLOWER_IN_A_FABRIC if fabric else WHY_SLOWER).format(other=other))
    if why_not_containers:
        words.append(f"Namespaces were measured, for there are no containers here: {why_not_containers}.")
    words += [f"Against taking this for other machines: {doubt}." for doubt in doubts]
    columns = (f"{kind} {figure}" for kind in ("VM", other) for figure in ("Mbit/s", "packets/s", "lost"))
    where = f", as customers of {fabric}" if fabric else ""
    title = f"two virtual machines against two {other}s{where}"
    return Figures.table(title, ("payload bytes", *columns, "ratio"), rows, words, figures=ratios)


def _effect(found: Comparison) -> str:
    if found.high < 1:
        return f"the virtual machines are slower, {1 / found.high:.3g} to {1 / found.low:.3g} times"
    if found.low > 1:
        return f"the virtual machines are faster, {found.low:.3g} to {found.high:.3g} times"
    return f"no difference is proven: {found}"


def in_words(measured: Sequence[Figures]) -> Figures:
    """Return one paragraph with the findings of these measurements; empty without any."""
    words = " ".join(f"{found.title[0].upper()}{found.title[1:]}: {' '.join(found.words)}" for found in measured)
    return Figures.table("in words", (), (), (words,) if words else (), of_the_run=True)

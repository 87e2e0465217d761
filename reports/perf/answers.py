"""What the figures of a run say: tables, and sentences that stand only where the figures bear them. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from reports.perf.compare import Comparison, Judged, compare
from reports.perf.environment import Environment, entry
from reports.perf.iperf import Throughput
from reports.perf.shape import Scaling, claim_holds, scaling
from reports.render.measurements import Measurement

TOLERANCE = 0.15
"""By how much "twice" may be off: a part of it."""
UDP_HEADERS = 28
"""UDP's 8 bytes and IPv4's 20: what a payload needs beside itself in a packet."""
TWICE = 2.0
Runs = Sequence[Throughput]


def rate(run: Throughput) -> float:
    """What a run is judged by: bits of payload that were received, per second."""
    return run.received.bits_per_second


def median_rate(runs: Runs) -> float:
    """The median of some runs' rates, in bits per second."""
    return statistics.median(rate(run) for run in runs)


def rates_table(title: str, runs: Mapping[str, Runs], bare: str, judged: Mapping[str, Judged]) -> Measurement:
    """One line for each path of one size, with its ratio to the bare one."""
    figures = ("Mbit/s", "packets/s", "lost", "jitter ms", "sent again", "CPU % sender, receiver")
    head = ("path", *figures, "ratio to bare", "verdict")
    rows = []
    for name, each in runs.items():
        ratio = compare([rate(run) for run in each], [rate(run) for run in runs[bare]]) if name != bare else None
        verdict = f"{judged[name].threshold}: {judged[name].verdict}" if name in judged else "-"
        rows.append((name, *_figures(each), str(ratio) if ratio else "1", verdict))
    return Measurement(
        title, head, tuple(rows), data={name: [_data(run) for run in each] for name, each in runs.items()}
    )


def _figures(runs: Runs) -> tuple[str, ...]:
    """The medians of some runs, in words."""
    packets = [run.received_datagrams / run.received.seconds for run in runs if run.received_datagrams is not None]
    losses = [run.loss for run in runs if run.loss is not None]
    jitters = [run.jitter_ms for run in runs if run.jitter_ms is not None]
    again = [run.retransmits for run in runs if run.retransmits is not None]
    ours = [run.cpu_sender_percent for run in runs if run.cpu_sender_percent is not None]
    theirs = [run.cpu_receiver_percent for run in runs if run.cpu_receiver_percent is not None]
    return (
        f"{median_rate(runs) / 1e6:.1f}",
        f"{statistics.median(packets):.0f}" if packets else "-",
        f"{statistics.median(losses):.1%}" if losses else "-",
        f"{statistics.median(jitters):.3f}" if jitters else "-",
        f"{statistics.median(again):.0f}" if again else "-",
        f"{statistics.median(ours):.0f}, {statistics.median(theirs):.0f}" if ours and theirs else "-",
    )


def _data(run: Throughput) -> dict[str, object]:
    """A run for results.json: iperf3's own figures."""
    return {
        "sent_bits_per_second": run.sent.bits_per_second,
        "received_bits_per_second": run.received.bits_per_second,
        "sent_datagrams": run.sent_datagrams,
        "received_datagrams": run.received_datagrams,
        "loss": run.loss,
        "jitter_ms": run.jitter_ms,
        "retransmits": run.retransmits,
        "series_bits_per_second": [each.volume.bits_per_second for each in run.sent_series],
        "iperf3": run.version,
    }


def over_sizes(title: str, by_size: Mapping[int, Runs], mtu: int) -> Measurement:
    """How the throughput of one path depends on the payload's size, and what becomes of the claim "twice, twice"."""
    points = [(size, rate(run)) for size, runs in by_size.items() for run in runs]
    found = scaling([size for size, _ in points], [value for _, value in points])
    rows = [(str(size), *_figures(runs)[:3]) for size, runs in by_size.items()]
    words = [_slope_words(found, mtu), *_doubling_words(by_size)]
    data = {"slope": found.slope.value, "low": found.slope.low, "high": found.slope.high, "until": found.linear_until}
    return Measurement(title, ("payload bytes", "Mbit/s", "packets/s", "lost"), tuple(rows), tuple(words), data)


def _slope_words(found: Scaling, mtu: int) -> str:
    text = f"Throughput grows as size to the power of {found.slope} (1: each packet costs the same, whatever its size)"
    if found.linear_until is None or found.beyond is None:
        return f"{text}; one line fits all sizes."
    largest = mtu - UDP_HEADERS
    why = (
        f"larger payloads than {largest} bytes do not fit into one packet of {mtu} bytes, and are sent in fragments"
        if found.linear_until <= largest * 1.2
        else "not at the size where packets are split, which is " + str(largest)
    )
    return f"{text}; it bends at {found.linear_until:g} bytes, from {found.before} to {found.beyond}: {why}."


def _doubling_words(by_size: Mapping[int, Runs]) -> list[str]:
    """The claim "twice the size, twice the throughput" for each two sizes of which one is twice the other."""
    out = []
    for size, runs in by_size.items():
        if (twice := by_size.get(2 * size)) is not None and len(runs) == len(twice):
            found = compare([rate(run) for run in twice], [rate(run) for run in runs])
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
) -> Measurement:
    """How much less is carried between virtual machines than between two others (``container``, ``namespace``).

    Each size has a line, and the reason follows; ``fabric`` is the lab whose customers both were, empty where they had
    a wire of their own. ``why_not_containers`` says why namespaces were measured where containers were asked for.
    """
    rows, words = [], []
    for size, (vm, others) in by_size.items():
        found = compare([rate(run) for run in vm], [rate(run) for run in others])
        rows.append((str(size), *_figures(vm)[:3], *_figures(others)[:3], str(found)))
        words.append(f"{size} bytes: {_effect(found)}.")
    words.append((WHY_SLOWER_IN_A_FABRIC if fabric else WHY_SLOWER).format(other=other))
    if why_not_containers:
        words.append(f"Namespaces were measured, for there are no containers here: {why_not_containers}.")
    words += [f"Against taking this for other machines: {doubt}." for doubt in doubts]
    ours = ("VM Mbit/s", "VM packets/s", "VM lost")
    head = ("payload bytes", *ours, f"{other} Mbit/s", f"{other} packets/s", f"{other} lost", "ratio")
    where = f", as customers of {fabric}" if fabric else ""
    return Measurement(f"two virtual machines against two {other}s{where}", head, tuple(rows), tuple(words))


def _effect(found: Comparison) -> str:
    if found.high < 1:
        return f"the virtual machines are slower, {1 / found.high:.3g} to {1 / found.low:.3g} times"
    if found.low > 1:
        return f"the virtual machines are faster, {found.low:.3g} to {found.high:.3g} times"
    return f"no difference is proven: {found}"


def in_words(measured: Sequence[Measurement]) -> Measurement:
    """Return one paragraph with the findings of these measurements; empty without any."""
    words = " ".join(f"{found.title[0].upper()}{found.title[1:]}: {' '.join(found.words)}" for found in measured)
    return Measurement("in words", (), (), (words,) if words else (), of_the_run=True)


def environment_table(environments: Mapping[str, Environment]) -> Measurement:
    """What was measured on, and what speaks against absolute figures."""
    rows = [(where, name, value) for where, found in environments.items() for name, value in found.lines()]
    words = [f"{where}: {doubt}." for where, found in environments.items() for doubt in found.doubts]
    why = "Figures are believed as ratios to the bare path of the same kernel in the same run."
    data = {where: entry(found) for where, found in environments.items()}
    return Measurement("environment", ("where", "what", "value"), tuple(rows), (*words, why), data, of_the_run=True)

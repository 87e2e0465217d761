"""What the figures of a run say."""

from __future__ import annotations

import pytest

from reports.perf.answers import environment_table, in_words, over_sizes, rates_table, vm_against
from reports.perf.compare import Judged, Threshold, compare, decide
from reports.perf.environment import Environment
from reports.render.measurements import Measurement
from tests.self.reports.perf_runs import run, stream
from topology.errors import Undecided

SIZES = (200, 400, 800, 1600)
NOISE = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0)
HOST = Environment("host", "6.1", "native", 2, "AMD EPYC", "tsc", "", 0.5, 0.0, ())


def test_ratio_stands_beside_the_figures() -> None:
    """A path at half the bare one's rate has that ratio, medians in the usual units, and every run in the data."""
    runs = {"veth": [run(100 * n) for n in NOISE], "vxlan": [run(50 * n, lost=0.2) for n in NOISE]}
    table = rates_table("title", runs, "veth", {})
    bare, vxlan = (dict(zip(table.head, row, strict=True)) for row in table.rows)
    assert (bare["path"], bare["Mbit/s"], bare["ratio to bare"]) == ("veth", "100.0", "1")
    assert (vxlan["Mbit/s"], vxlan["packets/s"], vxlan["lost"], vxlan["verdict"]) == ("50.0", "7812", "20.0%", "-")
    assert vxlan["ratio to bare"].startswith("0.5 (")
    assert [each["received_bits_per_second"] for each in table.data["veth"]] == [
        each.received.bits_per_second for each in runs["veth"]
    ]


def test_streams_have_no_datagrams() -> None:
    """What TCP does not have is a dash, and what it sent again is there."""
    table = rates_table("title", {"veth": [stream(9000 * n) for n in NOISE]}, "veth", {})
    row = dict(zip(table.head, table.rows[0], strict=True))
    assert (row["packets/s"], row["lost"], row["jitter ms"], row["sent again"]) == ("-", "-", "-", "3")


@pytest.mark.parametrize(("asked", "verdict"), [(0.3, "passed"), (0.9, "failed"), (0.5, "unstable")])
def test_threshold_is_judged_by_the_interval(asked: float, verdict: str) -> None:
    """Below the interval it passes, above it fails, inside it nothing is decided, and the test says unstable."""
    found = compare([50 * n for n in NOISE], [100.0] * len(NOISE))
    judged = Judged(found, Threshold(asked), decide(found, Threshold(asked)))
    assert judged.verdict == verdict
    if verdict == "unstable":
        with pytest.raises(Undecided, match=r"vxlan - throughput - expected at least 0.5"):
            judged.holds("vxlan")
    else:
        assert bool(judged.holds("vxlan")) == (verdict == "passed")
        assert "vxlan - throughput - expected at least" in repr(judged.holds("vxlan"))


def test_constant_cost_per_packet_supports_twice_for_twice() -> None:
    """Where rates grow as sizes do the slope is 1, one line fits, and each doubling is supported."""
    table = over_sizes("title", {size: [run(size / 8 * n, size) for n in NOISE] for size in SIZES}, 1500)
    assert table.words[0].startswith("Throughput grows as size to the power of 1 (")
    assert "one line fits all sizes" in table.words[0]
    assert [": supported;" in words for words in table.words[1:]] == [True] * 3


def test_constant_rate_contradicts_twice_for_twice() -> None:
    """Where the rate does not grow at all the claim is contradicted."""
    table = over_sizes("title", {size: [run(500 * n, size) for n in NOISE] for size in SIZES}, 1500)
    assert [": contradicted;" in words for words in table.words[1:]] == [True] * 3


def test_noise_decides_nothing() -> None:
    """Where runs differ tenfold nothing is claimed."""
    wild = (0.3, 3.0, 1.0, 0.4, 2.5, 1.0)
    rates = {size: [run(size / 8 * n, size) for n in (wild if at % 2 else wild[::-1])] for at, size in enumerate(SIZES)}
    assert [": not decidable;" in words for words in over_sizes("title", rates, 1500).words[1:]] == [True] * 3


def test_bend_is_explained_by_the_mtu() -> None:
    """Where the rate stops growing at the size that no longer fits into a packet, that is the reason."""
    sizes = (200, 400, 800, 1400, 3200, 6400, 12800)
    rates = {size: [run((min(size, 1400) / 8) * n, size) for n in NOISE] for size in sizes}
    words = over_sizes("title", rates, 1500).words[0]
    assert "it bends at 1400 bytes" in words
    assert "larger payloads than 1472 bytes do not fit into one packet of 1500 bytes" in words


@pytest.mark.parametrize(
    ("vm", "words"), [(10.0, "are slower, "), (1000.0, "are faster, "), (100.0, "no difference is proven")]
)
def test_virtual_machines_are_compared_with_their_interval(vm: float, words: str) -> None:
    """Slower, faster or not to be told: each is said, with what speaks against the figures."""
    found = vm_against("container", {800: ([run(vm * n) for n in NOISE], [run(100.0) for _ in NOISE])}, ["a doubt"])
    assert words in found.words[0]
    assert found.words[-1] == "Against taking this for other machines: a doubt."


def test_environment_has_every_line() -> None:
    """What was measured on is told for each place."""
    found = environment_table({"host": HOST, "vm": HOST})
    assert {row[0] for row in found.rows} == {"host", "vm"}
    assert len(found.rows) == 2 * len(list(HOST.lines()))


def test_paragraph_has_every_finding_in_its_order() -> None:
    """Each measurement is named before its sentences; without measurements there is no paragraph."""
    measured = [
        Measurement("two virtual machines against two containers", (), (), ("They are slower.",)),
        Measurement("veth over sizes, kernel host", (), (), ("It grows.", "It bends.")),
    ]
    (words,) = in_words(measured).words
    machines = "Two virtual machines against two containers: They are slower."
    assert words == f"{machines} Veth over sizes, kernel host: It grows. It bends."
    assert in_words(()).words == ()

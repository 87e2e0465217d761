"""Figures of a run and its environment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.perf.answers import in_words, over_sizes, rates_table, vm_against
from reports.perf.compare import Judged, Threshold, compare, decide
from reports.perf.environment import Environment, debug_options, environment_table, processor_of, steal_percent
from reports.record.exhibits import Figures
from tests.self.reports.perf_runs import NOISE, run, stream
from topology.errors import Undecided

SIZES = (200, 400, 800, 1600)
FINE = Environment("host", "6.1", "native", 2, "AMD EPYC", "tsc", "performance", 0.5, 0.0, ())
STAT = "cpu  100 0 50 800 0 0 0 {} 0 0\ncpu0 1 2 3\n"


def test_ratio_stands_beside_the_figures() -> None:
    """A path at half the bare one's rate has that ratio, medians in the usual units, and every run in the data."""
    runs = {"veth": [run(100 * n) for n in NOISE], "vxlan": [run(50 * n, lost=0.2) for n in NOISE]}
    table = rates_table("title", runs, "veth", {})
    bare, vxlan = table.rows
    assert (bare["path"], bare["Mbit/s"], bare["ratio to bare"]) == ("veth", "100.0", "1")
    assert (vxlan["Mbit/s"], vxlan["packets/s"], vxlan["lost"], vxlan["verdict"]) == ("50.0", "7812", "20.0%", "-")
    assert vxlan["ratio to bare"].startswith("0.5 (")
    assert [each["received_bits_per_second"] for each in table.data["veth"]] == [
        each.received.bits_per_second for each in runs["veth"]
    ]
    (tcp,) = rates_table("title", {"veth": [stream(9000 * n) for n in NOISE]}, "veth", {}).rows
    assert (tcp["packets/s"], tcp["lost"], tcp["jitter ms"], tcp["sent again"]) == ("-", "-", "-", "3")


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


WILD = (0.3, 3.0, 1.0, 0.4, 2.5, 1.0)


@pytest.mark.parametrize(
    ("power", "noises", "holds"),
    [(1, (NOISE, NOISE), "supported"), (0, (NOISE, NOISE), "contradicted"), (1, (WILD, WILD[::-1]), "not decidable")],
)
def test_twice_for_twice_is_answered(power: int, noises: tuple[tuple[float, ...], ...], holds: str) -> None:
    """Rates that grow as sizes do support the claim, constant ones contradict it, tenfold noise decides nothing."""
    rates = {size: [run(size**power * n, size) for n in noises[at % 2]] for at, size in enumerate(SIZES)}
    first, *claims = over_sizes("title", rates, 1500).words
    assert [f": {holds};" in words for words in claims] == [True] * 3
    assert first.startswith(f"Throughput grows as size to the power of {power} (") or noises[0] is WILD
    assert "one line fits all sizes" in first


def test_bend_is_explained_by_the_mtu() -> None:
    """A rate that stops growing at the first size above the MTU is explained by it."""
    sizes = (200, 400, 800, 1400, 3200, 6400, 12800)
    rates = {size: [run((min(size, 1400) / 8) * n, size) for n in NOISE] for size in sizes}
    words = over_sizes("title", rates, 1500).words[0]
    assert "it bends at 1400 bytes" in words
    assert "larger payloads than 1472 bytes do not fit into one packet of 1500 bytes" in words


@pytest.mark.parametrize(
    ("vm", "words"), [(10.0, "are slower, "), (1000.0, "are faster, "), (100.0, "no difference is proven")]
)
def test_virtual_machines_are_compared_with_their_interval(vm: float, words: str) -> None:
    """Slower, faster or undecided: each is said, with what speaks against the figures."""
    found = vm_against("container", {800: ([run(vm * n) for n in NOISE], [run(100.0) for _ in NOISE])}, ["a doubt"])
    assert words in found.words[0]
    assert found.words[-1] == "Against taking this for other machines: a doubt."


def test_paragraph_has_every_finding_in_its_order() -> None:
    """Each measurement is named before its sentences; without measurements there is no paragraph."""
    found = [Figures.table(title, (), (), ("It grows.", "It bends.")) for title in ("veth over sizes", "vxlan")]
    assert in_words(found).words == ["Veth over sizes: It grows. It bends. Vxlan: It grows. It bends."]
    assert in_words(()).words == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, ""),
        ({"accelerator": "tcg"}, "software emulation"),
        ({"steal_percent": 12.34}, "12.3 % of the time was stolen"),
        ({"debug": ("CONFIG_KASAN",)}, "the kernel checks itself: CONFIG_KASAN"),
        ({"governor": "powersave"}, "governed by powersave"),
    ],
)
def test_environment_says_what_speaks_against_figures(changed: dict[str, object], words: str) -> None:
    """Each reason alone is named, in the results too; a quiet machine has none."""
    found = replace(FINE, **changed)  # type: ignore[arg-type]
    table = environment_table({"host": found, "vm": FINE})
    assert [words in doubt for doubt in table.data["host"]["doubts"]] == [True] * bool(words)
    assert len(table.rows) == 2 * len(list(FINE.lines()))
    assert all(value for row in table.rows for value in row.values())


def test_unknown_environment_is_no_doubt() -> None:
    """A machine that counts no steal, has no governor and hides its configuration says so."""
    unknown = replace(FINE, steal_percent=None, debug=None, governor="", shared="both ends on core 0")
    assert unknown.doubts == []
    lines = dict(unknown.lines())
    assert (lines["stolen time"], lines["debug options"]) == ("not counted", "unknown")
    assert (lines["frequency governor"], lines["cores"]) == ("none to be seen", "both ends on core 0")


@pytest.mark.parametrize("broken", ["", "cpu 1 2", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h i", STAT.format(0)])
def test_stolen_time_is_a_share_of_all_time(broken: str) -> None:
    """Ten ticks stolen of a hundred that passed are 10 %; without two readings it is unknown, not zero."""
    assert steal_percent(STAT.format(0), "cpu  140 0 60 840 0 0 0 10 0 0\n") == pytest.approx(10)
    assert steal_percent(STAT.format(0), broken) is None


def test_files_of_a_kernel_are_read() -> None:
    """Debug options that are on, and the processors; what is missing is unknown, and one core."""
    assert debug_options("CONFIG_KASAN=y\n# CONFIG_KCSAN is not set\nCONFIG_NET=y\n") == ("CONFIG_KASAN",)
    assert (debug_options("CONFIG_NET=y\n"), debug_options(None)) == ((), None)
    text = "processor\t: 0\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n"
    assert (processor_of(text), processor_of("")) == (("AMD EPYC", 2), ("unknown", 1))

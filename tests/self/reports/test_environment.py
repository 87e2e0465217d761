"""What figures were measured on, and what speaks against them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.perf.environment import Environment, debug_options, entry, processor_of, steal_percent

FINE = Environment("host", "6.1", "native", 2, "AMD EPYC", "tsc", "performance", 0.5, 0.0, ())
STAT = "cpu  100 0 50 800 0 0 0 {} 0 0\ncpu0 1 2 3\n"


def test_nothing_speaks_against_a_quiet_machine() -> None:
    """Without any reason there is no doubt, and every line has a value."""
    assert FINE.doubts == ()
    assert all(value for _, value in FINE.lines())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"accelerator": "tcg"}, "software emulation"),
        ({"steal_percent": 12.34}, "12.3 % of the time was stolen"),
        ({"debug": ("CONFIG_KASAN",)}, "the kernel checks itself: CONFIG_KASAN"),
        ({"governor": "powersave"}, "governed by powersave"),
    ],
)
def test_what_speaks_against_figures_is_said(changed: dict[str, object], words: str) -> None:
    """Each reason alone is told, in the results too."""
    doubtful = replace(FINE, **changed)  # type: ignore[arg-type]
    assert [words in doubt for doubt in doubtful.doubts] == [True]
    assert entry(doubtful)["doubts"] == list(doubtful.doubts)


def test_what_is_not_known_is_no_doubt() -> None:
    """A machine that counts no steal, has no governor and hides its configuration says so."""
    unknown = replace(FINE, steal_percent=None, debug=None, governor="", shared="both ends on core 0")
    assert unknown.doubts == ()
    lines = dict(unknown.lines())
    assert (lines["stolen time"], lines["debug options"]) == ("not counted", "unknown")
    assert lines["frequency governor"] == "none to be seen"
    assert lines["cores"] == "both ends on core 0"


def test_stolen_time_is_a_share_of_all_time() -> None:
    """Ten ticks stolen of a hundred that passed are 10 %."""
    later = "cpu  140 0 60 840 0 0 0 10 0 0\n"
    assert steal_percent(STAT.format(0), later) == pytest.approx(10)


@pytest.mark.parametrize("broken", ["", "cpu 1 2", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h i", STAT.format(0)])
def test_what_is_no_reading_counts_nothing(broken: str) -> None:
    """A file of another kernel, or no time between two readings, is no steal, not zero."""
    assert steal_percent(STAT.format(0), broken) is None


def test_slow_options_are_found_in_a_configuration() -> None:
    """Only options that are on count; a configuration that is not there is unknown."""
    assert debug_options("CONFIG_KASAN=y\n# CONFIG_KCSAN is not set\nCONFIG_NET=y\n") == ("CONFIG_KASAN",)
    assert debug_options("CONFIG_NET=y\n") == ()
    assert debug_options(None) is None


def test_processor_has_a_name_and_cores() -> None:
    """Each entry is a core; a machine without names still has one."""
    text = "processor\t: 0\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n"
    assert processor_of(text) == ("AMD EPYC", 2)
    assert processor_of("") == ("unknown", 1)

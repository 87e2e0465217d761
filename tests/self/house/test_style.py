"""The checkout keeps the house's style, in figures; and the figures are measured by something that can measure."""

from __future__ import annotations

import re
from statistics import median, quantiles

import pytest

from tests.self.house import measures
from tests.self.house.sources import ROOT, Source, files, sources

pytestmark = pytest.mark.xdist_group("sources")  # one worker parses them

MADE = ("topology", "reports", "fixtures", "conftest.py")
"""What hopcheck is made of, apart from its tests."""


def made() -> list[Source]:
    found = [source for source in sources() if source.under(*MADE) and source.text.strip()]
    assert len(found) > 50
    return found


def texts() -> list[tuple[str, str]]:
    """Every file that is text."""
    contents = ((name, (ROOT / name).read_bytes()) for name in files())
    return [(name, content.decode(errors="replace")) for name, content in contents if b"\0" not in content]


LINK = re.compile(
    r"\bip(?: -[a-z0-9]+(?: [^\s-]+)?)* link (?:set|del|show|add) (\S+)"
    r'|"ip",(?: "[^"]+",| \w+,)* "link", "(?:set|del|show|add)", "?([^\s"]+)"?,'
)
"""A command about a link, in one string or in several, and the word behind it."""
SPELLED_OUT = ("dev", "name", "link", "lo", "…")


def test_every_ip_command_says_dev() -> None:
    """A device may be called ``up`` or ``mtu``, which ip(8) takes for words of its own where ``dev`` is not said."""
    found = [
        f"{name}: {match[0]}"
        for name, text in texts()
        if not name.startswith(
            ("tests/self/", "tests/browser/", "topology/formats/", "docs/formats.md", "tests/grading/submissions/")
        )
        for match in LINK.finditer(text)
        if (match[1] or match[2]) not in SPELLED_OUT
    ]
    assert found == []


def test_no_file_is_over_400_lines() -> None:
    """No Python file, of the tests neither, has more than 400 lines."""
    assert [(source.path, measures.lines(source)) for source in sources() if measures.lines(source) > 400] == []


def test_half_of_the_files_are_under_150_lines() -> None:
    """The median file has fewer than 150 lines."""
    assert median(measures.lines(source) for source in made()) < 150


def test_no_function_is_over_60_lines() -> None:
    """No function, of the tests neither, has more than 60 lines."""
    found = ((source.at(f), measures.function_lines(f)) for source in sources() for f in measures.functions(source))
    assert [(place, size) for place, size in found if size > 60] == []


def test_nine_of_ten_functions_are_under_30_lines() -> None:
    """The 90th percentile of functions' lengths is below 30 lines."""
    sizes = [measures.function_lines(f) for source in made() for f in measures.functions(source)]
    assert quantiles(sizes, n=10)[-1] < 30


def test_nothing_is_left_unfinished() -> None:
    """No note to finish something later, and no banner, is committed."""
    assert [complaint for path, text in texts() for complaint in measures.unfinished(path, text)] == []


def test_no_machine_and_no_registry_is_named() -> None:
    """Nothing committed names one machine's paths or a package registry's host."""
    assert [complaint for path, text in texts() for complaint in measures.foreign(path, text)] == []


def test_lengths_are_counted() -> None:
    """A file's and a function's lines are counted as an editor counts them, those inside others too."""
    inner = "    try:\n        pass\n    except OSError:\n        def inner():\n            pass\n"
    source = Source("x.py", f"class A:\n    def method(self):\n        pass\n\ndef outer():\n{inner}")
    assert measures.lines(source) == 10
    sizes = {function.name: measures.function_lines(function) for function in measures.functions(source)}
    assert sizes == {"method": 2, "outer": 6, "inner": 2}


@pytest.mark.parametrize(
    "word", ["# TO" + "DO: later", "FIX" + "ME", "x = 1  # XX" + "X", "# ------", "    #" + "=" * 9]
)
def test_unfinished_things_are_found(word: str) -> None:
    """A note to finish something, or a banner, is found on its line."""
    assert [found.split(" - ")[0] for found in measures.unfinished("x.py", f"fine\n{word}\nfine")] == ["x.py:2"]


@pytest.mark.parametrize("text", ["a mastodon", "# - a list", "# it is done", "-----"])
def test_finished_things_are_not(text: str) -> None:
    """Words that only look alike, and Markdown's lines, are fine."""
    assert list(measures.unfinished("x.md", text)) == []


@pytest.mark.parametrize("word", measures.FOREIGN)
def test_foreign_names_are_found(word: str) -> None:
    """Each forbidden name is found, wherever on a line it stands."""
    assert list(measures.foreign("x.md", f"fine\nsee https://{word}x\n")) == [f"x.md:2 - names {word}"]
    assert list(measures.foreign("x.md", "a network/ of work, and debian\n")) == []

"""A file with many mistakes is told of all of them in one reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from topology.errors import LabError
from topology.formats.lab import LABS, load_lab_text

MISTAKES = {
    "overlapping subnets": ("28.0.0.1/24", "26.0.0.129/25", "overlaps"),
    "an unknown node": ("{source: cs1, target: cs2,", "{source: cs1, target: cs9,", "unknown node 'cs9'"),
    "an unknown node in a link": ("cs3:cs3-br, con_ns2", "cs8:cs3-br, con_ns2", "unknown node 'cs8'"),
    "a remote nobody owns": ("remote: 23.0.0.1, dev: br1_lc1", "remote: 23.0.0.9, dev: br1_lc1", "remote 23.0.0.9"),
    "two ports with one name": ("cs2:cs2_br1, con_ns1:bridge1_cs2", "cs2:cs2_br1, con_ns1:bridge1_cs1", "two links"),
    "a name over 15 characters": ("cs4:cs4-br", "cs4:cs4-br-is-too-long", "has 18 characters"),
    "a bad VNI": ("vni: 30, local: 23", "vni: 16777216, local: 23", "the VNI 16777216"),
    "tunnel ends that disagree": ("remote: 26.0.0.2, ttl", "remote: 26.0.0.2, key: 7, ttl", "key"),
}


def broken_by(*names: str) -> str:
    """The reference lab with some of the mistakes."""
    text = (LABS / "ece792.yaml").read_text()
    for name in names:
        old, new, _ = MISTAKES[name]
        assert text.count(old) == 1, name
        text = text.replace(old, new)
    return text


def told(text: str) -> list[str]:
    """The lines that refuse a lab."""
    with pytest.raises(LabError) as refused:
        load_lab_text(text, "mine.yaml")
    return str(refused.value).splitlines()


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_told_alone(name: str) -> None:
    """One mistake, at the line that has it."""
    text = broken_by(name)
    lines = told(text)
    number = 1 + text[: text.index(MISTAKES[name][1])].count("\n")
    assert any(MISTAKES[name][2] in line and line.startswith(f"mine.yaml:{number}:") for line in lines), lines


def test_all_mistakes_are_told_at_once() -> None:
    """Every kind of mistake in one file is reported in one reading, each at its line, in the file's order."""
    text = broken_by(*MISTAKES)
    lines = told(text)
    for name, (_, new, words) in MISTAKES.items():
        number = 1 + text[: text.index(new)].count("\n")
        assert any(words in line and line.startswith(f"mine.yaml:{number}:") for line in lines), (name, lines)
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)


def test_the_words_are_those_of_this_file() -> None:
    """Without a mistake the text is the reference lab, and is taken."""
    assert load_lab_text(broken_by(), str(Path("mine.yaml"))).name == "ece792"

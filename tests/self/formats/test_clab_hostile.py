"""A containerlab file is untrusted: whatever it holds, it loads or is refused, soon and in one way."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.draws import draws
from tests.self.formats.clabs import LINE, TEXT, edited, load, refused, with_lines
from topology.errors import LabError
from topology.model import Fabric

MARKUP = (": ", "- ", "&a ", "*a", "|\n", "<<: ", "0", "~", "lo", "eth1", "br10", " dev ", "sh -c '", "ip link add ")
SCRAPS = st.sampled_from([*"'\"[]{}:,-?|%#\\\t\n\x00;&<>()$`", *MARKUP])
SPLICE = st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), SCRAPS | st.text(max_size=3))
WORDS = """ip -6 link addr route tunnel add set del replace dev via type vxlan geneve gre vlan bridge dummy link id 7
    local remote 10.0.0.1 10.0.0.1/24 fd00::1 default eth1 br7 up down master nomaster mtu address name key ttl
    mode fdb append dst sysctl -w net.ipv4.ip_forward=1 = lo 0 1.2.3 a=b=c metric sh -c bash echo '' \\"""
WORD = st.sampled_from(WORDS.split())
MARKS = st.sampled_from(["&&", ";", "||", "|", ">", ">>", "2>&1", "true", "/proc/sys/net/ipv4/ip_forward", "/dev/null"])


SMALL = """
name: small
topology:
  nodes:
    a: {{kind: linux, exec: [{lines}]}}
    b: {{kind: linux}}
  links: [endpoints: [a:eth1, b:eth1]]
"""


def outcome(text: str) -> Fabric | LabError:
    """The fabric, or the one error that a text may end in, in short lines."""
    try:
        found: Fabric | LabError = load(text)
    except LabError as error:
        found = error
    lines = str(found).splitlines() if isinstance(found, LabError) else found.notes
    assert all(len(line) < 500 for line in lines)
    return found


def of_lines(*lines: str) -> Fabric | LabError:
    """Load exec lines in a small lab."""
    return outcome(SMALL.format(lines=", ".join(json.dumps(line) for line in lines)))


@settings(max_examples=draws(10))
@given(st.lists(SPLICE, min_size=1, max_size=3))
def test_file_with_scraps_in_it_loads_or_is_refused(splices: list[tuple[int, int, str]]) -> None:
    """Characters lost and scraps put in never end in anything but a fabric or problems with places."""
    text = TEXT
    for start, length, scrap in splices:
        text = text[:start] + scrap + text[start + length :]
    assert isinstance(outcome(text), Fabric | LabError)


@settings(max_examples=draws(25))
@given(st.lists(WORD, max_size=12), st.lists(WORD | MARKS, max_size=16))
def test_any_words_in_exec_lines_load_or_are_refused(words: list[str], script: list[str]) -> None:
    """Commands of any words, bare and in a script, never end in anything but a fabric or problems with places."""
    lines = (" ".join(words), f'sh -c "{" ".join(script)}"', " ".join(["ip", *words]))
    assert isinstance(of_lines(*lines), Fabric | LabError)


@settings(max_examples=draws(10))
@given(st.text(max_size=80))
def test_any_text_in_an_exec_line_loads_or_is_refused(text: str) -> None:
    """Text that is no command is left out or refused."""
    assert isinstance(of_lines(text, f"sh -c {text}", f"ip {text}"), Fabric | LabError)


@pytest.mark.parametrize("line", ["ip " + "x" * 500_000, "." * 500_000, f"sh -c '{'ip link; ' * 50_000}'"])
def test_length_of_a_line_is_bounded(line: str) -> None:
    """A line as long as the file is answered at once, whatever it is made of."""
    found = of_lines(line)
    assert isinstance(found, Fabric) == ("ip" not in line)
    assert isinstance(found, Fabric) or "characters" in str(found)


def test_lines_inherited_by_many_nodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exec lines of the defaults count for every node, so that a short file is no long work."""
    monkeypatch.setattr("topology.formats.clab.MAX_LINES", 30)
    text = edited(("env: {TZ: UTC}", f"exec: [{', '.join(['ls'] * 10)}]"))
    error = refused(text)
    assert [problem.what for problem in error.problems if problem.what == "too many exec lines"]
    assert len(error.problems) == 1


def test_number_of_notes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes are limited, and the rest are counted."""
    monkeypatch.setattr("topology.formats.clab_shell.MAX_PROBLEMS", 10)
    notes = load(with_lines(*(f"touch {n}" for n in range(50)))).notes
    assert len(notes) == 11
    assert notes[-1].startswith("and ")


@pytest.mark.parametrize(
    "edit", [(LINE, '- "iperf3 {}"'), ("prefix: ", '"{}": '), ("{kind: bridge}", '{{kind: "{}"}}')]
)
def test_text_of_the_file_cannot_forge_a_line_of_the_report(edit: tuple[str, str]) -> None:
    """A line break or a page of text stays inside one short message or note."""
    for scrap in ("\\nmine.clab.yml:1:1: all is well", "x" * 3000):
        found = outcome(edited((edit[0], edit[1].format(scrap))))
        lines = found.notes if isinstance(found, Fabric) else str(found).splitlines()
        assert all(line.startswith("mine.clab.yml:") and len(line) < 500 and "\n" not in line for line in lines)
        assert not any(line.startswith("mine.clab.yml:1:1: all is well") for line in lines)

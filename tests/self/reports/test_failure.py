from __future__ import annotations

import pytest

from reports.evidence import Cause
from reports.render.failure import common_words, failure_line, failure_text, said

CAUSE = Cause("mtu", "l1", "p", "1500", "1400", "ip -n l1 link set dev p mtu 1500")


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (
            "assert c1 -> c2 did not arrive: x\n +  where c1 -> c2 did not arrive: x = the trip c1 -> c2.arrived",
            "c1 -> c2 did not arrive: x",
        ),
        ("assert c1 -> c2 (icmp): first\n    ok  c1\n  >>>>  c2", "c1 -> c2 (icmp): first\n  ok  c1\n>>>>  c2"),
        ("expected 3 - seen 2", "expected 3 - seen 2"),
        ("assert 1 == 2\n  +1\n  -2", "1 == 2\n+1\n-2"),
        ("", ""),
    ],
)
def test_words_of_an_assertion_come_without_pytests(raised: str, words: str) -> None:
    """Neither its keyword, nor what it says of values, nor its indentation."""
    assert said(AssertionError(raised)) == words


def test_a_failure_is_told_with_its_cause_once() -> None:
    """Promise, words, ladders, cause and fix; a ladder that names the cause has told it."""
    ending = "cause: l1 p: mtu - expected 1500 - seen 1400\nfix:   ip -n l1 link set dev p mtu 1500"
    assert failure_text("All cross.", "seen 2", ["ladder"], CAUSE) == f"promise: All cross.\nseen 2\nladder\n{ending}\n"
    assert failure_text("All cross.", "seen 2", [f"ladder\n{ending}"], CAUSE).count("cause: ") == 1
    assert "cause" not in failure_text("All cross.", "seen 2", (), None)
    assert failure_text("All cross.", f"seen 2 - cause: {CAUSE}", [f"ladder\n{ending}"], CAUSE).count("cause: ") == 1


def test_a_failure_on_one_line_has_the_cause() -> None:
    """As JUnit's message, which viewers and pytest itself cut after some lines."""
    text = "c1 -> c2 did not arrive: x - cause: l1 - …\n  ladder\n  more"
    assert failure_line(text, CAUSE) == f"c1 -> c2 did not arrive: x - cause: {CAUSE}"
    assert failure_line(text, None) == "c1 -> c2 did not arrive: x"


@pytest.mark.parametrize("before", ["", "an earlier test errored: ", "the fabric broke: ", "the underlay is broken: "])
def test_what_echoes_an_error_is_counted_with_it(before: str) -> None:
    """Every form in which a promise that was not proven quotes the first error."""
    assert common_words(f"{before}the agent died\nmore") == "the agent died"

"""The judges of what links lose, delay and pass: each passes equal links, and fails the one that is worse."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from reports.checks.trains import (
    ROUNDS,
    TRAIN,
    Train,
    Trains,
    judge_delay,
    judge_loss,
    judge_rate,
    links_with_siblings,
    siblings,
)
from reports.checks.underlay import Ends
from reports.evidence import Finding
from tests.self.builders import reference
from topology.errors import NotProven, Undecided
from topology.model import Fabric

Judge = Callable[[Fabric, Sequence[Trains], Ends], Finding]
JUDGES: dict[str, Judge] = {"loss": judge_loss, "delay": judge_delay, "rate": judge_rate}


def link(name: str = "lc1:lc1_sc2--sc2:sc2_lc1") -> Ends:
    """The reference lab's link with this name."""
    return next(ends for ends in links_with_siblings(reference()) if ends.name == name)


def trains(ends: Ends, **worse: Callable[[Train], Train]) -> Trains:
    """Rounds over a link with some noise; ``there`` and ``back`` change one of its ways."""
    chance = random.Random(str(ends))

    def way(change: Callable[[Train], Train]) -> list[Train]:
        noise = (chance.uniform(0.7, 1.4) for _ in range(ROUNDS))
        return [change(Train(TRAIN, TRAIN, TRAIN, 300e3 * each, 40e3 * each)) for each in noise]

    there, back = (worse.get(name, lambda train: train) for name in ("there", "back"))
    return {(ends.source, ends.target): way(there), (ends.target, ends.source): way(back)}


def judged(judge: Judge, own: Trains) -> Finding:
    """What a judge says of one link beside healthy siblings."""
    return judge(reference(), [own, *(trains(other) for other in siblings(reference(), link()))], link())


@pytest.mark.parametrize("judge", JUDGES)
def test_equal_links_pass(judge: str) -> None:
    """Noise is no fault."""
    assert judged(JUDGES[judge], trains(link()))


def late(train: Train) -> Train:
    return replace(train, turned_ns=(train.turned_ns or 0) + 5e6)


def lost(train: Train) -> Train:
    return replace(train, received=TRAIN - 1, answered=TRAIN - 1)


WORSE: dict[str, tuple[str, str, str, Callable[[Train], Train]]] = {
    "lost on the way there": ("loss", "lc1", "there", lost),
    "answers lost": ("loss", "sc2", "there", lambda train: replace(train, answered=TRAIN - 1)),
    "answers come late": ("delay", "sc2", "there", late),
    "late the other way": ("delay", "lc1", "back", late),
    "slow": ("rate", "lc1", "there", lambda train: replace(train, gap_ns=1.1e6)),
    "slow the other way": ("rate", "sc2", "back", lambda train: replace(train, gap_ns=1.1e6)),
}


@pytest.mark.parametrize("case", WORSE)
def test_worse_link_fails_at_its_sender(case: str) -> None:
    """The sender into the slow, lossy or late direction is asked for the cause first; no other claim fails."""
    judge, sender, way, change = WORSE[case]
    found = {name: judged(each, trains(link(), **{way: change})) for name, each in JUDGES.items()}
    assert [name for name, finding in found.items() if not finding] == [judge]
    assert found[judge].suspects[0] == sender
    assert link().name in found[judge].message


def test_one_lost_packet_decides_nothing() -> None:
    """One of a thousand may have another reason: the result is unstable."""
    first = trains(link())
    rounds = list(first["lc1", "sc2"])
    rounds[0] = lost(rounds[0])
    with pytest.raises(Undecided, match="1 lost"):
        judged(judge_loss, {**first, ("lc1", "sc2"): rounds})


def test_between_both_bounds_decides_nothing() -> None:
    """A delay about three times as large as the others' is neither passed nor failed."""
    with pytest.raises(Undecided, match="expected at most 3"):
        judged(judge_delay, trains(link(), there=lambda train: replace(train, turned_ns=3 * (train.turned_ns or 0))))


def test_silent_link_has_no_delay() -> None:
    """Of a link that passes nothing loss is reported, and no time."""
    silent = trains(link(), there=lambda train: Train(TRAIN, 0, 0, None, None))
    assert not judged(judge_loss, silent)
    for judge in (judge_delay, judge_rate):
        with pytest.raises(NotProven, match="lost on it"):
            judged(judge, silent)


def test_link_is_compared_with_those_between_the_same_roles() -> None:
    """Links of leaves and spines are siblings; a lab with a single link has none to judge."""
    assert {each.name for each in siblings(reference(), link())} == {
        "lc1:lc1_sc1--sc1:sc1_lc1",
        "lc2:lc2_sc1--sc1:sc1_lc2",
        "lc2:lc2_sc2--sc2:sc2_lc2",
    }
    assert list(links_with_siblings(replace(reference(), links=reference().links[:1]))) == []

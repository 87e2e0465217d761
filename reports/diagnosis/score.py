"""Scores the diagnosis of a known fault. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from reports.evidence import Cause
from reports.record.exhibits import Diagnosis

Named = Literal["right", "wrong", "none"]


def score(
    failures: Sequence[Sequence[Cause]],
    state: Sequence[Cause],
    nodes: Collection[str],
    kinds: Collection[str],
    seconds: float | None,
    seen: str = "",
    declared: bool = False,
) -> Diagnosis:
    """Score the diagnosis of a fault that these nodes and kinds of cause explain.

    ``failures`` has the ranked causes of each broken promise about packets, ``state`` the differences from the declared
    state, which alone are scored where no such promise broke. ``seen`` is quoted where no cause was named. With a
    declaration all causes count, at a right node or not; without one the first does, since two ends may just disagree.
    """
    named = [causes for causes in failures if causes] or ([state] if state and not failures else [])
    counting = [cause for causes in named for cause in (causes if declared else causes[:1])]
    ranks = [_rank(causes, nodes, kinds) for causes in named]
    return Diagnosis(
        traffic=bool(failures),
        kernel=any(cause.source == "kernel" or cause.evidence for causes in failures for cause in causes),
        declaration=bool(state),
        node=_node([cause.node for cause in counting], nodes),
        rank=None if None in ranks else max((rank for rank in ranks if rank), default=None),
        seconds=round(seconds, 2) if seconds is not None and named else None,
        said="; ".join(dict.fromkeys(map(str, counting))) or seen,
    )


def _node(named: Sequence[str], nodes: Collection[str]) -> Named:
    if not named:
        return "none"
    return "right" if all(name in nodes for name in named) else "wrong"


def _rank(causes: Iterable[Cause], nodes: Collection[str], kinds: Collection[str]) -> int | None:
    """The place of the first cause of a right kind at a right node, from 1."""
    right = (place for place, cause in enumerate(causes, 1) if cause.node in nodes and cause.kind in kinds)
    return next(right, None)

"""Made-up noise of runs, in the shapes that machines have: logarithms of how much a run is off."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from reports.perf.compare import Rounds, rounds

STRENGTH = 0.02


def drawn(draw: Callable[[random.Random], float]) -> Callable[[random.Random], Iterator[float]]:
    """Noise whose values know nothing of each other."""

    def noise(chance: random.Random) -> Iterator[float]:
        while True:
            yield STRENGTH * draw(chance)

    return noise


def _walk(chance: random.Random) -> Iterator[float]:
    at = 0.0
    while True:
        at += STRENGTH * chance.gauss(0, 1)
        yield at + 0.3 * STRENGTH * chance.gauss(0, 1)


def _sticky(chance: random.Random) -> Iterator[float]:
    at = 0.0
    while True:
        at = 0.9 * at + STRENGTH * chance.gauss(0, 1)
        yield at


def _drift(chance: random.Random) -> Iterator[float]:
    at = 0.0
    while True:
        at += 0.5 * STRENGTH
        yield at + STRENGTH * chance.gauss(0, 1)


def _pure_drift(chance: random.Random) -> Iterator[float]:
    at = 0.0
    while True:
        at += 0.5 * STRENGTH
        yield at + 0.05 * STRENGTH * chance.gauss(0, 1)


def _step(chance: random.Random) -> Iterator[float]:
    left = chance.randrange(40)
    while True:
        left -= 1
        yield STRENGTH * (chance.gauss(0, 1) + (10 if left < 0 else 0))


def _wave(chance: random.Random) -> Iterator[float]:
    phase = chance.uniform(0, 2 * math.pi)
    while True:
        phase += 0.9
        yield STRENGTH * (chance.gauss(0, 1) + 3 * math.sin(phase))


SHAPES: dict[str, Callable[[random.Random], Iterator[float]]] = {
    "normal": drawn(lambda chance: chance.gauss(0, 1)),
    "uniform": drawn(lambda chance: chance.uniform(-1, 1)),
    "skewed": drawn(lambda chance: -chance.expovariate(1)),
    "heavy tails": drawn(lambda chance: chance.gauss(0, 1) / math.sqrt(chance.expovariate(1))),
    "no mean": drawn(lambda chance: chance.gauss(0, 1) / abs(chance.gauss(0, 1))),
    "outliers": drawn(lambda chance: chance.gauss(0, 1) - (chance.random() < 0.1) * chance.uniform(5, 20)),
    "two modes": drawn(lambda chance: 0.1 * chance.gauss(0, 1) + 3 * (chance.random() < 0.3)),
    "drift": _drift,
    "hardly but drift": _pure_drift,
    "random walk": _walk,
    "sticky": _sticky,
    "step": _step,
    "wave": _wave,
}


def in_rounds(run: Callable[[str], float], path: str, reference: str, seed: str) -> Rounds:
    """Return the rounds of two paths, each run by its name: ``run`` returns the figure of one run."""

    def more(done: int, until: int) -> tuple[Sequence[float], Sequence[float]]:
        figures: dict[str, list[float]] = {path: [], reference: []}
        for name in chain.from_iterable(rounds((path, reference), seed, done, until)):
            figures[name].append(run(name))
        return figures[path], figures[reference]

    return more

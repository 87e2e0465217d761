"""Lab files drawn from a seed, healthy by construction: an underlay, and parts that are put upon it.

Several labs stand side by side in one file, so that one guest and one run prove them all: they share no node and no
subnet. What a suite reads off the whole lab (which roles there are, how nodes route, whether addresses may overlap) is
drawn for the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TypeAlias

from tests.self.drawn import overlays, parts
from tests.self.drawn.file import Shared
from tests.self.drawn.underlay import Underlay

NODES_MAX, PAIRS_MAX = 12, 4


def drawn(seed: str, labs: int = 1) -> Shared:
    """A file with so many labs; the same for the same seed."""
    random = Random(seed)
    shared = Shared(
        random=random,
        roles=random.choice(("both", "both", "both", "leaf", "spine", "none")),
        hash_policy=random.choice(("layer-3", "layer-4", "layer-4")),
        ignore_linkdown=random.random() < 0.5,
        overlap=random.random() < 0.2,
    )
    for number in range(1, labs + 1):
        _lab(Underlay(shared, number))
    random.shuffle(shared.pairs)
    return shared


def _lab(under: Underlay) -> None:
    """Put parts on an underlay as long as there is room, one of each; the first that fits is always there."""
    pairs = len(under.shared.pairs)
    drawn_parts = under.random.sample(list(PARTS.items()), len(PARTS))
    wanted = under.random.randint(1, 3)
    for name, (nodes, possible, put) in drawn_parts:
        room = under.size + nodes <= NODES_MAX and len(under.shared.pairs) - pairs < PAIRS_MAX
        if wanted and room and possible(under):
            put(under)
            under.shared.parts.add(name)
            wanted -= 1
    del under.shared.pairs[pairs + PAIRS_MAX :]


def _always(_: Underlay) -> bool:
    return True


def _routes(under: Underlay) -> bool:
    return under.shared.roles != "none"


def _no_ring(under: Underlay) -> bool:
    return under.shape != "ring"


Part: TypeAlias = tuple[int, Callable[[Underlay], bool], Callable[[Underlay], None]]
PARTS: Mapping[str, Part] = {
    "bridge": (2, _always, parts.bridge),
    "trunk": (3, _always, parts.trunk),
    "stick": (3, _routes, parts.stick),
    "routed": (2, _routes, parts.routed),
    "gre": (3, _routes, overlays.gre),
    "vxlan": (6, _always, overlays.vxlan),
    "geneve": (3, _no_ring, overlays.geneve),
    "hairpin": (2, _routes, overlays.hairpin),
}
"""Each part: how many nodes it may add, where it is possible, and what puts it there."""

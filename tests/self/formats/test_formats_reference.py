"""docs/formats.md describes what is read and written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import topology
from topology.derived_pairs import MAX_PAIRS
from topology.export import EXPORTS, NAMES
from topology.formats import FORMATS, clab, clab_file, clab_links, clab_roles, clab_wires

PAGE = (Path(topology.__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"[\w.-]+", PAGE))
KEYS = (
    *(*clab_file.TOP, *clab_file.TOP_UNSEEN, *clab_file.TOPOLOGY, *clab_file.NODE, *clab_file.NODE_UNSEEN),
    *(*clab_file.NODE_UNRUN, *clab_file.LINK, *clab_file.LINK_UNSEEN, *clab_file.END, *clab_wires.OUTSIDE),
    *(
        clab_file.TITLE,
        clab_file.PAIRS,
        clab_file.SPREADS,
        clab_file.ROLE,
        clab_file.LEVEL,
        *clab.KINDS,
        *clab_links.KINDS,
    ),
    *(word for grammar in clab_links.OPTIONS.values() for word in grammar.settings if word != "vni"),
    *(word for word in (*clab_links.SET.settings, *clab_links.SET.flags) if word != "down"),
    *sorted(set(clab_roles.GROUPS.values())),
)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_key_is_on_the_page(key: str) -> None:
    """No key, label, kind or option is read that the page does not name."""
    assert key in WORDS


def test_every_suffix_and_figure_is_on_the_page() -> None:
    """Every format, name and bound stands on the page."""
    assert all(f"`{suffix}`" in PAGE for suffix in (*FORMATS, *EXPORTS))
    assert all(f"--export {name}" in PAGE or f"`{name}`" in PAGE for name in NAMES)
    assert f"{clab_wires.DEFAULT_MTU} in containerlab" in PAGE
    assert f"uses {clab_links.VXLAN_PORT}" in PAGE
    assert f"up to {MAX_PAIRS}" in PAGE
    assert f"{clab.MAX_LINES:,} exec lines".replace(",", " ") in PAGE

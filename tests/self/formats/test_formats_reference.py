"""docs/formats.md describes what is read and written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import topology
from topology.derived_pairs import MAX_PAIRS
from topology.export import EXPORTS, NAMES
from topology.formats import FORMATS, clab, clab_file, clab_grammar, clab_links, clab_roles
from topology.links import vxlan

PAGE = (Path(topology.__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"[\w.-]+", PAGE))
LISTS = (clab_file.TOP, clab_file.TOPOLOGY, clab_file.NODE, clab_file.NODE_UNSEEN, clab_file.NODE_UNRUN)
SETTINGS = (*(grammar.settings for grammar in clab_grammar.GRAMMARS.values()), clab_grammar.LINK_SET.settings)
KEYS = {
    *(word for text in (*LISTS, clab_file.LINK, clab_file.END) for word in text.split()),
    *(clab_file.TITLE, clab_file.PAIRS, clab_file.SPREADS, clab_file.ROLE, clab_file.LEVEL),
    *(*clab.KINDS, *clab_grammar.GRAMMARS, *clab_links.OUTSIDE, "up", "nomaster"),
    *({word.partition("=")[0] for text in SETTINGS for word in text.split()} - {"vni"}),
    *clab_roles.GROUPS.values(),
}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_key_is_on_the_page(key: str) -> None:
    """No key, label, kind or option is read that the page does not name."""
    assert key in WORDS


def test_every_suffix_and_figure_is_on_the_page() -> None:
    """Every format, name and bound stands on the page."""
    assert all(f"`{suffix}`" in PAGE for suffix in (*FORMATS, *EXPORTS))
    assert all(f"--export {name}" in PAGE or f"`{name}`" in PAGE for name in NAMES)
    assert f"{clab_links.DEFAULT_MTU} in containerlab" in PAGE
    assert f"uses {vxlan.LINUX_PORT}" in PAGE
    assert f"up to {MAX_PAIRS}" in PAGE
    assert f"{clab.MAX_LINES:,} exec lines".replace(",", " ") in PAGE

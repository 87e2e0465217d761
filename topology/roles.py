"""The roles of nodes: one table. A lab may use other words, and says of each such node whether it forwards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Role(NamedTuple):
    """A role: whether its nodes forward IP packets, the row and the colour of them in drawings, their icon in
    ``containerlab graph``, and the names of groups in containerlab files that mean it."""

    forwards: bool
    row: int
    colour: str
    icon: str
    groups: tuple[str, ...]


ROLES: Mapping[str, Role] = {
    "leaf": Role(True, 1, "#d9ead3", "router", ("leaf", "leafs", "leaves", "tor")),
    "spine": Role(True, 0, "#cfe2f3", "router", ("spine", "spines", "superspine", "superspines")),
    "switch": Role(False, 2, "#fff2cc", "switch", ("switch", "switches", "bridge", "bridges")),
    "customer": Role(
        False,
        3,
        "#f3f3f3",
        "host",
        ("customer", "customers", "client", "clients", "host", "hosts", "server", "servers"),
    ),
}
"""By the word of a lab file."""
ROUTERS = tuple(name for name, role in ROLES.items() if role.forwards)
"""The roles that forward IP packets."""


def role_of(word: str, forwards: bool) -> Role:
    """Return the role of a word; one of a lab's own is drawn below the others."""
    return ROLES.get(word) or Role(forwards, len(ROLES), "#ffffff", "router" if forwards else "host", ())


def row_of(word: str) -> int:
    """Return the row of a role, counted from the top of a drawing."""
    return role_of(word, False).row

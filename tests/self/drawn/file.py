"""A lab file that is being drawn: nodes, links and promises, and how they are written down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./:-]*|[0-9]+(\.[0-9]+){3}/?[0-9]*")
NOT_TEXT = ("null", "true", "false")
"""Words that YAML 1.2 reads as no text; ``on``, ``off``, ``yes`` and ``no`` are text."""


@dataclass
class Shared:
    """The parts drawn for a whole file: its nodes, and the settings of all of them."""

    random: Random
    roles: str
    hash_policy: str
    ignore_linkdown: bool
    overlap: bool
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    spreads: list[dict[str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    parts: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The lab file."""
        tree: dict[str, Any] = {"lab": "drawn", "nodes": self.nodes, "links": self.links, "pairs": self.pairs}
        tree["spreads"] = self.spreads
        tree["routing"] = {"multipath-hash": self.hash_policy, "ignore-routes-with-linkdown": self.ignore_linkdown}
        tree["isolation"] = {"overlap": "accepted" if self.overlap else "refused"}
        return "".join(_section(key, value) for key, value in tree.items() if value)


def _section(key: str, value: object) -> str:
    """One key of the file, with a line for each of its entries."""
    if isinstance(value, dict):
        return f"{key}:\n" + "".join(f"  {_flow(name)}: {_flow(entry)}\n" for name, entry in value.items())
    if isinstance(value, list):
        return f"{key}:\n" + "".join(f"  - {_flow(entry)}\n" for entry in value)
    return f"{key}: {_flow(value)}\n"


def _flow(value: object) -> str:
    """A value in YAML's flow style; text without quotes wherever YAML reads it as text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(entry)}" for key, entry in value.items() if entry != {}) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and PLAIN.fullmatch(value) and value not in NOT_TEXT and "::" not in value:
        return value
    return json.dumps(value)

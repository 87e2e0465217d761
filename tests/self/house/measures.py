"""Measures of the house's style: lengths, forbidden words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.self.house.sources import Source

Function = ast.FunctionDef | ast.AsyncFunctionDef
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
BANNER = re.compile(r"^\s*#\s*([-=*#~_])\1{3,}", re.MULTILINE)
FOREIGN = tuple(
    "".join(parts)
    for parts in (
        ("/wo", "rk/"),
        ("/tmp", "/v/"),
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("deb.deb", "ian.org"),
        ("snapshot.deb", "ian.org"),
        ("archive.ub", "untu.com"),
        ("registry.np", "mjs.org"),
    )
)
"""Paths of one machine, and hosts of package registries; in pieces, so that this file does not name them."""


def lines(source: Source) -> int:
    """Number of lines in a file."""
    return len(source.text.splitlines())


def functions(source: Source) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    return (node for node in source.statements if isinstance(node, Function))


def function_lines(function: Function) -> int:
    """Number of lines in a function, from its ``def`` to its end, the docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def unfinished(path: str, text: str) -> Iterator[str]:
    """Every note on unfinished work, and every banner."""
    for pattern in (UNFINISHED, BANNER):
        for found in pattern.finditer(text):
            yield f"{path}:{text.count(chr(10), 0, found.start()) + 1} - seen {found.group().strip()!r}"


def foreign(path: str, text: str) -> Iterator[str]:
    """Every mention of one machine's paths, or of a package registry."""
    for number, line in enumerate(text.splitlines(), 1):
        yield from (f"{path}:{number} - names {word}" for word in FOREIGN if word in line)

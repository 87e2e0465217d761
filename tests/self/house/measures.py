"""Measures of the house's style: lengths, docstrings, annotations, broad handlers, forbidden words."""

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
    return (node for node in source.nodes if isinstance(node, Function))


def function_lines(function: Function) -> int:
    """Number of lines in a function, from its ``def`` to its end, the docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def public(source: Source) -> Iterator[tuple[str, bool]]:
    """Every public module, class, function and method, and whether it has a docstring."""
    yield source.path, bool(ast.get_docstring(source.tree)) or not source.text.strip()
    yield from _public_in(source, source.tree)


def _public_in(source: Source, body: ast.Module | ast.ClassDef) -> Iterator[tuple[str, bool]]:
    for node in body.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{source.at(node)} {node.name}", bool(ast.get_docstring(node))
            if isinstance(node, ast.ClassDef):
                yield from _public_in(source, node)


def unannotated(source: Source) -> Iterator[str]:
    """Every function with an argument or a result that has no type."""
    for function in functions(source):
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        untyped = [a.arg for a in arguments if a is not None and a.annotation is None and a.arg not in ("self", "cls")]
        if function.returns is None:
            untyped.append("its result")
        if untyped:
            yield f"{source.at(function)} - {function.name} - expected types - seen none for {', '.join(untyped)}"


def broad_handlers(source: Source) -> Iterator[str]:
    """Every ``except`` that takes whatever comes."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(one is None or getattr(one, "id", "") in ("Exception", "BaseException") for one in caught):
                yield f"{source.at(node)} - takes every exception"


def unfinished(path: str, text: str) -> Iterator[str]:
    """Every note on unfinished work, and every banner."""
    for pattern in (UNFINISHED, BANNER):
        for found in pattern.finditer(text):
            yield f"{path}:{text.count(chr(10), 0, found.start()) + 1} - seen {found.group().strip()!r}"


def foreign(path: str, text: str) -> Iterator[str]:
    """Every mention of one machine's paths, or of a package registry."""
    for number, line in enumerate(text.splitlines(), 1):
        yield from (f"{path}:{number} - names {word}" for word in FOREIGN if word in line)

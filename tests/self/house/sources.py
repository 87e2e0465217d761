"""The checkout's own files, as the house's rules read them."""

from __future__ import annotations

import ast
import gc
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SKIPPED = frozenset(
    (".git", ".venv", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__", "out")
)


@dataclass(frozen=True)
class Source:
    """One Python file: its path below the checkout's root, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file; the garbage collector would look at half a million nodes again and again: 2 s."""
        gc.disable()
        try:
            return ast.parse(self.text, self.path)
        finally:
            gc.enable()

    @cached_property
    def statements(self) -> tuple[ast.AST, ...]:
        """Every statement, with those inside it, walked once for all rules; their expressions are twelve times more."""
        return tuple(_below(self.tree))

    @property
    def module(self) -> str:
        """The dotted name under which it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def under(self, *folders: str) -> bool:
        """True if the file is one of these, or in one of these folders."""
        return any(self.path == folder or self.path.startswith(f"{folder}/") for folder in folders)

    def at(self, node: ast.AST) -> str:
        """A place for a message."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def _below(node: ast.AST) -> Iterator[ast.AST]:
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inside in getattr(node, part, ()):
            yield inside
            yield from _below(inside)


@cache
def files() -> tuple[str, ...]:
    """Every file that is or would be committed, from git, or without git every file that is not made by a tool."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return tuple(sorted(_walked()))
    names = done.stdout.decode().split("\0")
    return tuple(sorted({name for name in names if name and (ROOT / name).is_file()}))


def _walked() -> Iterator[str]:
    for path in ROOT.rglob("*"):
        below = path.relative_to(ROOT)
        if path.is_file() and not SKIPPED & set(below.parts):
            yield str(below)


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the checkout."""
    return tuple(Source(name, (ROOT / name).read_text()) for name in files() if name.endswith(".py"))

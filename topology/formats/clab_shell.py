"""An exec line of a containerlab file -> the commands in it, each as its words.

containerlab splits a line as a shell would, but runs no shell: ``&&`` is one only inside ``sh -c '...'``. Of such
scripts plain commands joined by ``&&``, ``;`` and line ends are understood, ``|| true`` behind one, output thrown away,
and ``echo VALUE > /proc/sys/...``. Nothing is ever run here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from topology.errors import Position
from topology.formats.clab_findings import refusal
from topology.formats.lab_values import shown

MAX_LINE = 4096
"""Characters of one exec line: a command, or a short script."""
SHELLS = ("sh", "bash", "ash", "dash")
PREFIXES = ("sudo",)
JOINTS = (";", "&&")
NOWHERE = "/dev/null"
PROC_SYS = "/proc/sys/"
_SHELL_WORDS = frozenset({"for", "while", "until", "if", "case", "{", "!", "function", "export", "set", "cd"})
_DO_NOTHING = (["true"], [":"])
_FLAGS = re.compile(r"-[a-z]*c")
_RIGHT = "plain commands, joined by && or ; inside sh -c '...'"


class Words:
    """The words of one command, taken one after another, and where the command stands."""

    def __init__(self, words: Sequence[str], where: Position) -> None:
        self._words, self._next, self.where = words, 0, where

    def __bool__(self) -> bool:
        return self._next < len(self._words)

    def __str__(self) -> str:
        return shlex.join(self._words)

    def take(self) -> str:
        """The next word; raises LabError where there is none."""
        if not self:
            raise refusal(self.where, f"{shown(str(self))} ends too early", "the whole command")
        self._next += 1
        return self._words[self._next - 1]

    def took(self, *wanted: str) -> bool:
        """Whether the next word is one of these; it is taken then."""
        found = bool(self) and self._words[self._next] in wanted
        self._next += found
        return found

    @property
    def program(self) -> str:
        """The name of the program, without its folder."""
        return self._words[0].rsplit("/", 1)[-1] if self._words else ""


def commands(line: str, where: Position) -> Iterator[Words]:
    """The commands of an exec line; raises LabError where the line is not understood as commands."""
    if len(line) > MAX_LINE:
        raise refusal(where, f"an exec line has {len(line)} characters", f"at most {MAX_LINE}")
    try:
        words = shlex.split(line)
    except ValueError:
        raise refusal(where, f"the quotes in {shown(line)} do not close", _RIGHT) from None
    words = words[1:] if words[:1] and words[0] in PREFIXES else words
    if len(words) > 2 and words[0].rsplit("/", 1)[-1] in SHELLS and _FLAGS.fullmatch(words[1]):
        yield from (Words(found, where) for found in _script(words[2], where))
    elif words:
        yield Words(words, where)


def _script(text: str, where: Position) -> Iterator[Sequence[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>()")
        lexer.whitespace_split = True
        try:
            yield from _joined(list(lexer), line, where)
        except ValueError:
            raise refusal(where, f"the quotes in {shown(line)} do not close", _RIGHT) from None


def _joined(tokens: Sequence[str], line: str, where: Position) -> Iterator[Sequence[str]]:
    """The commands of one line of a script."""
    command: list[str] = []
    fallback = False
    for token in (*tokens, ";"):
        if token not in (*JOINTS, "||"):
            command.append(token)
            continue
        if fallback and command not in _DO_NOTHING:
            raise refusal(where, f"{shown(line)} has another way to go on", _RIGHT)
        if command and not fallback:
            yield _plain(command, line, where)
        command, fallback = [], token == "||"


def _plain(command: list[str], line: str, where: Position) -> Sequence[str]:
    """A command without its redirections; that of ``echo`` to a sysctl becomes a ``sysctl``."""
    words = list(command)
    while (at := next((n for n, word in enumerate(words) if word in (">", ">&", "&>")), None)) is not None:
        target = words[at + 1 : at + 2]
        if words[at] == ">" and words[0] == "echo" and target and target[0].startswith(PROC_SYS) and at == 2:
            return ["sysctl", "-w", f"{target[0].removeprefix(PROC_SYS)}={words[1]}"]
        if target not in ([NOWHERE], ["1"], ["2"]):
            break
        start = at - (words[at - 1] in ("1", "2")) if at else at
        words[start : at + 2] = []
    odd = next((word for word in words if (word and set(word) <= set(";&|<>()")) or "$" in word or "`" in word), None)
    if odd is None and words and words[0] in _SHELL_WORDS:
        odd = words[0]
    if odd is not None or not words:
        raise refusal(where, f"the shell's {shown(odd or '>')} in {shown(line)} is not understood", _RIGHT)
    return words[1:] if words[0] in PREFIXES else words

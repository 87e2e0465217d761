"""Splits an exec line of a containerlab file into its commands. Nothing is run.

containerlab splits a line as a shell would, but runs no shell: ``&&`` is one only inside ``sh -c '...'``. Of such
scripts plain commands joined by ``&&``, ``;`` and line ends are understood, ``|| true`` behind one, output thrown away,
shells in the shell, and ``echo`` or ``printf`` of a value into ``/proc/sys``, also by ``tee``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile

from topology.errors import LabError, Position, Problem
from topology.formats.lab_checks import MAX_PROBLEMS
from topology.formats.lab_values import shown

MAX_LINE = 4096
"""Characters of one exec line: a command, or a short script."""
SHELLS = ("sh", "bash", "ash", "dash")
PREFIXES = ("sudo", "doas", "nohup", "setsid", "exec", "command", "busybox")
"""Programs that run the rest of their line, unchanged."""
JOINTS = (";", "&&")
PROC_SYS = "/proc/sys/"
DEPTH_MAX = 8
"""Shells inside shells."""
_SHELL_WORDS = frozenset({"for", "while", "until", "if", "case", "{", "!", "function", "export", "set", "cd"})
_DO_NOTHING = (["true"], [":"])
_FLAGS = re.compile(r"-[a-z]*c")
_DISCARDED = re.compile(
    r"(?:(?<!\S)[12])?&?>>?(?:&?\s*/dev/null|&\s*[12])(?![^\s;&|)])|(?<!\S)2>>?\s*[^\s;&|<>()]+|(?<!\S)1(?=>)"
)
"""Redirections that change nothing: to nowhere, among the descriptors, of errors, and the descriptor of the output."""
_PRINTED = re.compile(r"(?:echo(?: -[neE]+)*|printf(?: %[sd](?:\\n|\n)?)?) \s*(-?[\w.:]+)(?:\\n)?\s*")
_RIGHT = "plain commands, joined by && or ; inside sh -c '...'"


@dataclass
class Findings:
    """Problems, notes, and the sections of the lab that a problem has spoiled; each is reported once."""

    problems: dict[Problem, None] = field(default_factory=dict)
    noted: set[Problem] = field(default_factory=set)
    spoiled: set[str] = field(default_factory=set)

    def refuse(self, where: Position, what: str, right: str, *spoils: str) -> None:
        """Add a problem; checks of parts that it ``spoils`` are not made."""
        self.problems.setdefault(Problem(where, what, right))
        self.spoiled.update(spoils)

    def note(self, where: Position, what: str, outcome: str) -> None:
        """Note an omission or a substitute, and its effect."""
        self.noted.add(Problem(where, what, outcome))

    @contextmanager
    def collected(self, *spoils: str) -> Iterator[None]:
        """Collect the problems that are raised inside."""
        try:
            yield
        except LabError as error:
            self.problems.update(dict.fromkeys(error.problems))
            self.spoiled.update(spoils)

    @property
    def notes(self) -> Sequence[str]:
        """The notes as lines, in the order of the file; at most ``MAX_PROBLEMS`` of them."""
        lines = [str(note) for note in sorted(self.noted)]
        more = len(lines) - MAX_PROBLEMS
        return lines if more <= 0 else [*lines[:MAX_PROBLEMS], f"and {more} more notes"]


def refusal(where: Position, what: str, right: str) -> LabError:
    """One problem, to be raised."""
    return LabError([Problem(where, what, right)])


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

    def skip(self, unwanted: Collection[str]) -> None:
        """Skip the next words as long as they are among these."""
        while self and self._words[self._next] in unwanted:
            self._next += 1

    @property
    def rest(self) -> Sequence[str]:
        """The words that are not taken yet."""
        return self._words[self._next :]


def commands(line: str, where: Position) -> Iterator[Words]:
    """The commands of an exec line; raises LabError where the line is not understood as commands."""
    if len(line) > MAX_LINE:
        raise refusal(where, f"an exec line has {len(line)} characters", f"at most {MAX_LINE}")
    try:
        words = shlex.split(line)
    except ValueError:
        raise refusal(where, f"the quotes in {shown(line)} do not close", _RIGHT) from None
    yield from (Words(found, where) for found in _entered(words, where, 0))


def program_of(words: Sequence[str]) -> str:
    """The name of a command's program, without its folder."""
    return words[0].rsplit("/", 1)[-1] if words else ""


def _entered(words: Sequence[str], where: Position, depth: int) -> Iterator[Sequence[str]]:
    """A command, or those of the script that it gives to a shell."""
    while words[:1] and words[0] in PREFIXES:
        words = words[1:]
    if (script := _given_script(words)) is not None:
        if depth == DEPTH_MAX:
            raise refusal(where, f"more than {DEPTH_MAX} shells inside each other", _RIGHT)
        for found in _script(script, where):
            yield from _entered(found, where, depth + 1)
    elif words:
        yield words


def _given_script(words: Sequence[str]) -> str | None:
    """The script behind ``sh -c``, with or without other flags; None for any other command."""
    if program_of(words) not in SHELLS:
        return None
    flags = list(takewhile(lambda word: word.startswith("-"), words[1:]))
    has_script = any(_FLAGS.fullmatch(flag) for flag in flags) and len(words) > len(flags) + 1
    return words[len(flags) + 1] if has_script else None


def _script(text: str, where: Position) -> Iterator[Sequence[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(_DISCARDED.sub(" ", line), posix=True, punctuation_chars=";&|<>()")
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
            raise refusal(where, f"{shown(line)} may continue differently", _RIGHT)
        if command and not fallback:
            yield _plain(command, line, where)
        command, fallback = [], token == "||"


def _plain(command: Sequence[str], line: str, where: Position) -> Sequence[str]:
    """A command without its redirections; a value that is written to a sysctl becomes a ``sysctl``."""
    words, targets = list(command), []
    while (at := next((n for n, word in enumerate(words) if word in (">", ">>")), None)) is not None:
        targets += words[at + 1 : at + 2] or [">"]
        words[at : at + 2] = []
    piped = "|" in words
    if piped:
        at = words.index("|")
        words, end = words[:at], words[at + 1 :]
        end = end[1:] if end[:1] == ["sudo"] else end
        paths = [word for word in end[1:] if not word.startswith("-")]
        targets = [*targets, *paths] if end[:1] == ["tee"] and "|" not in end else [*targets, "|", "|"]
    value = _PRINTED.fullmatch(" ".join(words))
    if len(targets) == 1 and targets[0].startswith(PROC_SYS) and value is not None:
        return ["sysctl", "-w", f"{targets[0].removeprefix(PROC_SYS)}={value[1]}"]
    odd = next((word for word in words if (word and set(word) <= set(";&|<>()")) or "$" in word or "`" in word), None)
    if odd is None and words and words[0] in _SHELL_WORDS:
        odd = words[0]
    odd = odd or (("|" if piped else ">") if targets or not words else None)
    if odd is not None:
        raise refusal(where, f"the shell's {shown(odd)} in {shown(line)} is not understood", _RIGHT)
    return words

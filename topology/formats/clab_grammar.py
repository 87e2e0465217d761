"""What may follow in a command of an exec line: a table for each command, and one reader for them all.

A word that no table knows may change what the fabric does, so it is refused, never skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from topology.formats.clab_findings import Findings, refusal
from topology.formats.clab_shell import Words
from topology.formats.lab_values import shown


@dataclass(frozen=True)
class Grammar:
    """The words of a command.

    ``settings`` have a value and fill the key given; ``flags`` have none; ``fixed`` may have the values given and no
    other (any, where none is given) and change nothing then; ``unseen`` are left out, with as many words behind them as
    given, and a note of what comes of it; a word that none of them knows, and that is not ``never`` one, fills the key
    ``bare``, once.
    """

    right: str
    settings: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    fixed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unseen: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    bare: str = ""
    never: frozenset[str] = frozenset()


def read(words: Words, grammar: Grammar, findings: Findings, until: str = "") -> dict[str, str]:
    """What the rest of a command says, by key; flags by their own name. Ends behind the setting ``until``."""
    found: dict[str, str] = {}
    while words and (not until or until not in found):
        word = words.take()
        if word in grammar.settings:
            found[grammar.settings[word]] = words.take()
        elif word in grammar.flags:
            found[word] = ""
        elif word in grammar.fixed:
            _insist(words, word, words.take(), grammar.fixed[word])
        elif word in grammar.unseen:
            count, outcome = grammar.unseen[word]
            left_out = [words.take() for _ in range(count)]
            findings.note(words.where, f"{shown(' '.join([word, *left_out]))} is left out", outcome)
        elif grammar.bare and grammar.bare not in found and word not in grammar.never:
            found[grammar.bare] = word
        else:
            raise refusal(words.where, f"{shown(word)} in {shown(str(words))} is not understood", grammar.right)
    return found


def _insist(words: Words, word: str, value: str, allowed: tuple[str, ...]) -> None:
    if allowed and value not in allowed:
        what = f"'{word} {value[:40]}' in {shown(str(words))} is not what hopcheck makes"
        raise refusal(words.where, what, " or ".join(f"{word} {one}" for one in allowed))


def need(words: Words, found: Mapping[str, str], key: str, grammar: Grammar) -> str:
    """The value of a key that the command must have."""
    if not found.get(key):
        raise refusal(words.where, f"{shown(str(words))} names no {key}", grammar.right)
    return found[key]

"""The words for the fields of a header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from topology.wire.fields import Value

_FIELD = re.compile(r"{(\w+)}")


def pieces(fields: Mapping[str, Value], *pieces: str) -> Iterator[str]:
    """Fill in the pieces of which a field is given, ``*`` for one that is not.

    A piece ``name?words`` is shown where the field ``name`` is given and not 0.
    """
    for piece in pieces:
        needed, _, text = piece.rpartition("?")
        names = _FIELD.findall(text)
        if fields.get(needed) if needed else not names or any(name in fields for name in names):
            yield _FIELD.sub(lambda found: _text(fields.get(found[1], "*")), text)


def _text(value: Value) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def number(fields: Mapping[str, Value], name: str, default: int = 0) -> int:
    """Return a field as a number; the default where it is not given."""
    value = fields.get(name)
    return value if isinstance(value, int) else default

"""One rule of a pattern: a value that it gives for a field of a header, or implies where it gives none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from topology.wire.fields import Value


@dataclass(frozen=True)
class Want:
    """One thing a field must satisfy: be `value` (None: be absent) under `mask`, or be none of `unlike`."""

    field: str
    value: Value | None = None
    mask: int | None = None
    unlike: frozenset[int] = frozenset()
    why: str = ""
    unless: str = ""
    """Another field that, where a pattern gives it, makes this one free."""

    def holds(self, fields: Mapping[str, Value]) -> bool:
        """Return whether a header with these fields satisfies it."""
        seen = fields.get(self.field)
        if self.unlike:
            return seen not in self.unlike
        if self.mask is not None and isinstance(seen, int):
            seen &= self.mask
        return seen == self.value

    def words(self, fields: Mapping[str, Value]) -> tuple[str, str]:
        """Return the expected and the seen value, for a message."""
        seen = fields.get(self.field)
        if isinstance(self.value, bytes) and isinstance(seen, bytes):
            return _apart(self.value, seen)
        expected = self.why or _shown(self.field, self.value)
        return expected, _shown(self.field, seen)


def _shown(field: str, value: Value | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, bytes):
        return f"{len(value)} bytes 0x{value[:16].hex()}{'…' if len(value) > 16 else ''}"
    if isinstance(value, int) and field in ("type", "proto", "ptype") and value > 0xFF:
        return f"0x{value:04x}"
    return str(value)


def _apart(expected: bytes, seen: bytes) -> tuple[str, str]:
    """Two different byte strings, from the first byte that differs."""
    same = next((i for i, (a, b) in enumerate(zip(expected, seen, strict=False)) if a != b), None)
    at = min(len(expected), len(seen)) if same is None else same

    def shown(data: bytes) -> str:
        return f"{len(data)} bytes, at byte {at} {'0x' + data[at : at + 8].hex() if data[at:] else 'the end'}"

    return shown(expected), shown(seen)

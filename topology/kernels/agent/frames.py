"""Frames on the stream between an agent and its user, packed and taken apart at both ends.

::

    frame    = header size (4 bytes, big endian), body size (4 bytes), header (JSON object), body (bytes)
    request  = {"id": n, "op": name, ...}
    answer   = {"id": n, "ok": {...}} or {"id": n, "error": {"type": ..., "errno": ..., "message": ...}}
    event    = {"id": n, "event": name, ...}        output of a running command, before its answer
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

HEADER_MAX, BODY_MAX = 1 << 20, 1 << 24


def frame(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame; ValueError where the other side would not take it."""
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > HEADER_MAX or len(body) > BODY_MAX:
        raise ValueError(f"expected at most {BODY_MAX} bytes - seen {len(text)} and {len(body)}")
    return struct.pack("!II", len(text), len(body)) + text + body


class Frames:
    """Bytes received on a stream; ``buffer`` takes the bytes."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def take(self) -> tuple[bytes, bytes] | None:
        """The first frame's header and body, None where it is not whole; ValueError where it is too large."""
        if len(self.buffer) < 8:
            return None
        head, size = struct.unpack_from("!II", self.buffer)
        if head > HEADER_MAX or size > BODY_MAX:
            raise ValueError(f"expected at most {BODY_MAX} bytes - seen {head} and {size}")
        end = 8 + head + size
        if len(self.buffer) < end:
            return None
        taken = bytes(self.buffer[8 : 8 + head]), bytes(self.buffer[8 + head : end])
        del self.buffer[:end]
        return taken

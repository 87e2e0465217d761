"""A name from outside that tries to be more than text: markup, colours, a reversed direction, a new line, length."""

from __future__ import annotations

HOSTILE_RAW = "<img src=x onerror=alert(1)>\x1b[31m\u202eevil\x07\n\"'`]-->" + "x" * 200
HOSTILE = "<img src=x onerror=alert(1)>\\x1b[31m\\u202eevil\\x07\\n\"'`]-->" + "x" * 200
"""The same with control and direction characters shown."""

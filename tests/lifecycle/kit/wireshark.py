"""Wireshark's own reader of captures."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from topology.errors import NotApplicable


def need_tshark() -> None:
    """Does not apply without tshark."""
    if shutil.which("tshark") is None:
        raise NotApplicable("no tshark here; on Debian: .ci/setup tests")


def packets(path: Path, *options: str) -> list[tuple[str, str, str]]:
    """The protocols of each packet, what is malformed in it, and its comment."""
    fields = [word for name in ("frame.protocols", "_ws.malformed", "frame.comment") for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), *options, "-T", "fields", "-E", "separator=\x1f", *fields]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [tuple(row) for line in re.split(r"\n(?=eth|raw|$)", done.stdout) if len(row := line.split("\x1f")) == 3]

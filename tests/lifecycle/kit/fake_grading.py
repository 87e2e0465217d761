"""A job's process that grades nothing: the submission holds its record, and says what is done to its worker."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    """Do as the submission says for so many times, each noted in a file, then answer with the record."""
    head, _, content = sys.stdin.buffer.read().partition(b"\n")
    told = json.loads(content)
    log = Path(told["log"])
    with log.open("a") as file:
        file.write(f"{told['name']}\n")
    if log.read_text().split().count(told["name"]) <= told["times"]:
        if told["does"] == "kills":
            os.kill(os.getppid(), signal.SIGKILL)
        if told["does"] in ("kills", "hangs"):
            signal.pause()
        if told["does"] == "fails":
            raise SystemExit("no space left on device")
    threading.Event().wait(told["seconds"])
    sys.stdout.write(json.dumps(told["record"] | {"key": json.loads(head)["key"]}))


if __name__ == "__main__":
    main()

"""pytest, as .venv/bin/pytest: with this checkout's settings, whatever paths its options name.

pytest looks for its settings above every existing path on the command line before it knows which options there are, so
`--out /somewhere/else` alone would make it leave the checkout. Naming the settings file settles that.
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def arguments(given: list[str]) -> list[str]:
    """The arguments with the settings file in front, inside the checkout and unless they name one."""
    named = any(argument.startswith(("-c", "--config-file", "--rootdir")) for argument in given)
    if named or not Path.cwd().is_relative_to(ROOT):
        return given
    return ["-c", str(ROOT / "pyproject.toml"), *given]


def open_closed_streams() -> bool:
    """Lead standard streams that the caller has closed to /dev/null; True where there was one.

    Whatever this process opened next would else take its number, and be written to as standard output.
    """
    closed = [fd for fd in range(3) if not Path(f"/proc/self/fd/{fd}").exists()]
    null = os.open(os.devnull, os.O_RDWR)
    for fd in closed:
        os.dup2(null, fd)
        os.set_inheritable(fd, True)  # dup2 leaves a descriptor that is the same one as it is
    return bool(closed)


if __name__ == "__main__":
    if open_closed_streams():  # sys.stdout is made when Python starts
        os.execv(sys.executable, (sys.executable, *sys.argv))
    sys.argv[1:] = arguments(sys.argv[1:])
    raise SystemExit(pytest.main())

"""pytest, as .venv/bin/pytest: with this checkout's settings, whatever paths its options name.

pytest looks for its settings above every existing path on the command line before it knows which options there are, so
`--out /somewhere/else` alone would make it leave the checkout. Naming the settings file settles that.
"""

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


if __name__ == "__main__":
    sys.argv[1:] = arguments(sys.argv[1:])
    raise SystemExit(pytest.main())

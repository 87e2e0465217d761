"""pytest, as .venv/bin/pytest: inside the checkout with its settings, whatever paths its options name.

pytest looks for its settings above every existing path on the command line before it knows which options there are, so
`--out /somewhere/else` alone would make it leave the checkout. Naming the settings file settles that. Outside the
checkout this is plain pytest; `hopcheck`, which runs it with `--hopcheck`, is for any folder.
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
RESULTS = "hopcheck-results"
NOTHING_RAN = (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)


def is_test_path(argument: str) -> bool:
    """Return whether an argument names tests of this checkout."""
    path = Path(argument.split("::")[0])
    return path.exists() and (path.resolve() == ROOT or path.resolve().is_relative_to(TESTS))


def arguments(given: list[str]) -> list[str]:
    """The arguments with the settings file in front, inside the checkout and unless they name settings."""
    named = any(argument.startswith(("-c", "--config-file", "--rootdir")) for argument in given)
    return given if named or not Path.cwd().is_relative_to(ROOT) else ["-c", str(ROOT / "pyproject.toml"), *given]


def anywhere(given: list[str]) -> list[str]:
    """The arguments of `hopcheck`, for any folder: this checkout's settings, its tests, results where the caller is."""
    front = ["-c", str(ROOT / "pyproject.toml")]
    outside = not Path.cwd().is_relative_to(ROOT)
    if outside and not any(argument.partition("=")[0] == "--out" for argument in given):
        front += ["--out", RESULTS]
    return [*front, *given] if any(map(is_test_path, given)) else [*front, str(TESTS), *given]


def hopcheck(given: list[str]) -> int:
    """Run pytest as the executable `hopcheck` does."""
    from fixtures.anywhere import plugins, version

    if given in (["--version"], ["-V"]):
        sys.stdout.write(f"{version()}\n")
        return 0
    return pytest.main(anywhere(given), plugins=plugins())


def main(given: list[str]) -> int:
    """Run pytest; where it finds nothing to run outside the checkout, name the executable for that."""
    code = pytest.main(arguments(given))
    if code in NOTHING_RAN and not Path.cwd().is_relative_to(ROOT):
        sys.stderr.write(f"outside its checkout hopcheck is run by {ROOT / 'hopcheck'}\n")
    return code


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
    raise SystemExit(hopcheck(sys.argv[2:]) if sys.argv[1:2] == ["--hopcheck"] else main(sys.argv[1:]))

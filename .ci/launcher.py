"""pytest, as .venv/bin/pytest: with this checkout's settings, whatever paths its options name.

pytest looks for its settings above every existing path on the command line before it knows which options there are, so
`--out /somewhere/else` alone would make it leave the checkout. Naming the settings file settles that. From outside the
checkout its tests are found by `--rootdir` or by a path; another project's tests are left to plain pytest.
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


def rootdir(given: list[str]) -> str:
    """Return the value of `--rootdir`, empty where it is not given."""
    following = zip(given, [*given[1:], ""], strict=True)
    return next((a.partition("=")[2] or b for a, b in following if a.partition("=")[0] == "--rootdir"), "")


def arguments(given: list[str]) -> list[str]:
    """The arguments with the settings file in front, unless they name one, or are not about this checkout."""
    settings, root = ["-c", str(ROOT / "pyproject.toml")], rootdir(given)
    if any(argument.startswith(("-c", "--config-file")) for argument in given):
        return given
    if root and Path(root).resolve() != ROOT:
        return given
    named = (argument for before, argument in zip(["", *given], given, strict=False) if before != "--rootdir")
    if Path.cwd().is_relative_to(ROOT) or any(map(is_test_path, named)):
        return [*settings, *given]
    return [*settings, str(TESTS), *given] if root else given


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
    """Run pytest; where it finds nothing to run outside the checkout, say where hopcheck's tests are."""
    code = pytest.main(arguments(given))
    if code in NOTHING_RAN and arguments(given) == given and not Path.cwd().is_relative_to(ROOT):
        sys.stderr.write(f"hopcheck's tests are in {ROOT}: cd there, or name it: pytest --rootdir={ROOT}\n")
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

"""The command line of the guest image; see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from topology.errors import HopcheckError
from topology.kernels.image import ensure_image, find_image, image_key
from topology.kernels.image.archive import export_image, import_image


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; 0 if it did what it says, 1 with a message on standard error if not."""
    parser = argparse.ArgumentParser(prog="python -m topology.kernels.image", description="The guest kernel's image.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build it unless the cache holds it")
    commands.add_parser("where", help="print its directory, exit with 1 if there is none")
    for name, text in (("export", "write it to a file"), ("import", "take it from a file")):
        commands.add_parser(name, help=text).add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        match chosen.command:
            case "where":
                image = find_image()
                say(str(image.rootfs.parent) if image else f"no image {image_key()} in the cache")
                return 0 if image else 1
            case "build":
                ensure_image(say)
            case "export":
                export_image(chosen.file, say)
            case _:
                import_image(chosen.file, say)
    except HopcheckError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - this is the command line


if __name__ == "__main__":
    raise SystemExit(main())

"""The command line of the guest image; see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from topology.errors import HopcheckError
from topology.kernels.image import ensure_image, export_image, find_image, image_key, import_image


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; 0 if it did what it says, 1 with a message on standard error if not."""
    parser = argparse.ArgumentParser(prog="python -m topology.kernels.image", description="The guest kernel's image.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build it unless the cache holds it")
    commands.add_parser("where", help="print its directory, exit with 1 if there is none")
    for name, text in (("export", "write it to a file"), ("import", "take it from a file")):
        commands.add_parser(name, help=text).add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    output = Console(soft_wrap=True, highlight=False)
    try:
        return _run(chosen, output)
    except HopcheckError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is the command line
        return 1


def _run(chosen: argparse.Namespace, output: Console) -> int:
    if chosen.command == "where":
        image = find_image()
        output.print(image.rootfs.parent if image else f"no image {image_key()} in the cache", markup=False)
        return 0 if image else 1
    with output.status("guest image") as status:

        def progress(line: str) -> None:
            status.update(line)
            output.print(line, markup=False)

        if chosen.command == "build":
            ensure_image(progress)
        elif chosen.command == "export":
            export_image(chosen.file, progress)
        else:
            import_image(chosen.file, progress)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

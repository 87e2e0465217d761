"""``python -m reports RESULTS.json [--out DIR]``: the page of a run, made again from its record alone."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from reports.record.files import write_atomically
from reports.record.store import RecordRefused, read_record
from reports.render.console import plain_console
from reports.render.ending import ending
from reports.render.page import PAGE, page

REFUSED = 4
"""The exit code for bad input, as of pytest."""


def main(arguments: list[str]) -> int:
    """Write the page beside the record, or into a folder, and print the end of the run."""
    parser = ArgumentParser(prog="python -m reports", description="Make a run's page again from its results.json.")
    parser.add_argument("record", type=Path, metavar="RESULTS.json")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the page (default: beside RESULTS.json)")
    given = parser.parse_args(arguments)
    console = plain_console()
    folder = given.out or given.record.parent
    try:
        record = read_record(given.record)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / PAGE, page(record, given.record.with_name("capture.pcapng").exists()))
    except RecordRefused as error:
        console.print(str(error))
        return REFUSED
    except OSError as error:
        console.print(f"{folder}: cannot be written: {error.strerror}; name another folder by --out")
        return REFUSED
    console.print("\n".join(line.text for line in ending(record, [f"report: {folder / PAGE}"])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

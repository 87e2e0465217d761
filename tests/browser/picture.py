"""``python -m tests.browser.picture REPORT.html PICTURE.png``: the first failure's fabric and ladder, as README
shows them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

MARGIN = 12
"""Pixels around the two."""


def main(report: str, picture: str) -> None:
    """Take the picture in Debian's chromium, in light colours."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        view = browser.new_page(viewport={"width": 1060, "height": 2400}, reduced_motion="reduce", color_scheme="light")
        view.goto(Path(report).absolute().as_uri())
        first, last = (view.locator(f".test.chosen {part}").first.bounding_box() for part in (".fabric", ".steps"))
        assert first
        assert last
        top, bottom = first["y"] - MARGIN, last["y"] + last["height"]
        width = first["width"] + 2 * MARGIN
        view.screenshot(path=picture, clip={"x": first["x"] - MARGIN, "y": top, "width": width, "height": bottom - top})
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

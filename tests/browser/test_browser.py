"""The page in a real browser: Debian's chromium, without a network, driven by playwright."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from fixtures.cli import out_folder
from reports.render.page import page
from tests.browser import pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.hopcheck
AXE = "axe-core@4.14.1"
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1280), ("light", 390), ("dark", 1280))
BYTES_MAX, WRITTEN_MAX_S, PAINTED_MAX_MS = 20_000_000, 10, 2000
"""Bounds of a page of a thousand journeys: its size, the processor's time to make it, and until something is seen."""
REFERENCE_MAX = 3_000_000
"""Bytes of a page of the reference lab."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; skipped where it or playwright is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium; .ci/setup tests installs it on Debian")
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright; .ci/setup tests installs it")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which npm brings; skipped where npm is not there or has no way to its registry."""
    folder = tmp_path_factory.mktemp("axe")
    if shutil.which("npm") is None:
        pytest.skip("no npm, which brings axe-core")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", AXE]
    try:
        done = subprocess.run(
            [*command, "--prefix", str(folder)], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm does not bring {AXE} within a minute")
    if done.returncode != 0:
        pytest.skip(f"npm does not bring {AXE}: {(done.stderr or done.stdout).strip()[:200]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@dataclass
class Opened:
    """A page in the browser, what it said on the console, and what it asked a network for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@cache
def written(name: str) -> str:
    """A page's text, made once."""
    return page(pages.PAGES[name]())


@dataclass
class Shelf:
    """Where pages and screenshots go."""

    browser: Browser
    folder: Path

    def open(self, name: str, text: str = "", **options: Any) -> Opened:
        """Open a page from a file, in a context of its own."""
        path = self.folder / f"{name}.html"
        path.write_text(text or written(name))
        settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options}
        found = Opened(self.browser.new_context(**settings).new_page())
        found.page.set_default_timeout(10_000)
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("dialog", lambda dialog: found.said.append(f"dialog: {dialog.message}"))
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.goto(path.as_uri(), timeout=60_000)  # 13 MB, on a busy machine
        return found


@pytest.fixture(scope="module")
def shelf(browser: Browser, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Pages and screenshots are kept beside the run's results."""
    kept = out_folder(pytestconfig) / "pages"
    kept.mkdir(parents=True, exist_ok=True)
    return Shelf(browser, kept)


def shows(where: Any, part: str, count: int) -> None:
    """Wait until so many of a part are there: the browser tells of an opened ``details`` in a task of its own.

    Raises:
        AssertionError: other counts for five seconds.

    """
    from playwright.sync_api import expect  # as the fixture: the module is collected where it is not installed

    expect(where.locator(part)).to_have_count(count)


LIT = "#fabric .lit .way"
"""The links that are lit in the fabric's own picture."""


@pytest.mark.parametrize("name", pages.PAGES)
def test_page_is_drawn_without_an_error_or_a_request(name: str, shelf: Shelf) -> None:
    """Nothing on the console, no request but for the file, every picture has a size, no sideways scroll."""
    opened = shelf.open(name)
    for scheme, width in LOOKS:
        opened.page.emulate_media(color_scheme=scheme)
        opened.page.set_viewport_size({"width": width, "height": 1600})
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width
        opened.page.screenshot(path=shelf.folder / f"{name}-{scheme}-{width}.png")
    empty = "[...document.querySelectorAll('svg')].filter(e => e.checkVisibility() && !e.getBBox().width).length"
    assert opened.page.evaluate(empty) == 0
    assert opened.page.locator("#fabric .node").count() == len(pages.PAGES[name]().map.nodes)  # type: ignore[union-attr]
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("file:")] == []
    assert len(opened.asked) == 1
    opened.page.context.close()


def test_choosing_a_test_lights_its_journey_by_mouse_and_keyboard(shelf: Shelf) -> None:
    """Request and answer, a line for each link they crossed, here and beside the ladder; closing puts it out."""
    opened = shelf.open("passing")
    opened.page.locator(".suite > summary").click()
    test = opened.page.locator(".test", has_text="cs1-cs5-l2-overlay")
    shows(opened.page, LIT, 0)
    test.locator("> summary").click()
    shows(opened.page, f"{LIT}.out", 6)
    shows(opened.page, f"{LIT}.back", 6)
    shows(test, ".fabric .lit .way", 12)
    shows(opened.page, "#fabric .tunnel.on", 2)
    test.locator("> summary").focus()
    opened.page.keyboard.press("Enter")
    shows(opened.page, LIT, 0)
    opened.page.keyboard.press("Space")
    shows(opened.page, LIT, 12)
    words = opened.page.locator("#fabric [role=status]").inner_text()
    assert "Out: seen on 6 of the 6 links of its path; back: seen on 6 of the 6" in words
    assert opened.said == []
    opened.page.context.close()


def test_failing_hop_is_marked_where_it_is(shelf: Shelf) -> None:
    """The first failure is lit when the page opens: what was crossed, what was not, and the cross at the node."""
    opened = shelf.open("failing")
    shows(opened.page, f"{LIT}.out", 2)
    shows(opened.page, f"{LIT}.miss", 4)
    shows(opened.page, "#fabric .fault.on", 1)
    opened.page.locator(".test[open]").last.dispatch_event("toggle")  # as a busy machine's browser tells of it, late
    shows(opened.page, f"{LIT}.out", 2)
    assert opened.page.locator("#fabric .node.cause title").all_text_contents() == [
        "lc1, leaf: repair here gretun-cont",
        "lc2, leaf: repair here gretun-cont",
        "con_ns2, switch: repair here bridge2_cs3",
    ]
    assert opened.page.locator(".steps .bad").first.is_visible()
    other = opened.page.locator(".group", has_text="ttl 9").locator(".test").first
    other.locator("> summary").click()
    assert other.locator(".bad mark").all_text_contents() == ["63", "9"]
    opened.page.context.close()


def test_filters_leave_what_was_asked_for(shelf: Shelf) -> None:
    """By verdict, by suite, by text; together, and back again."""
    opened = shelf.open("failing")
    every = opened.page.locator(".test:not([hidden])").count()
    assert every > 4
    opened.page.get_by_role("button", name="passed").click()
    opened.page.get_by_role("button", name="not proven").focus()
    opened.page.keyboard.press("Space")
    shows(opened.page, ".test:not([hidden])", 4)
    shows(opened.page, ".suite:not([hidden])", 0)
    opened.page.get_by_label("text").fill("cs3-cs4")
    shows(opened.page, ".test:not([hidden])", 1)
    assert "1 of" in opened.page.locator(".filters output").inner_text()
    opened.page.get_by_label("text").fill("")
    opened.page.get_by_role("button", name="passed").click()
    opened.page.get_by_role("button", name="not proven").click()
    opened.page.get_by_label("suite").select_option("overlay")
    shows(opened.page, ".test:not([hidden])", every)
    opened.page.context.close()


def test_link_to_a_ladder_opens_what_it_is_in(shelf: Shelf) -> None:
    """A test whose journey another one recorded leads there."""
    opened = shelf.open("passing")
    opened.page.evaluate("location.hash = '#j5'")
    opened.page.locator("#j5 .steps").wait_for(state="visible")
    opened.page.context.close()


@pytest.mark.parametrize(
    ("name", "scheme", "rules"),
    [("failing", "light", []), ("failing", "dark", ["color-contrast"]), ("measured", "light", [])],
)
def test_everyone_can_read_it(name: str, scheme: str, rules: list[str], shelf: Shelf, axe: str) -> None:
    """axe-core finds nothing serious: contrast, names of controls, what a keyboard reaches."""
    opened = shelf.open(name, color_scheme=scheme, bypass_csp=True)
    last = ".suite:last-of-type, .suite:last-of-type .test:first-of-type"
    opened.page.evaluate("which => document.querySelectorAll(which).forEach(e => { e.open = true })", last)
    opened.page.add_script_tag(content=axe)
    parts = "rules.length ? {include: [['header'], ['.filters'], ['.group:first-of-type']]} : document"
    found = opened.page.evaluate(f"rules => axe.run({parts}, rules.length ? {{runOnly: rules}} : {{}})", rules)
    assert len(found["passes"]) > (0 if rules else 15)
    serious = [
        (one["id"], [node["target"] for node in one["nodes"]][:4], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    opened.page.context.close()


def test_everything_can_be_read_without_the_script(shelf: Shelf) -> None:
    """Causes, ladders and the fabric with its crosses; what only the script can do is not offered."""
    opened = shelf.open("failing", java_script_enabled=False)
    for part in (".group .cause", ".leg .steps", "#fabric .fault"):
        assert opened.page.locator(part).first.is_visible()
    assert not opened.page.locator(".filters").is_visible()
    opened.page.context.close()


def test_hostile_names_do_nothing(shelf: Shelf) -> None:
    """Markup, escape sequences and turns of direction are shown as text: no element, no dialog, no request."""
    opened = shelf.open("hostile")
    text = opened.page.locator("body").inner_text()
    for words in ('<img src=x onerror="alert(1)">', "\\x1b[31mred\\x1b[0m", "\\u202etxt.exe\\u202c"):
        assert words in text
    assert opened.page.locator("img, iframe, [onerror]").count() == 0
    assert opened.said == []
    opened.page.context.close()


def test_page_of_the_reference_lab_is_small() -> None:
    """It can be sent by mail."""
    assert len(written("passing").encode()) <= REFERENCE_MAX


def test_thousand_journeys_are_written_and_shown_in_time(shelf: Shelf) -> None:
    """At most 20 MB, 10 s of a processor to make, and 2 s until something is painted."""
    run = pages.thousand()
    before = time.process_time()
    text = page(run)
    assert time.process_time() - before <= WRITTEN_MAX_S
    assert len(text.encode()) <= BYTES_MAX
    opened = shelf.open("thousand", text)
    painted = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert opened.page.evaluate(painted) <= PAINTED_MAX_MS
    opened.page.context.close()
    (shelf.folder / "thousand.html").unlink()

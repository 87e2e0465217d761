"""The frame of every page: templates in which all names are text, one style, one script, and a policy for both.

The policy (https://www.w3.org/TR/CSP3/) lets a browser load nothing and run nothing but that one script: style and
script are named by their digests, so neither can come from data.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import jinja2
from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from reports.render.boxes import stack
from reports.render.groups import others
from reports.render.ladder import NO_CAUSE, protocol
from reports.render.layout import shorten
from reports.render.plots import FATES, chart, mtu_rows, numbers, waterfall
from reports.render.steps import profile, steps
from reports.words import counted, plain

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Frame:
    """A page's style and script, and the policy that allows these two alone."""

    style: Markup
    script: Markup
    policy: str


def frame(*styles: Path) -> Frame:
    """The frame of a page; further ``styles`` follow the common one."""
    style = "".join(path.read_text("utf-8") for path in (HERE / "page.css", *styles))
    script = (HERE / "page.js").read_text("utf-8")
    rules = (
        "default-src 'none'",
        f"style-src '{_digest(style)}'",
        f"script-src '{_digest(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return Frame(Markup(style), Markup(script), "; ".join(rules))


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


class _Compiled(FileSystemBytecodeCache):
    """Templates as Python's code, beside that of the modules; a checkout that cannot be written does without."""

    def __init__(self) -> None:
        # Another version of Jinja writes other code.
        super().__init__(str(HERE / "__pycache__"), f"__jinja2_{jinja2.__version__}_%s.cache")

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep one template's code."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def environment(*folders: Path) -> Environment:
    """The environment of templates; everything that they write is text, with control and direction characters spelled
    out.
    """
    found = Environment(
        autoescape=True,
        bytecode_cache=None if sys.dont_write_bytecode else _Compiled(),
        loader=FileSystemLoader([*folders, HERE]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_final,
    )
    found.globals |= {
        "chart": chart,
        "counted": counted,
        "fates": FATES,
        "mtu_rows": mtu_rows,
        "no_cause": NO_CAUSE,
        "others": others,
        "profile": profile,
        "protocol": protocol,
        "shorten": shorten,
        "stack": stack,
        "steps": steps,
        "numbers": numbers,
        "waterfall": waterfall,
    }
    return found


def _final(value: object) -> object:
    """The one edge at which text comes into a page; markup has been through it."""
    return value if isinstance(value, (Markup, int, float)) else plain(str(value), "\n\t")

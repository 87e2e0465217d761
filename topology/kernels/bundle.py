"""Packs the agent's modules into one Python source text, and the one-line loader that takes it off a stream.

The same text serves every kernel: the loader reads its size (4 bytes, big endian) and then the text itself, so that
a changed agent needs no new guest image and nothing installed on a remote machine.
"""

from __future__ import annotations

import struct
from pathlib import Path

PACKAGE = "topology.kernels.agent"
MODULES = ("files", "frames", "namespaces", "tap", "netlink", "commands", "senders", "stream", "serve")
"""In an order in which each imports only earlier ones."""

LOADER = (
    "import os,struct\n"
    "def take(n):\n"
    " data=b''\n"
    " while len(data)<n:\n"
    "  part=os.read(0,n-len(data))\n"
    "  if not part: raise SystemExit(0)\n"
    "  data+=part\n"
    " return data\n"
    "exec(take(struct.unpack('!I',take(4))[0]))\n"
)
"""For ``python3 -c``: loads and runs the agent from standard input."""

_PREAMBLE = """import sys, types
def _package(name):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
for _name in {parents!r}:
    _package(_name)
for _name, _text in {modules!r}:
    _module = sys.modules[_name] = types.ModuleType(_name)
    exec(compile(_text, _name, "exec", dont_inherit=True), _module.__dict__)
sys.modules[{package!r} + ".serve"].main(globals().get("STREAM_FD"))
"""


def agent_source() -> bytes:
    """The whole agent as one Python source text."""
    folder = Path(__file__).parent / "agent"
    modules = [(f"{PACKAGE}.{name}", (folder / f"{name}.py").read_text()) for name in MODULES]
    words = PACKAGE.split(".")
    parents = [".".join(words[: n + 1]) for n in range(len(words))]
    return _PREAMBLE.format(parents=parents, modules=modules, package=PACKAGE).encode()


def agent_parcel() -> bytes:
    """The source behind its size, as the loader expects them first on the stream."""
    source = agent_source()
    return struct.pack("!I", len(source)) + source

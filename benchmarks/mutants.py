"""Changes one thing at a time in code that decides verdicts, and counts the changes that its own tests notice.

``python -m benchmarks.mutants [MODULE…]`` tries every change: of an operator, a number, a condition or a statement,
never of a text. HOPCHECK_MUTANTS=N tries N of each module, drawn from HOPCHECK_SEED. A change is tried in a process of
its own, which imports the module with it; no file is written.
"""

from __future__ import annotations

import ast
import importlib
import os
import random
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SHARE = 0.9
"""The changes of each module that must be noticed."""
CPU_S = 60
"""More than the tests of any module take; a change that makes them endless is noticed."""
TESTS: Mapping[str, str] = {
    "reports.checks.apart": "fixtures/test_apart",
    "reports.checks.closed": "fixtures/test_outwards reports/test_isolation_judge",
    "reports.checks.domains": "fixtures/test_frames fixtures/test_parametrise reports/test_isolation_judge "
    "topology/test_learning",
    "reports.checks.forgery": "fixtures/test_forge fixtures/test_parametrise reports/test_isolation_judge",
    "reports.checks.mtu": "reports/test_mtu_judge fixtures/test_size_book fixtures/test_mtu",
    "reports.checks.outer_ttl": "reports/test_outer_ttl",
    "reports.checks.payloads": "reports/test_payload_judge fixtures/test_payloads",
    "reports.checks.replication": "reports/test_replication_judge fixtures/test_replicated",
    "reports.checks.seen": "reports/test_seen_judge",
    "reports.checks.spread": "reports/test_spread",
    "reports.checks.underlay": "fixtures/test_parametrise reports/test_state_judge",
    "reports.judge.journey": "reports/test_journey_judge reports/test_vlan_judge topology/test_learning",
    "topology.wire.stack": "wire/test_stack wire/test_lookalikes",
    "topology.dataplane.frames": "topology/test_expected topology/test_learning topology/test_vlans "
    "topology/test_replication dataplane/test_endings topology/test_known_labs",
    "topology.dataplane.walk": "topology/test_expected topology/test_replication topology/test_learning "
    "topology/test_vlans topology/test_source_by_route dataplane/test_endings topology/test_ecmp "
    "topology/test_known_labs",
}
"""The modules, and the files below tests/self that are to notice."""
HEAVY = ("hypothesis", "jinja2", "pydantic", "pyroute2", "rich.console", "yaml", "scapy.all", "xdist")
"""Imported once, before the first process is made."""
PAIRS: Sequence[tuple[type, type]] = (
    *((ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn), (ast.Lt, ast.LtE), (ast.Gt, ast.GtE)),
    *((ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.BitAnd, ast.BitOr)),
)
SWAPPED: Mapping[type, Any] = {**dict(PAIRS), **{other: one for one, other in PAIRS}}


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What a node is replaced by, one after another."""
    match node:
        case ast.Compare(left, [op], right) if type(op) in SWAPPED:
            yield ast.Compare(left, [SWAPPED[type(op)]()], right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(SWAPPED[type(op)](), values)
        case ast.BinOp(left, op, right) if type(op) in SWAPPED:
            yield ast.BinOp(left, SWAPPED[type(op)](), right)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.Constant(bool() | int() as value):
            yield ast.Constant(not value if isinstance(value, bool) else value + 1)
        case ast.If(test, body, orelse) if not isinstance(test, ast.Compare | ast.UnaryOp):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.comprehension(target, iterated, [_, *_], is_async):
            yield ast.comprehension(target, iterated, [], is_async)
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))


class Changed(ast.NodeTransformer):
    """Makes the change of a number; ``what`` describes it, and is empty where there are not so many."""

    def __init__(self, number: int) -> None:
        self.left, self.what = number, ""

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the node if its turn has come, else go on inside it; annotations and decorators stay."""
        for new in changes(node):
            self.left -= 1
            if self.left == -1:
                self.what = f"{getattr(node, 'lineno', '')}: {ast.unparse(node)[:60]!r} -> {ast.unparse(new)[:60]!r}"
                return ast.fix_missing_locations(ast.copy_location(new, node))
        for name in ("annotation", "returns", "decorator_list"):
            if kept := getattr(node, name, None):
                setattr(node, name, [] if isinstance(kept, list) else None)
                self.generic_visit(node)
                setattr(node, name, kept)
                return node
        return self.generic_visit(node)


class Finder(SourceFileLoader):
    """Finds one module, and loads it with its change."""

    def __init__(self, module: str, number: int) -> None:
        super().__init__(module, str(ROOT / f"{module.replace('.', '/')}.py"))
        self.tree, self.change = ast.parse(Path(self.path).read_text()), Changed(number)
        self.change.visit(self.tree)

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Claim the one module."""
        return spec_from_loader(name, self) if name == self.name else None

    def get_code(self, _: str) -> CodeType:
        """Compile the changed module."""
        code: CodeType = compile(self.tree, self.path, "exec")
        return code


def described(module: str) -> list[str]:
    """All changes of a module, in the order of their numbers."""
    found: list[str] = []
    while what := Finder(module, len(found)).change.what:
        found.append(what)
    return found


def start(module: str, number: int) -> int:
    """Start the module's tests on a change, with -1 on none; the process ends with 0 where they notice nothing."""
    if pid := os.fork():
        return pid
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    sys.meta_path.insert(0, Finder(module, number))
    tests = [str(ROOT / "tests" / "self" / f"{name}.py") for name in TESTS[module].split()]
    with tempfile.TemporaryDirectory() as out:
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--out={out}", *tests])
    os._exit(int(code))


def survivors(module: str, numbers: Sequence[int]) -> list[int]:
    """The changes that no test notices; as many are tried at once as there are cores."""
    running, found, ahead = dict[int, int](), list[int](), [*numbers]
    while ahead or running:
        while ahead and len(running) < (os.cpu_count() or 1):
            number = ahead.pop()
            running[start(module, number)] = number
        pid, status = os.wait()
        number = running.pop(pid)
        found += [number] if status == 0 else []
    return sorted(found)


def noticed(module: str, most: int, chance: random.Random) -> bool:
    """Print the share of a module's changes that is noticed, and the others; whether the share is enough."""
    if not survivors(module, [-1]):
        raise SystemExit(f"{module} - expected its tests to pass without a change")
    texts = described(module)
    numbers = chance.sample(range(len(texts)), min(most, len(texts)))
    left = survivors(module, numbers)
    share = 1 - len(left) / len(numbers)
    print(f"{module}: {len(numbers) - len(left)} of {len(numbers)} changes noticed ({share:.0%})")
    print("".join(f"  {module.replace('.', '/')}.py:{texts[number]}\n" for number in left), end="", flush=True)
    return share >= SHARE


if __name__ == "__main__":
    for heavy in HEAVY:
        importlib.import_module(heavy)
    draw, limit = random.Random(os.environ.get("HOPCHECK_SEED")), int(os.environ.get("HOPCHECK_MUTANTS", "100000"))
    enough = [noticed(name, limit, draw) for name in sys.argv[1:] or TESTS]
    sys.exit(not all(enough))

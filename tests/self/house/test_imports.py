"""Import rules: the packages, the layers inside topology, and the imports forbidden to each.

Each rule, a function from a file to what is wrong with it, is held to the checkout and to made-up files that break it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import pytest

from tests.self.house.sources import Source, sources

pytestmark = pytest.mark.xdist_group("sources")  # one worker parses them

PACKAGES = ("topology", "reports", "fixtures", "tests")
"""Each may import those before it, and itself."""
CORE = ("topology.errors", "topology.wait")
MODEL = tuple(f"topology.{name}" for name in ("refs", "promises", "links", "frr", "roles", "node", "model"))
NODES = tuple(f"topology.{name}" for name in ("packet", "plan", "state", "isolation", "kernels", "nodes"))
LAYERS: dict[str, tuple[str, ...]] = {
    "topology.errors": (),
    "topology.wait": ("topology.errors",),
    "topology.wire": ("topology.errors", "topology.wire"),
    **dict.fromkeys(("topology.fib", "topology.refs", "topology.roles"), ()),
    "topology.promises": ("topology.errors", "topology.refs"),
    "topology.packet": ("topology.refs", "topology.wire"),
    "topology.links": ("topology.errors", *MODEL[:3], "topology.wire", "topology.packet"),
    "topology.frr": ("topology.refs",),
    "topology.node": ("topology.errors", "topology.fib", *MODEL[:5]),
    "topology.model": ("topology.errors", *MODEL[:6]),
    "topology.carried": ("topology.promises", "topology.links"),
    "topology.plan": ("topology.errors", "topology.fib", *MODEL),
    "topology.mtu": ("topology.errors", "topology.fib", *MODEL),
    "topology.state": ("topology.errors", *MODEL, "topology.mtu", "topology.plan"),
    "topology.dataplane": (*MODEL, "topology.fib", "topology.wire", "topology.packet", "topology.dataplane"),
    "topology.dataplane.live": (*MODEL, "topology.plan", "topology.state"),
    "topology.expected": ("topology.errors", *MODEL, "topology.packet", "topology.dataplane", "topology.carried"),
    "topology.derived_pairs": ("topology.errors", *MODEL, "topology.packet", "topology.expected"),
    "topology.leafspine": ("topology.errors", *MODEL),
    "topology.paths": ("topology.errors", *MODEL),
    "topology.events": (*MODEL,),
    "topology.formats": (
        "topology.errors",
        *MODEL,
        "topology.events",
        "topology.paths",
        "topology.leafspine",
        "topology.tenants.rows",
        "topology.formats",
    ),
    "topology.export": ("topology.errors", *MODEL, "topology.plan", "topology.export"),
    "topology.tenants.rows": ("topology.errors", *MODEL),
    "topology.tenants": (
        "topology.errors",
        *MODEL,
        "topology.packet",
        "topology.plan",
        "topology.expected",
        "topology.tenants",
    ),
    "topology.isolation": (*CORE, *MODEL, "topology.packet", "topology.expected", "topology.isolation"),
    "topology.kernels.agent": ("topology.kernels.agent",),
    "topology.kernels": (*CORE, *MODEL, "topology.wire", "topology.plan", "topology.state", "topology.kernels"),
    "topology.nodes": (*CORE, *MODEL, "topology.control", *NODES),
}
"""What a part of topology may import of topology; the longest name that fits a module decides."""
OTHERS = (
    *CORE,
    *MODEL,
    "topology.packet",
    "topology.plan",
    "topology.state",
    "topology.dataplane",
    "topology.expected",
    "topology.mtu",
    "topology.wire",
)
"""For parts that are not listed: the pure ones."""
HTML_HOOKS = "reports/render/pytest_html_hooks.py"
AGENT = "topology/kernels/agent"
MAY_SLEEP = ("topology/wait.py", "topology/kernels/image/bootstrap.py", AGENT)
PLAIN = ("topology.wire", "topology.errors", "topology.refs", "reports.record.exhibits")
"""What the words of evidence may import."""
SYSTEM_TOOLS = ("subprocess", "pyroute2", "docker")

Rule = Callable[[Source], Iterator[str]]


@cache
def imports(source: Source) -> tuple[tuple[ast.AST, str], ...]:
    """Every module that a file imports, wherever in the file; of ``from a import b`` both ``a`` and ``a.b``."""
    return tuple(_imports(source))


def _imports(source: Source) -> Iterator[tuple[ast.AST, str]]:
    for node in source.statements:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield node, base
            yield from ((node, f"{base}.{alias.name}") for alias in node.names)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    if not source.path.endswith("__init__.py"):
        package = package[:-1]
    kept = package[: len(package) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def within(module: str, *names: str) -> bool:
    """True if a module is one of these, or inside one of these."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


def packages_import_one_way(source: Source) -> Iterator[str]:
    """topology <- reports <- fixtures <- tests."""
    own = source.path.split("/")[0]
    if own not in PACKAGES:
        return
    above = PACKAGES[PACKAGES.index(own) + 1 :]
    for node, module in imports(source):
        if module.split(".")[0] in above:
            yield f"{source.at(node)} - imports {module} - expected nothing above {own}"


def topology_imports_downwards(source: Source) -> Iterator[str]:
    """wire, model <- expected, plan <- kernels <- runtimes; the agent stands alone."""
    if not source.under("topology"):
        return
    fitting = [name for name in LAYERS if within(source.module, name)]
    allowed = LAYERS[max(fitting, key=len)] if fitting else (*OTHERS, source.module)
    for node, module in imports(source):
        if within(module, "topology") and not _is_covered(module, allowed):
            yield f"{source.at(node)} - imports {module} - expected only {', '.join(allowed) or 'nothing'} of topology"


def _is_covered(module: str, allowed: tuple[str, ...]) -> bool:
    """True if a module is allowed, or is the package from which an allowed one is imported."""
    return within(module, *allowed) or any(within(name, module) and name != module for name in allowed)


def agent_is_standard_library_only(source: Source) -> Iterator[str]:
    """The guest's agent imports nothing but Python."""
    if not source.under(AGENT):
        return
    for node, module in imports(source):
        top = module.split(".")[0]
        own = within(module, "topology.kernels.agent") or within("topology.kernels.agent", module)
        if not own and top not in sys.stdlib_module_names:
            yield f"{source.at(node)} - imports {module} - expected the standard library"
        if top == "tomllib":
            yield f"{source.at(node)} - imports {module} - expected what Python 3.9 has"


def agent_is_python_3_9(source: Source) -> Iterator[str]:
    """The guest's Python may be 3.9: neither later syntax nor later arguments."""
    if not source.under(AGENT):
        return
    try:
        ast.parse(source.text, feature_version=(3, 9))
    except SyntaxError as error:
        yield f"{source.path}:{error.lineno} - {error.msg} - expected the syntax of Python 3.9"
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            newer = {"zip": {"strict"}, "dataclass": {"slots", "kw_only"}}.get(node.func.id, set())
            for keyword in node.keywords:
                if keyword.arg in newer:
                    yield f"{source.at(node)} - {node.func.id}({keyword.arg}=) - expected what Python 3.9 has"


def pytest_stays_above(source: Source) -> Iterator[str]:
    """Nothing under topology, reports or fixtures/instruments knows pytest; one module of hooks excepted."""
    if not source.under("topology", "reports", "fixtures/instruments") or source.path == HTML_HOOKS:
        return
    for node, module in imports(source):
        if within(module, "pytest", "_pytest", "pytest_html"):
            yield f"{source.at(node)} - imports {module} - expected no pytest here"


def product_uses_public_pytest(source: Source) -> Iterator[str]:
    """Private modules of pytest change without notice."""
    for node, module in imports(source):
        if within(module, "_pytest") and not source.under("tests"):
            yield f"{source.at(node)} - imports {module} - expected what pytest makes public"


def network_tests_ask_the_fabric(source: Source) -> Iterator[str]:
    """A test of the network does not reach around its fixtures."""
    if not source.under("tests") or source.under("tests/self", "tests/browser", "tests/lifecycle/kit"):
        return
    for node, module in imports(source):
        if within(module, *SYSTEM_TOOLS):
            yield f"{source.at(node)} - imports {module} - expected a fixture that does it"


def no_module_sleeps(source: Source) -> Iterator[str]:
    """Waiting is for a condition, in one helper."""
    if source.under(*MAY_SLEEP):
        return
    for node, module in imports(source):
        if module in ("time.sleep", "asyncio.sleep"):
            yield f"{source.at(node)} - imports sleep - expected topology.wait.wait_for"
    for node in ast.walk(source.tree) if "sleep" in source.text else ():
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and isinstance(node.value, ast.Name):
            yield f"{source.at(node)} - {node.value.id}.sleep - expected topology.wait.wait_for"


def evidence_is_plain(source: Source) -> Iterator[str]:
    """The shared words depend on next to nothing."""
    if source.path != "reports/evidence.py":
        return
    for node, module in imports(source):
        known = module.split(".")[0] in sys.stdlib_module_names
        if not known and not within(module, *PLAIN):
            yield f"{source.at(node)} - imports {module} - expected stdlib or {', '.join(PLAIN)}"


def judges_are_pure(source: Source) -> Iterator[str]:
    """Judges see evidence and the declaration, never a kernel, a runtime or live forwarding state."""
    for node, module in imports(source) if source.under("reports/judge", "reports/checks") else ():
        if within(module, "topology.kernels", "topology.nodes", "topology.dataplane.live"):
            yield f"{source.at(node)} - imports {module} - expected nothing live"


RULES: tuple[Rule, ...] = (
    packages_import_one_way,
    topology_imports_downwards,
    agent_is_standard_library_only,
    agent_is_python_3_9,
    pytest_stays_above,
    product_uses_public_pytest,
    network_tests_ask_the_fabric,
    no_module_sleeps,
    evidence_is_plain,
    judges_are_pure,
)

BROKEN: tuple[tuple[Rule, str, str], ...] = (
    (packages_import_one_way, "topology/x.py", "import reports.evidence"),
    (packages_import_one_way, "topology/kernels/x.py", "from fixtures import run"),
    (packages_import_one_way, "reports/judge/x.py", "def f():\n    from fixtures.instruments.tap import Taps"),
    (packages_import_one_way, "fixtures/x.py", "from tests.self.builders import reference"),
    (packages_import_one_way, "topology/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tests"),
    (topology_imports_downwards, "topology/wire/x.py", "from topology.model import Fabric"),
    (topology_imports_downwards, "topology/wire/x.py", "from topology import model"),
    (topology_imports_downwards, "topology/wire/x.py", "from .. import model"),
    (topology_imports_downwards, "topology/model.py", "from topology.wire.stack import Stack"),
    (topology_imports_downwards, "topology/errors.py", "import topology.wait"),
    (topology_imports_downwards, "topology/expected.py", "from topology.kernels.link import Agent"),
    (topology_imports_downwards, "topology/plan.py", "from topology.formats.lab import load_lab"),
    (topology_imports_downwards, "topology/packet.py", "from topology.expected import ExpectedHop"),
    (topology_imports_downwards, "topology/state.py", "from topology.nodes.docker import x"),
    (topology_imports_downwards, "topology/formats/x.py", "from topology.expected import check_pairs"),
    (topology_imports_downwards, "topology/export/x.py", "from topology.formats.clab import load_clab"),
    (topology_imports_downwards, "topology/derived_pairs.py", "from topology.formats.pairs_files import with_pairs"),
    (topology_imports_downwards, "topology/kernels/x.py", "from topology.nodes.registry import make_runtime"),
    (topology_imports_downwards, "topology/kernels/agent/x.py", "from topology.errors import AgentError"),
    (topology_imports_downwards, "topology/kernels/agent/x.py", "from topology.kernels.link import AgentLink"),
    (topology_imports_downwards, "topology/leafspine.py", "from topology.kernels.host import HostKernel"),
    (agent_is_standard_library_only, "topology/kernels/agent/x.py", "import pyroute2"),
    (agent_is_standard_library_only, "topology/kernels/agent/x.py", "def f():\n    from scapy.all import IP"),
    (agent_is_standard_library_only, "topology/kernels/agent/x.py", "import tomllib"),
    (agent_is_python_3_9, "topology/kernels/agent/x.py", "match 1:\n    case 1:\n        pass"),
    (agent_is_python_3_9, "topology/kernels/agent/x.py", "try:\n    pass\nexcept* OSError:\n    pass"),
    (agent_is_python_3_9, "topology/kernels/agent/x.py", "zip([], [], strict=True)"),
    (pytest_stays_above, "topology/x.py", "import pytest"),
    (pytest_stays_above, "reports/render/x.py", "from pytest_html import extras"),
    (pytest_stays_above, "reports/judge/x.py", "from _pytest.outcomes import Failed"),
    (pytest_stays_above, "fixtures/instruments/x.py", "def f():\n    import pytest as p"),
    (product_uses_public_pytest, "fixtures/x.py", "from _pytest.mark.expression import Expression"),
    (network_tests_ask_the_fabric, "tests/overlay/x.py", "import subprocess"),
    (network_tests_ask_the_fabric, "tests/faults/x.py", "from pyroute2 import IPRoute"),
    (network_tests_ask_the_fabric, "tests/perf/x.py", "import docker.errors"),
    (no_module_sleeps, "tests/overlay/x.py", "import time\ntime.sleep(1)"),
    (no_module_sleeps, "fixtures/x.py", "from time import sleep"),
    (no_module_sleeps, "topology/kernels/x.py", "import time as t\nt.sleep(0.1)"),
    (no_module_sleeps, "tests/self/x.py", "import asyncio\nasyncio.sleep(1)"),
    (evidence_is_plain, "reports/evidence.py", "from topology.model import Fabric"),
    (evidence_is_plain, "reports/evidence.py", "import scapy.packet"),
    (evidence_is_plain, "reports/evidence.py", "from reports.judge.journey import Verdict"),
    (judges_are_pure, "reports/judge/x.py", "from topology.kernels.registry import KernelInfo"),
    (judges_are_pure, "reports/checks/x.py", "from topology.dataplane.live import live_fabric"),
)

SOUND: tuple[tuple[str, str], ...] = (
    ("topology/kernels/x.py", "from topology.plan import Plan\nfrom topology.kernels import link"),
    (
        "topology/kernels/agent/x.py",
        "import os\nfrom topology.kernels.agent import relay\nfrom . import tap\nzip([], [])",
    ),
    (
        "topology/wire/x.py",
        "from topology.wire.walk import Walk\nfrom topology.errors import Misuse\nfrom . import fields",
    ),
    ("topology/wait.py", "import time\ntime.sleep(1)"),
    ("topology/leafspine.py", "from topology.model import Fabric"),
    ("reports/x.py", "from topology.kernels.registry import KernelInfo\nimport reportlab"),
    (HTML_HOOKS, "import pytest"),
    ("fixtures/x.py", "import pytest\nfrom reports.evidence import Journey"),
    ("fixtures/instruments/x.py", "import subprocess"),
    ("tests/overlay/x.py", "import pytest\nfrom fixtures.underlay import Ends\nimport dockerfile"),
    ("tests/self/x.py", "import subprocess\nfrom pyroute2 import IPRoute"),
    ("reports/evidence.py", "import struct\nfrom topology.wire.stack import Stack"),
    ("conftest.py", "import pytest"),
)


def circles(product: Sequence[Source]) -> list[list[str]]:
    """The groups of modules that import each other, wherever in the file; of ``from a import b`` the module b."""
    modules = {source.module: source for source in product}
    graph = {name: {own for own in _precisely(source) if own in modules} for name, source in modules.items()}
    reached = {name: _reached(graph, name) for name in graph}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other]) for name in graph if name in reached[name]
    }
    return sorted(sorted(group) for group in groups)


def _precisely(source: Source) -> set[str]:
    """The modules that a file imports, without the package that ``from package import module`` names on the way."""
    found = {module for _, module in imports(source)} - {source.module}
    own = found & _modules()
    return {module for module in found if not any(other.startswith(f"{module}.") for other in own)}


@cache
def _modules() -> frozenset[str]:
    return frozenset(source.module for source in sources())


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph[ahead.pop()] - found
        found |= new
        ahead += new
    return found


def test_product_has_no_import_circle() -> None:
    """No module imports itself through others, not even inside a function."""
    product = [source for source in sources() if source.under("topology", "reports", "fixtures")]
    assert circles(product) == []


def test_circle_is_noticed() -> None:
    """A circle through an import inside a function is reported, a module outside it is not."""
    lazy = Source("topology/a.py", "def f():\n    from topology.b import x")
    assert circles(
        [lazy, Source("topology/b.py", "import topology.a"), Source("topology/c.py", "import topology.a")]
    ) == [["topology.a", "topology.b"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_checkout_keeps_the_rule(rule: Rule) -> None:
    """No file of the checkout breaks the rule."""
    assert [complaint for source in sources() for complaint in rule(source)] == []


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_rule_notices_a_file_that_breaks_it(rule: Rule, path: str, text: str) -> None:
    """Each rule reports a file that breaks it, with the path and the line."""
    complaints = list(rule(Source(path, text)))
    assert complaints
    assert all(complaint.startswith(f"{path}:") for complaint in complaints)
    line = int(complaints[0].split(" - ")[0].rsplit(":", 1)[1])
    assert 1 <= line <= len(text.splitlines())


@pytest.mark.parametrize(("path", "text"), SOUND)
def test_rules_let_sound_files_be(path: str, text: str) -> None:
    """No rule reports what is allowed."""
    assert [complaint for rule in RULES for complaint in rule(Source(path, text))] == []


def test_every_rule_is_broken_by_some_file() -> None:
    """No rule is listed without a file that breaks it."""
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


def test_checkout_is_really_read() -> None:
    """The rules have seen the files that they are about."""
    paths = {source.path for source in sources()}
    assert {"topology/wait.py", "reports/evidence.py", HTML_HOOKS, "tests/overlay/test_pairs.py"} <= paths
    assert any(path.startswith(f"{AGENT}/") for path in paths)
    assert not any(part in path for path in paths for part in (".venv/", "__pycache__"))

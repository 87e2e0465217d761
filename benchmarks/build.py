"""How long a leaf/spine fabric takes to build: hopcheck, ``ip -batch`` and Mininet in turn, and how that grows.

``python -m benchmarks.build [ROUNDS]``. Each build has a fresh sandbox of namespaces on this machine's kernel, which
has freed what the one before left. hopcheck's time runs from the declared fabric until every operation is acknowledged,
so that its plan and its encoding count. ip(8) gets the same commands in files that were made beforehand: one batch for
all links and one for each node's rest, which was never slower than a batch per node and phase, or than two ip at once;
and one sysctl(8) for each node. Mininet makes plain hosts, links and the links' addresses: no MACs, routes or sysctls.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from benchmarks.figures import Figure, Goal, median, publish, ratio
from fixtures.instruments.live import LiveFabric
from topology.errors import EnvironmentBroken
from topology.kernels.host import HostKernel
from topology.leafspine import leafspine
from topology.model import Fabric, Link
from topology.plan import Operation, make_plan
from topology.wait import wait_for

SIZE, SMALL, LARGE = "leafspine-32x8x0", "leafspine-8x4x0", "leafspine-64x16x0"
PYTHON = "/usr/bin/python3"
"""Debian's, for which its package of Mininet is."""
TIMEOUT_S, SETTLE_S = 120.0, 30.0


def settle() -> None:
    """Wait until the kernel has ended the namespaces that nobody holds any more.

    It does so in a worker of the queue ``netns``, which shows in the worker's name (``wq_worker_comm``).
    """
    wait_for(lambda: not _is_cleaning(), SETTLE_S, "the end of earlier namespaces", pause_s=0.05)


def _is_cleaning() -> bool:
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = comm.read_text()
        except OSError:
            continue
        if name.startswith("kworker/") and name.rstrip().endswith("+netns"):
            return True
    return False


Way: TypeAlias = Callable[[Fabric, HostKernel], float]
"""Builds a fabric in a sandbox, and says how many seconds that took."""


@dataclass(frozen=True)
class Times:
    """Seconds: to build, to end the sandbox, and until the kernel had ended its namespaces too."""

    build: float
    end: float
    cleaned: float


def measure(fabric: Fabric, way: Way) -> Times:
    """One build in a fresh sandbox."""
    settle()
    kernel = HostKernel.start(lambda _: None)
    try:
        build = way(fabric, kernel)
    finally:
        start = time.perf_counter()
        kernel.close()
        end = time.perf_counter() - start
        settle()
    return Times(build, end, time.perf_counter() - start)


def hopcheck(fabric: Fabric, kernel: HostKernel) -> float:
    """Build as the suite does."""
    start = time.perf_counter()
    LiveFabric(fabric, kernel)
    return time.perf_counter() - start


def ip_batch(fabric: Fabric, kernel: HostKernel) -> float:
    """Build with ip(8) and sysctl(8)."""
    with tempfile.TemporaryDirectory() as folder:
        script = ip_script(fabric, Path(folder))
        start = time.perf_counter()
        done = kernel.agent.run(["sh", "-e", str(script)], timeout_s=TIMEOUT_S)
        took = time.perf_counter() - start
    if done.code:
        raise EnvironmentBroken(f"ip -batch - expected to succeed - seen {done.stderr.strip()[:200]}")
    return took


def ip_script(fabric: Fabric, folder: Path) -> Path:
    """A shell script that brings a fabric up from batch files of the plan's commands."""
    plan = make_plan(fabric)
    batch = folder / "namespaces"
    batch.write_text("".join(f"netns add {name}\n" for name in plan.namespaces))
    lines = [f"ip -batch {batch}"]
    for node, operations in _by_node(plan.sysctls).items():
        settings = " ".join(f"{op.arguments['key']}={op.arguments['value']}" for op in operations)
        lines.append(f"ip netns exec {node} sysctl -eqw {settings}")
    links, rest = plan.phases
    batch = folder / "links"
    batch.write_text("".join(f"{_from_outside(op)}\n" for op in links))
    lines.append(f"ip -batch {batch}")
    for node, operations in _by_node(rest).items():
        batch = folder / f"node-{node}"
        batch.write_text("".join(op.command.removeprefix(f"ip -n {node} ") + "\n" for op in operations))
        lines.append(f"ip -n {node} -batch {batch}")
    script = folder / "script"
    script.write_text("\n".join(lines) + "\n")
    return script


def _from_outside(link: Operation) -> str:
    """The command that makes a link, as it is given outside the namespace of its near end."""
    near, far = link.command.removeprefix(f"ip -n {link.node} ").split(" type ", 1)
    return f"{near} netns {link.node} type {far}"


def _by_node(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for operation in operations:
        found.setdefault(operation.node, []).append(operation)
    return found


def mininet(fabric: Fabric, kernel: HostKernel) -> float:
    """Build the nodes, links and links' addresses with Mininet; it dies with the sandbox."""
    script = str(Path(__file__).with_name("mininet_fabric.py"))
    links = [_ends(fabric, link) for link in fabric.links]
    wanted = json.dumps({"nodes": [node.name for node in fabric.nodes], "links": links}).encode()
    done = kernel.agent.run([PYTHON, script], stdin=wanted, timeout_s=TIMEOUT_S)
    if done.code:
        raise EnvironmentBroken(f"Mininet - expected to succeed - seen {shlex.quote(done.stderr.strip()[-200:])}")
    found = json.loads(done.stdout)
    if found["addresses"] != 2 * len(links):
        raise EnvironmentBroken(f"Mininet - expected {2 * len(links)} addresses - seen {found['addresses']}")
    return float(found["build_s"])


def _ends(fabric: Fabric, link: Link) -> list[tuple[str, str, str]]:
    return [(end.node, end.interface, str(fabric[end.node][end.interface].addresses[0])) for end in link.ends]


def check(fabric: Fabric, way: Way) -> None:
    """Prove once that a way builds all that is declared, so that its time counts for something."""
    kernel = HostKernel.start(lambda _: None)
    try:
        way(fabric, kernel)
        kernel.holds_fabric = True
        live = LiveFabric(fabric, kernel)
        wrong = [cause for name in live.names for cause in live.differences(name)]
    finally:
        kernel.close()
    if wrong:
        raise EnvironmentBroken(f"{way.__name__} - expected the fabric as declared - seen {wrong[0]}")


def main(rounds: int = 7) -> None:
    """Measure and show."""
    ways: dict[str, tuple[str, Way]] = {
        "hopcheck": (SIZE, hopcheck),
        "ip": (SIZE, ip_batch),
        "small": (SMALL, hopcheck),
        "large": (LARGE, hopcheck),
    }
    for name in ("hopcheck", "ip"):
        check(leafspine(SIZE), ways[name][1])
    if has_mininet := bool(shutil.which("mn")):
        ways["mininet"] = (SIZE, mininet)
    times: dict[str, list[Times]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (size, way) in ways.items():
            times[name].append(measure(leafspine(size), way))
    publish(
        "build", list(figures(times, has_mininet)), {name: [asdict(t) for t in found] for name, found in times.items()}
    )


def figures(times: Mapping[str, Sequence[Times]], has_mininet: bool) -> Iterator[Figure]:
    """What the times come to."""
    build = {name: [one.build for one in found] for name, found in times.items()}
    links = {
        name: len(leafspine(size).links) for name, size in (("small", SMALL), ("large", LARGE), ("hopcheck", SIZE))
    }
    per_link = {name: [1000 * seconds / links[name] for seconds in build[name]] for name in ("small", "large")}
    yield median(f"hopcheck: {SIZE}, {links['hopcheck']} links", build["hopcheck"], "s")
    yield median("ip -batch: the same", build["ip"], "s")
    yield ratio("hopcheck / ip -batch", build["hopcheck"], build["ip"], Goal(1.3))
    faster, goal = "Mininet / hopcheck", Goal(4, at_least=True)
    if has_mininet:
        yield median("Mininet: its links and their addresses", build["mininet"], "s")
        yield ratio(faster, build["mininet"], build["hopcheck"], goal)
    else:
        yield Figure(faster, None, "×", goal, note="skipped: no Mininet (Debian package mininet)")
    yield median(f"hopcheck: each link of {SMALL}", per_link["small"], "ms")
    yield median(f"hopcheck: each link of {LARGE}", per_link["large"], "ms")
    yield ratio("a link of the large one / of the small one", per_link["large"], per_link["small"], Goal(1.5))
    yield median(f"{SIZE}: until the sandbox is gone", [one.end for one in times["hopcheck"]], "s", Goal(0.2))
    yield median("until the kernel has freed its namespaces too", [one.cleaned for one in times["hopcheck"]], "s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

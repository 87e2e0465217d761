"""Lists network namespaces that hopcheck did not make, and their owners. Nothing in them is changed.

A namespace may have several names (a name under /run/netns, a container, a process in it); it is one all the same,
distinguished from all others by the device and inode number of its file (namespaces(7)).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from shlex import quote
from typing import Any, TypeAlias

from topology.errors import AgentError, AgentLost, EngineError
from topology.kernels.link import Agent, Reply
from topology.kernels.registry import Kernel, Others

Identity: TypeAlias = tuple[int, int]
NAMESPACES_MAX = 4096
"""More than this on one kernel is no fabric that a person inspects."""
CONTAINER = "container "
FIRST, HOST = "the machine's first", "host"
"""A machine's first namespace, and its name as a node."""
PROCESS_PATH = re.compile(r"/proc/(\d+)/ns/net")
VTYSH, FRR = ("timeout", "5", "vtysh"), re.compile(r"FRRouting (\d[\w.+~-]*)")
MININET = "mininet:"
"""Mininet's mark of the shell of each host (mininet/node.py): its last argument is this and the name."""


@dataclass(frozen=True)
class Found:
    """A namespace: how to reach it, the names that its owner has given it, and a description."""

    identity: Identity
    path: str
    names: tuple[str, ...]
    words: tuple[str, ...]
    process: str = ""
    """The short name of its oldest process; weaker than a name, which its owner has chosen."""
    forbidden: bool = False
    """True for the machine's first and the run's own, which are never entered."""

    def __str__(self) -> str:
        return ", ".join(self.words)

    @property
    def container(self) -> str:
        """The name of the container that it is of; empty for none."""
        return next((word.removeprefix(CONTAINER) for word in self.words if word.startswith(CONTAINER)), "")

    @property
    def entrance(self) -> str:
        """The words that run a command inside, on the machine."""
        if self.container:
            return f"docker exec {quote(self.container)}"
        if FIRST in self.words:
            return "sudo"
        process = PROCESS_PATH.fullmatch(self.path)
        return f"nsenter -t {process[1]} -n" if process else f"ip netns exec {quote(self.path.rpartition('/')[2])}"


def find_others(kernel: Kernel) -> tuple[list[Found], str]:
    """Every namespace that the kernel's agent can reach, and the reason if containers are not among them."""
    others = kernel.others()
    never = [list(known) for known in others.never]
    reply = kernel.agent.call("netns_find", folder=others.folder, never=never, init=others.init)
    try:
        named = [(str(name), _identity(found)) for name, found in reply.get("named", list)]
        processes = [
            (int(pid), _identity(found), [str(w) for w in words]) for pid, found, words in reply.get("processes", list)
        ]
        closed = frozenset(_identity(found) for found in reply.get("never", list))
        inside = None if others.init is None else _Inside.of(others.init, reply)
    except (TypeError, ValueError) as error:
        raise AgentLost("agent - namespaces - expected names and numbers - seen something else") from error
    containers, without = _containers(kernel, others, inside)
    found = merged(others.folder, named, containers, processes, closed, inside)
    return found[:NAMESPACES_MAX], without


def frr_versions(others: Others, nodes: Mapping[str, Found]) -> dict[str, str]:
    """The version of FRR by node, where a container has its vtysh; none where the engine does not answer."""
    said = shown_in_containers(others, nodes, "show version")
    return {name: version[1] for name, output in said.items() if (version := FRR.search(output))}


def shown_in_containers(others: Others, nodes: Mapping[str, Found], *commands: str) -> dict[str, str]:
    """What vtysh prints by node, for those that are containers; nothing of one that the engine says nothing of.

    It only shows: nothing is configured.
    """
    found: dict[str, str] = {}
    containers = {name: one.container for name, one in nodes.items() if one.container}
    argv = [*VTYSH, *(word for command in commands for word in ("-c", command))]
    if containers and others.engine:
        with contextlib.suppress(EngineError), contextlib.closing(others.engine()) as engine:
            for name, container in containers.items():
                with contextlib.suppress(EngineError):  # of this container: it may be paused
                    found[name] = engine.output_of(container, argv)
    return found


def common_name(nodes: Iterable[str]) -> str:
    """The part with which the names of all nodes begin, as containerlab names a lab's containers (clab-LAB-NODE); blank
    where it does not end before a hyphen.
    """
    names = [name.split("-") for name in nodes]
    alike = takewhile(lambda words: len(set(words)) == 1, zip(*(words[:-1] for words in names), strict=False))
    return "-".join(words[0] for words in alike) if len(names) > 1 else ""


@dataclass(frozen=True)
class _Inside:
    """A machine with processes of its own: its process 1, our number of each of its processes, its links to some."""

    init: int
    numbers: Mapping[int, int]
    links: Mapping[str, int]

    @classmethod
    def of(cls, init: int, reply: Reply) -> _Inside:
        numbers = {int(there): int(here) for there, here in reply.get("numbers", list)}
        links = {str(name): numbers.get(int(pid), 0) for name, pid in reply.get("links", list)}
        return cls(init, numbers, {name: here for name, here in links.items() if here})


def merged(
    folder: str,
    named: Sequence[tuple[str, Identity]],
    containers: Sequence[tuple[str, Sequence[str], int, Identity]],
    processes: Sequence[tuple[int, Identity, Sequence[str]]],
    never: frozenset[Identity],
    inside: _Inside | None = None,
) -> list[Found]:
    """One entry for each distinct namespace, with all its names; named ones come first."""
    paths: dict[Identity, str] = {}
    names: dict[Identity, list[str]] = {}
    words: dict[Identity, list[str]] = {}
    comms: dict[Identity, str] = {}

    def note(identity: Identity, path: str, word: str, *given: str) -> None:
        paths.setdefault(identity, path)
        names.setdefault(identity, []).extend(given)
        words.setdefault(identity, []).append(word)

    for name, identity in named:
        note(identity, f"{folder}/{name}", f"namespace {name}", name)
    for label, given, pid, identity in containers:
        note(identity, f"/proc/{pid}/ns/net", f"{CONTAINER}{label}", *given)
    if inside:
        of_process = {pid: identity for pid, identity, _ in processes}
        for name, pid in inside.links.items():
            if (linked := of_process.get(pid)) is not None:
                note(linked, f"/proc/{pid}/ns/net", f"namespace {name}", name)
        if (first := of_process.get(inside.init)) is not None:
            note(first, f"/proc/{inside.init}/ns/net", FIRST, HOST)
    for pid, identity, said in processes:
        host = next((word.removeprefix(MININET) for word in said[1:] if word.startswith(MININET)), "")
        if identity not in paths or host:
            word = f"Mininet host {host}" if host else f"process {pid} ({said[0]})"
            note(identity, f"/proc/{pid}/ns/net", word, *([host] if host else []))
        comms[identity] = said[0]
    return [
        Found(
            identity,
            path,
            tuple(dict.fromkeys(names[identity])),
            tuple(words[identity]),
            comms.get(identity, ""),
            identity in never,
        )
        for identity, path in paths.items()
    ]


def identities(agent: Agent, paths: Sequence[str]) -> list[Identity | None]:
    """The identity of the namespace at each path now; None if there is none."""
    found = agent.call("netns_identify", paths=list(paths)).get("found", list)
    if len(found) != len(paths):
        raise AgentLost(f"agent - namespaces - expected {len(paths)} - seen {len(found)}")
    try:
        return [None if one is None else _identity(one) for one in found]
    except (TypeError, ValueError) as error:
        raise AgentLost("agent - namespaces - expected two numbers of each - seen something else") from error


def _identity(found: Any) -> Identity:
    device, inode = found
    return int(device), int(inode)


def _containers(
    kernel: Kernel, others: Others, inside: _Inside | None
) -> tuple[list[tuple[str, Sequence[str], int, Identity]], str]:
    """Name, names, process and namespace of each running container of the engine, if there is one."""
    if others.engine is None:
        return [], ""
    try:
        with contextlib.closing(others.engine()) as engine:
            running = engine.running()
    except EngineError as error:
        return [], str(error)
    if inside:
        running = [replace(one, pid=inside.numbers[one.pid]) for one in running if one.pid in inside.numbers]
    pids = {container.id: container.pid for container in running}
    ours = _on_this_kernel(kernel.agent, pids)
    kept = [container for container in running if container.id in ours]
    found = identities(kernel.agent, [f"/proc/{container.pid}/ns/net" for container in kept])
    return [((c.names or (c.id[:12],))[0], c.names, c.pid, one) for c, one in zip(kept, found, strict=True) if one], ""


def _on_this_kernel(agent: Agent, pids: Mapping[str, int]) -> frozenset[str]:
    """The containers whose processes have the engine's numbers: an engine in a virtual machine has others.

    The container's id stands in its process's mounts (/etc/hostname comes from the engine's folder) or control group.
    """
    return frozenset(container for container, pid in pids.items() if any(_mentions(agent, container, pid)))


def _mentions(agent: Agent, container: str, pid: int) -> Iterator[bool]:
    for file in ("mountinfo", "cgroup"):
        with contextlib.suppress(AgentError):
            texts = agent.call("read_files", files=[[None, f"/proc/{pid}/{file}"]]).get("texts", list)
            yield isinstance(texts[0], str) and container in texts[0]

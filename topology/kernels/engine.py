"""A container engine (docker's API): makes nodes without a network of their own, and removes them by label.

A node is a process that sleeps, in namespaces of its own: read-only root, no route or resolver that leads anywhere, no
capabilities beyond those over its own network. Its image is made here, of one static busybox; nothing is pulled.
docker's client, 0.1 s to import, is imported when an engine is spoken to.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topology.errors import EngineError, KernelUnavailable
from topology.kernels.ownership.processes import Owner
from topology.wait import wait_for

if TYPE_CHECKING:
    from docker import APIClient

MACHINES_SOCKET = "unix:///var/run/docker.sock"
IMAGE = "hopcheck-node"
LABELS = SESSION, OWNER, NODE = ("hopcheck.session", "hopcheck.owner", "hopcheck.node")
"""The labels: which run's, made by which process, which node of the fabric."""
PROOF = "HOPCHECK_NODE"
"""The environment variable by which a container's process is distinguished from one of another machine."""
CAPABILITIES = ("NET_ADMIN", "NET_RAW")
PROCESSES_MAX, MEMORY_MAX = 256, 256 << 20
TIMEOUT_S = 60
CHUNK, CHUNKS_MAX = 4096, 16
"""Bytes and number of the parts that are read of what a command in a container prints."""
NOT_FOUND, CONFLICT = 404, 409
"""The engine's answers for a container that has gone, and for one whose removal is under way."""
CHECKOUT = Path(__file__).parents[2]
AFTER_INPUT = "after-input"
REAP_S = 15.0
QUIET_LOOKS, PAUSE_S = 3, 0.3
"""A container that the engine was just making when the run died appears after the first look."""
NOWHERE = "127.0.0.1"
"""The only resolver of a container: its own loopback, where nothing answers."""


@dataclass(frozen=True)
class Container:
    """A running container: its id, its first process as the engine's kernel counts, and how to know that process."""

    id: str
    name: str
    pid: int
    proof: str


@dataclass(frozen=True)
class Running:
    """A running container: its id, the names it goes by, its first process as the engine's kernel counts."""

    id: str
    names: tuple[str, ...]
    pid: int


class Engine:
    """One engine; its containers carry this object's session."""

    def __init__(self, client: APIClient, address: str) -> None:
        self._client, self.address = client, address
        self.session = uuid.uuid4().hex[:12]

    @classmethod
    def of_this_machine(cls) -> Engine:
        """The engine of DOCKER_HOST or of the usual socket; EngineError says why there is none, and the fix."""
        return cls.at(os.environ.get("DOCKER_HOST") or MACHINES_SOCKET)

    @classmethod
    def at(cls, address: str) -> Engine:
        """The engine behind a socket of this machine; one elsewhere has containers that cannot be entered from here."""
        if not address.startswith("unix://"):
            raise EngineError(f"container engine - expected one on this machine (unix://...) - seen {address}")
        from docker import APIClient

        with _explained(f"container engine {address}"):
            client = APIClient(base_url=address, version="auto", timeout=TIMEOUT_S)
        return cls(client, address)

    @property
    def version(self) -> str:
        """The engine's own version."""
        with _explained("container engine"):
            return str(self._client.version()["Version"])

    @property
    def api_version(self) -> str:
        """The newest version of the API that the engine speaks; asked for without one."""
        with _explained("container engine"):
            return str(self._client.version(api_version=False)["ApiVersion"])

    def ensure_image(self, busybox: bytes) -> str:
        """The node image made of a static busybox, put into the engine unless it is there; its name."""
        packed = node_image(busybox)
        tag = hashlib.sha256(packed).hexdigest()[:12]
        with _explained(f"container engine - image {IMAGE}:{tag}"):
            if not self._client.images(f"{IMAGE}:{tag}"):
                self._client.import_image_from_data(packed, repository=IMAGE, tag=tag)
        return f"{IMAGE}:{tag}"

    def add_images(self, packed: bytes, names: Sequence[str], changes: Sequence[str]) -> str:
        """Make one image of a root file system (a tar archive) under several names; the folder of its only layer.

        ``changes`` are instructions of a Dockerfile.
        """
        with _explained(f"container engine - image {names[0]}"):
            first, *more = (_reference(name) for name in names)
            self._client.import_image_from_data(packed, repository=first[0], tag=first[1], changes=[*changes])
            for repository, tag in more:
                self._client.tag(":".join(first), repository, tag)
            return str(self._client.inspect_image(":".join(first))["GraphDriver"]["Data"]["UpperDir"])

    def label(self, name: str) -> str:
        """The name of a node's container."""
        return f"hopcheck-{self.session}-{name}"

    def run_node(self, image: str, name: str) -> Container:
        """A running container for one node."""
        proof = f"{PROOF}={self.session}/{name}"
        labels = {SESSION: self.session, OWNER: str(Owner.this_process()), NODE: name}
        with _explained(f"container engine - node {name}"):
            made = self._client.create_container(
                image,
                command=["sleep", "infinity"],
                hostname=name,
                name=self.label(name),
                labels=labels,
                environment=[proof],
                host_config=self._client.create_host_config(**CONFINEMENT),
            )
            self._client.start(made["Id"])
            state = self._client.inspect_container(made["Id"])["State"]
        if not state["Running"] or not state["Pid"]:
            raise EngineError(f"container engine - node {name} - expected running - seen {state['Status']}")
        return Container(made["Id"], name, int(state["Pid"]), proof)

    def running(self) -> list[Running]:
        """Every running container of any owner; one that ends meanwhile is left out."""
        found = []
        with _explained("container engine - list of containers"):
            for entry in self._client.containers():
                known = None
                with _tolerated(NOT_FOUND):
                    known = self._client.inspect_container(entry["Id"])
                if known is None:
                    continue
                names = (known["Name"].lstrip("/"), known["Config"].get("Hostname", ""))
                own = tuple(dict.fromkeys(name for name in names if name and not known["Id"].startswith(name)))
                if pid := int(known["State"]["Pid"]):
                    found.append(Running(known["Id"], own, pid))
        return found

    def output_of(self, container: str, argv: Sequence[str]) -> str:
        """Run a command in a container, by its name or id; the start of what it prints, in whatever way it ends."""
        with _explained(f"container engine - {argv[0]} in {container}"):
            made = self._client.exec_create(container, [*argv], tty=True)["Id"]
            # Without the client's own way of starting it, which takes over the connection: there may be none to take.
            started = self._client._post_json(
                self._client._url("/exec/{0}/start", made), data={"Detach": False, "Tty": True}, stream=True
            )
            with contextlib.closing(started):
                return b"".join(islice(started.iter_content(CHUNK), CHUNKS_MAX)).decode(errors="replace")

    def remove_session(self, session: str) -> int:
        """Remove every container of a session; how many there were."""
        found = self._labelled(f"{SESSION}={session}")
        for entry in found:
            self._remove(entry["Id"])
        return len(found)

    def remove_own(self) -> None:
        """Remove every container that this object has made."""
        self.remove_session(self.session)

    def of_dead_owners(self) -> list[tuple[str, str]]:
        """Session and name of each container whose maker has surely died without its reaper."""
        entries = [(entry["Labels"], entry["Names"][0].lstrip("/")) for entry in self._labelled(OWNER)]
        owners = [(Owner.parse(labels[OWNER]), labels.get(SESSION, ""), name) for labels, name in entries]
        return [(session, name) for owner, session, name in owners if owner and owner.is_surely_dead]

    def end_command(self) -> str:
        """The command that removes every container that this object has made."""
        return f"{sys.executable} -m topology.kernels.engine {self.address} {self.session}"

    def remove_of_dead_owners(self) -> None:
        """Remove the containers whose maker has surely died, and its reaper with it."""
        for session in {session for session, _ in self.of_dead_owners()}:
            self.remove_session(session)

    def close(self) -> None:
        """Leave the engine; its containers stay."""
        self._client.close()

    def _labelled(self, label: str) -> list[Mapping[str, Any]]:
        with _explained("container engine - list of containers"):
            return list(self._client.containers(all=True, filters={"label": label}))

    def _remove(self, container: str) -> None:
        """Remove a container, unless another process removes it or has done so."""
        with _explained(f"container engine - container {container[:12]}"), _tolerated(NOT_FOUND, CONFLICT):
            self._client.remove_container(container, force=True, v=True)


CONFINEMENT: Mapping[str, Any] = {
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "cap_add": list(CAPABILITIES),
    "security_opt": ["no-new-privileges"],
    "pids_limit": PROCESSES_MAX,
    "mem_limit": MEMORY_MAX,
    "dns": [NOWHERE],
    "dns_search": ["."],
}
"""docker's HostConfig of every node."""


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn errors of docker's client into EngineError."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException, OSError, LookupError) as error:
        words = " ".join(str(error).split())[:300]
        raise EngineError(f"{what} - expected an answer - seen {words or type(error).__name__}") from error


@contextlib.contextmanager
def _tolerated(*codes: int) -> Iterator[None]:
    """Take these answers of the engine for none."""
    from docker.errors import APIError

    try:
        yield
    except APIError as error:
        if error.status_code not in codes:
            raise


def _reference(name: str) -> tuple[str, str]:
    repository, _, tag = name.partition(":")
    return repository, tag or "latest"


def node_image(busybox: bytes) -> bytes:
    """A root file system of one static busybox, as a tar archive, the same bytes for the same busybox."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for folder in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        program = tarfile.TarInfo("bin/busybox")
        program.mode, program.size = 0o755, len(busybox)
        archive.addfile(program, io.BytesIO(busybox))
        for name in APPLETS:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
    return out.getvalue()


APPLETS = ("sh", "sleep", "cat", "echo", "ip", "ls", "nc", "ping", "ping6", "ps", "traceroute", "vi")
"""The commands inside a node."""


def start_reaper(engine: Engine) -> Callable[[], None]:
    """Have the engine's session removed if this process dies; returns the function that calls this off.

    The reaper waits for the end of a pipe, in a session of its own: what ends the processes of a terminal does not
    end it.
    """
    command = (sys.executable, "-m", "topology.kernels.engine", engine.address, engine.session, AFTER_INPUT)
    null = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=null, stderr=null, cwd=CHECKOUT, start_new_session=True
        )
    except OSError as error:
        raise KernelUnavailable(f"reaper - expected to start - seen {error}") from error

    def call_off() -> None:
        process.kill()
        process.communicate()

    return call_off


def _reap(engine: Engine, session: str) -> None:
    """Remove the containers of a session until no more appear, once standard input has ended."""
    sys.stdin.buffer.read()
    quiet = 0

    def none_appeared() -> bool:
        nonlocal quiet
        quiet = 0 if engine.remove_session(session) else quiet + 1
        return quiet >= QUIET_LOOKS

    wait_for(none_appeared, REAP_S, "the containers to go", PAUSE_S)


def main(address: str = "", session: str = "", *after_input: str) -> int:
    """Without arguments: return 0 if this machine's engine answers. With a session: remove its containers, at once or
    when the input ends.
    """
    try:
        with contextlib.closing(Engine.at(address) if address else Engine.of_this_machine()) as engine:
            if after_input:
                _reap(engine, session)
            elif session:
                engine.remove_session(session)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

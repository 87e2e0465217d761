"""Interface of a kernel to the layers above, and the registry of kinds of kernels by name."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from topology.errors import EngineError, EnvironmentBroken, KernelUnavailable, Misuse, UnknownName
from topology.kernels.link import AgentLink
from topology.kernels.shared import shortages
from topology.links import MODULES
from topology.plan import NO_ROOM, Plan, Room

if TYPE_CHECKING:
    from topology.kernels.engine import Engine

Progress = Callable[[str], None]


@dataclass(frozen=True)
class KernelInfo:
    """Kernel of the lab: its kind, release (uname -r), accelerator (native, kvm, tcg), and why it."""

    kind: str
    release: str
    accelerator: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind} (Linux {self.release}, {self.accelerator}): {self.why}"


@dataclass(frozen=True)
class Wanted:
    """Requirements of a kernel.

    With ``keep`` it can ``outlive`` this process, until ``end_command`` ends it. With ``plan`` a kind
    that can be saved may come with the plan's fabric up. With ``engine``, the names of nodes that are
    containers, it must have a container engine. With
    ``wire`` it has a network card, whose peer is the other end of that connected stream socket (its
    descriptor; each frame behind its length, 32 bits): only a kind that is a machine of its own can have one. With
    ``tap`` the card is at the other end of that tap device (its descriptor). ``room`` is the limits it must meet.
    ``prepared`` is what is set up in it in place of a plan, by all that decides that; it takes ``memory_mib``.
    With ``kvm_only`` it must not be emulated. ``at`` is what stands behind the kind's colon: where it is already.
    ``daemons`` is a shell command that succeeds only where the lab's routing daemons can run.
    """

    keep: bool = False
    plan: Plan | None = None
    engine: tuple[str, ...] = ()
    wire: int | None = None
    tap: int | None = None
    room: Room = NO_ROOM
    prepared: tuple[str, ...] = ()
    memory_mib: int | None = None
    kvm_only: bool = False
    at: str = ""
    daemons: str = ""

    @property
    def cards(self) -> tuple[int, ...]:
        """The descriptors that its network card needs."""
        return tuple(each for each in (self.wire, self.tap) if each is not None)


ANYTHING = Wanted()


@dataclass(frozen=True)
class Others:
    """Namespaces that others have made, as the agent reaches them.

    ``folder`` is where named ones are mounted, ``never`` which must not be entered (st_dev, st_ino), and ``engine``
    speaks to the container engine beside the agent. Where they are those of a machine with processes of its own,
    ``init`` is its process 1: the engine's numbers of processes, and those in the names' links, are that machine's.
    """

    folder: str
    never: tuple[tuple[int, int], ...] = ()
    engine: Callable[[], Engine] | None = None
    init: int | None = None


class Kernel(abc.ABC):
    """A kernel under an agent. A new kind is one module with one subclass, named in KERNELS."""

    kind: ClassVar[str]
    agent: AgentLink
    info: KernelInfo
    holds_fabric: bool = False
    """True if the wanted plan is up in it already, from a snapshot."""

    @classmethod
    @abc.abstractmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> Kernel:
        """Start the kernel until its agent answers; KernelUnavailable has the reason if it does not."""

    def engine(self) -> Engine:
        """The container engine whose containers the agent can enter; EngineError says why there is none."""
        raise EngineError(f"kernel {self.kind} - container engine - expected one - seen none that its agent can enter")

    def others(self) -> Others:
        """Places of namespaces that others have made; KernelUnavailable for a kind whose agent can enter none."""
        raise KernelUnavailable(f"kernel {self.kind} - namespaces of others - expected some - seen none: it is closed")

    def namespace_file(self, node: str) -> Path:
        """Path of a node's namespace for this process; KernelUnavailable for a kind that is a machine of its own."""
        raise KernelUnavailable(f"kernel {self.kind} - {node} - expected on this machine's kernel - seen another")

    def save(self, fingerprint: str, progress: Progress) -> None:
        """Keep the fabric that has just been built for the next start; a kind that cannot be saved does nothing."""
        return

    def is_as_saved(self, fingerprint: str) -> bool:
        """True if a fabric that came from a snapshot is the saved one."""
        return True

    def discard_saved(self) -> None:
        """Discard the snapshot of this plan."""
        return

    @abc.abstractmethod
    def enter(self, node: str) -> str:
        """The command that opens a shell in a node of a kept fabric."""

    @abc.abstractmethod
    def end_command(self) -> str:
        """The command that ends a kept kernel."""

    @property
    def kept_choice(self) -> str:
        """The choice of ``--kernel`` by which another run adopts a kept fabric; blank where none can."""
        return ""

    def outlive(self) -> None:
        """Live on when this process ends, once ``end_command`` is printed; before, a killed run takes it along."""
        return

    @property
    def namespaces_max(self) -> int | None:
        """The most network namespaces that it may have; None where its kernel is not this machine's."""
        return None

    @property
    def process(self) -> int | None:
        """The process of this machine that is the kernel's; None where the kernel is this machine's own."""
        return None

    @abc.abstractmethod
    def close(self) -> None:
        """End the kernel and everything in it."""


KERNELS: Mapping[str, str] = {
    "host": "topology.kernels.host:HostKernel",
    "here": "topology.kernels.host:HereKernel",
    "guest": "topology.kernels.guest:GuestKernel",
}
"""Every kind, the cheapest first."""
PLACES: Mapping[str, tuple[str, str, re.Pattern[str]]] = {
    "guest": ("topology.kernels.kept:KeptGuest", "guest:NAME", re.compile(r"\w+")),
    "ssh": (
        "topology.kernels.ssh:SshKernel",
        "ssh://[USER@]HOST[:PORT]",
        re.compile(r"//(\w[\w.+-]*@)?(\w[\w.-]*|\[[\w.:%]+\])(:\d{1,5})?"),
    ),
}
"""Kinds that are somewhere already: their class, and what stands behind the colon, in words and as a pattern."""
AUTO = ("host", "guest")
"""Kinds that ``auto`` tries, in this order; ``here`` only for tasks of its own."""
AUTO_WITH_ENGINE = ("here", "guest")
"""Kinds of ``auto`` for nodes that are containers."""
FIX_FRR = "root, and FRR: apt-get install frr"
FIX = {kind: f"as root: modprobe {module}" for kind, module in MODULES.items()}


def kernel_class(kind: str) -> type[Kernel]:
    """The class of a kind, perhaps with its place; UnknownName lists the known ones."""
    plain, placed, _ = kind.partition(":")
    if plain not in (PLACES if placed else KERNELS):
        raise UnknownName("kernel", kind, [*KERNELS, "auto"])
    module, name = (PLACES[plain][0] if placed else KERNELS[plain]).split(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, type)
    assert issubclass(found, Kernel)
    return found


def checked_choice(text: str) -> str:
    """A kind, ``auto``, or a kind with its place behind a colon; Misuse lists the forms."""
    kind, colon, place = text.partition(":")
    if not (kind in PLACES and PLACES[kind][2].fullmatch(place) if colon else kind in ("auto", *KERNELS)):
        raise Misuse(f"{text!r}: expected one of auto, {', '.join((*KERNELS, *(one[1] for one in PLACES.values())))}")
    return text


def start_kernel(choice: str, needs: Iterable[str], progress: Progress, wanted: Wanted = ANYTHING) -> Kernel:
    """The first kernel of the choice (``auto``: of all) that offers the link kinds a lab needs, and what is wanted.

    Raises KernelUnavailable with the reason for each kind that was tried, and the fix.
    """
    reasons: list[tuple[str, str]] = []
    kinds = (AUTO_WITH_ENGINE if wanted.engine else AUTO) if choice == "auto" else (choice,)
    for kind in kinds:
        try:
            kernel = kernel_class(kind).start(progress, replace(wanted, at=kind.partition(":")[2]))
        except EnvironmentBroken as error:
            reasons.append((kind, str(error)))
            continue
        if not (refusal := _refusal(kernel, needs, wanted)):
            before = "; ".join(f"{other} cannot: {why}" for other, why in reasons)
            why = before or ("asked for" if choice != "auto" else f"offers {', '.join(sorted(needs))}")
            kernel.info = replace(kernel.info, why="; ".join(filter(None, (why, kernel.info.why))))
            return kernel
        kernel.close()
        reasons.append((kind, refusal))
    lines = "\n".join(f"  {kind}: {why}" for kind, why in reasons)
    raise KernelUnavailable(f"no usable kernel for this lab\n{lines}")


def _refusal(kernel: Kernel, needs: Iterable[str], wanted: Wanted) -> str:
    """Why a kernel that has started cannot carry a lab; empty where it can."""
    try:
        # A fabric that is up has been made of these kinds, and found room, in this very kernel.
        if not kernel.holds_fabric:
            if refused := unknown(kernel, needs) or missing(kernel, needs):
                return describe(refused)
            if short := shortages(kernel.agent, wanted.room, kernel.namespaces_max):
                return "; ".join(short)
            if wanted.daemons and kernel.agent.run(["sh", "-c", wanted.daemons]).code:
                return f"no FRR that can run here ({FIX_FRR})"
        if wanted.engine:
            kernel.engine()
    except EnvironmentBroken as error:
        return str(error)
    return ""


def unknown(kernel: Kernel, needs: Iterable[str]) -> Mapping[str, str]:
    """The link kinds that a running kernel does not know at all: found 0.3 s sooner than all that it refuses."""
    from topology.kernels.netlink import Netlink

    return Netlink(kernel.agent).unknown_kinds(needs)


def missing(kernel: Kernel, needs: Iterable[str]) -> Mapping[str, str]:
    """The link kinds that a running kernel refuses to make, each with its own words."""
    from topology.kernels.netlink import Netlink

    return Netlink(kernel.agent).refused_kinds(needs)


def describe(refused: Mapping[str, str]) -> str:
    """One line: which link kinds are missing, and the command that may fix it."""
    fixes = sorted({FIX[kind] for kind in refused if kind in FIX})
    return f"no link kind {', '.join(sorted(refused))} ({'; '.join(fixes) or 'not offered by this kernel'})"

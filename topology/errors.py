"""Every exception that hopcheck raises on purpose: one tree, six families.

::

    HopcheckError
    ├── PromiseBroken             the network is wrong             -> failed
    ├── EnvironmentBroken         we could not tell                -> errored
    │   ├── KernelUnavailable       no kernel can carry the lab
    │   ├── SnapshotUnusable        a saved fabric is not whole, or does not come back
    │   ├── ImageError              the guest image cannot be made, read or moved
    │   ├── AgentError              the agent refused or failed an operation
    │   │   └── NetlinkError          the kernel refused a netlink message
    │   ├── EngineError             the container engine cannot be reached, refused or failed
    │   ├── NodeNotFound            what is to be adopted is not there, or cannot be told apart
    │   ├── AgentLost               the agent's stream ended or carried rubbish
    │   ├── FabricChanged           a test left the shared fabric otherwise than it found it
    │   ├── TracerUnavailable       the kernel's function tracer cannot be used, or somebody uses it
    │   ├── EvidenceIncomplete      a tap or a trace has missed something
    │   ├── InstrumentFailed        a measuring tool is absent, failed or spoke rubbish
    │   └── DeadlineExceeded        a condition was not met in time
    ├── Undecided                 the figures do not tell          -> unstable
    ├── NotProven                 something else is in the way   -> not proven
    ├── NotApplicable             there is nothing to promise    -> not applicable
    └── Misuse                    the caller is wrong              -> usage error
        ├── LabError                the lab file cannot work (every problem at once)
        └── UnknownName             a name that no registry or fabric knows
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class HopcheckError(Exception):
    """Root of the tree; catch it to print a message instead of a traceback."""


class PromiseBroken(HopcheckError):
    """The network does not do what its declaration says."""


class Undecided(HopcheckError):
    """As much as was measured, the figures lie on both sides of what was asked for."""


class EnvironmentBroken(HopcheckError):
    """The machine, a tool or the agent failed: nothing is known about the network."""


class KernelUnavailable(EnvironmentBroken):
    """No kernel that was asked for can carry the lab; the message says why for each.

    ``console`` is what a guest that did not come up has printed, for the report.
    """

    def __init__(self, message: str, console: str = "") -> None:
        super().__init__(message)
        self.console = console


class SnapshotUnusable(EnvironmentBroken):
    """A saved fabric is not whole, or does not come back as it was saved; it is discarded and made again."""


class ImageError(EnvironmentBroken):
    """The guest image cannot be built, read, exported or imported."""


class AgentError(EnvironmentBroken):
    """The agent answered an operation with an error; ``errno`` is the kernel's, where there is one."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class NetlinkError(AgentError):
    """The kernel refused a netlink message; the message names the operation and the lab file's line."""


class EngineError(EnvironmentBroken):
    """The container engine cannot be reached, or refused or failed an operation."""


class NodeNotFound(EnvironmentBroken):
    """A node of a fabric that is to be adopted is not there (any more), or more than one could be it."""


class AgentLost(EnvironmentBroken):
    """The agent's stream ended, or carried something that is not a frame."""


class FabricChanged(EnvironmentBroken):
    """A test left the shared fabric otherwise than it found it, so its own result and later ones mean nothing."""


class TracerUnavailable(EnvironmentBroken):
    """The kernel's function tracer is not there, may not be used, or is used by somebody else."""


class EvidenceIncomplete(EnvironmentBroken):
    """A tap missed a sentinel or dropped packets, or a trace lost events, so an absence proves nothing."""


class InstrumentFailed(EnvironmentBroken):
    """A measuring tool is not there, did not come to its end, or what it printed cannot be understood."""


class DeadlineExceeded(EnvironmentBroken):
    """A condition was not met before its deadline."""


class NotProven(HopcheckError):
    """The promise applies, and could not be tried because of something else; the message says what.

    A run with such a promise is never green.
    """


class NotApplicable(HopcheckError):
    """The promise does not apply to this fabric or this machine; the message is the reason."""


class Misuse(HopcheckError):
    """The caller (a test, an option, a lab file) asks for something that cannot be."""


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file: 1-based line and column, as editors count."""

    file: str = "<lab>"
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with an input file, in the grammar ``file:line:column: what; what would be right``."""

    where: Position
    what: str
    right: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.right}"


class LabError(Misuse):
    """A lab file that cannot work; carries every problem found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownName(Misuse):
    """A name that is not in its registry; the message lists the known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(sorted(known)) or 'none'}")

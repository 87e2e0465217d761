"""The exceptions that hopcheck raises on purpose: one tree, six families.

::

    HopcheckError
    ├── PromiseBroken       the network is wrong                  -> failed
    ├── EnvironmentBroken   the result is not established         -> errored
    ├── Undecided           the measurement is inconclusive       -> unstable
    ├── NotProven           a precondition of the promise failed  -> not proven
    ├── NotApplicable       the promise does not apply            -> not applicable
    └── Misuse              the caller asks for the impossible    -> usage error
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class HopcheckError(Exception):
    """Root of the tree; catch it to print a message instead of a traceback."""


class PromiseBroken(HopcheckError):
    """The network does not do what its declaration says."""


class Undecided(HopcheckError):
    """After the maximum number of rounds the confidence interval still straddles the threshold."""


class NotProven(HopcheckError):
    """A precondition, which the message names, failed; a run with such a result never exits 0."""


class NotApplicable(HopcheckError):
    """The promise does not apply to this fabric or machine; the message is the reason."""


class EnvironmentBroken(HopcheckError):
    """The machine, a tool or the agent failed, so nothing was learned about the network."""


class KernelUnavailable(EnvironmentBroken):
    """No kernel can carry the lab; the message has the reasons, ``console`` the output of a guest that did not boot."""

    def __init__(self, message: str, console: str = "") -> None:
        super().__init__(message)
        self.console = console


class SnapshotUnusable(EnvironmentBroken):
    """A saved fabric is damaged or cannot be restored as it was saved; it is discarded and built again."""


class ImageError(EnvironmentBroken):
    """The guest image cannot be built, read, exported or imported."""


class AgentError(EnvironmentBroken):
    """The agent answered an operation with an error; ``errno`` is the kernel's, or None."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class NetlinkError(AgentError):
    """The kernel refused a netlink message; the text names the operation and the line of the lab file."""


class EngineError(EnvironmentBroken):
    """The container engine cannot be reached, or refused or failed an operation."""


class NodeNotFound(EnvironmentBroken):
    """A node of a fabric to adopt does not exist (any more), or more than one candidate matches."""


class AgentLost(EnvironmentBroken):
    """The agent's stream ended, or carried bytes that are not a frame."""


class FabricChanged(EnvironmentBroken):
    """A test did not leave the shared fabric as it found it, so its own and later results are void."""


class TracerUnavailable(EnvironmentBroken):
    """The kernel's function tracer is missing, forbidden, or used by another process."""


class EvidenceIncomplete(EnvironmentBroken):
    """A tap missed a sentinel or dropped packets, or a trace lost events, so an absence proves nothing."""


class InstrumentFailed(EnvironmentBroken):
    """A measuring tool is missing, did not finish, or its output cannot be parsed."""


class DeadlineExceeded(EnvironmentBroken):
    """A condition was not met before its deadline."""


class Misuse(HopcheckError):
    """The caller (a test, an option, a lab file) asks for something impossible."""


class SubmissionRefused(Misuse):
    """A submission that cannot be built, by its author's fault: no archive, or an invalid lab."""


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file; line and column start at 1."""

    file: str = "<lab>"
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Problem:
    """One error in an input file, printed as ``file:line:column: what is wrong; what would be right``."""

    where: Position
    what: str
    right: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.right}"


class LabError(Misuse):
    """An invalid lab file; carries every problem found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownName(Misuse):
    """A name that is not in its registry; the message lists the known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(sorted(known)) or 'none'}")

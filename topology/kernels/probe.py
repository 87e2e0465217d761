"""Tells the set-up whether a guest is needed: ``python -m topology.kernels.probe`` exits 0 when this machine's kernel
offers every link kind that a lab can have, and 3 when only a guest kernel can carry all labs."""

from __future__ import annotations

import sys

from topology.errors import EnvironmentBroken
from topology.kernels.host import HostKernel
from topology.kernels.registry import describe, missing
from topology.links import KINDS

ALL_KINDS = tuple(KINDS)
HOST_SUFFICES, GUEST_NEEDED = 0, 3


def main() -> int:
    """Try every link kind in a sandbox on this machine's kernel; one line says what came of it."""
    try:
        kernel = HostKernel.start(lambda _: None)
    except EnvironmentBroken as error:
        sys.stdout.write(f"kernel host: cannot be used, so a guest is needed: {error}\n")
        return GUEST_NEEDED
    try:
        refused = missing(kernel, ALL_KINDS)
    finally:
        kernel.close()
    if not refused:
        sys.stdout.write(f"kernel host: offers {', '.join(ALL_KINDS)}; no guest is needed\n")
        return HOST_SUFFICES
    sys.stdout.write(f"kernel host: {describe(refused)}; a guest is needed\n")
    return GUEST_NEEDED


if __name__ == "__main__":
    sys.exit(main())

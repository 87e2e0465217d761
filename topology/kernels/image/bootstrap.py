"""Process 1 of the guest: takes the agent's source from the host and becomes the agent.

Runs inside the guest only (``python3 -I -S``, standard library). The agent is not in the image, so that a change
of the agent needs no new image: the virtio-serial port named ``agent`` first carries the length of the source
(4 bytes, big-endian), then the source, which runs with ``STREAM_FD`` set to the port.
"""

from __future__ import annotations

import os
import select
import struct

PORTS = "/sys/class/virtio-ports/"
SOURCE_LIMIT = 16 << 20
PORT_DEADLINE_MS = 20_000
TICK_MS = 20


def tick() -> None:
    """Wait a moment; a port without a peer is always readable, so it cannot be polled."""
    select.poll().poll(TICK_MS)


def find_port() -> str | None:
    """The device of the port that QEMU calls ``agent``; None while the driver is still naming its ports."""
    for port in os.listdir(PORTS) if os.path.isdir(PORTS) else ():  # noqa: PTH112, PTH208 - pathlib costs 0.3 s here
        with open(f"{PORTS}{port}/name", encoding="ascii") as name:  # noqa: PTH123
            if name.read().strip() == "agent" and os.path.exists(f"/dev/{port}"):  # noqa: PTH110
                return f"/dev/{port}"
    return None


def open_port() -> int:
    """The opened port; SystemExit, which panics the guest and so ends QEMU, if there is none."""
    for _ in range(PORT_DEADLINE_MS // TICK_MS):
        if (device := find_port()) is not None:
            return os.open(device, os.O_RDWR)
        tick()
    raise SystemExit("guest - virtio-serial - expected a port named agent - seen none")


def take(stream: int, size: int) -> bytes:
    """Read exactly ``size`` bytes, however often the host connects and leaves meanwhile."""
    data = b""
    while len(data) < size:
        chunk = os.read(stream, size - len(data))
        if not chunk:
            tick()
        data += chunk
    return data


def main() -> None:
    """Become the agent."""
    stream = open_port()
    (size,) = struct.unpack("!I", take(stream, 4))
    if size > SOURCE_LIMIT:
        raise SystemExit(f"guest - agent source - expected at most {SOURCE_LIMIT} bytes - seen {size}")
    source = take(stream, size)
    exec(compile(source, "agent.py", "exec"), {"__name__": "__main__", "STREAM_FD": stream})


if __name__ == "__main__":
    main()

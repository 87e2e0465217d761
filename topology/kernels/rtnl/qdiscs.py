"""The queueing disciplines of a dump, with the options of netem and tbf as tc(8) writes them.

Structures and numbers are those of linux/pkt_sched.h. Other kinds are known by their place alone: htb, for one, counts
packets in its options (htb_dump, net/sched/sch_htb.c).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping

from topology.kernels.rtnl import messages as nl
from topology.state import Entry

TC_H_ROOT, TC_H_INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
"""Where qdiscs hang."""
TICK_NS = 64
"""PSCHED_SHIFT of net/pkt_sched.h."""
REORDER, CORRUPT, RATE, LATENCY64, JITTER64, SEED = 3, 4, 6, 10, 11, 12
"""TCA_NETEM_…"""
TBF_PARMS, TBF_RATE64 = 1, 4


def added(dump: bytes) -> Iterator[nl.Message]:
    """The qdiscs that were added: those a kernel attaches itself have no handle (qdisc_create_dflt)."""
    return (qdisc for qdisc in nl.parsed(nl.QDISC, dump) if qdisc["handle"])


def qdiscs(dump: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Every queueing discipline that is not the kernel's default."""
    for qdisc in added(dump):
        device, kind, parent = names.get(qdisc["index"]), qdisc["kind"], qdisc["parent"]
        at = {TC_H_INGRESS: kind, TC_H_ROOT: "root"}.get(parent, f"parent {handle(parent)}")
        place = f"dev {device} {at}"
        options = {"netem": _netem, "tbf": _tbf}.get(kind, lambda _: ())(qdisc.get("options", b""))
        words = place if at == kind else f"{place} {kind}"
        yield Entry("tc qdisc", device, " ".join([words, *options]), place)


def handle(number: int) -> str:
    """A qdisc's or class's number, as tc(8) writes it."""
    minor = number & 0xFFFF
    return f"{number >> 16:x}:{minor:x}" if minor else f"{number >> 16:x}:"


def _netem(data: bytes) -> Iterator[str]:
    """The words of struct tc_netem_qopt and its attributes."""
    ticks, limit, loss, gap, duplicate, jitter_ticks = struct.unpack_from("=6I", data)
    more = dict(nl.attributes(data[24:]))
    delay, jitter, rate = (
        nl.number(layout)(more[kind]) if kind in more else default
        for kind, layout, default in (
            (LATENCY64, "=q", ticks * TICK_NS),
            (JITTER64, "=q", jitter_ticks * TICK_NS),
            (RATE, "=I", 0),
        )
    )
    reorder, corrupt = (nl.number("=I")(more.get(kind, bytes(4))) for kind in (REORDER, CORRUPT))
    yield from [f"limit {limit}"] if limit != 1000 else []
    yield from [" ".join(["delay", _ms(delay), *([_ms(jitter)] if jitter else [])])] if delay or jitter else []
    chances = {"loss": loss, "duplicate": duplicate, "reorder": reorder, "corrupt": corrupt}
    yield from (f"{name} {100 * chance / 0xFFFFFFFF:.4g}%" for name, chance in chances.items() if chance)
    yield from [_rate(rate)] if rate else []
    others = [value for kind, value in more.items() if kind not in (REORDER, CORRUPT, RATE, LATENCY64, JITTER64, SEED)]
    yield from [_digest(gap.to_bytes(4, "big"), *others)] if gap or any(map(any, others)) else []


def _tbf(data: bytes) -> Iterator[str]:
    """The words of struct tc_tbf_qopt and its attributes."""
    more = dict(nl.attributes(data))
    rate, peak, limit, ticks = struct.unpack_from("=8xI8xIII", more[TBF_PARMS])
    rate = nl.number("=Q")(more.get(TBF_RATE64, struct.pack("=Q", rate)))
    yield f"{_rate(rate)} burst {round(ticks * TICK_NS * rate / 1e9)}b limit {limit}b"
    yield from [_digest(more[TBF_PARMS])] if peak else []


def _ms(ns: int) -> str:
    return f"{ns / 1e6:g}ms"


def _rate(bytes_a_second: int) -> str:
    return f"rate {bytes_a_second * 8 / 1e6:g}Mbit"


def _digest(*values: bytes) -> str:
    """What stands for options that are not spelled out, so that a change of them is seen."""
    return f"options {hashlib.sha256(b''.join(values)).hexdigest()[:8]}"

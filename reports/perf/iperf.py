"""Reads iperf3's output of a run: its own figures, or InstrumentFailed with the reason why there are none.

iperf3 ends with code 0 and an ``error`` in its JSON, prints two objects, one behind the other, prints ``-nan``, which
no JSON has, or is killed in the middle. A figure whose key is repeated in one object is refused, as is a run in which
the server sends, which is never requested.

Loss is counted here, as packets sent minus packets received: into a black hole the receiver, which counts gaps
between the datagrams that it has seen, reports 0 of 0, and the sender 0 % (``iperf_udp_recv`` in ``iperf_udp.c``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from annotated_types import Interval

from reports.words import counted
from topology.errors import InstrumentFailed, PromiseBroken

NOT_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf(?:inity)?)\b', re.IGNORECASE)
"""A string, which stays as it is, or a number that printf writes and JSON does not know."""
QUOTED = 300
"""Characters of iperf3's output that a message quotes."""
Count = Annotated[int, Interval(ge=0, lt=2**63)]
Number = Annotated[float, Interval(ge=0, le=1e300)]
Unset = Literal[0, False]
Document = TypeVar("Document", bound="Printed")


class Part:
    """A part of iperf3's output, read by pydantic: each figure has a type and bounds, other keys are ignored."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"strict": True}


@dataclass(frozen=True)
class Volume(Part):
    """One side's totals of a run or of an interval; ``packets`` and ``jitter_ms`` are for UDP, ``retransmits`` for
    TCP.
    """

    seconds: Number
    bytes: Count
    bits_per_second: Number
    packets: Count | None = None
    jitter_ms: Number | None = None
    retransmits: Count | None = None


@dataclass(frozen=True)
class Span(Part):
    """An interval with the sum of its streams."""

    sum: Volume


@dataclass(frozen=True)
class Cpu(Part):
    """Percent of one core, of the side that printed it and of the other, where iperf3 states it."""

    host_total: Number | None = None
    remote_total: Number | None = None


@dataclass(frozen=True)
class End(Part):
    """The sums of a run."""

    sum_sent: Volume | None = None
    sum_received: Volume | None = None
    cpu_utilization_percent: Cpu = Cpu()


@dataclass(frozen=True)
class TestStart(Part):
    """The options of a run; older versions leave out some flags."""

    protocol: Literal["TCP", "UDP"]
    blksize: Annotated[int, Interval(gt=0, lt=2**31)]
    reverse: Unset = 0
    bidir: Unset = 0


@dataclass(frozen=True)
class Start(Part):
    """The beginning of a client's document."""

    test_start: TestStart
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Printed(Part):
    """A document as either side prints it."""

    end: End = End()
    intervals: list[Span] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PrintedByClient(Printed):
    """A client's document."""

    start: Start


@dataclass(frozen=True)
class Throughput:
    """One run: traffic sent, in all and second by second, and received.

    ``size`` is iperf3's block size: of UDP the payload of each datagram, in bytes. ``cpu_sender_percent`` and
    ``cpu_receiver_percent`` are of one core, None where iperf3 does not state them. ``client`` is what it printed.
    """

    protocol: Literal["tcp", "udp"]
    version: str
    size: int
    sent: Volume
    received: Volume
    sent_series: tuple[Volume, ...]
    cpu_sender_percent: float | None
    cpu_receiver_percent: float | None
    client: str

    @property
    def sent_datagrams(self) -> int | None:
        """Datagrams that the sender counted; None for TCP."""
        return self.sent.packets

    @property
    def received_datagrams(self) -> int | None:
        """Datagrams that arrived, each with ``size`` bytes; the receiver's own count includes those it missed."""
        return self.received.bytes // self.size if self.protocol == "udp" else None

    @property
    def loss(self) -> float | None:
        """Sent minus received as a part of those sent, 0 to 1; None of TCP, and where none was sent."""
        if self.received_datagrams is None or not self.sent_datagrams:
            return None
        return max(0, self.sent_datagrams - self.received_datagrams) / self.sent_datagrams

    @property
    def jitter_ms(self) -> float | None:
        """The receiver's jitter (RFC 3550, 6.4.1); None of TCP, and where nothing arrived."""
        return self.received.jitter_ms if self.arrived else None

    @property
    def arrived(self) -> bool:
        """True where anything of it was received."""
        return self.received.bytes > 0

    def must_arrive(self, where: str) -> None:
        """Raise PromiseBroken where no traffic arrived, whatever iperf3 says of loss."""
        if self.sent.bytes and not self.arrived:
            udp = self.protocol == "udp"
            sent = counted(self.sent.packets or 0, "datagram") if udp else counted(self.sent.bytes, "byte")
            raise PromiseBroken(f"{where} - received - expected some of {sent} of iperf3 - seen none")


def read_throughput(client: str, server: str = "", words: str = "") -> Throughput:
    """A run from the output of client and server; ``words`` is stderr's.

    Raises InstrumentFailed with iperf3's own words, where there are some, and where the figures are not whole.
    """
    ours = _result("client", client, words, PrintedByClient)
    theirs = _result("server", server, words, Printed) if server.strip() else Printed()
    test, sent, cpu = ours.start.test_start, ours.end.sum_sent, ours.end.cpu_utilization_percent
    received = ours.end.sum_received or theirs.end.sum_received
    if received is None:
        right = "the receiver's count (before 3.11 iperf3 has none for UDP)"
        raise _failed("end.sum_received", right, "nothing")
    if sent is None or (test.protocol == "UDP" and sent.packets is None):
        raise _failed("end.sum_sent", "the sender's count, with packets for UDP", sent or "nothing")
    return Throughput(
        protocol="udp" if test.protocol == "UDP" else "tcp",
        version=ours.start.version,
        size=test.blksize,
        sent=sent,
        received=received,
        sent_series=tuple(each.sum for each in ours.intervals),
        cpu_sender_percent=cpu.host_total,
        cpu_receiver_percent=cpu.remote_total,
        client=client,
    )


def _result(side: str, text: str, words: str, kind: type[Document]) -> Document:
    """The one object with figures among those printed; InstrumentFailed with the error that one of them has."""
    if not text.strip():
        raise _failed(side, "JSON", f"nothing - {words or 'no message'}")
    objects = list(_objects(side, text, words))
    for found in objects:
        if found.get("error"):
            raise _failed(side, "a whole run", f"the error {found['error']}")
    results = [found for found in objects if found.get("end")]
    if len(results) != 1:
        raise _failed(side, "one result", f"{len(results)} in {len(objects)} objects - {text}")
    return _checked(side, results[0], kind)


def _objects(side: str, text: str, words: str) -> Iterator[Mapping[str, Any]]:
    """Every JSON object printed, with any text before, between and behind them."""
    text = NOT_JSON.sub(lambda match: match[0] if match[0].startswith('"') else "null", text)
    decoder, at = json.JSONDecoder(object_pairs_hook=_members), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            reason = words or f"{type(error).__name__}: {error}"
            raise _failed(side, "whole JSON", f"{text[at : at + QUOTED // 2]} - {reason}") from error
        yield found
        at = text.find("{", end)


def _members(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    """An object's members; a key that stands twice has words for its value, since it is unknown which one counts.

    A rate that is no number is 0 where nothing was counted: iperf3 divides by no time.
    """
    found = dict(pairs)
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            found[key] = f"the key {key!r} {times} times in one object"
    if found.get("bytes") == 0 and found.get("bits_per_second", 0) is None:
        found["bits_per_second"] = 0
    return found


def _checked(side: str, found: Mapping[str, Any], kind: type[Document]) -> Document:
    """A document whose figures are of their type and within their bounds; InstrumentFailed names the first other."""
    from pydantic import ValidationError  # 0.2 s, which a run that measures nothing does without

    try:
        return cast("Document", _adapter(cast("Any", kind)).validate_json(json.dumps(found)))
    except RecursionError as error:
        raise _failed(side, "a less deeply nested document", error) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        seen = "nothing" if first["type"] == "missing" else repr(first["input"])
        where = ".".join(map(str, first["loc"]))
        raise _failed(f"{side} {where}", first["msg"].removeprefix("Input should be "), seen) from error


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _failed(where: str, right: str, seen: object) -> InstrumentFailed:
    """The error, with what iperf3 said in one line that is no longer than a message can bear."""
    line = " ".join(str(seen).split())
    return InstrumentFailed(
        f"iperf3 {where} - expected {right} - seen {line if len(line) <= QUOTED else f'{line[:QUOTED]}…'}"
    )

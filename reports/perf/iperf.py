"""What iperf3 says of a run, read tolerantly and kept word for word.

iperf3 ends with code 0 and an ``error`` in its JSON, prints two objects, one behind the other, prints ``-nan``, which
no JSON has, or is killed in the middle. Either there are figures that mean something, or InstrumentFailed says why.
With ``--reverse`` the server sends: ``start.test_start.reverse`` says which one sent. A run in both
directions at once (``--bidir``) is refused, as is a figure whose key stands twice in one object (its form before 3.11).

Loss is counted here, as what was sent minus what was received: into a black hole the receiver, which counts gaps
between the datagrams that it has seen, reports 0 of 0, and the sender 0 % (``iperf_udp_recv`` in ``iperf_udp.c``).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reports.words import counted
from topology.errors import InstrumentFailed, PromiseBroken

NOT_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf(?:inity)?)\b', re.IGNORECASE)
"""A string, which stays as it is, or a number that printf writes and JSON does not know."""
QUOTED = 300
"""Characters of what iperf3 printed that a message quotes."""
BIDIR = "_bidir_reverse"
"""How the keys of the second direction end (``iperf_api.c`` from 3.11 on)."""
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Repeated:
    """The value of a key that an object has more than once: it is unknown which one counts, so none does."""

    key: str
    times: int

    def __repr__(self) -> str:
        bidir = ", as iperf3 before 3.11 prints for --bidir" if self.key.startswith("sum") else ""
        return f"the key {self.key!r} {self.times} times in one object{bidir}"


@dataclass(frozen=True)
class Volume:
    """What one side counted, as iperf3 itself says: seconds, bytes, bits per second, datagrams where it has them."""

    seconds: float
    bytes: int
    bits_per_second: float
    packets: int | None = None
    jitter_ms: float | None = None
    retransmits: int | None = None


@dataclass(frozen=True)
class Second:
    """One interval of a series, from ``start_s`` to ``end_s`` of the run: a second, the last one may be shorter."""

    start_s: float
    end_s: float
    volume: Volume


@dataclass(frozen=True)
class Throughput:
    """One run: what was sent and what was received, in all and second by second.

    ``size`` is iperf3's block size: of UDP the payload of each datagram, in bytes. The server's series, what it
    received or with ``--reverse`` sent, is empty where its words are not there. ``cpu_sender_percent`` and
    ``cpu_receiver_percent`` are of one core, and None where iperf3 says nothing. ``client`` and ``server`` are what it
    printed.
    """

    protocol: Literal["tcp", "udp"]
    version: str
    size: int
    sent: Volume
    received: Volume
    sent_series: tuple[Second, ...]
    received_series: tuple[Second, ...]
    cpu_sender_percent: float | None
    cpu_receiver_percent: float | None
    client: str
    server: str

    @property
    def sent_datagrams(self) -> int | None:
        """How many datagrams the sender counted; None of TCP."""
        return self.sent.packets

    @property
    def received_datagrams(self) -> int | None:
        """How many datagrams arrived, each with ``size`` bytes; the receiver's own count includes those it missed."""
        return self.received.bytes // self.size if self.protocol == "udp" else None

    @property
    def lost_datagrams(self) -> int | None:
        """Sent minus received; 0 where more came than were sent. None of TCP."""
        if self.sent_datagrams is None or self.received_datagrams is None:
            return None
        return max(0, self.sent_datagrams - self.received_datagrams)

    @property
    def loss(self) -> float | None:
        """The part of the datagrams sent that was lost, 0 to 1; None of TCP, and where none was sent."""
        if self.lost_datagrams is None or not self.sent_datagrams:
            return None
        return self.lost_datagrams / self.sent_datagrams

    @property
    def jitter_ms(self) -> float | None:
        """The receiver's jitter (RFC 3550, 6.4.1); None of TCP, and where nothing arrived."""
        return self.received.jitter_ms if self.arrived else None

    @property
    def retransmits(self) -> int | None:
        """How often TCP sent a segment again; None of UDP."""
        return self.sent.retransmits

    @property
    def arrived(self) -> bool:
        """Whether anything of it came."""
        return self.received.bytes > 0

    def must_arrive(self, where: str) -> None:
        """Raise PromiseBroken where nothing came of what was sent, whatever iperf3 says of loss."""
        if self.sent.bytes and not self.arrived:
            what = (
                counted(self.sent.packets or 0, "datagram")
                if self.protocol == "udp"
                else counted(self.sent.bytes, "byte")
            )
            raise PromiseBroken(f"{where} - received - expected some of {what} of iperf3 - seen none")


def read_throughput(client: str, server: str = "", words: str = "") -> Throughput:
    """A run from what the client and, where it was heard, the server printed; ``words`` is what stderr had.

    Where ``server`` is empty, what ``--get-server-output`` brought to the client is taken.
    Raises InstrumentFailed with iperf3's own words, where there are some, and where the figures are not whole.
    """
    ours = _result("client", client, words)
    theirs = _result("server", server, words) if server.strip() else _embedded(ours)
    test = _part(ours, "start", "test_start")
    protocol = str(test.get("protocol", "")).lower()
    if protocol not in ("tcp", "udp"):
        raise _unfit("start.test_start.protocol", "TCP or UDP", test.get("protocol"))
    size = _whole(test, "blksize", "start.test_start")
    if size <= 0:
        raise _unfit("start.test_start.blksize", "a size in bytes", size)
    reverse = _flag(test, "reverse")
    if _flag(test, "bidir") or _is_bidir(ours) or _is_bidir(theirs):
        right = "one direction; measure the other in a run of its own, with --reverse"
        raise InstrumentFailed(f"iperf3 client - expected {right} - seen both at once (--bidir)")
    sent = _part(ours, "end", "sum_sent" if "sum_sent" in ours["end"] else "sum")
    return Throughput(
        protocol="udp" if protocol == "udp" else "tcp",
        version=str(_part(ours, "start").get("version", "")),
        size=size,
        sent=_volume(sent, "end.sum_sent", protocol == "udp"),
        received=_received(ours, {} if reverse else theirs),
        sent_series=_series(theirs, "server") if reverse else _series(ours, "client"),
        received_series=_series(ours, "client") if reverse else _series(theirs, "server"),
        cpu_sender_percent=_cpu(ours, "remote_total" if reverse else "host_total"),
        cpu_receiver_percent=_cpu(ours, "host_total" if reverse else "remote_total"),
        client=client,
        server=server,
    )


def _received(ours: Document, theirs: Document) -> Volume:
    """The receiver's figures, from the client's document; else from the server's, where the server received."""
    for document in (ours, theirs):
        end = document.get("end")
        if isinstance(end, dict) and "sum_received" in end:
            return _volume(_part(document, "end", "sum_received"), "end.sum_received", False)
    raise _unfit("end.sum_received", "what the receiver counted (before 3.11 iperf3 does not say it of UDP)", None)


def _result(side: str, text: str, words: str) -> Document:
    """The one object with figures among those printed; InstrumentFailed with the error that one of them has."""
    if not text.strip():
        raise InstrumentFailed(f"iperf3 {side} - expected JSON - seen nothing - {_quoted(words) or 'no word of why'}")
    objects = list(_objects(side, text, words))
    events = [found for found in objects if "event" in found]
    objects = [found for found in objects if "event" not in found]
    for found in objects:
        if repeated := next((value for value in found.values() if isinstance(value, Repeated)), None):
            raise _unfit(side, "each key once", repeated)
        if found.get("error"):
            raise InstrumentFailed(f"iperf3 {side} - expected a whole run - seen the error {_quoted(found['error'])}")
    results = [found for found in objects if isinstance(found.get("end"), dict) and found["end"]]
    if events and not results:
        told = "".join(f" - {_quoted(found.get('data'))}" for found in events if found["event"] == "error")
        raise InstrumentFailed(
            f"iperf3 {side} - expected one JSON object, as --json prints it"
            f" - seen {counted(len(events), 'event')}, as --json-stream prints them{told}"
        )
    if len(results) != 1:
        raise InstrumentFailed(
            f"iperf3 {side} - expected one result - seen {len(results)} in {len(objects)} objects - {_quoted(text)}"
        )
    return results[0]


def _objects(side: str, text: str, words: str) -> Iterator[Document]:
    """Every JSON object printed, whatever stands before, between and behind them."""
    text = NOT_JSON.sub(lambda match: match[0] if match[0].startswith('"') else "null", text)
    decoder, at = json.JSONDecoder(object_pairs_hook=_members), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            reason = _quoted(words) or f"{type(error).__name__}: {error}"
            raise InstrumentFailed(
                f"iperf3 {side} - expected whole JSON - seen {_quoted(text[at:])} - {reason}"
            ) from error
        yield found
        at = text.find("{", end)


def _members(pairs: Sequence[tuple[str, object]]) -> Document:
    """An object's members; of a key that stands twice a ``Repeated``, harmless where it is not read (in ``start``)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        found |= {key: Repeated(key, times) for key, times in counts.items() if times > 1}
    return found


def _embedded(ours: Document) -> Document:
    """The server's words that the client printed (``--get-server-output``); empty where there are none."""
    found = ours.get("server_output_json", {})
    if not isinstance(found, dict):
        raise _unfit("server_output_json", "an object", found)
    if found.get("error"):
        raise InstrumentFailed(f"iperf3 server - expected a whole run - seen the error {_quoted(found['error'])}")
    return found


def _is_bidir(document: Document) -> bool:
    """Return whether a document has sums of a second direction."""
    intervals = document.get("intervals")
    parts = [document.get("end"), *(intervals if isinstance(intervals, list) else ())]
    return any(key.endswith(BIDIR) for part in parts if isinstance(part, dict) for key in part)


def _series(document: Document, side: str) -> tuple[Second, ...]:
    """The sums of all intervals that count: those of a warm-up are marked as omitted."""
    intervals = document.get("intervals", [])
    if not isinstance(intervals, list):
        raise _unfit(f"{side}'s intervals", "a list", intervals)
    where = f"{side}'s intervals"
    for each in intervals:
        if isinstance(each, dict) and not isinstance(each.get("sum"), dict):
            raise _unfit(f"{where}.sum", "an object", each.get("sum"))
    sums = [each["sum"] for each in intervals if isinstance(each, dict)]
    return tuple(
        Second(_number(each, "start", where), _number(each, "end", where), _volume(each, where, False))
        for each in sums
        if not _flag(each, "omitted", where)
    )


def _volume(part: Document, where: str, counted: bool) -> Volume:
    """One sum; ``counted`` where there must be datagrams. Nothing in no time is a rate of 0; iperf3 has it as -nan."""
    amount = _whole(part, "bytes", where)
    rate = part.get("bits_per_second")
    packets = _whole(part, "packets", where) if counted or "packets" in part else None
    return Volume(
        seconds=_number(part, "seconds", where),
        bytes=amount,
        bits_per_second=0.0 if rate is None and not amount else _number(part, "bits_per_second", where),
        packets=packets,
        jitter_ms=_number_or_none(part, "jitter_ms"),
        retransmits=_whole(part, "retransmits", where) if "retransmits" in part else None,
    )


def _part(document: object, *path: str) -> Document:
    """The object at a path; InstrumentFailed where there is none."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    if not isinstance(document, dict):
        raise _unfit(".".join(path), "an object", document)
    return document


def _number(part: Document, name: str, where: str) -> float:
    """A finite number that is not negative."""
    value = part.get(name)
    # A whole number of thousands of digits is JSON, and no float.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e300:
        raise _unfit(f"{where}.{name}", "a number from 0", value)
    return float(value)


def _whole(part: Document, name: str, where: str) -> int:
    """A whole number that is not negative."""
    value = _number(part, name, where)
    if value != math.floor(value):
        raise _unfit(f"{where}.{name}", "a whole number", value)
    return int(part[name])


def _flag(part: Document, name: str, where: str = "start.test_start") -> bool:
    """Return whether a flag is set; older versions leave some flags out."""
    value = part.get(name, 0)
    if value not in (0, 1):
        raise _unfit(f"{where}.{name}", "0 or 1", value)
    return bool(value)


def _cpu(document: Document, name: str) -> float | None:
    """A share of one core in percent, where iperf3 states it."""
    return _number_or_none(_part(document, "end").get("cpu_utilization_percent"), name)


def _number_or_none(part: object, name: str) -> float | None:
    """A number that iperf3 may leave out."""
    if not isinstance(part, dict) or part.get(name) is None:
        return None
    return _number(part, name, "end")


def _unfit(where: str, right: str, seen: object) -> InstrumentFailed:
    return InstrumentFailed(f"iperf3 {where} - expected {right} - seen {_quoted(repr(seen))}")


def _quoted(said: object) -> str:
    """What iperf3 said in one line, no longer than a message can bear."""
    line = " ".join(str(said).split())
    return line if len(line) <= QUOTED else f"{line[:QUOTED]}…"

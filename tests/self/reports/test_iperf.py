"""What iperf3 printed is read as it stands, or refused with one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.perf.iperf import Throughput, read_throughput
from topology.errors import InstrumentFailed, PromiseBroken

RECORDED = Path(__file__).parents[1] / "data" / "iperf3"
"""Runs of iperf3 3.12 between two namespaces."""
WHOLE = ("udp", "tcp", "udpk", "big", "blackhole")


def printed(name: str) -> tuple[str, str]:
    """What client and server of a recorded run printed."""
    return (RECORDED / f"{name}-client.json").read_text(), (RECORDED / f"{name}-server.json").read_text()


def end(text: str) -> dict[str, Any]:
    """The end of a recorded document, read without our reader."""
    return dict(json.loads(text)["end"])


@pytest.mark.parametrize("name", WHOLE)
def test_figures_are_those_of_iperf3(name: str) -> None:
    """Rates, bytes, seconds, CPU and each second of a run are exactly what iperf3's own JSON says."""
    client, server = printed(name)
    run, own = read_throughput(client, server), end(client)
    for volume, part in ((run.sent, own["sum_sent"]), (run.received, own["sum_received"])):
        assert volume.bits_per_second == part["bits_per_second"]
        assert (volume.bytes, volume.seconds) == (part["bytes"], part["seconds"])
        assert (volume.packets, volume.jitter_ms) == (part.get("packets"), part.get("jitter_ms"))
    assert run.retransmits == own["sum_sent"].get("retransmits")
    assert run.cpu_sender_percent == own["cpu_utilization_percent"]["host_total"]
    assert run.cpu_receiver_percent == own["cpu_utilization_percent"]["remote_total"]
    for series, text in ((run.sent_series, client), (run.received_series, server)):
        sums = [each["sum"] for each in json.loads(text)["intervals"]]
        assert [each.volume.bits_per_second for each in series] == [each["bits_per_second"] for each in sums]
        assert [(each.start_s, each.end_s) for each in series] == [(each["start"], each["end"]) for each in sums]
    assert (run.client, run.server) == (client, server)


def test_loss_is_sent_minus_received() -> None:
    """Of 313 100 datagrams sent 124 559 came: what was still under way at the end is lost, too."""
    run = read_throughput(*printed("udp"))
    assert (run.protocol, run.size, run.sent_datagrams, run.received_datagrams) == ("udp", 800, 313100, 124559)
    assert run.lost_datagrams == 188541
    assert run.loss == 188541 / 313100
    assert run.jitter_ms == end(run.client)["sum"]["jitter_ms"]
    assert run.retransmits is None


def test_tcp_has_retransmits_and_no_datagrams() -> None:
    """A TCP run has no count of datagrams, hence no loss."""
    run = read_throughput(*printed("tcp"))
    assert (run.protocol, run.retransmits) == ("tcp", 579)
    assert (run.sent_datagrams, run.received_datagrams, run.lost_datagrams, run.loss, run.jitter_ms) == (None,) * 5
    run.must_arrive("a - b")


def test_black_hole_is_total_loss() -> None:
    """Where nothing arrived, all is lost and the network is wrong, though iperf3 says 0 %."""
    run = read_throughput(*printed("blackhole"))
    assert end(run.client)["sum"]["lost_percent"] == 0
    assert (run.loss, run.arrived, run.jitter_ms) == (1.0, False, None)
    with pytest.raises(PromiseBroken, match="expected some of 1562 datagrams"):
        run.must_arrive("a - b")


def test_more_received_than_sent_is_no_loss() -> None:
    """Duplicates do not make a loss below zero."""
    client = printed("udpk")[0].replace('"bytes":\t27904', '"bytes":\t64000')
    assert read_throughput(client).lost_datagrams == 0


@pytest.mark.parametrize(
    ("client", "server", "words"),
    [
        ("refused", "", "unable to connect to server: Connection refused"),
        ("killed", "", "unable to write to stream socket: Connection refused"),
        ("killedtcp", "", "control socket has closed unexpectedly"),
        ("cterm", "", "interrupt - the client has terminated"),
        ("udp", "killed", "interrupt - the server has terminated"),
        ("udp", "cterm", "the client has terminated"),
    ],
)
def test_error_in_the_json_is_an_error(client: str, server: str, words: str) -> None:
    """An ``error`` ends the reading with iperf3's words, though it ended with code 0 and there are figures."""
    ours = (RECORDED / f"{client}-client.json").read_text()
    theirs = (RECORDED / f"{server}-server.json").read_text() if server else ""
    with pytest.raises(InstrumentFailed, match=words):
        read_throughput(ours, theirs)


def test_words_around_the_json_are_passed_over() -> None:
    """Lines before and behind the object, or an object without figures beside it, take nothing from the figures."""
    client, server = printed("tcp")
    for text in (f"warning: something\n{client}\nbye\n", f'{{"start": {{}}, "end": {{}}}}\n{client}'):
        assert read_throughput(text, server).sent == read_throughput(client, server).sent


def test_two_results_are_refused() -> None:
    """Of two objects with figures nobody knows which is this run's."""
    client = printed("udp")[0]
    with pytest.raises(InstrumentFailed, match="expected one result - seen 2 in 2 objects"):
        read_throughput(client + client)


def test_error_in_either_of_two_objects_counts() -> None:
    """An error printed as an object of its own behind the figures is the run's error."""
    with pytest.raises(InstrumentFailed, match="the error it broke"):
        read_throughput(printed("udp")[0] + '{"error": "it broke"}')


@pytest.mark.parametrize("number", ["-nan", "nan", "NaN", "-inf", "Infinity"])
def test_not_a_number_is_none(number: str) -> None:
    """A rate that iperf3 could not compute is 0 where nothing came, and refused where something did."""
    hole = printed("blackhole")[0].replace('"jitter_ms":\t0', f'"jitter_ms":\t{number}')
    hole = hole.replace(
        '"bytes":\t0,\n\t\t\t"bits_per_second":\t0', f'"bytes":\t0,\n\t\t\t"bits_per_second":\t{number}'
    )
    assert number in hole
    assert read_throughput(hole).received.bits_per_second == 0
    rate = '"bits_per_second":\t1001909479.9504606,\n\t\t\t"jitter_ms":\t0,'
    client = printed("udp")[0]
    assert rate in client
    with pytest.raises(InstrumentFailed, match=r"end\.sum_sent\.bits_per_second - expected a number"):
        read_throughput(client.replace(rate, f'"bits_per_second":\t{number},\n\t\t\t"jitter_ms":\t0,'))


def test_words_in_strings_stay() -> None:
    """An error that speaks of nan is quoted as it is."""
    with pytest.raises(InstrumentFailed, match="nan and inf are no rates"):
        read_throughput('{"error": "nan and inf are no rates"}')


def test_nothing_printed_is_told_with_what_stderr_had() -> None:
    """Without JSON the message quotes stderr."""
    with pytest.raises(InstrumentFailed, match="seen nothing - iperf3: parameter error"):
        read_throughput("", "", "iperf3: parameter error")
    with pytest.raises(InstrumentFailed, match="expected one result - seen 0"):
        read_throughput("Usage: iperf3 [-s|-c host] [options]")


def test_missing_receiver_is_taken_from_the_server() -> None:
    """Where the client was not told what the receiver counted, the server's own words say it."""
    client, server = printed("udp")
    told = json.loads(client)
    del told["end"]["sum_received"]
    assert read_throughput(json.dumps(told), server).received.bytes == 99647200
    with pytest.raises(InstrumentFailed, match=r"end\.sum_received - expected what the receiver counted"):
        read_throughput(json.dumps(told))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("start", "test_start", "protocol"), "SCTP"),
        (("start", "test_start", "blksize"), 0),
        (("start", "test_start"), None),
        (("end", "sum_sent", "bytes"), -1),
        (("end", "sum_sent", "bytes"), 1.5),
        (("end", "sum_sent", "bytes"), True),
        (("end", "sum_sent", "bytes"), 10**400),
        (("end", "sum_sent", "packets"), None),
        (("end", "sum_received", "seconds"), "two"),
        (("end", "sum_received"), []),
        (("intervals",), {}),
    ],
)
def test_unfit_figure_is_named(path: tuple[str, ...], value: object) -> None:
    """A figure that cannot be is refused, and the message says where it stands."""
    document = json.loads(printed("udp")[0])
    part = document
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    with pytest.raises(InstrumentFailed, match=path[-1]):
        read_throughput(json.dumps(document))


@pytest.mark.parametrize("name", ["udp", "tcp"])
@given(cut=st.floats(0, 1, exclude_max=True))
def test_cut_off_json_is_an_error(name: str, cut: float) -> None:
    """What was cut off anywhere is refused."""
    client = printed(name)[0].rstrip()
    with pytest.raises(InstrumentFailed):
        read_throughput(client[: int(cut * len(client))])


def _read(client: str, server: str = "") -> Throughput | None:
    try:
        return read_throughput(client, server)
    except InstrumentFailed:
        return None


@given(st.text() | st.text('{}[]",:0123456789.-naif \n'))
def test_rubbish_is_an_error(text: str) -> None:
    """Whatever is printed instead of a result, the answer is InstrumentFailed."""
    assert _read(text) is None


def test_deep_nesting_is_an_error() -> None:
    """JSON that is nested deeper than can be read is refused like any other rubbish."""
    assert _read('{"end":' * 100_000) is None


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@given(where=st.integers(0, 400), value=TREES)
def test_any_part_may_be_anything(where: int, value: object) -> None:
    """With any one part of a document exchanged, it is read with finite figures or refused."""
    client, server = (json.loads(text) for text in printed("udp"))
    spots = [*_spots(client), *_spots(server)]
    part, name = spots[where % len(spots)]
    part[name] = value
    run = _read(json.dumps(client), json.dumps(server))
    if run is not None:
        assert 0 <= run.sent.bits_per_second < float("inf")
        assert run.loss is None or 0 <= run.loss <= 1


def _spots(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree of objects and lists at which something stands."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [spot for name, below in inner for spot in ((tree, name), *_spots(below))]

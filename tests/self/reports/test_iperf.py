"""The output of iperf3 is read as it stands, or refused with one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.perf.iperf import Throughput, read_throughput
from tests.self.draws import draws
from topology.errors import InstrumentFailed, PromiseBroken

RECORDED = Path(__file__).parents[1] / "data" / "iperf3"
"""Runs of iperf3 3.12 between two namespaces."""


def printed(name: str) -> tuple[str, str]:
    """Recorded output of client and server."""
    return (RECORDED / f"{name}-client.json").read_text(), (RECORDED / f"{name}-server.json").read_text()


UDP, TCP = printed("udp"), printed("tcp")


def end(text: str) -> dict[str, Any]:
    """The end of a recorded document, read without our reader."""
    return dict(json.loads(text)["end"])


def changed(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    """A recorded document with something changed."""
    document = json.loads(text)
    change(document)
    return json.dumps(document)


def refused(words: str, client: str, server: str = "", stderr: str = "") -> None:
    with pytest.raises(InstrumentFailed, match=words):
        read_throughput(client, server, stderr)


@pytest.mark.parametrize("name", ["udp", "tcp", "udpk", "big", "blackhole"])
def test_figures_are_those_of_iperf3(name: str) -> None:
    """Rates, bytes, seconds, CPU and each second of a run are exactly what iperf3's own JSON says."""
    client, server = printed(name)
    run, own = read_throughput(client, server), end(client)
    for volume, part in ((run.sent, own["sum_sent"]), (run.received, own["sum_received"])):
        for key in ("bits_per_second", "bytes", "seconds", "packets", "jitter_ms", "retransmits"):
            assert getattr(volume, key) == part.get(key)
    cpu = own["cpu_utilization_percent"]
    assert (run.cpu_sender_percent, run.cpu_receiver_percent) == (cpu["host_total"], cpu["remote_total"])
    sums = [each["sum"]["bits_per_second"] for each in json.loads(client)["intervals"]]
    assert [each.bits_per_second for each in run.sent_series] == sums
    assert run.client == client


def test_loss_is_sent_minus_received() -> None:
    """Loss is 313 100 datagrams sent minus 124 559 that arrived; TCP has none; duplicates are no loss."""
    run = read_throughput(*UDP)
    assert (run.protocol, run.size, run.sent_datagrams, run.received_datagrams) == ("udp", 800, 313100, 124559)
    assert (run.loss, run.jitter_ms, run.sent.retransmits) == (188541 / 313100, end(UDP[0])["sum"]["jitter_ms"], None)
    run = read_throughput(*TCP)
    assert (run.protocol, run.sent.retransmits) == ("tcp", 579)
    assert (run.sent_datagrams, run.received_datagrams, run.loss, run.jitter_ms) == (None,) * 4
    assert read_throughput(printed("udpk")[0].replace('"bytes":\t27904', '"bytes":\t64000')).loss == 0


def test_black_hole_is_total_loss() -> None:
    """If nothing arrives, all is lost and the network is wrong, though iperf3 says 0 %."""
    run = read_throughput(*printed("blackhole"))
    assert end(run.client)["sum"]["lost_percent"] == 0
    assert (run.loss, run.arrived, run.jitter_ms) == (1.0, False, None)
    with pytest.raises(PromiseBroken, match="expected some of 1562 datagrams"):
        run.must_arrive("a - b")


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
    refused(words, ours, (RECORDED / f"{server}-server.json").read_text() if server else "")


def test_what_stands_around_the_json_is_passed_over() -> None:
    """Lines around the object, and an object without figures, change no figure."""
    client, server = TCP
    for text in (f"warning\n{client}\nbye\n", f'{{"start": {{}}, "end": {{}}}}\n{client}'):
        assert read_throughput(text, server).sent == read_throughput(client, server).sent


def test_output_without_one_result_is_refused() -> None:
    """Nothing, no JSON, two results, and an error behind the figures: each with its reason."""
    client, _ = TCP
    refused("seen nothing - iperf3: parameter error", "", "", "iperf3: parameter error")
    refused("expected one result - seen 0", "Usage: iperf3 [-s|-c host] [options]")
    refused("expected one result - seen 2 in 2 objects", client + client)
    refused("the error it broke", client + '{"error": "it broke"}')
    refused("nan and inf are no rates", '{"error": "nan and inf are no rates"}')
    refused("client - expected whole JSON", '{"end":' * 100_000)


@pytest.mark.parametrize("number", ["-nan", "nan", "NaN", "-inf", "Infinity"])
def test_not_a_number_is_none(number: str) -> None:
    """A rate that iperf3 could not compute is 0 where nothing came, and refused where something did."""
    rate = '"bits_per_second":\t0'
    hole = printed("blackhole")[0].replace('"jitter_ms":\t0', f'"jitter_ms":\t{number}')
    hole = hole.replace(f'"bytes":\t0,\n\t\t\t{rate}', f'"bytes":\t0,\n\t\t\t{rate[:-1]}{number}')
    assert number in hole
    assert read_throughput(hole).received.bits_per_second == 0
    refused(r"end\.sum_sent\.bits_per_second", UDP[0].replace("1001909479.9504606", number))


def test_missing_receiver_is_taken_from_the_server() -> None:
    """Which some versions alone have."""
    client, server = UDP
    told = changed(client, lambda made: made["end"].pop("sum_received"))
    assert read_throughput(told, server).received.bytes == 99647200
    words = r"end\.sum_received - expected the receiver's count \(before 3\.11"
    refused(words, told)
    refused(words, *(changed(one, lambda m: [m["end"].pop(k) for k in ("sum_sent", "sum_received")]) for one in UDP))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("start", "test_start", "protocol"), "SCTP"),
        (("start", "test_start", "blksize"), 0),
        *[(("start", "test_start", "reverse"), value) for value in (1, 2, None)],
        (("start", "test_start", "bidir"), 1),
        (("start", "test_start"), None),
        *[(("end", "sum_sent", "bytes"), value) for value in (-1, 1.5, True, 10**400, "8000000")],
        (("end", "sum_sent", "packets"), None),
        (("end", "sum_sent", "bits_per_second"), "1e9"),
        (("end", "sum_received", "seconds"), "two"),
        (("end", "sum_received"), []),
        (("intervals",), {}),
    ],
)
def test_unfit_figure_is_named(path: tuple[str, ...], value: object) -> None:
    """A figure that cannot be is refused, and the message says where it stands."""
    document = json.loads(UDP[0])
    part = document
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    refused(path[-1], json.dumps(document))


def test_flags_that_old_versions_leave_out_are_not_set() -> None:
    """Without the word reverse the client sends."""
    text = changed(TCP[0], lambda made: made["start"]["test_start"].pop("reverse"))
    assert read_throughput(text, TCP[1]).sent_series == read_throughput(*TCP).sent_series


def test_figure_whose_key_stands_twice_is_refused() -> None:
    """It is unknown which one counts; keys of which no figure is read may be repeated."""
    for key in ("sum_sent", "bytes", "blksize"):
        refused(rf"\.{key} - .*the key '{key}' 2 times", TCP[0].replace(f'"{key}":', f'"{key}":\t1, "{key}":'))
    for key in ("error", "end", "intervals", "start"):
        text = TCP[0].replace("{", f'{{"{key}": 0, "{key}": 1, ', 1).replace(f'"{key}":\t', '"_":\t')
        refused(f"the key '{key}' 2 times", text)
    assert read_throughput(TCP[0].replace('"sock_bufsize":', '"sock_bufsize":\t1, "sock_bufsize":'), TCP[1])


@given(cut=st.floats(0, 1, exclude_max=True), name=st.sampled_from([UDP[0], TCP[0]]))
@settings(max_examples=draws(25))
def test_cut_off_json_is_an_error(cut: float, name: str) -> None:
    """JSON cut off anywhere is refused."""
    assert _read(name.rstrip()[: int(cut * len(name.rstrip()))]) is None


def _read(client: str, server: str = "") -> Throughput | None:
    try:
        return read_throughput(client, server)
    except InstrumentFailed:
        return None


@given(st.text() | st.text('{}[]",:0123456789.-naif \n'))
def test_rubbish_is_an_error(text: str) -> None:
    """Any output that is no result is InstrumentFailed."""
    assert _read(text) is None


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@given(where=st.integers(0, 400), value=TREES)
@settings(max_examples=draws(25))
def test_any_part_may_be_anything(where: int, value: object) -> None:
    """With any one part of a document exchanged, it is read with finite figures or refused."""
    client, server = (json.loads(text) for text in UDP)
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

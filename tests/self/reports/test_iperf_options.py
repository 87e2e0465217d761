"""What options of iperf3 do to its words: who sends with -R, both ways at once, events, the server's own words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reports.perf.iperf import Second, read_throughput
from tests.self.reports.test_iperf import end, printed
from topology.errors import InstrumentFailed


def bytes_of(series: Sequence[Second]) -> list[int]:
    return [each.volume.bytes for each in series]


def intervals(text: str) -> list[int]:
    """The bytes of each interval that counts, read without our reader."""
    sums = [each["sum"] for each in json.loads(text)["intervals"]]
    return [each["bytes"] for each in sums if not each["omitted"]]


def changed(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    """A recorded document with something changed."""
    document = json.loads(text)
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize("name", ["reverse-tcp", "reverse-udp", "omitted"])
def test_with_reverse_the_server_sends(name: str) -> None:
    """The server's CPU and series are the sender's, the client's are the receiver's; sums are as iperf3 says."""
    client, server = printed(name)
    run, own = read_throughput(client, server), end(client)
    cpu = own["cpu_utilization_percent"]
    assert (run.cpu_sender_percent, run.cpu_receiver_percent) == (cpu["remote_total"], cpu["host_total"])
    assert (run.sent.bytes, run.received.bytes) == (own["sum_sent"]["bytes"], own["sum_received"]["bytes"])
    assert bytes_of(run.sent_series) == intervals(server)
    assert bytes_of(run.received_series) == intervals(client)
    assert 0 < run.received.bytes <= run.sent.bytes * 1.01


def test_without_the_server_s_words_a_reversed_run_has_no_series_of_the_sender() -> None:
    """What the client counted is what was received, never what was sent."""
    run = read_throughput(printed("reverse-udp")[0])
    assert (run.sent_series, len(run.received_series)) == ((), 2)
    assert run.loss == 0


def test_server_that_sent_does_not_say_what_was_received() -> None:
    """Its sum of what it received is 0 and is of the other direction."""
    client, server = printed("reverse-udp")
    assert end(server)["sum_received"]["bytes"] == 0
    with pytest.raises(InstrumentFailed, match=r"end\.sum_received - expected what the receiver counted"):
        read_throughput(changed(client, lambda told: told["end"].pop("sum_received")), server)


@pytest.mark.parametrize("value", ["yes", 2, None, [1]])
def test_reverse_that_is_neither_0_nor_1_is_refused(value: object) -> None:
    """Without a clear direction it is unknown who sent."""
    text = changed(printed("tcp")[0], lambda told: told["start"]["test_start"].update(reverse=value))
    with pytest.raises(InstrumentFailed, match=r"start\.test_start\.reverse - expected 0 or 1"):
        read_throughput(text)


def test_document_without_the_word_reverse_is_of_a_client_that_sends() -> None:
    """Old versions do not say that nothing was reversed."""
    client, server = printed("tcp")
    text = changed(client, lambda told: told["start"]["test_start"].pop("reverse"))
    assert read_throughput(text, server).sent_series == read_throughput(client, server).sent_series


def test_both_directions_at_once_are_refused() -> None:
    """A run has one direction: that of --bidir is refused in the words of that option, in each form it has."""
    text = printed("bidir")[0]
    flagged = changed(printed("tcp")[0], lambda told: told["start"]["test_start"].update(bidir=1))
    only_intervals = changed(text, lambda told: [told["end"].pop(k) for k in list(told["end"]) if "bidir" in k])
    only_end = changed(text, lambda told: told.update(intervals=[]))
    for form in (text, flagged, only_intervals, only_end):
        with pytest.raises(InstrumentFailed, match=r"expected one direction; .*--reverse - seen both .*--bidir"):
            read_throughput(form)
    with pytest.raises(InstrumentFailed, match="--bidir"):
        read_throughput(printed("tcp")[0], text)
    unflagged = changed(printed("tcp")[0], lambda told: told["start"]["test_start"].update(bidir=0))
    assert read_throughput(unflagged).sent.bytes > 0


def test_figure_whose_key_stands_twice_is_refused() -> None:
    """Before 3.11 --bidir printed the sums of both directions under the same keys: it is unknown which one is which."""
    old = printed("bidir")[0].replace("_bidir_reverse", "")
    words = r"end\.sum_sent - expected an object - seen the key 'sum_sent' 2 times in one object, as .* for --bidir"
    with pytest.raises(InstrumentFailed, match=words):
        read_throughput(old)
    client, _ = printed("tcp")
    with pytest.raises(InstrumentFailed, match=r"server's intervals\.sum - .*'sum' 2 times"):
        read_throughput(client, printed("bidir")[1].replace("_bidir_reverse", ""))
    for key, where in (("omitted", "client's intervals"), ("bytes", "end.sum_sent"), ("blksize", "start.test_start")):
        with pytest.raises(InstrumentFailed, match=rf"{where}\.{key} - expected .* - seen the key '{key}' 2 times"):
            read_throughput(client.replace(f'"{key}":', f'"{key}":\t1, "{key}":'))
    for key in ("error", "end", "intervals", "start"):
        with pytest.raises(InstrumentFailed, match=f"client - expected each key once - seen the key '{key}' 2 times"):
            read_throughput(client.replace("{", f'{{"{key}": 0, "{key}": 1, ', 1).replace(f'"{key}":\t', '"_":\t'))


@pytest.mark.parametrize(("name", "key"), [("omitted", "sock_bufsize"), ("reverse-udp", "target_bitrate")])
def test_keys_of_which_no_figure_is_read_may_stand_twice(name: str, key: str) -> None:
    """iperf3 repeats some keys of ``start``: buffers once for each stream, the server of UDP its target."""
    client, server = printed(name)
    assert max(text.split('"test_start"')[0].count(f'"{key}"') for text in (client, server)) == 2
    assert read_throughput(client, server).received.bytes == end(client)["sum_received"]["bytes"]


def events(text: str, *more: dict[str, Any]) -> str:
    """A document as --json-stream (from 3.17 on) prints it: a line for its start, each interval and its end."""
    told = json.loads(text)
    parts = [("start", told["start"]), *(("interval", each) for each in told["intervals"] * 20), ("end", told["end"])]
    return "".join(json.dumps(line) + "\n" for line in [*({"event": e, "data": d} for e, d in parts), *more])


def test_events_are_refused_with_the_option_that_prints_them() -> None:
    """The message names the option that was given, and the one that is right; an error among them is quoted."""
    client, server = printed("tcp")
    words = "expected one JSON object, as --json prints it - seen {} events, as --json-stream prints them"
    with pytest.raises(InstrumentFailed, match=f"client - {words.format(22 + 20)}$"):
        read_throughput(events(client))
    with pytest.raises(InstrumentFailed, match=r"server - .*--json-stream"):
        read_throughput(client, events(server))
    with pytest.raises(InstrumentFailed, match=r"--json-stream prints them - the server is busy$"):
        read_throughput(events(client, {"event": "error", "data": "the server is busy"}))


def test_whole_result_behind_the_events_counts() -> None:
    """With --json-stream-full-output the object follows its events, and is read."""
    client, server = printed("tcp")
    run = read_throughput(events(client) + client, server)
    assert run.sent == read_throughput(client, server).sent


def test_words_that_the_server_sent_along_are_the_server_s() -> None:
    """With --get-server-output the client's document holds the server's; an error in it is the run's."""
    client, server = printed("embedded")
    run = read_throughput(client)
    assert bytes_of(run.received_series) == intervals(server)
    assert read_throughput(client, server).received_series == run.received_series
    broken = changed(client, lambda told: told["server_output_json"].update(error="it broke"))
    with pytest.raises(InstrumentFailed, match="server - expected a whole run - seen the error it broke"):
        read_throughput(broken)
    document = {key: part for key, part in json.loads(client).items() if key != "server_output_json"}
    assert read_throughput(json.dumps(document | {"server_output_text": "words"})).received_series == ()
    with pytest.raises(InstrumentFailed, match="server_output_json - expected an object"):
        read_throughput(json.dumps(document | {"server_output_json": "words"}))


def test_intervals_of_a_warm_up_do_not_count() -> None:
    """With -O the first intervals are in no series, at neither end."""
    client, server = printed("omitted")
    run = read_throughput(client, server)
    assert len(json.loads(client)["intervals"]) == len(run.received_series) + 1
    assert len(json.loads(server)["intervals"]) == len(run.sent_series) + 1


def test_old_udp_without_the_receiver_s_count_is_refused_with_the_version() -> None:
    """Before 3.11 UDP had one sum, the sender's: what arrived is not known, and not 0."""
    client, server = (
        changed(text, lambda told: [told["end"].pop(key) for key in ("sum_sent", "sum_received")])
        for text in printed("udp")
    )
    with pytest.raises(InstrumentFailed, match=r"sum_received - expected what the receiver counted \(before 3\.11"):
        read_throughput(client, server)


@pytest.mark.parametrize("value", ["8000000", "1e9", "nan", ""])
def test_number_in_quotes_is_refused(value: str) -> None:
    """A figure that was made a string on the way is no figure."""
    text = changed(printed("tcp")[0], lambda told: told["end"]["sum_sent"].update(bits_per_second=value))
    with pytest.raises(InstrumentFailed, match=r"sum_sent\.bits_per_second - expected a number from 0"):
        read_throughput(text)

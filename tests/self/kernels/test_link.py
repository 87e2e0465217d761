from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.draws import draws
from tests.self.kernels.agents import HELLO, Line, answer, frame
from topology.errors import AgentError, AgentLost, EnvironmentBroken
from topology.kernels import link as link_module
from topology.kernels.agent.frames import BODY_MAX, HEADER_MAX
from topology.kernels.link import AgentLink, Completed, Reply


@pytest.fixture
def line() -> Iterator[Line]:
    """A link with a stream to fill."""
    with Line() as made:
        yield made


def output(stream: str, data: bytes, number: int = 1) -> bytes:
    return frame({"id": number, "event": stream}, data)


def test_an_answer_may_arrive_in_any_two_pieces(line: Line) -> None:
    """Wherever a frame is cut, the answer is the same."""
    for cut in range(1, len(answer(1, b"body", n=7))):
        number = line.link._ask("x", b"", {})
        whole = answer(number, b"body", n=7)
        line.say(whole[:cut])
        line.link.pump(1)
        line.say(whole[cut:])
        assert line.link._wait(number, 1) == Reply({"n": 7}, b"body")


def test_answers_find_their_requests_in_any_order(line: Line) -> None:
    """The second of two requests may be answered first."""
    first, second = (line.link._ask(op, b"", {}) for op in ("a", "b"))
    line.say(answer(second, b"2"), answer(first, b"1"))
    assert line.link._wait(first, 1).body == b"1"
    assert line.link._wait(second, 1).body == b"2"


def test_output_comes_before_the_end_and_apart_from_errors(line: Line) -> None:
    """A command's two streams are collected separately, then its exit code."""
    line.say(
        output("stdout", b"a"),
        output("stderr", b"x"),
        output("stdout", b"b\xff"),
        answer(1, code=-9, timed_out=True),
    )
    assert line.link.run(["c"]) == Completed(("c",), -9, "ab\ufffd", "x", True)


def test_started_command_reports_as_it_goes(line: Line) -> None:
    """A listener hears each piece; the end is known once it has come, and never waited for."""
    heard: list[tuple[str, bytes]] = []
    number = line.link.start(["c"], None, lambda stream, data: heard.append((stream, data)))
    line.link.pump(0)
    assert line.link.ended(number) is None
    line.say(output("stdout", b"1"), answer(number, code=0, timed_out=False))
    line.link.pump(1)
    assert (heard, line.link.ended(number)) == ([("stdout", b"1")], 0)


def test_output_that_overtakes_the_request_is_heard(line: Line) -> None:
    """A listener gets the first output of a command too when it arrives while the request is still being sent."""
    heard: list[bytes] = []
    line.say(output("stdout", b"first"))
    line.link.start(["c"], None, lambda _, data: heard.append(data))
    line.say(output("stdout", b"second"))
    line.link.pump(1)
    assert heard == [b"first", b"second"]


def test_agents_refusal_keeps_its_words_and_number(line: Line) -> None:
    """An error's type, message and errno reach the caller, and the link lives on."""
    line.say(frame({"id": 1, "error": {"type": "OSError", "errno": 2, "message": "gone"}}))
    with pytest.raises(AgentError, match="agent - x - OSError: gone") as caught:
        line.link.call("x")
    assert caught.value.errno == 2
    line.say(answer(2))
    assert line.link.call("y").fields == {}


@pytest.mark.parametrize("message", ["\ud800", "m" * 100_000, [[1]], None], ids=["surrogate", "long", "list", "none"])
def test_agents_words_can_always_be_printed(line: Line, message: object) -> None:
    """An error's text is bounded, encodable text whatever the agent calls its message."""
    line.say(frame({"id": 1, "error": {"type": "E", "errno": True, "message": message}}))
    with pytest.raises(AgentError) as caught:
        line.link.call("x")
    assert len(str(caught.value).encode()) < 1100
    assert caught.value.errno is None


NESTED = b'{"id":1,"x":' + b"[" * 700 + b"]" * 700 + b"}"
BROKEN: dict[str, bytes] = {
    "huge header": struct.pack("!II", HEADER_MAX + 1, 0),
    "huge body": struct.pack("!II", 2, BODY_MAX + 1) + b"{}",
    "not JSON": frame(b"nonsense"),
    "not UTF-8": frame(b'{"id":"\xff"}'),
    "too many digits": frame(b'{"id":' + b"1" * 5000 + b"}"),
    "list": frame([1]),
    "number": frame(1),
    "empty": frame(b""),
    "deep": frame(b"[" * 100_000),
    "nested as far as JSON goes": frame(NESTED),
    "unknown id": frame({"id": 9, "ok": {}}),
    "id true": frame({"id": True, "ok": {}}),
    "id list": frame({"id": [1], "ok": {}}),
    "no id": frame({"ok": {}}),
    "neither ok nor error": frame({"id": 1}),
    "ok list": frame({"id": 1, "ok": []}),
    "error text": frame({"id": 1, "error": "no"}),
    "event number": frame({"id": 1, "event": 1}),
    "unknown event": frame({"id": 1, "event": "stdwhat"}),
    "hello without release": frame({"event": "hello"}),
    "two answers": answer(1) + answer(1),
    "half a frame": answer(1)[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_frame_ends_the_link(line: Line, broken: str) -> None:
    """A malformed answer is AgentLost, at once and for every request after it."""
    line.say(BROKEN[broken], answer(2) if BROKEN[broken] and broken != "half a frame" else b"")
    line.end()
    with pytest.raises(AgentLost) as first:
        line.link.call("x")
    with pytest.raises(AgentLost) as second:
        line.link.call("y")
    assert str(first.value) == str(second.value)


@pytest.mark.parametrize(
    "fields",
    [{"code": "x"}, {"code": 1.5}, {"code": True}, {"code": None}, {}, {"code": 0}, {"code": 0, "timed_out": 1}],
    ids=str,
)
def test_a_commands_end_must_say_how(line: Line, fields: dict[str, Any]) -> None:
    """An end without a code of the right type is no end."""
    line.say(answer(1, **fields))
    with pytest.raises(AgentLost, match="agent - answer's"):
        line.link.run(["c"])


def test_output_is_bounded_over_all_streams(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that prints too much ends the link before it fills our memory."""
    monkeypatch.setattr(link_module, "OUTPUT_MAX", 10)
    line.say(output("stdout", b"123456"), output("stderr", b"12345"))
    with pytest.raises(AgentLost, match="at most 10 bytes"):
        line.link.run(["c"])


def test_too_large_a_request_is_refused_before_it_is_sent(line: Line) -> None:
    """An oversized request is not sent, and the link lives on."""
    with pytest.raises(AgentError, match="at most"):
        line.link.call("x", bytes(BODY_MAX + 1))
    line.say(answer(2, n=1))
    assert line.link.call("y").fields == {"n": 1}


def test_silence_ends_at_the_deadline(line: Line) -> None:
    """An agent that does not answer is lost, and the request is named."""
    with pytest.raises(AgentLost, match="the answer to slow - expected an answer in time"):
        line.link.call("slow", timeout_s=0.02)
    with pytest.raises(AgentLost, match="slow"):
        line.link.call("next")


def test_health_is_asked_during_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead guest is noticed long before the deadline, and said why."""
    monkeypatch.setattr(link_module, "SILENCE_S", 0.01)
    with Line() as line:
        sick = AgentLink(line.link._stream, health=lambda: "it panicked")
        with pytest.raises(AgentLost, match="the agent's hello - expected to arrive - seen nothing - it panicked"):
            sick.wait_hello(30)


def test_a_closed_link_is_lost(line: Line) -> None:
    """Asking after the end is AgentLost as well."""
    line.link.close()
    with pytest.raises(AgentLost, match="closed"):
        line.link.call("x")


def asked_of(data: bytes, ask: Callable[[AgentLink], object]) -> None:
    """Ask with some bytes on the stream; nothing but the environment family may come out."""
    with Line() as line:
        line.say(data)
        line.end()
        with contextlib.suppress(EnvironmentBroken):
            ask(line.link)


ASKS: tuple[Callable[[AgentLink], object], ...] = (
    lambda link: link.call("x"),
    lambda link: link.run(["c"]),
    lambda link: link.wait_hello(1),
)
VALID = (
    frame(dict(HELLO))
    + output("stdout", b"out")
    + output("stderr", b"err")
    + answer(1, code=0, timed_out=False)
    + frame({"id": 2, "error": {"type": "OSError", "errno": 1, "message": "m"}})
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just(1) | json_values,
        "ok": st.fixed_dictionaries({}, optional={"code": json_values, "timed_out": json_values}) | json_values,
        "error": st.fixed_dictionaries({}, optional={"type": json_values, "errno": json_values}) | json_values,
        "event": st.sampled_from(["hello", "stdout"]) | json_values,
        "release": json_values,
    },
)


hostile = (
    st.binary(max_size=200)
    | st.lists(headers, max_size=3).map(lambda said: b"".join(frame(json.dumps(one).encode()) for one in said))
    | st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=4).map(
        lambda changes: bytes(dict(changes).get(place, byte) for place, byte in enumerate(VALID))
    )
    | st.integers(0, len(VALID)).map(lambda end: VALID[:end])
)


@settings(max_examples=draws(25))
@given(hostile, st.sampled_from(ASKS))
def test_hostile_bytes_only_lose_the_agent(data: bytes, ask: Callable[[AgentLink], object]) -> None:
    """Random bytes, frames of wrong types, mutated or cut ones raise nothing but the environment family."""
    asked_of(data, ask)


def test_commands_and_written_files_are_counted(line: Line) -> None:
    """A written file counts once, a command as often as it is found running; a question does not."""
    line.say(answer(1, texts=[]))
    line.link.call("read_files", files=[])
    assert line.link.take_acts() == 0
    line.say(answer(2))
    line.link.call("write_files", files=[])
    line.say(answer(3, code=0, timed_out=False))
    line.link.run(["c"])
    assert [line.link.take_acts() for _ in range(2)] == [2, 0]
    number = line.link.start(["d"], None, lambda stream, data: None)
    assert [line.link.take_acts() > 0 for _ in range(3)] == [True] * 3
    line.say(answer(number, code=0))
    line.link.pump(1)
    assert [line.link.take_acts() > 0 for _ in range(2)] == [True, False]

"""Any bytes bring nothing but an answer out of the decoder and its readers."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.draws import draws
from tests.self.wire.frames import PORTS, reference, samples
from topology.wire.headers import MAX_LAYERS, Headers, Vlan, decode, quoted
from topology.wire.stack import Mismatch, Stack

PATTERN = Stack(reference())
SAMPLES = samples()
WORDS = st.integers(-(2**33), 2**33)
HOW = st.fixed_dictionaries(
    {},
    optional={
        "link": st.booleans(),
        "ethertype": st.sampled_from([0x0800, 0x86DD, 0x0806, 0x8100]) | WORDS,
        "start": st.integers(-2, 60) | WORDS,
        "vlan": st.builds(Vlan, WORDS, WORDS),
    },
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid frame with a few bytes changed, and cut or extended."""
    frame = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 6))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    size = draw(st.integers(0, len(frame)) | st.just(len(frame)))
    return bytes(frame[:size]) + draw(st.binary(max_size=4))


def read_in_every_way(frame: bytes, how: dict[str, Any]) -> Headers:
    """Everything that can be asked about a frame; the answers hold together."""
    headers = decode(frame, ports=PORTS, **how)
    assert len(headers) <= MAX_LAYERS + 1
    assert all(0 <= h.offset <= h.offset + h.length <= len(frame) for h in headers)
    assert 0 <= headers.padding <= len(frame)
    assert headers.summary()
    json.dumps(headers.as_json())
    found = PATTERN.mismatch(headers)
    assert found is None or (isinstance(found, Mismatch) and " - seen " in str(found))
    assert (headers == PATTERN) == (found is None)
    quote = quoted(headers, ports=PORTS)
    assert quote is None or quote.summary()
    return headers


@settings(max_examples=draws(60), derandomize=True)
@given(mutated() | st.binary(max_size=120), HOW)
def test_no_bytes_raise(frame: bytes, how: dict[str, Any]) -> None:
    """Random bytes and damaged frames, tapped in any way, are decoded, described, matched and quoted."""
    read_in_every_way(frame, how)

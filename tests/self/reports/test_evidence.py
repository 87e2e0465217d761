"""Comments of captures, read back by scapy's reader and by tshark's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scapy.utils import RawPcapNgReader

from reports.record.append import journey_of
from reports.record.exhibits import Journey
from reports.record.model import Lab, Record
from reports.render.captures import FAILED_MAX
from reports.render.evidence import annotated, decode_as, wireshark
from reports.render.pcapng import commented, pcapng, with_frames
from reports.render.steps import Step, steps
from tests.self.builders import expect, good_leg, leg, reference, seen_path
from tests.self.hostile import HOSTILE, HOSTILE_RAW
from tests.self.reports.records import record

NAME = "capture.pcapng"
EXPECTED = expect(reference(), "cs1", "cs5")
LAB = Lab("ece792", "ece792.yaml", None, 12, 13)


def run_of(journeys: list[Journey]) -> Record:
    """A run with these journeys, of a lab that declares no tunnel."""
    return replace(record(), journeys=journeys, lab=LAB)


def lost(test: str = "tests/a.py::t") -> tuple[bytes, Journey]:
    """A journey that ends behind its fourth hop, and its frames."""
    found = leg(EXPECTED, seen_path(reference(), EXPECTED.paths[0])[:4])
    return pcapng(found.journey.sightings), journey_of(found, test)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], list[str]]:
    """The comments of the packets in a capture, by scapy."""

    def comments(capture: bytes) -> list[str]:
        path = tmp_path / NAME
        path.write_bytes(capture)
        with RawPcapNgReader(str(path)) as reader:
            return [_text(about) for _, about in reader]

    return comments


def _text(about: Any) -> str:
    return b"".join(about.comments or ()).decode()


def test_each_packet_says_its_hop_its_journey_and_what_it_kept(read: Callable[[bytes], list[str]]) -> None:
    """Of a whole journey all hops are numbered; the loss is noted where the packet was last as declared."""
    good = good_leg(reference(), "cs1", "cs5")
    ((_, whole),) = annotated(pcapng(good.journey.sightings), run_of([journey_of(good, "tests/a.py::t")]), NAME)
    comments, hops = read(whole), len(good.journey.sightings)
    assert [text.split(",")[0] for text in comments] == [f"hop {n} of {hops}" for n in range(1, hops + 1)]
    assert all("kept: " in text and text.endswith("of tests/a.py::t") for text in comments)
    capture, journey = lost()
    found = dict(annotated(capture, run_of([journey]), NAME))
    assert list(found) == [NAME, "failed-1.pcapng"]
    first, *_, last = read(found["failed-1.pcapng"])
    rung = journey.first_wrong
    assert rung is not None
    assert "broke" not in first
    assert f"broke: expected at {rung.where}: {rung.expected}; seen nothing" in last


def test_a_wrong_header_is_what_the_packet_broke(read: Callable[[bytes], list[str]]) -> None:
    """With the header that differs; a packet where none is declared breaks that."""
    expected = expect(reference(), "cs1", "cs5")
    seen = seen_path(reference(), expected.paths[0])
    other = seen_path(reference(), expect(reference(), "cs5", "cs1").paths[0])
    wrong = leg(
        expected, [*seen[:2], replace(seen[2], headers=seen[3].headers), replace(other[0], time_ns=seen[3].time_ns)]
    )
    ((_, whole), _) = annotated(pcapng(wrong.journey.sightings), run_of([journey_of(wrong)]), NAME)
    comments = read(whole)
    assert "broke: " in comments[2]
    assert any(text.startswith("no declared hop") and "nothing is expected here" in text for text in comments)


def test_a_failing_journey_has_a_capture_of_its_own(read: Callable[[bytes], list[str]]) -> None:
    """With its packets alone, under a number; many are cut, and one whose packets were never seen has none."""
    capture, journey = lost()
    other = pcapng(good_leg(reference(), "cs5", "cs1").journey.sightings)
    found = dict(annotated(other + capture, run_of([journey, replace(journey, hops=[], start_ns=0)]), NAME))
    assert len(read(found["failed-1.pcapng"])) == 4
    assert len(read(found[NAME])) > 4
    assert len(dict(annotated(capture, run_of([journey] * 60), NAME))) == FAILED_MAX + 1
    assert "failed-2.pcapng" not in found


def test_request_for_an_address_has_its_own_capture(read: Callable[[bytes], list[str]]) -> None:
    """Also where the packet that waits for it was never seen: the hops of its ladder are those of the request."""
    found = leg(EXPECTED, seen_path(reference(), EXPECTED.paths[0])[:4])
    asked = journey_of(replace(found, journey=replace(found.journey, sightings=())))
    captures = dict(annotated(pcapng(found.journey.sightings), run_of([asked]), NAME))
    assert [text.split(",")[0] for text in read(captures["failed-1.pcapng"])] == [
        f"hop {n} of {len(EXPECTED.paths[0].hops)}" for n in range(1, 5)
    ]
    (numbered,) = with_frames([asked], pcapng(found.journey.sightings))
    assert [step.frame for step in steps(numbered) if isinstance(step, Step)][:4] == [1, 2, 3, 4]


def test_ports_that_wireshark_does_not_know_are_named() -> None:
    """The reference lab's VXLAN is on port 4900; assigned ports need no word."""
    assert decode_as(run_of([lost()[1], journey_of(good_leg(reference(), "cs1", "cs5"))])) == [("vxlan", 4900)]
    declared = replace(LAB, udp_ports={"vxlan": [4789, 4900], "geneve": [6081]})
    assert wireshark(replace(run_of([]), lab=declared), NAME) == f"wireshark -d udp.port==4900,vxlan {NAME}"
    assert wireshark(run_of([]), NAME) == wireshark(replace(run_of([]), lab=None), NAME) == f"wireshark {NAME}"


def test_comments_are_text(read: Callable[[bytes], list[str]]) -> None:
    """Control and direction characters are shown; a comment that is too long is cut between two characters."""
    capture, journey = lost(HOSTILE_RAW)
    for text in read(dict(annotated(capture, run_of([replace(journey, source=HOSTILE_RAW)]), NAME))[NAME]):
        assert text.replace("\n", "").isprintable()
        assert HOSTILE in text
    key = next(iter(dict.fromkeys([("cs1:cs1_br1", "out", journey.start_ns)])))
    assert max(map(len, read(commented(capture, "", {key: "é" * 70_000})))) == 0xFFFF // 2


def test_tshark_shows_the_comments_and_finds_nothing_malformed(tmp_path: Path) -> None:
    """With the options that the run prints, VXLAN on its declared port is dissected."""
    if shutil.which("tshark") is None:
        pytest.skip("no tshark here; on Debian: .ci/setup tests")
    capture, journey = lost()
    for name, content in annotated(capture, run_of([journey]), NAME):
        (tmp_path / name).write_bytes(content)
        options = wireshark(run_of([journey]), name).split()[1:-1]
        command = ["tshark", "-n", "-r", str(tmp_path / name), *options, "-T", "fields", "-e", "frame.comment"]
        fields = ["-e", "frame.protocols", "-e", "_ws.malformed"]
        done = subprocess.run([*command, *fields], capture_output=True, text=True, timeout=60, check=True)
        rows = [line.split("\t") for line in done.stdout.split("\nhop")]
        assert len(rows) == 4
        assert [row[-1].strip() for row in rows] == [""] * 4
        assert ["vxlan:eth" in row[-2] for row in rows] == [False, False, False, True]

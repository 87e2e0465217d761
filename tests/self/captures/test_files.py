"""Captures of other tools are read in every form, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.captures.files import FRAME_MAX, Capture, captures_in
from tests.self.captures.frames import SECOND, ether, pcap, pcapng, request
from topology.errors import Misuse

FRAMES = [(1_700_000_000 * SECOND + ns, ether("a", "b", request(number=n))) for n, ns in enumerate((0, 125_000, 2000))]
FORMS = {
    "pcap": pcap(FRAMES),
    "pcap, big-endian": pcap(FRAMES, ">"),
    "pcap, us": pcap(FRAMES, nano=False),
    "pcap, us, big-endian": pcap(FRAMES, ">", nano=False),
    "pcapng": pcapng(FRAMES),
    "pcapng, big-endian": pcapng(FRAMES, ">"),
    "pcapng, us": pcapng(FRAMES, resolution=6),
    "pcapng of two sections": pcapng(FRAMES[:1]) + pcapng(FRAMES[1:], ">"),
    "cut in a frame": pcap(FRAMES) + pcap(FRAMES[:1])[24:-1],
    "cut in a block": pcapng(FRAMES) + pcapng(FRAMES[:1])[:-9],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_frames(form: str, tmp_path: Path) -> None:
    (tmp_path / "a--b.pcap").write_bytes(FORMS[form])
    (capture,) = captures_in(tmp_path)
    assert [(time_ns, data) for time_ns, _, _, data in capture.frames()] == FRAMES
    assert {(link, length) for _, link, length, _ in capture.frames()} == {(1, len(FRAMES[0][1]))}


def test_time_in_powers_of_two_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcapng([(3 * SECOND // 2, FRAMES[0][1])], resolution=0x80 | 10))
    assert [time_ns for time_ns, *_ in Capture("a", "b", tmp_path / "a").frames()] == [3 * SECOND // 2]


WRONG = {
    "empty": (b"", "it starts with nothing"),
    "other": (b"PK\x03\x04", "it starts with 504b0304"),
    "cut in its head": (pcap(FRAMES)[:20], "its end in the first header"),
    "a huge frame": (pcap([])[:24] + (FRAME_MAX + 1).to_bytes(4, "little") * 4, "a frame of 262145 bytes at byte 24"),
    "no byte order": (b"\n\r\r\n" + bytes(20), "no byte order at byte 0"),
    "a tiny block": (pcapng([]) + bytes(8), "a block of 0 bytes at byte"),
    "a frame without its interface": (
        pcapng(FRAMES).replace(b"\x01\0\0\0\x20\0\0\0", b"\x02\0\0\0\x20\0\0\0"),
        "damaged",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_capture_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    content, words = WRONG[name]
    (tmp_path / "a--b.pcap").write_bytes(content)
    with pytest.raises(Misuse, match=rf"a--b\.pcap: expected a pcap or pcapng file - seen .*{words}") as refused:
        list(captures_in(tmp_path)[0].frames())
    assert "\n" not in str(refused.value)


def test_files_say_their_node_and_interface(tmp_path: Path) -> None:
    """The last two dashes count; other files are left alone; a folder without any capture is refused."""
    with pytest.raises(Misuse, match="no such folder"):
        captures_in(tmp_path / "none")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(Misuse, match="no capture in it"):
        captures_in(tmp_path)
    (tmp_path / "leaf--1--eth0.pcapng").write_text("")
    assert [(one.node, one.interface) for one in captures_in(tmp_path)] == [("leaf--1", "eth0")]
    (tmp_path / "eth0.pcap").write_text("")
    with pytest.raises(Misuse, match=r"eth0\.pcap: its name says no node"):
        captures_in(tmp_path)

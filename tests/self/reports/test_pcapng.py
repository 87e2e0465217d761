"""The capture file, read back by independent readers: scapy's, and tshark where it is installed."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scapy.utils import RawPcapNgReader

from reports.evidence import Sighting
from reports.render.pcapng import pcapng, with_frames
from tests.self.builders import NONCE, START_NS, STEP_NS, expect, good_leg, reference, seen_path, sighting
from tests.self.reports.records import record
from topology.wire.headers import Vlan

ETHERNET, RAW_IP = 1, 101
"""tcpdump.org/linktypes.html"""


@pytest.fixture
def seen() -> list[Sighting]:
    return seen_path(reference(), expect(reference(), "cs1", "cs5").paths[0])


def read(data: bytes, folder: Path) -> list[tuple[bytes, Any]]:
    """Every packet with what scapy knows of it."""
    path = folder / "capture.pcapng"
    path.write_bytes(data)
    with RawPcapNgReader(str(path)) as reader:
        return list(reader)


def test_every_frame_comes_back(seen: list[Sighting], tmp_path: Path) -> None:
    """Frames, interfaces, directions (1 in, 2 out), lengths, and times to the nanosecond."""
    odd = [replace(s, time_ns=s.time_ns + 7 * s.order + 1) for s in seen]
    packets = read(pcapng(odd), tmp_path)
    assert [data for data, _ in packets] == [s.frame for s in odd]
    about = [each for _, each in packets]
    assert [each.ifname.decode() for each in about] == [f"{s.node}:{s.interface}" for s in odd]
    assert {each.tsresol for each in about} == {1_000_000_000}
    times = [each.tshigh << 32 | each.tslow for each in about]
    assert times == [START_NS + n * (STEP_NS + 7) + 1 for n in range(len(odd))]
    assert [(each.wirelen, each.direction) for each in about] == [
        (s.length, {"in": 1, "out": 2}[s.direction]) for s in odd
    ]


def test_frames_are_in_the_order_of_time(seen: list[Sighting], tmp_path: Path) -> None:
    """However the taps were read, the file goes by time, and by arrival where times are equal."""
    tied = replace(seen[0], order=99, time_ns=seen[3].time_ns)
    packets = read(pcapng([tied, *reversed(seen)]), tmp_path)
    assert [data for data, _ in packets] == [s.frame for s in (*seen[:4], tied, *seen[4:])]
    assert packets[3][0] != packets[4][0]


def test_gre_device_shows_bare_ip(seen: list[Sighting], tmp_path: Path) -> None:
    """Frames of a GRE device are IP packets, without bytes that a tap shows before them; the others Ethernet frames."""
    types = {about.ifname.decode(): about.linktype for _, about in read(pcapng(seen), tmp_path)}
    assert types.pop("lc1:gretun-cont") == types.pop("lc2:gretun-cont") == RAW_IP
    assert set(types.values()) == {ETHERNET}
    bare = next(s for s in seen if s.interface == "gretun-cont")
    shifted = replace(bare.headers, headers=(replace(bare.headers[0], offset=24), *bare.headers.headers[1:]))
    behind = replace(bare, frame=bytes(24) + bare.frame, headers=shifted)
    assert read(pcapng([behind]), tmp_path)[0][0] == bare.frame


def test_vlan_tag_is_put_back(tmp_path: Path) -> None:
    """The tag that the kernel moved to PACKET_AUXDATA is in the file where it was on the wire."""
    hop = expect(reference(), "cs1", "cs2").paths[0].hops[0]
    tagged = sighting(reference(), "cs1", "cs1_br1", "out", hop.layers, vlan=Vlan(0x6064, 0x88A8))
    [(data, about)] = read(pcapng([tagged]), tmp_path)
    assert data == tagged.frame[:12] + struct.pack("!HH", 0x88A8, 0x6064) + tagged.frame[12:]
    assert about.wirelen == tagged.length + 4


@pytest.mark.parametrize("size", range(34, 39))
def test_any_length_is_padded_to_words(size: int, seen: list[Sighting], tmp_path: Path) -> None:
    """A cut frame keeps its length on the wire; blocks are multiples of four bytes and state their length twice."""
    short = replace(seen[0], frame=seen[0].frame[:size], length=1514, interface="x" * (size - 30))
    data, at = pcapng([short, seen[1]]), 0
    while at < len(data):
        length = struct.unpack_from("=I", data, at + 4)[0]
        assert length % 4 == 0
        assert struct.unpack_from("=I", data, at + length - 4)[0] == length
        at += length
    assert at == len(data)
    found, about = read(data, tmp_path)[0]
    assert (found, about.wirelen) == (short.frame, 1514)


def test_hops_refer_to_the_frames_of_the_capture() -> None:
    """By number, counted from 1 over all sections, as workers write them, and by digest."""
    capture = pcapng(good_leg(reference(), "cs1", "cs5").journey.sightings)
    other = pcapng([sighting(reference(), "cs2", "x", "in", expect(reference(), "cs1", "cs2").paths[0].hops[0].layers)])
    (journey,) = with_frames(record().journeys[:1], other + capture + capture)
    assert [hop.frame.number for hop in journey.hops if hop.frame] == list(range(2, 18))
    assert len({hop.frame.digest for hop in journey.hops if hop.frame}) > 1
    (unknown,) = with_frames(record().journeys[:1], pcapng([]))
    assert {hop.frame for hop in unknown.hops} == {None}


def test_tshark_reads_it_as_it_was_seen(seen: list[Sighting], tmp_path: Path) -> None:
    """Wireshark's own reader gives names, nanoseconds and header chains as the taps saw them."""
    if (tshark := shutil.which("tshark")) is None:
        pytest.skip("no tshark here; on Debian: apt-get install tshark")
    path = tmp_path / "capture.pcapng"
    path.write_bytes(pcapng([replace(s, time_ns=s.time_ns + 1) for s in seen]))
    fields = [word for name in ("interface_name", "time_epoch", "protocols") for word in ("-e", f"frame.{name}")]
    command = [tshark, "-n", "-r", str(path), "-d", "udp.port==4900,vxlan", "-T", "fields", *fields]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [name for name, _, _ in rows] == [f"{s.node}:{s.interface}" for s in seen]
    # Older versions print nine digits behind the point, newer ones a date; both end in the nanoseconds.
    assert all(f"{(n * STEP_NS + 1):09d}" in epoch for n, (_, epoch, _) in enumerate(rows))
    chains = {name: chain for name, _, chain in rows}
    inner = "eth:ethertype:ip:icmp:data"
    assert chains["cs1:cs1_br1"] == inner
    assert chains["lc1:gretun-cont"] == f"raw:ip:udp:vxlan:{inner}"
    assert chains["sc2:sc2_lc1"] == f"eth:ethertype:ip:gre:ip:udp:vxlan:{inner}"
    assert NONCE in path.read_bytes()

"""Attempts that were recorded on the reference lab (Linux 6.1), frame by frame: what a judge of sizes gets to see."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reports.evidence import Journey, Sighting
from reports.judge.attempt import Attempt
from tests.self.builders import ETHERNET, reference
from topology.wire.headers import decode

FILE = Path(__file__).parent / "data" / "mtu-ece792.json"
UNREACHABLE = 3


@cache
def recorded() -> Mapping[tuple[str, str, int, bool], Attempt]:
    """Every attempt by source, target, size and DF."""
    found = (_attempt(entry) for entry in json.loads(FILE.read_text()))
    return {(a.journey.source, a.journey.target, a.size, a.df): a for a in found}


def _attempt(entry: Mapping[str, Any]) -> Attempt:
    seen = [_sighting(each) for each in entry["sightings"]]
    reported = {id(s) for s in seen if (icmp := s.headers.get("icmp", -1)) and icmp["type"] == UNREACHABLE}
    ends = (entry["source"], entry["target"])
    out, errors = (
        Journey(*ends, protocol, tuple(s for s in seen if (id(s) in reported) is error))
        for protocol, error in (("udp", False), ("icmp error", True))
    )
    nonce = bytes.fromhex(entry["nonce"])
    return Attempt(entry["size"], entry["df"], out, errors, nonce, entry["refusal"])


def _sighting(entry: Mapping[str, Any]) -> Sighting:
    frame = zlib.decompress(base64.b64decode(entry["frame"]))
    link = entry["hardware"] == ETHERNET
    headers = decode(frame, link=link, ethertype=0x0800, ports=reference().udp_ports)
    place = (entry["node"], entry["interface"], entry["direction"])
    return Sighting(*place, entry["time_ns"], entry["order"], entry["length"], frame, headers, entry["hardware"])

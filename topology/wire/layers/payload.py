"""Payload: bytes that are not decoded."""

from __future__ import annotations

from topology.wire.layer import Layer
from topology.wire.walk import Step, Walk


def payload(_: Walk, at: int) -> Step:
    """End the walk: the rest of the frame is payload."""
    return "payload", at


PAYLOAD = Layer("payload", payload, further="load:bytes", payload=False, scapy="Raw")

"""Traffic of the simulated network: frames, packets, encapsulations, and their headers in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True)
class Arp:
    """A request, or the reply to one."""

    sender: IPv4Address
    target: IPv4Address
    is_reply: bool = False


@dataclass(frozen=True)
class Echo:
    """The probe's own bytes."""


@dataclass(frozen=True)
class Between:
    """A packet or frame behind a header (none for ``ipip``) that only its two ends, and perhaps a key, tell apart."""

    header: str
    key: int | None
    held: Packet | Frame


@dataclass(frozen=True)
class InVxlan:
    """A frame behind UDP and VXLAN headers."""

    port: int
    vni: int
    frame: Frame


@dataclass(frozen=True)
class InGeneve:
    """A frame behind UDP and Geneve headers."""

    port: int
    vni: int
    frame: Frame


@dataclass(frozen=True)
class Packet:
    """An IPv4 packet."""

    src: IPv4Address
    dst: IPv4Address
    ttl: int
    body: Echo | Between | InVxlan | InGeneve


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame."""

    src: str
    dst: str
    body: Packet | Arp
    tag: int | None = None


def layers(thing: Frame | Packet | Echo | Between | InVxlan | InGeneve | Arp) -> tuple[str, ...]:
    """The headers of a frame or packet."""
    if isinstance(thing, Frame):
        return ("ether", *(() if thing.tag is None else (f"dot1q {thing.tag}",)), *layers(thing.body))
    if isinstance(thing, Packet):
        return (f"ipv4 {thing.src}>{thing.dst} ttl {thing.ttl}", *layers(thing.body))
    if isinstance(thing, Between):
        return (thing.header if thing.key is None else f"{thing.header} {thing.key}", *layers(thing.held))
    if isinstance(thing, InVxlan):
        return (f"udp {thing.port}", f"vxlan {thing.vni}", *layers(thing.frame))
    if isinstance(thing, InGeneve):
        return (f"udp {thing.port}", f"geneve {thing.vni}", *layers(thing.frame))
    return ("echo",) if isinstance(thing, Echo) else ("arp",)


def expected_layers(stack: Iterable[tuple[str, Mapping[str, object]]]) -> tuple[str, ...]:
    """The layers of an expected hop in the words of this page."""
    return tuple(_word(name, fields) for name, fields in stack if name != "payload")


def _word(name: str, fields: Mapping[str, object]) -> str:
    said = {
        "gre": "gre {key}" if "key" in fields else "gre",
        "udp": "udp {dport}",
        "vxlan": "vxlan {vni}",
        "geneve": "geneve {vni}",
        "dot1q": "dot1q {vlan}",
        "icmp": "echo",
    }
    return {"ipv4": "ipv4 {src}>{dst} ttl {ttl}", **said}.get(name, name).format(**fields)

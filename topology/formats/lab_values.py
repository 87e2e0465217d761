"""The scalars of a lab file: one function for each, from YAML's value to the model's.

Each raises pydantic's custom error whose context says ``what`` is wrong and what would be ``right``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from typing import TypeVar

from pydantic_core import PydanticCustomError

from topology.links import FALLBACK_DEVICES
from topology.links.tunnel import VNI_MAX, VNI_MIN
from topology.model import Address, Interface, Network, NextHop, Route
from topology.refs import PortRef

T = TypeVar("T")
LAB_NAME_MAX = 63
"""A lab's name becomes a file name and a host name: one DNS label (RFC 1035, section 2.3.4)."""
TEXT_NAME_MAX = 255
"""The length up to which a name is read at all; that nodes and devices have at most 15 characters is a check's part."""
MTU_MIN, MTU_MAX = 68, 65535
"""The least MTU of IPv4 (RFC 791) and the greatest total length of its header."""
NEXT_HOPS_MAX = 64
KERNEL_NAMES = FALLBACK_DEVICES | {"all", "default"}
"""Devices that the kernel or a tunnel module puts into every namespace, and the directories ``all`` and
``default`` beside the devices' own in ``/proc/sys/net/ipv4/conf`` (Documentation/networking/ip-sysctl)."""
HASH_POLICIES = {"layer-3": 0, "layer-4": 1, "inner-layer-3": 2}
"""The values of net.ipv4.fib_multipath_hash_policy (Documentation/networking/ip-sysctl)."""
WORDS_OF_A_ROUTE = "PREFIX [via ADDRESS] [dev INTERFACE] [onlink], or PREFIX nexthop [via ...] [dev ...] nexthop ..."
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)
_LENGTH = re.compile(r"[^/%\s]+/[0-9]{1,3}", re.ASCII)
_TIME = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(m?s)", re.ASCII)
_SHARE = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) ?%", re.ASCII)
_LISTED = 12
_COMPARED = 500


def wrong(what: str, right: str) -> PydanticCustomError:
    """Return the error with both halves of a problem."""
    return PydanticCustomError("lab", "{what}; {right}", {"what": what, "right": right})


def shown(value: object) -> str:
    """Return a value for a message: short, on one line, by its name in YAML."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the right values instead of an unknown name: the nearest known one, or a list of them."""
    names = sorted(set(known))
    close = get_close_matches(name[:60], names, n=1) if len(names) <= _COMPARED else []
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"one of: {', '.join(names[:_LISTED])}{more}" if names else "there is none"


def text(value: object) -> str:
    """Read any text, such as a title."""
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is not text", "text, in quotes where it looks like a number")
    return value


def choice(noun: str, known: Mapping[str, T]) -> Callable[[object], T]:
    """Return a reader of one of several words."""

    def check(value: object) -> T:
        if isinstance(value, str) and value in known:
            return known[value]
        raise wrong(f"unknown {noun} {shown(value)}", f"one of: {', '.join(known)}")

    return check


def name(noun: str, limit: int = TEXT_NAME_MAX) -> Callable[[object], str]:
    """Return a reader of names that ``dev_valid_name`` (net/core/dev.c), a shell and a URL all accept."""

    def check(value: object) -> str:
        found = text(value)
        if len(found) > limit:
            raise wrong(f"the {noun} name {shown(found)} has {len(found)} characters", f"at most {limit}")
        if not _NAME.fullmatch(found):
            what = f"the {noun} name {shown(found)} has a character that a name cannot have there"
            raise wrong(what, "letters, digits, '_', '.' and '-', and no '.' or '-' in front")
        if noun == "device" and found in KERNEL_NAMES:
            raise wrong(f"the kernel itself uses the name {found!r}", "another name for this device")
        return found

    return check


def number(noun: str, low: int, high: int) -> Callable[[object], int]:
    """Return a reader of whole numbers in ``low..high``."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(f"the {noun} is {shown(value)}", f"a whole number, {low} to {high}")
        if not low <= value <= high:
            raise wrong(f"the {noun} {value} is out of range", f"{low} to {high}")
        return value

    return check


def vni(value: object) -> int:
    """Read a VXLAN network identifier as a whole number; that it fits 24 bits is a check's part."""
    return value if type(value) is int else number("VNI", VNI_MIN, VNI_MAX)(value)


def ttl(value: object) -> int | None:
    """Read ``inherit`` (None) or 1 to 255; 0 is how the kernel spells inherit, so it is refused."""
    return None if value == "inherit" else number("ttl", 1, 255)(value)


def mac(value: object) -> str:
    """Read a unicast MAC address; returns it in lower case."""
    found = text(value).lower()
    if not _MAC.fullmatch(found):
        raise wrong(f"{shown(value)} is not a MAC address", "six bytes such as 02:00:00:00:00:01")
    if int(found[:2], 16) & 1 or set(found) == {"0", ":"}:
        raise wrong(f"the MAC {found} is not a unicast address", "an even, non-zero first byte such as 02")
    return found


def address(value: object) -> Address:
    """Read one IP address without a length."""
    found = text(value)
    try:
        if "%" in found:
            raise ValueError
        return ip_address(found)
    except ValueError:
        raise wrong(f"{shown(found)} is not an IP address", "such as 10.0.0.1, without a length") from None


def interface(value: object) -> Interface:
    """Read an IP address with the length of its subnet's prefix."""
    found = text(value)
    try:
        if not _LENGTH.fullmatch(found):
            raise ValueError
        return ip_interface(found)
    except ValueError:
        raise wrong(f"{shown(found)} is not an address with a prefix length", "such as 10.0.0.1/24") from None


def node_or_address(value: object) -> str:
    """Read a node's name, or an address of a node in its shortest form, with ``@`` and its name if several have it."""
    first, at, node = text(value).partition("@")
    try:
        found = str(ip_address(first))
    except ValueError:
        return name("node")(value)
    return f"{found}@{name('node')(node)}" if at else found


def interface_or_network(value: object) -> str | Network:
    """Read an interface's name, or a network by its prefix."""
    found = text(value)
    return _prefix(found, None) if "/" in found or ":" in found else name("interface")(found)


def endpoint(value: object) -> PortRef:
    """Read one end of a link, ``node:interface``."""
    if isinstance(value, dict):
        raise wrong("an end of a link is a mapping", "node:interface, without a space after the colon")
    node, colon, device = text(value).partition(":")
    if not (node and colon and device):
        raise wrong(f"{shown(value)} is not an end of a link", "node:interface")
    return PortRef(name("node")(node), name("device")(device))


def share(value: object) -> float:
    """Read a part of the bare path's throughput, as a fraction."""
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if found is None or not float(found[1]) > 0:
        raise wrong(f"{shown(value)} is no part of the bare path's throughput", "a number above 0 with its unit: 40 %")
    return float(found[1]) / 100


def time_without_service(value: object) -> float:
    """Read a time with its unit, in seconds."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None or not float(found[1]) > 0:
        raise wrong(f"{shown(value)} is no time without service", "a number above 0 with its unit: 300 ms or 1.5 s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise wrong(f"{shown(value)} is neither true nor false", "true or false")
    return value


def route(value: object) -> Route:
    """Read a route in the words of ``ip-route(8)``."""
    prefix, *words = text(value).split() or [""]
    alone, *listed = _given(words, value)
    if listed and alone:
        before = " ".join(f"{word} {given}".strip() for word, given in alone.items())
        raise wrong(f"{shown(before)} comes before 'nexthop' in {shown(value)}", WORDS_OF_A_ROUTE)
    hops = [_next_hop(given, value) for given in listed or [alone]]
    if len(hops) > NEXT_HOPS_MAX or len(set(hops)) < len(hops):
        what = "the same next hop twice" if len(set(hops)) < len(hops) else f"{len(hops)} next hops"
        raise wrong(f"{what} in {shown(value)}", f"at most {NEXT_HOPS_MAX} different ones")
    target = _prefix(prefix, hops[0].via)
    if any(hop.via is not None and hop.via.version != target.version for hop in hops):
        raise wrong(f"{shown(value)} mixes IPv4 and IPv6", "a prefix and a gateway of one family")
    first, *others = hops
    return Route(prefix=target, via=first.via, dev=first.dev, onlink=first.onlink, others=tuple(others))


def _given(words: list[str], value: object) -> list[dict[str, str]]:
    """Split the words of a route at each ``nexthop``; a device can have the name of any word."""
    hops: list[dict[str, str]] = [{}]
    waiting = iter(words)
    for word in waiting:
        if word == "nexthop":
            hops.append({})
        elif word not in ("via", "dev", "onlink"):
            raise wrong(f"{shown(word)} is no word of a route", WORDS_OF_A_ROUTE)
        elif word in hops[-1]:
            raise wrong(f"{word!r} is repeated in {shown(value)}", WORDS_OF_A_ROUTE)
        elif (given := "" if word == "onlink" else next(waiting, None)) is None:
            raise wrong(f"nothing follows {word!r} in {shown(value)}", WORDS_OF_A_ROUTE)
        else:
            hops[-1][word] = given
    return hops


def _next_hop(given: Mapping[str, str], value: object) -> NextHop:
    if not {"via", "dev"} & given.keys():
        raise wrong(f"{shown(value)} has neither gateway nor device", "via ADDRESS or dev INTERFACE after the prefix")
    if "onlink" in given and len(given) < 3:
        raise wrong(f"'onlink' in {shown(value)} is of no device or no gateway", "via ADDRESS dev INTERFACE onlink")
    via = address(given["via"]) if "via" in given else None
    return NextHop(via, name("interface")(given["dev"]) if "dev" in given else None, "onlink" in given)


def _prefix(found: str, via: Address | None) -> Network:
    if found == "default":
        return ip_network("0.0.0.0/0" if via is None or isinstance(via, IPv4Address) else "::/0")
    try:
        if "%" in found or ("/" in found and not _LENGTH.fullmatch(found)):
            raise ValueError
        network = ip_network(found, strict=False)
    except ValueError:
        raise wrong(f"{shown(found)} is not a prefix", "such as 10.0.0.0/24, or default") from None
    if "/" in found and ip_interface(found).ip != network.network_address:
        raise wrong(f"the prefix {found} has bits set beyond its length", str(network))
    return network

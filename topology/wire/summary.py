"""One line for people: a chain of headers, seen or expected, in the same words, to stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from topology.wire.walk import Value

Fields = Mapping[str, Value]

_ICMP_NAMES: Mapping[Value, str] = {
    0: "echo-reply",
    3: "unreachable",
    5: "redirect",
    8: "echo-request",
    11: "time-exceeded",
    12: "parameter-problem",
}
_ICMPV6_NAMES: Mapping[Value, str] = {
    1: "unreachable",
    2: "packet-too-big",
    3: "time-exceeded",
    4: "parameter-problem",
    128: "echo-request",
    129: "echo-reply",
    135: "neighbour-solicitation",
    136: "neighbour-advertisement",
}
_TCP_FLAGS = "FSRPAUECN"


def describe(chain: Iterable[tuple[str, Fields]]) -> str:
    """The chain as ``ether / ipv4 26.0.0.2>28.0.0.2 ttl 63 / gre / …``, without fields that are not given."""
    return " / ".join(_WORDS[layer](fields) if layer in _WORDS else layer for layer, fields in chain)


def _value(fields: Fields, name: str, before: str = "") -> str:
    return f" {before}{_text(fields[name])}" if name in fields else ""


def _text(value: Value) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _flag(fields: Fields, name: str, word: str) -> str:
    return f" {word}" if fields.get(name) else ""


def _ends(fields: Fields, source: str = "src", target: str = "dst") -> str:
    if source not in fields and target not in fields:
        return ""
    return f" {_text(fields.get(source, '*'))}>{_text(fields.get(target, '*'))}"


def _ipv4(fields: Fields) -> str:
    flags = fields.get("flags", 0)
    more = " MF" if isinstance(flags, int) and flags & 1 else ""
    return (
        "ipv4"
        + _ends(fields)
        + _value(fields, "ttl", "ttl ")
        + more
        + (_value(fields, "frag", "frag ") if fields.get("frag") else "")
    )


def _ipv6(fields: Fields) -> str:
    return "ipv6" + _ends(fields) + _value(fields, "hlim", "hlim ") + _value(fields, "ext", "with ")


def _arp(fields: Fields) -> str:
    if fields.get("op") == 1:
        return "arp who-has" + _value(fields, "pdst") + _value(fields, "psrc", "tell ")
    if fields.get("op") == 2:
        return "arp" + _value(fields, "psrc") + " is-at" + _value(fields, "hwsrc")
    return "arp" + _value(fields, "op", "op ") + _ends(fields, "psrc", "pdst")


def _icmp(fields: Fields) -> str:
    six = fields.get("version") == 6
    kind = fields.get("type")
    named = (_ICMPV6_NAMES if six else _ICMP_NAMES).get(kind) if kind is not None else None
    code = _value(fields, "code", "code ") if fields.get("code") else ""
    return ("icmpv6" if six else "icmp") + (f" {named}" if named else _value(fields, "type", "type ")) + code


def _tcp(fields: Fields) -> str:
    flags = fields.get("flags")
    letters = "".join(c for bit, c in enumerate(_TCP_FLAGS) if flags >> bit & 1) if isinstance(flags, int) else ""
    return "tcp" + _ends(fields, "sport", "dport") + (f" {letters}" if letters else "")


def _gre(fields: Fields) -> str:
    version = _value(fields, "version", "version ") if fields.get("version") else ""
    key = _value(fields, "key", "key ") or _flag(fields, "key_present", "key")
    return (
        "gre"
        + version
        + key
        + _flag(fields, "chksum_present", "checksum")
        + _flag(fields, "seqnum_present", "sequence")
        + _flag(fields, "routing_present", "routing")
    )


def _geneve(fields: Fields) -> str:
    options = fields.get("options")
    found = f" options {options.hex()}" if isinstance(options, bytes) and options else ""
    return "geneve" + _value(fields, "vni") + found


def _vxlan(fields: Fields) -> str:
    flags = fields.get("flags", 8)
    return "vxlan" + _value(fields, "vni") + (" without I flag" if isinstance(flags, int) and not flags & 8 else "")


def _payload(fields: Fields) -> str:
    load = fields.get("load")
    if not isinstance(load, bytes):
        return "any bytes"
    return "1 byte" if len(load) == 1 else f"{len(load)} bytes"


_WORDS: Mapping[str, Callable[[Fields], str]] = {
    "dot1q": lambda fields: "dot1q" + _value(fields, "vlan"),
    "arp": _arp,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "icmp": _icmp,
    "udp": lambda fields: "udp" + _value(fields, "dport"),
    "tcp": _tcp,
    "gre": _gre,
    "vxlan": _vxlan,
    "geneve": _geneve,
    "payload": _payload,
}

"""One line for people: a chain of headers, seen or expected, in the same words, to stand side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from topology.wire.fields import Value

Fields = Mapping[str, Value]

_ERRORS: Mapping[Value | None, str] = {3: "unreachable", 5: "redirect", 11: "time-exceeded", 12: "parameter-problem"}
_ERRORS6: Mapping[Value | None, str] = {
    1: "unreachable",
    2: "packet-too-big",
    3: "time-exceeded",
    4: "parameter-problem",
}
_ICMP_NAMES: Mapping[bool, Mapping[Value | None, str]] = {
    False: {0: "echo-reply", 8: "echo-request", **_ERRORS},
    True: {
        128: "echo-request",
        129: "echo-reply",
        135: "neighbour-solicitation",
        136: "neighbour-advertisement",
        **_ERRORS6,
    },
}
_TCP_FLAGS = "FSRPAUECN"
_FIELD = re.compile(r"{(\w+)}")


def describe(chain: Iterable[tuple[str, Fields]]) -> str:
    """Return the chain as ``ether / ipv4 26.0.0.2>28.0.0.2 ttl 63 / gre / …``, without fields that are not given."""
    return " / ".join(_words(layer, fields) for layer, fields in chain)


def _words(layer: str, fields: Fields) -> str:
    if layer == "payload":
        load = fields.get("load")
        if not isinstance(load, bytes):
            return "any bytes"
        return "1 byte" if len(load) == 1 else f"{len(load)} bytes"
    special = _SPECIAL.get(layer)
    words = [layer, *(special(fields) if special else _pieces(fields, *_PIECES.get(layer, ())))]
    return " ".join(words).replace("icmp v6", "icmpv6")


def _pieces(fields: Fields, *pieces: str) -> Iterator[str]:
    """Fill in the pieces of which a field is given, ``*`` for one that is not.

    A piece ``name?words`` is shown where the field ``name`` is given and not 0.
    """
    for piece in pieces:
        needed, _, text = piece.rpartition("?")
        names = _FIELD.findall(text)
        if fields.get(needed) if needed else not names or any(name in fields for name in names):
            yield _FIELD.sub(lambda found: _text(fields.get(found[1], "*")), text)


def _text(value: Value) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _number(fields: Fields, name: str, default: int = 0) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else default


def _ipv4(fields: Fields) -> Iterator[str]:
    more = ["MF"] if _number(fields, "flags") & 1 else []
    return _pieces(fields, "{src}>{dst}", "ttl {ttl}", *more, "frag?frag {frag}")


def _arp(fields: Fields) -> Iterator[str]:
    if fields.get("op") == 1:
        return _pieces(fields, "who-has", "{pdst}", "tell {psrc}")
    if fields.get("op") == 2:
        return _pieces(fields, "{psrc}", "is-at", "{hwsrc}")
    return _pieces(fields, "op {op}", "{psrc}>{pdst}")


def _icmp(fields: Fields) -> Iterator[str]:
    six = fields.get("version") == 6
    name = _ICMP_NAMES[six].get(fields.get("type"), "type {type}")
    return _pieces(fields, *(["v6"] if six else []), name, "code?code {code}")


def _tcp(fields: Fields) -> Iterator[str]:
    letters = "".join(letter for bit, letter in enumerate(_TCP_FLAGS) if _number(fields, "flags") >> bit & 1)
    return _pieces(fields, "{sport}>{dport}", *filter(None, [letters]))


def _gre(fields: Fields) -> Iterator[str]:
    key = "key {key}" if "key" in fields else "key_present?key"
    flags = ("chksum_present?checksum", "seqnum_present?sequence", "routing_present?routing")
    return _pieces(fields, "version?version {version}", key, *flags)


def _vxlan(fields: Fields) -> Iterator[str]:
    return _pieces(fields, "{vni}", *(() if _number(fields, "flags", 8) & 8 else ("without I flag",)))


_PIECES: Mapping[str, tuple[str, ...]] = {
    "dot1q": ("{vlan}",),
    "ipv6": ("{src}>{dst}", "hlim {hlim}", "with {ext}"),
    "udp": ("{dport}",),
    "geneve": ("{vni}", "options?options {options}"),
}
_SPECIAL: Mapping[str, Callable[[Fields], Iterator[str]]] = {
    "arp": _arp,
    "ipv4": _ipv4,
    "icmp": _icmp,
    "tcp": _tcp,
    "gre": _gre,
    "vxlan": _vxlan,
}

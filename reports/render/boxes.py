"""Header stacks as nested boxes: what a header is called, the fields that matter, and what differs from expected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

from reports.record.exhibits import Header
from reports.words import plain

Fields = Mapping[str, str | int]
TUNNELS = ("gre", "vxlan", "geneve", "ipip")
"""Layers behind which another packet begins."""
NAMES = {
    "ether": "Ethernet",
    "dot1q": "VLAN",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "udp": "UDP",
    "tcp": "TCP",
    "icmp": "ICMP",
    "arp": "ARP",
    "gre": "GRE",
    "vxlan": "VXLAN",
    "geneve": "Geneve",
    "ipip": "IP in IP",
    "payload": "data",
}
ICMP = {
    8: "echo request",
    0: "echo reply",
    128: "echo request",
    129: "echo reply",
    3: "unreachable",
    11: "time exceeded",
}
CARRIED = {0x0800: "IPv4", 0x86DD: "IPv6", 0x6558: "Ethernet"}


@dataclass(frozen=True)
class Part:
    """A field in words, and whether it differs from what is expected."""

    label: str
    words: str
    differs: bool = False


@dataclass(frozen=True)
class Box:
    """A header: its layer, name and fields; ``missing`` from the other side, or ``extra`` there."""

    layer: str
    name: str
    parts: tuple[Part, ...]
    state: Literal["", "missing", "extra"] = ""


Envelope = tuple[Box, ...]
"""The headers of one packet; the next envelope is inside it."""


class Rule(NamedTuple):
    """A field's name and label, its words, and whether it is worth showing."""

    name: str
    label: str = ""
    words: Callable[[str | int], str] = str
    when: Callable[[str | int], bool] = lambda _: True


_ENDS = (Rule("src"), Rule("dst", "→"))
_PORTS = (Rule("sport"), Rule("dport", "→"))
_VNI = (Rule("vni", "VNI"),)
FIELDS: Mapping[str, tuple[Rule, ...]] = {
    "ether": _ENDS,
    "dot1q": (Rule("vlan"),),
    "ipv4": (
        *_ENDS,
        Rule("ttl", "ttl"),
        Rule("len", "length"),
        Rule("tos", "tos", when=bool),
        Rule("flags", "", lambda flags: "MF" if int(flags) & 1 else "DF", lambda flags: int(flags) & 3 != 0),
        Rule("frag", "fragment at", when=bool),
    ),
    "ipv6": (*_ENDS, Rule("hlim", "hop limit"), Rule("plen", "length")),
    "udp": (*_PORTS, Rule("len", "length")),
    "tcp": _PORTS,
    "icmp": (
        Rule("type", "", lambda number: ICMP.get(int(number), f"type {number}")),
        Rule("code", "code", when=bool),
        Rule("seq", "seq"),
        Rule("mtu", "MTU", when=bool),
    ),
    "arp": (
        Rule("op", "", lambda number: {1: "who has", 2: "is at"}.get(int(number), f"op {number}")),
        Rule("pdst"),
        Rule("psrc", "from"),
        Rule("hwsrc"),
    ),
    "gre": (
        Rule("proto", "carries", lambda number: CARRIED.get(int(number), hex(int(number)))),
        Rule("key", "key"),
    ),
    "vxlan": (*_VNI, Rule("flags", "flags", when=lambda flags: flags != 8)),
    "geneve": _VNI,
    "payload": (Rule("load", "", lambda load: f"{len(str(load)) // 2} bytes"),),
}


def boxes_of(headers: Iterable[Header], text: str | None) -> tuple[Box, ...]:
    """The boxes of headers; where a record has none, those of the line of text that stands for them."""
    return tuple(map(_box, headers)) or tuple(_box_of_text(part) for part in (text or "").split(" / ") if part)


def _box(header: Header, wrong: Collection[str] = ()) -> Box:
    """A box in which the wrong fields are marked, also those that are else not worth showing."""
    return Box(_known(header), _name(header), tuple(_parts(header, wrong)))


def layers_of(headers: Sequence[Header], text: str | None) -> list[str]:
    """The layers of the same boxes."""
    return [_known(one) for one in headers] or [box.layer for box in boxes_of((), text)]


def _known(header: Header) -> str:
    """Its layer as the page's style knows it: names from outside are never classes."""
    return header.layer if header.layer in NAMES else "other"


def _name(header: Header) -> str:
    six = header.layer == "icmp" and header.fields.get("version") == 6
    return "ICMPv6" if six else NAMES.get(header.layer, header.layer)


def _parts(header: Header, wrong: Collection[str]) -> Iterator[Part]:
    rules = FIELDS.get(header.layer, ())
    for rule in rules:
        value = header.fields.get(rule.name)
        if value is not None and (words := _said(rule, value, rule.name in wrong)):
            yield _part(rule.label, words, rule.name in wrong)
    for name in sorted(set(wrong) - {rule.name for rule in rules}) if wrong else ():
        yield Part(name, str(header.fields.get(name, "none")), True)


@lru_cache(maxsize=4096)
def _part(label: str, words: str, differs: bool) -> Part:
    return Part(label, words, differs)


def _said(rule: Rule, value: str | int, always: bool) -> str:
    """A field's words, if worth showing; a record from outside may have text where a number belongs."""
    try:
        return rule.words(value) if always or rule.when(value) else ""
    except ValueError:
        return str(value)


def _box_of_text(text: str) -> Box:
    layer, _, rest = text.partition(" ")
    plain = layer in NAMES
    return Box(layer if plain else "other", NAMES.get(layer, text), (Part("", rest),) if plain and rest else ())


def side_by_side(want: Sequence[Header], got: Sequence[Header]) -> tuple[tuple[Box, ...], tuple[Box, ...]]:
    """The boxes of both sides, with what differs marked in each: fields that are promised, headers of one side only."""
    left, right = list(boxes_of(want, None)), list(boxes_of(got, None))
    layers = [header.layer for header in want], [header.layer for header in got]
    for kind, a, a_end, b, b_end in SequenceMatcher(None, *layers, autojunk=False).get_opcodes():
        if kind == "equal":
            for at, to in zip(range(a, a_end), range(b, b_end), strict=True):
                wrong = _wrong(want[at].fields, got[to].fields)
                left[at], right[to] = _box(want[at], wrong), _box(_compared(got[to], want[at]), wrong)
        else:
            left[a:a_end] = [replace(box, state="missing") for box in left[a:a_end]]
            right[b:b_end] = [replace(box, state="extra") for box in right[b:b_end]]
    return tuple(left), tuple(right)


def _compared(got: Header, want: Header) -> Header:
    """A header with the fields alone that are promised: one more on this side would look like a difference."""
    return replace(got, fields={name: value for name, value in got.fields.items() if name in want.fields})


def _wrong(want: Fields, got: Fields) -> set[str]:
    return {name for name, value in want.items() if got.get(name) != value}


def envelopes(boxes: Iterable[Box]) -> list[Envelope]:
    """The boxes by packet, outermost first: behind a tunnel's header the packet inside begins."""
    found: list[list[Box]] = [[]]
    for box in boxes:
        found[-1].append(box)
        if box.layer in TUNNELS:
            found.append([])
    return [tuple(envelope) for envelope in found if envelope]


@lru_cache(maxsize=4096)
def _markup(box: Box) -> str:
    """A box as HTML; boxes recur from hop to hop and from journey to journey."""
    words = [f"<b>{_text(box.name)}</b>"]
    for part in box.parts:
        words += [f"<i>{_text(part.label)}</i>"] if part.label else []
        words.append(f"<mark>{_text(part.words)}</mark>" if part.differs else _text(part.words))
    kind = f"h h-{box.layer} {box.state}".rstrip()
    return f'<span class="{kind}">{" ".join(words)}</span>'


def _text(words: str) -> str:
    return str(escape(plain(words, "\n\t")))


def stack(packets: Sequence[Envelope]) -> Markup:
    """Packets as nested boxes, outermost first; written here and not in a template, as a page has thousands."""
    kinds = (packet[-1].layer if packet[-1].layer in TUNNELS else "inner" for packet in packets)
    opened = (
        f'<div class="env e-{kind}">{"".join(map(_markup, packet))}'
        for kind, packet in zip(kinds, packets, strict=True)
    )
    return Markup("".join(opened) + "</div>" * len(packets))

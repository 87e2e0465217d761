"""Messages by pattern: those of one shape differ in few bytes, so pyroute2 encodes two and the others are patched.

A shape is the call (api and verb), the names of the arguments and their values; of a value with a form in ``SLOTS``,
only what the form leaves constant and the length. pyroute2 encodes two messages of a shape, with made-up values in the
slots that differ in every byte. They become a template only if the bytes of each slot are found where the other message
has its own, no two slots overlap, and the one message with the other's values patched in *is* the other. Otherwise
pyroute2 goes on encoding every message of that shape: nothing about its output is guessed.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from socket import htons
from typing import Any, TypeAlias

from topology.links import KINDS

Encode: TypeAlias = Callable[[str, str, Mapping[str, Any]], bytes]
"""From an operation's api, verb and arguments to its message."""
GRE6_FLAGS = ("ip6gre_iflags", "ip6gre_oflags")
SEQUENCE = slice(8, 12)
"""Place of the sequence number in struct nlmsghdr; the sender sets it."""
REFUSALS = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError, struct.error)
"""Errors of pyroute2 when it refuses a made-up value."""


@contextlib.contextmanager
def by_pyroute2() -> Iterator[Encode]:
    """Let pyroute2 encode one message at a time; a namespace is its descriptor's number."""
    from pyroute2 import IPBatch  # 0.3 s, which a restored fabric does without

    with contextlib.closing(IPBatch()) as batch:

        def encode(api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
            batch.reset()
            getattr(batch, api)(verb, **_spelled_out(arguments))
            return bytes(batch.batch)

        yield encode


def _spelled_out(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Correct what pyroute2 does not do: a veth's far end with an index, flags of GRE over IPv6 in network order."""
    near: dict[str, Any] = {name: htons(value) if name in GRE6_FLAGS else value for name, value in arguments.items()}
    if "peer" not in near:
        return near
    far = dict(near.pop("peer"))
    index = far.pop("index")
    attributes = [(f"IFLA_{name.upper()}", value) for name, value in far.items()]
    info = [("VETH_INFO_PEER", {"index": index, "attrs": attributes})]
    kind = [("IFLA_INFO_KIND", near.pop("kind")), ("IFLA_INFO_DATA", {"attrs": info})]
    return {**near, "IFLA_LINKINFO": {"attrs": kind}}


@dataclass(frozen=True)
class Form:
    """Values of one form: ``read`` splits a value into its constant part and its bytes in a message, or returns None
    for another form; ``write`` makes a value of bytes and the constant part."""

    name: str
    read: Callable[[object], tuple[str, bytes] | None]
    write: Callable[[bytes, str], str | int]


@dataclass(frozen=True)
class Template:
    """A message, and where the bytes of each slot are in it: pairs of an offset and the slot's number."""

    message: bytes
    places: tuple[tuple[int, int], ...]

    def patched(self, values: Sequence[bytes]) -> bytes:
        """The message with these values in its slots."""
        message = bytearray(self.message)
        for at, slot in self.places:
            value = values[slot]
            message[at : at + len(value)] = value
        return bytes(message)


class Templates:
    """The shapes met so far; one that is met only once is not worth a template."""

    def __init__(self) -> None:
        self._known: dict[object, Template | None] = {}
        self._once: set[object] = set()

    def encode(self, api: str, verb: str, arguments: Mapping[str, Any], by_pyroute2: Encode) -> bytes:
        """One operation's message, as ``by_pyroute2`` encodes it, but for the sequence number."""
        values: list[bytes] = []
        shape = (api, verb, _shape(arguments, values))
        if shape in self._once and shape not in self._known:
            self._known[shape] = make_template(api, verb, arguments, by_pyroute2)
        self._once.add(shape)
        template = self._known.get(shape)
        return template.patched(values) if template else by_pyroute2(api, verb, arguments)


def make_template(api: str, verb: str, arguments: Mapping[str, Any], by_pyroute2: Encode) -> Template | None:
    """The template of an operation's shape; None where it cannot be had for certain."""
    messages, values = [], []
    for other in (False, True):
        made_up = _made_up(arguments, itertools.count(), other)
        read: list[bytes] = []
        _shape(made_up, read)
        try:
            message = bytearray(by_pyroute2(api, verb, made_up))
        except REFUSALS:
            return None
        message[SEQUENCE] = bytes(4)
        messages.append(bytes(message))
        values.append(read)
    places = sorted(
        (at, slot)
        for slot, (value, others) in enumerate(zip(*values, strict=True))
        for at in _occurrences(messages[0], value)
        if messages[1][at : at + len(value)] == others
    )
    template = Template(messages[0], tuple(places))
    return template if _is_sound(template, messages[1], values) else None


def _is_sound(template: Template, other: bytes, values: Sequence[Sequence[bytes]]) -> bool:
    """True if exactly one slot accounts for every byte that differs."""
    ends = [(at, at + len(values[0][slot])) for at, slot in template.places]
    return (
        len(template.message) == struct.unpack_from("=I", template.message)[0]
        and all(a != b for pair in zip(*values, strict=True) for a, b in zip(*pair, strict=True))
        and {slot for _, slot in template.places} == set(range(len(values[0])))
        and all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
        and template.patched(values[1]) == other
    )


def _occurrences(message: bytes, value: bytes) -> Iterator[int]:
    at = message.find(value)
    while at >= 0:
        yield at
        at = message.find(value, at + 1)


def _slot(name: str, value: object) -> tuple[Form, str, bytes] | None:
    """The form of an argument's value, what the form leaves constant, and the value's bytes."""
    for form in SLOTS.get(name, ()):
        if (read := form.read(value)) is not None:
            return (form, *read)
    return None


def _shape(arguments: Mapping[str, Any], values: list[bytes]) -> tuple[object, ...]:
    """The form that places the bytes; the slots' bytes are added to ``values``."""
    shape: list[object] = []
    for name, value in arguments.items():
        if isinstance(value, dict):
            shape.append((name, _shape(value, values)))
        elif (slot := _slot(name, value)) is not None:
            form, constant, data = slot
            shape.append((name, form.name, constant, len(data)))
            values.append(data)
        else:
            shape.append((name, repr(value)))
    return tuple(shape)


def _made_up(arguments: Mapping[str, Any], numbers: Iterator[int], other: bool) -> dict[str, Any]:
    """Arguments of the same shape with other values in the slots: reproducible noise, or for ``other`` its inverse."""
    made = dict(arguments)
    for name, value in arguments.items():
        if isinstance(value, dict):
            made[name] = _made_up(value, numbers, other)
        elif (slot := _slot(name, value)) is not None:
            form, constant, data = slot
            noise = hashlib.sha256(b"%d" % next(numbers)).digest()[: len(data)]
            made[name] = form.write(bytes(byte ^ 0xFF for byte in noise) if other else noise, constant)
    return made


def _number(name: str, layout: str, most: int) -> Form:
    """A number of four bytes up to ``most``, which is all ones."""
    packing = struct.Struct(layout)

    def read(value: object) -> tuple[str, bytes] | None:
        return ("", packing.pack(value)) if type(value) is int and 0 < value <= most else None

    return Form(name, read, lambda data, _: int(packing.unpack(data)[0]) & most)


def _ip(family: int) -> Form:
    """An IP address; the length of its prefix, where there is one, is constant."""

    def read(value: object) -> tuple[str, bytes] | None:
        if not isinstance(value, str):
            return None
        address, slash, length = value.partition("/")
        try:
            data = socket.inet_pton(family, address)
        except (OSError, ValueError):
            return None
        return (slash + length, data) if any(data) else None

    return Form(f"family {family}", read, lambda data, length: socket.inet_ntop(family, data) + length)


def _text(name: str, pattern: str, pack: Callable[[str], bytes], unpack: Callable[[bytes], str]) -> Form:
    """Text matching a pattern."""
    fits = re.compile(pattern).fullmatch

    def read(value: object) -> tuple[str, bytes] | None:
        return ("", pack(value)) if isinstance(value, str) and fits(value) else None

    return Form(name, read, lambda data, _: unpack(data))


NATIVE, NETWORK = _number("number", "=I", 0x7FFF_FFFF), _number("network number", "!I", 0xFFFF_FFFF)
NAME = _text("name", "[!-~]+", str.encode, lambda data: "".join(chr(ord("a") + byte % 26) for byte in data))
MAC = _text(
    "mac", "[0-9a-f]{2}(:[0-9a-f]{2}){5}", lambda mac: bytes.fromhex(mac.replace(":", "")), lambda d: d.hex(":")
)
ADDRESS = (MAC, _ip(socket.AF_INET), _ip(socket.AF_INET6))
OF_ATTRIBUTES: Mapping[str, Sequence[Form]] = {"u32": (NATIVE,), "be32": (NETWORK,), "ip": ADDRESS}
SLOTS: Mapping[str, Sequence[Form]] = {
    "ifname": (NAME,),
    **dict.fromkeys(("index", "master", "mtu", "net_ns_fd", "oif", "ifindex", "link", "nda_ifindex"), (NATIVE,)),
    **dict.fromkeys(("address", "dst", "gateway"), ADDRESS),
    **{
        f"{link.prefix or kind}_{name}": OF_ATTRIBUTES[form]
        for kind, link in KINDS.items()
        for _, name, form in (words.split() for words in link.attributes.split(",") if words)
        if form in OF_ATTRIBUTES
    },
}
"""The forms of the arguments (by pyroute2's names) that differ from one operation to the next. A value that pyroute2
may take for none, such as 0, has no form; nor has one number of less than four bytes, which chance could find."""

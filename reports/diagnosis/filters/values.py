"""Compares a packet's values with what rules want; True, False, or None where that is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from operator import ge, gt, le, lt
from typing import Any, TypeAlias

from reports.diagnosis.filters.packet import ABSENT, CODES, ETHER_NAMES, ICMP_TYPES, NUMBERS, OPERATIONS, Known, Packet

Answer: TypeAlias = "bool | None"
Sets: TypeAlias = Mapping[str, Sequence[Any]]
ORDERS = {"<": lt, ">": gt, "<=": le, ">=": ge}


def any_of(answers: Iterable[Answer]) -> Answer:
    """Return True if one is, else None if one is not known."""
    found = list(answers)
    return True if True in found else None if None in found else False


def all_of(answers: Iterable[Answer]) -> Answer:
    """Return False if one is, else None if one is not known."""
    found = list(answers)
    return False if False in found else None if None in found else True


def negated(answer: Answer) -> Answer:
    """Return the contrary; what is not known stays so."""
    return None if answer is None else not answer


def matches(body: Mapping[str, Any], packet: Packet, sets: Sets) -> Answer:
    """Return whether a packet is what a ``match`` of nft's JSON wants (libnftables-json(5))."""
    left, right, op = body["left"], body["right"], body.get("op", "==")
    value, names = value_of(left, packet), names_of(left)
    if value == ABSENT:
        return False
    if op in ORDERS:
        wanted = constant(right, names)
        comparable = isinstance(value, int) and isinstance(wanted, int)
        return bool(ORDERS[op](value, wanted)) if comparable else None
    found = equal(value, right, names, sets)
    return negated(found) if op == "!=" else found


def _parted(left: Any) -> tuple[str, Any]:
    """Return an expression's kind and body."""
    return next(iter(left.items())) if isinstance(left, dict) and left else ("", {})


def value_of(left: Any, packet: Packet) -> Any:
    """Return the packet's value of an expression; a tuple of a concatenation, None for what is not evaluated."""
    kind, body = _parted(left)
    if kind == "payload" and "field" in body:
        return packet.field(body["protocol"], body["field"])
    if kind == "payload":
        return _raw(body, packet)
    if kind == "meta":
        return packet.meta(body["key"])
    if kind == "ct" and body.get("key") == "state":
        return packet.states
    if kind == "&":
        value, mask = value_of(body[0], packet), constant(body[1], {})
        known = isinstance(value, int) and isinstance(mask, int)
        return value & mask if known else ABSENT if value == ABSENT else None
    if kind == "concat":
        values = tuple(value_of(part, packet) for part in body)
        return ABSENT if ABSENT in values else values
    return None


def _raw(body: Mapping[str, Any], packet: Packet) -> Known:
    """Return bits of the network header; None where they are not whole bytes that are known."""
    if body.get("base") != "nh" or body["offset"] % 8 or body["len"] % 8:
        return None
    value, mask = packet.bytes_at(body["offset"] // 8, body["len"] // 8)
    return value if mask == (1 << body["len"]) - 1 else None


def names_of(left: Any) -> Any:
    """Return the names that nft writes in place of an expression's numbers."""
    kind, body = _parted(left)
    if kind == "concat":
        return [names_of(part) for part in body]
    if kind == "&":
        return names_of(body[0])
    key = body.get("field") or body.get("key") if isinstance(body, dict) else ""
    if kind == "payload" and key == "type":
        return {"icmp": ICMP_TYPES[4], "icmpv6": ICMP_TYPES[6]}.get(body["protocol"], ETHER_NAMES)
    if key in ("l4proto", "nexthdr") or (kind == "payload" and key == "protocol"):
        return NUMBERS
    return {"code": CODES, "protocol": ETHER_NAMES, "operation": OPERATIONS}.get(str(key), {})


def constant(right: Any, names: Any) -> Any:
    """Return a constant in the form in which the packet's values are; None for what is none."""
    if isinstance(right, dict) or right is None:
        return None
    if isinstance(right, str) and isinstance(names, Mapping) and right in names:
        return names[right]
    return int(right, 0) if isinstance(right, str) and right.isdecimal() else right


def equal(value: Any, right: Any, names: Any, sets: Sets) -> Answer:
    """Return whether a value is one that is wanted: a constant, prefix, range or set."""
    if isinstance(right, str) and right.startswith("@"):
        return any_of(equal(value, one, names, sets) for one in sets[right[1:]]) if right[1:] in sets else None
    if isinstance(value, frozenset):
        return _of_possible(value, right)
    if isinstance(right, list):
        return any_of(equal(value, one, names, sets) for one in right)
    if isinstance(right, dict):
        return _in_special(value, right, names, sets)
    if value is None:
        return None
    return _is_device(value, right) if isinstance(value, str) else bool(value == constant(right, names))


def _of_possible(value: frozenset[str], right: Any) -> Answer:
    """Return whether one of the possible states is wanted; None where only some are."""
    wanted = right.get("set") if isinstance(right, dict) else right
    states = {wanted} if isinstance(wanted, str) else set(map(str, wanted or ()))
    return None if value & states and value - states else value <= states


def _is_device(value: str, wanted: object) -> bool:
    """Return whether a word is the wanted one, which as a device's name may end in a wildcard."""
    text = str(wanted)
    if text.endswith("*"):
        return value.startswith(text[:-1])
    return value == text or _address(value) == _address(text) is not None


def _address(text: str) -> Any:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _in_special(value: Any, right: Mapping[str, Any], names: Any, sets: Sets) -> Answer:
    kind, body = next(iter(right.items()))
    if kind == "set":
        return any_of(equal(value, one, names, sets) for one in (body if isinstance(body, list) else [body]))
    if kind == "elem":
        return equal(value, body["val"], names, sets)
    if kind == "concat" and isinstance(value, tuple):
        return all_of(equal(*part, sets) for part in zip(value, body, names, strict=True))
    if value is None or isinstance(value, (tuple, frozenset)):
        return None
    if kind == "prefix":
        return _within(value, f"{body['addr']}/{body['len']}")
    if kind == "range":
        return _between(value, *(constant(end, names) for end in body))
    return None


def _within(value: object, prefix: str) -> Answer:
    address = _address(str(value))
    return None if address is None else address in ip_network(prefix, strict=False)


def _between(value: object, first: Any, last: Any) -> Answer:
    if isinstance(value, int) and isinstance(first, int) and isinstance(last, int):
        return first <= value <= last
    ends = [_address(str(one)) for one in (first, value, last)]
    if None in ends or len({type(end) for end in ends}) > 1:
        return None if None in ends else False
    return bool(ends[0] <= ends[1] <= ends[2])

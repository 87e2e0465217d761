"""Policy rules, permanent neighbours and forwarding entries in a kernel's dumps, in the words of ip and bridge.

What the kernel learns and ages is left out, and so is what it makes by itself for the devices that are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from topology.kernels.rtnl.dumps import parsed
from topology.state import DEFAULT_RULES, Entry

NUD_NOARP, NUD_PERMANENT, NTF_SELF = 0x40, 0x80, 0x02
"""linux/neighbour.h; a bridge says NOARP of a static entry, PERMANENT of one that is the node's own (br_fdb.c)."""
NTF_STICKY = 0x40
FIB_RULE_INVERT = 2
NOT_SUPPRESSED = 0xFFFFFFFF
ACTIONS = {3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
TABLES = {253: "default", 254: "main", 255: "local"}
"""linux/fib_rules.h and rtnetlink.h, in the words of ip-rule(8)."""
GOTO = 2
VERSIONS = {2: 4, 10: 6}
"""AF_INET and AF_INET6; multicast routing has rules under families of its own."""


def rules(dump: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Every policy rule; where a kernel has none of a version, it does what the default ones say."""
    found: dict[int, list[Entry]] = {4: [], 6: []}
    for message in parsed(dump, "RTM_NEWRULE"):
        if (version := VERSIONS.get(message["family"])) is not None:
            words = f"pref {message.get('FRA_PRIORITY') or 0} {' '.join(_rule(message))}"
            found[version].append(Entry("ip -6 rule" if version == 6 else "ip rule", None, words, words))
    for version, entries in found.items():
        yield from entries or DEFAULT_RULES[version]


def _rule(message: Any) -> Iterator[str]:
    """What follows the preference, in the order of ip-rule(8)."""
    if message["flags"] & FIB_RULE_INVERT:
        yield "not"
    source, target = message.get("FRA_SRC"), message.get("FRA_DST")
    yield f"from {source}/{message['src_len']}" if source else "from all"
    if target:
        yield f"to {target}/{message['dst_len']}"
    if message["tos"]:
        yield f"tos {message['tos']:#x}"
    if mark := message.get("FRA_FWMARK"):
        yield f"fwmark {mark:#x}/{message.get('FRA_FWMASK') or 0xFFFFFFFF:#x}"
    for word, name in _RULE_WORDS.items():
        if (value := message.get(name)) not in (None, ""):
            yield f"{word} {str(value).replace(':', '-')}"
    yield _action(message)
    if (shortest := message.get("FRA_SUPPRESS_PREFIXLEN")) not in (None, NOT_SUPPRESSED):
        yield f"suppress_prefixlength {shortest}"


_RULE_WORDS: Mapping[str, str] = {
    "iif": "FRA_IIFNAME",
    "oif": "FRA_OIFNAME",
    "uidrange": "FRA_UID_RANGE",
    "ipproto": "FRA_IP_PROTO",
    "sport": "FRA_SPORT_RANGE",
    "dport": "FRA_DPORT_RANGE",
    "tun_id": "FRA_TUN_ID",
}


def _action(message: Any) -> str:
    table = message.get("FRA_TABLE") or message["table"]
    if message.get("FRA_L3MDEV"):
        return "l3mdev"
    if message["action"] == GOTO:
        return f"goto {message.get('FRA_GOTO')}"
    return str(ACTIONS.get(message["action"], f"lookup {TABLES.get(table, table)}"))


def neighbours(dump: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Every permanent neighbour (ip-neighbour(8))."""
    for message in parsed(dump, "RTM_NEWNEIGH"):
        device = names.get(message["ifindex"])
        if message["state"] & NUD_PERMANENT and message["family"] in VERSIONS and device:
            address, mac = message.get("NDA_DST"), message.get("NDA_LLADDR")
            words = f"{address} lladdr {mac} dev {device} nud permanent"
            yield Entry("ip neigh", device, words, f"{address} dev {device}")


def forwarding(dump: bytes, names: Mapping[int, str], own: Set[str]) -> Iterator[Entry]:
    """Every permanent entry of a bridge's or a VXLAN device's table, and every further address of a device (bridge(8)).

    The kernel's own are left out: groups that a device listens to, and ``own``, the MACs of the node's devices.
    """
    found = {}
    for message in parsed(dump, "RTM_NEWNEIGH"):
        mac, device = message.get("NDA_LLADDR"), names.get(message["ifindex"])
        kept = message["state"] & (NUD_PERMANENT | NUD_NOARP) and mac and device
        if kept and mac not in own and not int(mac[:2], 16) & 1:
            place = f"{mac} dev {device}{_ends(message, names)}{_owner(message)}"
            found[place, message.get("NDA_VLAN")] = Entry("bridge fdb", device, f"{place} {_state(message)}", place)
    for (place, vlan), entry in found.items():
        # A bridge keeps a copy in each of a port's VLANs of what was added to no VLAN in particular.
        if vlan is None:
            yield entry
        elif (place, None) not in found:
            yield Entry("bridge fdb", entry.device, f"{entry.words} vlan {vlan}", f"{place} vlan {vlan}")


def _ends(message: Any, names: Mapping[int, str]) -> str:
    """Where a VXLAN device sends to."""
    ends = {word: message.get(name) for word, name in (("dst", "NDA_DST"), ("port", "NDA_PORT"), ("vni", "NDA_VNI"))}
    ends["via"] = names.get(message.get("NDA_IFINDEX"))
    return "".join(f" {word} {value}" for word, value in ends.items() if value is not None)


def _owner(message: Any) -> str:
    """Whose table it is in: the device's own, or that of the bridge that the device is a port of."""
    of_bridge = message.get("NDA_MASTER") not in (None, message["ifindex"])
    return " master" if of_bridge and not message["flags"] & NTF_SELF else " self"


def _state(message: Any) -> str:
    sticky = " sticky" if message["flags"] & NTF_STICKY else ""
    return ("permanent" if message["state"] & NUD_PERMANENT else "static") + sticky

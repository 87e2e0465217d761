"""``ip link`` and ``ip tunnel`` of a containerlab file's exec lines: which device they make, and how they set it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

from topology.errors import Position
from topology.formats.clab_findings import refusal
from topology.formats.clab_grammar import Grammar, need, read
from topology.formats.clab_machine import MANAGEMENT, Kind, Machine, Made, number, said
from topology.formats.clab_order import set_down
from topology.formats.clab_shell import Words
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Scalar
from topology.model import LOOPBACK, USER_HZ

KINDS: Mapping[str, Kind] = {
    "bridge": "bridges",
    "dummy": "bridges",
    "vlan": "vlan",
    "vxlan": "vxlan",
    "geneve": "geneve",
    "gre": "gre",
    "ip6gre": "gre",
}
"""What a type of ip-link(8) becomes."""
VXLAN_PORT = "8472"
"""Linux's own default (drivers/net/vxlan, ``vxlan_port``), not IANA's 4789."""
IP6GRE_TTL = "64"
"""What iproute2 sets for ip6gre where nothing is said (DEFAULT_TNL_HOP_LIMIT, ip/link_gre6.c)."""
SHORT = ("txqueuelen", "txqlen", "qlen", "alias", "numtxqueues", "numrxqueues", "promisc", "allmulticast")
"""Settings of any device that a journey does not show; one word follows each."""
ANY: tuple[str, ...] = ()
OPTIONS: Mapping[str, Grammar] = {
    "bridges": Grammar(
        "a bridge without further options",
        settings={"ageing_time": "ageing_time"},
        fixed={"stp_state": ("0",), "vlan_filtering": ("0",), "forward_delay": ANY, "priority": ANY}
        | {"mcast_snooping": ("0", "1"), "mcast_querier": ("0",)},
    ),
    "vlan": Grammar(
        "id NUMBER",
        settings={"id": "id"},
        fixed={"protocol": ("802.1Q", "802.1q"), "reorder_hdr": ("on",), "gvrp": ("off",), "mvrp": ("off",)}
        | {"loose_binding": ("off",), "bridge_binding": ("off",)},
    ),
    "vxlan": Grammar(
        "id NUMBER, local and remote ADDRESS, dev NAME, dstport NUMBER",
        settings={"id": "vni", "vni": "vni", "local": "local", "remote": "remote", "dev": "dev", "dstport": "port"}
        | {"ageing": "ageing"},
        flags=frozenset({"learning", "noproxy", "norsc", "nol2miss", "nol3miss", "noudpcsum", "noexternal", "nogbp"})
        | {"nolearning", "noudp6zerocsumtx", "noudp6zerocsumrx"},
        fixed={"ttl": ("auto", "64", "0"), "tos": ("0", "inherit"), "df": ("unset",)},
        unseen={
            "srcport": (2, "the source ports are the kernel's own here, and so the choice among equal-cost ways"),
            "udpcsum": (0, "a checksum changes no packet's way"),
        },
    ),
    "geneve": Grammar(
        "id NUMBER, remote ADDRESS, dstport NUMBER",
        settings={"id": "vni", "vni": "vni", "remote": "remote", "dstport": "port"},
        flags=frozenset({"noudpcsum", "noexternal"}),
        fixed={"ttl": ("auto", "0"), "tos": ("0",), "df": ("unset",), "flowlabel": ("0",)},
    ),
    "gre": Grammar(
        "local and remote ADDRESS, key NUMBER, ttl NUMBER or inherit, tos inherit",
        settings={"ttl": "ttl", "hoplimit": "ttl", "tos": "tos", "tclass": "tos"}
        | {word: word for word in ("local", "remote", "key", "ikey", "okey")},
        flags=frozenset({"pmtudisc", "nokey", "noseq", "noiseq", "nooseq", "nocsum", "noicsum", "noocsum"}),
        fixed={"flowlabel": ("0", "inherit"), "encaplimit": ("none",)},
    ),
}
"""What may follow the type. An option that the model has no word for has the value of hopcheck's own devices."""
ABBREVIATED = ("address", "alias", "broadcast", "dynamic", "index", "link", "master", "mode", "nomaster", "numtxqueues")
"""Words of ``ip link`` that ip(8) takes abbreviated too (iplink_parse, ip/iplink.c), beside those below."""
NO_NAMES = frozenset(
    word[:end] for word in (*ABBREVIATED, "state", "txqueuelen", "type", "vrf") for end in range(1, len(word) + 1)
)
"""Device names that have to follow ``name`` or ``dev``: without it ip(8) takes ``br`` for ``broadcast``."""
ADD = Grammar(
    "ip link add NAME [mtu N] [address MAC] type TYPE",
    settings={"name": "device", "dev": "device", "link": "link", "mtu": "mtu", "address": "address", "type": "type"},
    flags=frozenset({"up"}),
    fixed={**dict.fromkeys(SHORT, ANY), "multicast": ("on",)},
    bare="device",
    never=NO_NAMES,
)
SET = Grammar(
    "ip link set NAME with up, mtu N, address MAC, master BRIDGE or nomaster, or type bridge",
    settings={"dev": "device", "mtu": "mtu", "address": "address", "master": "master", "type": "type"},
    flags=frozenset({"up", "down", "nomaster"}),
    fixed={**dict.fromkeys(SHORT, ANY), "arp": ("on",), "multicast": ("on",)},
    bare="device",
    never=NO_NAMES,
)


def link_add(machine: Machine, words: Words, six: bool) -> None:
    """``ip link add [name] NAME [mtu N] [address MAC] type TYPE OPTIONS``."""
    found = read(words, ADD, machine.findings, until="type")
    name, type_ = need(words, found, "device", ADD), found.get("type", "")
    if ("link" in found) != (type_ == "vlan") and type_ in KINDS:
        machine.lost.add(name)
        if type_ == "vlan":
            right = "ip link add link PORT name NAME type vlan id NUMBER"
            raise refusal(words.where, f"{shown(str(words))} names no link", right)
        raise refusal(words.where, f"{shown(str(words))} puts a device on another", ADD.right)
    _make(machine, name, type_, words, found.get("link", ""))
    _set(machine, found, words.where)


def tunnel_add(machine: Machine, words: Words, six: bool) -> None:
    """``ip tunnel add [name] NAME mode gre local ADDRESS remote ADDRESS [ttl N] [key N]``, and ``ip -6 tunnel``."""
    words.took("name")
    name = words.take()
    if not words.took("mode"):
        what = f"{shown(str(words))} does not start with its mode"
        raise refusal(words.where, what, "ip tunnel add NAME mode gre ...")
    mode = {"gre/ip": "gre", "gre/ipv6": "ip6gre"}.get(found := words.take(), found)
    if mode not in (("ip6gre",) if six else ("gre",)):
        raise refusal(words.where, f"a tunnel of mode {shown(found)}", "mode gre, or with ip -6 mode ip6gre")
    _make(machine, name, mode, words)


def _make(machine: Machine, name: str, type_: str, words: Words, link: str = "") -> None:
    where = words.where
    kind = KINDS.get(type_)
    machine.lost.add(name)
    if kind is None:
        right = f"one of the types {', '.join(KINDS)}"
        raise refusal(where, f"{shown(str(words))} makes what hopcheck cannot: {shown(type_ or 'no type')}", right)
    found = _options(machine, name, type_, kind, words)
    keys = [found.pop(key) for key in ("ikey", "okey") if key in found]
    if keys and (len(keys) != 2 or keys[0] != keys[1]):
        raise refusal(where, f"the keys of the two directions differ in {shown(str(words))}", "one key: key NUMBER")
    if keys:
        found["key"] = keys[0]
    if type_ == "dummy":
        machine.findings.note(
            where, "a dummy device is no kind of hopcheck's", "a bridge without members stands for it"
        )
    found |= {"dev": link} if link else {}
    if "dev" in found:
        machine.mention(found["dev"], where)
    flags = OPTIONS[kind].flags - {"learning"} if found.get("learning") else OPTIONS[kind].flags
    settings = {key: _setting(key, text, where) for key, text in found.items() if key not in flags}
    machine.make(name, Made(kind, where, settings))
    machine.lost.discard(name)


def _options(machine: Machine, name: str, type_: str, kind: Kind, words: Words) -> dict[str, str]:
    """The options behind the type, with the defaults of the kernel and iproute2."""
    found = read(words, OPTIONS[kind], machine.findings)
    if kind == "vxlan" and found.get("port", "0") == "0":
        found["port"] = VXLAN_PORT
    if kind == "vxlan" and found.get("ageing") == "0":
        del found["ageing"]
    if kind == "vxlan" and "nolearning" in found:
        found["learning"] = "false"
    if kind == "bridges":
        _set_ageing(machine, name, found.pop("ageing_time", ""), words)
    _drop_zero_tos(found, words)
    if type_ == "ip6gre":
        found.setdefault("ttl", IP6GRE_TTL)
        if "encaplimit none" not in str(words):
            what = "an ip6gre tunnel without 'encaplimit none' adds a Destination Options header (RFC 2473)"
            raise refusal(words.where, what, "encaplimit none")
    return found


def _set_ageing(machine: Machine, name: str, text: str, words: Words) -> None:
    """Set a bridge's ageing from ``ageing_time``, which is in hundredths of a second."""
    if text and not (text.isdecimal() and int(text) % USER_HZ == 0):
        what = f"'ageing_time {text[:40]}' in {shown(str(words))} is not so many whole seconds"
        raise refusal(words.where, what, f"a multiple of {USER_HZ}: it is in hundredths of a second")
    if text:
        machine.ageing[name] = number(words.where, str(int(text) // USER_HZ))


def _drop_zero_tos(found: dict[str, str], words: Words) -> None:
    """A GRE device's TOS is inherited, or 0, of which a lab file has no word."""
    tos = found.get("tos", "inherit")
    if tos in ("0", "0x0", "0x00"):
        del found["tos"]
    elif tos != "inherit":
        what = f"'tos {tos[:40]}' in {shown(str(words))} is not what hopcheck makes"
        raise refusal(words.where, what, "tos inherit, or tos 0")


def _setting(key: str, text: str, where: Position) -> Scalar:
    if key in ("local", "remote", "dev", "tos"):
        return said(where, text)
    if key == "ttl":
        return said(where, "inherit") if text in ("0", "inherit") else number(where, text)
    if key == "key" and "." in text:
        try:
            return number(where, str(int(IPv4Address(text))))
        except ValueError:
            return said(where, text)
    return number(where, text)


def link_set(machine: Machine, words: Words, six: bool) -> None:
    """``ip link set [dev] NAME`` with ``up``, ``down``, ``mtu``, ``address``, ``master`` and ``nomaster``."""
    found = read(words, SET, machine.findings, until="type")
    name = need(words, found, "device", SET)
    if "type" in found:
        _set_type(machine, name, found["type"], words)
    if name == MANAGEMENT and machine.is_managed:
        machine.findings.note(
            words.where, f"{MANAGEMENT} is containerlab's management interface", "it is not made here"
        )
        machine.has_managed_default = machine.has_managed_default and "down" not in found
    elif name != LOOPBACK or set(found) - {"device", "up"}:
        machine.mention(name, words.where)
        machine.touched.setdefault(name, words.where)
        _set(machine, found, words.where)


def _set_type(machine: Machine, name: str, type_: str, words: Words) -> None:
    """Set the options of a bridge that exists."""
    made = machine.made.get(name)
    if type_ != "bridge" or (made is not None and made.kind != "bridges"):
        what = f"{shown(str(words))} changes what {name} was made as"
        raise refusal(words.where, what, "the options where it is made")
    found = read(words, OPTIONS["bridges"], machine.findings)
    _set_ageing(machine, name, found.get("ageing_time", ""), words)


def _set(machine: Machine, found: Mapping[str, str], where: Position) -> None:
    name = found["device"]
    if "up" in found:
        machine.down.pop(name, None)
    if "down" in found:
        set_down(machine, name, where)
    if "mtu" in found:
        machine.mtu[name] = number(where, found["mtu"])
    if "address" in found:
        machine.mac[name] = said(where, found["address"])
    if "nomaster" in found:
        machine.release(name)
    if "master" in found:
        machine.enslave(name, found["master"], where)

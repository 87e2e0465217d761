"""The grammars of the commands that exec lines may hold, and the one reader for them all.

A word that no grammar knows may change the fabric, so it is refused, never skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from topology.formats.clab_node import Kind
from topology.formats.clab_shell import Findings, Words, refusal
from topology.formats.lab_values import shown


@dataclass(frozen=True)
class Grammar:
    """The words of a command, separated by blanks.

    ``settings`` have a value and fill the key of their name, or the one behind ``=``; ``flags`` have none; ``fixed``
    may have the values given and no other (any, where none is given) and change nothing then; ``unseen`` are left out,
    with as many words behind them as given, and a note of its effect; a word that none of them knows, and that is
    not ``never`` one, fills the key ``bare``, once.
    """

    right: str
    settings: str = ""
    flags: str = ""
    fixed: Mapping[str, str] = field(default_factory=dict)
    unseen: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    bare: str = ""
    never: Collection[str] = ()

    def read(self, words: Words, findings: Findings, until: str = "") -> dict[str, str]:
        """The values of the rest of a command by key, flags by their own name. Ends behind the setting ``until``."""
        keys = {word: key or word for word, _, key in (text.partition("=") for text in self.settings.split())}
        flags = self.flags.split()
        found: dict[str, str] = {}
        while words and (not until or until not in found):
            word = words.take()
            if word in keys:
                found[keys[word]] = words.take()
            elif word in flags:
                found[word] = ""
            elif word in self.fixed:
                self._insist(words, word, words.take())
            elif word in self.unseen:
                count, outcome = self.unseen[word]
                left_out = " ".join([word, *(words.take() for _ in range(count))])
                findings.note(words.where, f"{shown(left_out)} is left out", outcome)
            elif self.bare and self.bare not in found and word not in self.never:
                found[self.bare] = word
            else:
                raise refusal(words.where, f"{shown(word)} in {shown(str(words))} is not understood", self.right)
        return found

    def _insist(self, words: Words, word: str, value: str) -> None:
        allowed = self.fixed[word].split()
        if allowed and value not in allowed:
            what = f"'{word} {value[:40]}' in {shown(str(words))} is unsupported"
            raise refusal(words.where, what, " or ".join(f"{word} {one}" for one in allowed))

    def need(self, words: Words, found: Mapping[str, str], key: str) -> str:
        """The value of a key that the command must have."""
        if not found.get(key):
            raise refusal(words.where, f"{shown(str(words))} names no {key}", self.right)
        return found[key]


def beginnings(words: str) -> frozenset[str]:
    """Every abbreviation of these words."""
    return frozenset(word[:end] for word in words.split() for end in range(1, len(word) + 1))


KINDS: Mapping[str, Kind] = {
    "bridge": "bridges",
    "dummy": "bridges",
    "vlan": "vlan",
    "vxlan": "vxlan",
    "geneve": "geneve",
    "gre": "gre",
    "ip6gre": "gre",
}
"""The kind of device for each type of ip-link(8)."""
OPTIONS: Mapping[Kind, Grammar] = {
    "bridges": Grammar(
        "a bridge without further options",
        settings="ageing_time",
        fixed={"stp_state": "0", "vlan_filtering": "0", "forward_delay": "", "priority": ""}
        | {"mcast_snooping": "0 1", "mcast_querier": "0"},
    ),
    "vlan": Grammar(
        "id NUMBER",
        settings="id",
        fixed={"protocol": "802.1Q 802.1q", "reorder_hdr": "on", "gvrp": "off", "mvrp": "off"}
        | {"loose_binding": "off", "bridge_binding": "off"},
    ),
    "vxlan": Grammar(
        "id NUMBER, local and remote ADDRESS, dev NAME, dstport NUMBER",
        settings="id=vni vni local remote dev dstport=port ageing",
        flags="learning nolearning noproxy norsc nol2miss nol3miss noudpcsum noexternal nogbp noudp6zerocsumtx "
        "noudp6zerocsumrx",
        fixed={"ttl": "auto 64 0", "tos": "0 inherit", "df": "unset"},
        unseen={
            "srcport": (2, "the source ports are the kernel's own here, and so the choice among equal-cost ways"),
            "udpcsum": (0, "a checksum changes no packet's way"),
        },
    ),
    "geneve": Grammar(
        "id NUMBER, remote ADDRESS, dstport NUMBER",
        settings="id=vni vni remote dstport=port",
        flags="noudpcsum noexternal",
        fixed={"ttl": "auto 0", "tos": "0", "df": "unset", "flowlabel": "0"},
    ),
    "gre": Grammar(
        "local and remote ADDRESS, key NUMBER, ttl NUMBER or inherit, tos inherit",
        settings="ttl hoplimit=ttl tos tclass=tos local remote key ikey okey",
        flags="pmtudisc nokey noseq noiseq nooseq nocsum noicsum noocsum",
        fixed={"flowlabel": "0 inherit", "encaplimit": "none"},
    ),
}
"""Options behind the type. An option absent from the model has the value of hopcheck's own devices."""
NO_NAMES = beginnings(
    "address alias broadcast dynamic index link master mode nomaster numtxqueues state txqueuelen type vrf"
)
"""Device names that have to follow ``name`` or ``dev``: ip(8) takes ``br`` for ``broadcast`` (iplink_parse)."""
_UNSHOWN = {"txqueuelen": "", "txqlen": "", "qlen": "", "alias": "", "promisc": "", "allmulticast": ""}
"""Settings of any device that a journey does not show."""
LINK_ADD = Grammar(
    "ip link add NAME [mtu N] [address MAC] type TYPE",
    settings="name=device dev=device link mtu address type",
    flags="up",
    fixed={**_UNSHOWN, "numtxqueues": "", "numrxqueues": "", "multicast": "on"},
    bare="device",
    never=NO_NAMES,
)
LINK_SET = Grammar(
    "ip link set NAME with up, mtu N, address MAC, master BRIDGE or nomaster, or type bridge",
    settings="dev=device mtu address master type",
    flags="up down nomaster",
    fixed={**_UNSHOWN, "numtxqueues": "", "numrxqueues": "", "arp": "on", "multicast": "on"},
    bare="device",
    never=NO_NAMES,
)
LINK_DELETE = Grammar("ip link del NAME", settings="dev=device type", bare="device")
TUNNEL = Grammar("ip tunnel add NAME mode gre ...", settings="name=device mode", bare="device")
ADDRESS = Grammar(
    "ip addr add ADDRESS/LENGTH dev NAME",
    settings="dev=device local=address",
    flags="nodad",
    fixed={"scope": "global link host", "brd": "", "broadcast": "", "label": ""},
    bare="address",
)
ROUTE = Grammar(
    "ip route add PREFIX [via ADDRESS] [dev NAME], or PREFIX nexthop [via ADDRESS] [dev NAME] nexthop ...",
    settings="via dev to=prefix metric preference=metric priority=metric",
    flags="unicast nexthop onlink",
    fixed={"proto": "", "protocol": "", "scope": "global universe link 0 253", "table": "main 254"},
    bare="prefix",
    never=("blackhole", "unreachable", "prohibit", "throw", "local", "broadcast", "anycast", "multicast", "nat"),
)
NEXT_HOP = Grammar(ROUTE.right, settings="via dev", flags="nexthop onlink", fixed={"weight": "1"})
"""Words after each ``nexthop``; all next hops have the same weight in hopcheck's fabrics."""
FLOOD = "00:00:00:00:00:00"
"""The entry of a VXLAN device's forwarding database for frames to unknown and to all (bridge(8))."""
ENTRY = Grammar(
    f"bridge fdb append {FLOOD} dev NAME dst ADDRESS, or a MAC instead",
    settings="dev dst via",
    flags="self permanent static",
    bare="mac",
)
LOOKS = beginnings("details statistics stats oneline brief color json pretty human-readable iec") - {"b"} | {"br", "V"}
"""Options of ip(8) and bridge(8) about output; ``-b`` is short for ``-batch``."""

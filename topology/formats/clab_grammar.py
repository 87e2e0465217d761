"""The grammars of the commands that exec lines may hold, and the one reader for them all.

A word that no grammar knows may change the fabric, so it is refused, never skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from topology.formats.clab_shell import Findings, Words, refusal
from topology.formats.lab_values import shown
from topology.links import LINKS
from topology.links.base import Options


@dataclass(frozen=True)
class Grammar(Options):
    """The words of a command; one that none of the options knows, and that is not ``never`` one, fills the key
    ``bare``, once."""

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


GRAMMARS: Mapping[str, Grammar] = {
    type_: Grammar(**vars(options)) for link in LINKS for type_, options in link.clab.items()
}
"""The options behind each type of ip-link(8)."""
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

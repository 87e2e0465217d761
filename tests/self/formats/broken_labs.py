"""The reference lab with small mistakes in it, and what must be said of each.

A place is written as text of the broken file with ``^`` in front of the token that the problem points at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import topology

REFERENCE = (Path(topology.__file__).parent / "labs" / "ece792.yaml").read_text()


@dataclass(frozen=True)
class Said:
    """One problem: the place it points at, and words of it."""

    place: str
    words: tuple[str, ...]

    def line_and_column(self, text: str) -> tuple[int, int]:
        """The place in the text, 1-based."""
        snippet = self.place.replace("^", "")
        assert text.count(snippet) == 1, f"{snippet!r} is not in the lab exactly once"
        before = text[: text.index(snippet) + self.place.index("^")]
        return before.count("\n") + 1, len(before) - before.rfind("\n")


@dataclass(frozen=True)
class Broken:
    """A lab with mistakes: the edits that make them, and all that is said of it, in file order."""

    name: str
    edits: tuple[tuple[str, str], ...]
    said: tuple[Said, ...]

    @property
    def text(self) -> str:
        """The reference lab, edited; an edit that changes nothing is a mistake in the test."""
        text = REFERENCE
        for old, new in self.edits:
            assert old in text, f"{old!r} is not in the reference lab"
            assert old != new, f"{old!r} is replaced by itself"
            text = text.replace(old, new, 1)
        return text


def broken(name: str, old: str, new: str, place: str, *words: str) -> Broken:
    """A lab with one mistake of which one thing is said."""
    return Broken(name, ((old, new),), (Said(place, words),))


CS1 = "cs1: {role: customer, addresses: {cs1_br1: 20.0.0.1/24}"
GRE1 = "gretun-cont: {local: 26.0.0.2, remote: 28.0.0.2, ttl: inherit}"
GRE2 = "gretun-cont: {local: 28.0.0.2, remote: 26.0.0.2, ttl: inherit}"
LINK1 = "[lc1:lc1_sc1, sc1:sc1_lc1]"

FORM = (
    broken("a tab indents", "    role: spine", "\trole: spine", "^\trole: spine", "a tab", "spaces"),
    broken("a bracket stays open", "lab: ece792", "lab: [ece792", "title^:", "not YAML", "brackets"),
    broken("a key stands twice", "title: ", "lab: again\ntitle: ", "^lab: again", "second time", "line 6"),
    broken("a tag makes an object", "lab: ece", "lab: !!python/name:os.x ece", "lab: ^!!python", "tag", "refused"),
    broken("a second lab follows", "\npairs:", "\n---\npairs:", "^---", "second document", "one lab"),
    broken("a key is a list", "title:", "? [a]\n: b\ntitle:", "? ^[a]", "as a key", "a name"),
    broken("an alias has no anchor", "lab: ece792", "lab: *name", "lab: ^*name", "*name", "plain value"),
    broken("a control character", "title: Leaf", "title: \x07Leaf", "title: ^\x07Leaf", "'\\x07'", "printable"),
    broken("an escape beyond Unicode", "lab: ece792", 'lab: "\\U99999999"', 'lab: "\\U^', "not YAML"),
)

SCHEMA = (
    broken("a misspelt key of the lab", "\nlinks:", "\nlinx:", "^linx:", "unknown key 'linx'", "'links'?"),
    broken("a misspelt key of a node", "    bridges:", "    bridge:", "^bridge:", "unknown key", "'bridges'?"),
    broken("a misspelt key that is needed", "vni: 30", "vnii: 30", "^vnii: 30", "'vnii'", "'vni'?"),
    broken("no role", "    role: leaf\n", "", "^lc1:\n", "'lc1' has no 'role'", "leaf, spine"),
    broken("no remote", "remote: 23.0.0.1, ", "", "^vxlan-cont: {vni: 30, local: 21", "has no 'remote'"),
    broken("remotes of none", "remote: 23.0.0.1", "remotes: []", "remotes: ^[]", "has no remote", "frr: PATH"),
    broken("remotes that are none", "remote: 23.0.0.1", "remotes: [x]", "[^x]", "not an IP address"),
    broken("remotes without a list", "remote: 23.0.0.1", "remotes: 23.0.0.1", "^23.0.0.1, dev", "is not a list"),
    broken(
        "remote and remotes",
        "remote: 23.0.0.1",
        "remote: 23.0.0.1, remotes: [23.0.0.1]",
        "vxlan-cont: ^{vni: 30, local: 21",
        "both 'remote' and 'remotes'",
    ),
    broken("no lab name", "lab: ece792\n", "", "^title:", "the file has no 'lab'", "lab: NAME"),
    broken("the lab's name has a slash", "lab: ece792", "lab: ../x", "^../x", "the lab name '../x'", "letters"),
    broken("the title is a list", "title: Leaf", "title: []\n# Leaf", "^[]", "a list is not text"),
    broken(
        "unknown runtime",
        "role: leaf",
        "runtime: podman\n    role: leaf",
        "^podman",
        "unknown runtime 'podman'",
        "netns, docker",
    ),
    broken(
        "unknown role", "role: leaf", "role: leef", "^leef", "unknown role 'leef'", "leaf, spine, switch", "forwards"
    ),
    broken(
        "forwards twice",
        "role: leaf",
        "role: leaf\n    forwards: true",
        "forwards: ^true",
        "the role leaf says itself whether a node forwards",
    ),
    broken("forwards not", "role: leaf", "role: border\n    forwards: maybe", "forwards: ^maybe", "'maybe'"),
    broken("a node that is empty", "nodes:\n", "nodes:\n  cs9:\n", "^cs9:", "an empty value", "mapping"),
    broken("routes that are no list", "routes: [default via 20.0.0.254]", "routes: x", "routes: ^x", "'x'", "a list"),
    broken("a VNI of zero", "vni: 30", "vni: 0", "vni: ^0", "the VNI 0", "none is given", "1 to 16777215"),
    broken("a VNI beyond 24 bits", "vni: 30", "vni: 16777216", "^16777216", "the VNI 16777216", "1 to 16777215"),
    broken("a VNI in words", "vni: 30", "vni: thirty", "^thirty", "the VNI is 'thirty'", "whole number"),
    broken("an MTU too small", "mtu: 1450", "mtu: 67", "mtu: ^67", "MTU 67", "68 to 65535"),
    broken("a ttl of zero", "ttl: inherit", "ttl: 0", "ttl: ^0", "ttl 0", "1 to 255"),
    broken("an address without a length", "cs1_br1: 20.0.0.1/24", "cs1_br1: 20.0.0.1", "cs1_br1: ^20", "prefix length"),
    broken("a tunnel end with a length", "local: 26.0.0.2", "local: 26.0.0.2/24", "^26.0.0.2/24, r", "not an IP"),
    broken("a link with three ends", LINK1, "[a:b, c:d, e:f]", "^[a:b, c:d", "a link with 3 ends", "two ends"),
    broken("a space behind the colon", "[lc1:lc1_sc1", "[lc1: lc1_sc1", "[^lc1: lc1_sc1", "without a space"),
    broken(
        "an end without an interface", "[lc1:lc1_sc1", "[lc1", "[^lc1, sc1", "'lc1' is not an end", "node:interface"
    ),
    broken(
        "a node's name too long", "  con_ns2:", "  con_ns2_abcdefghi:", "^con_ns2_abc", "the node name", "at most 15"
    ),
    broken(
        "a name with a slash", "      bridge2:", "      br/2:", "^br/2:", "the device name 'br/2'", "letters, digits"
    ),
    broken(
        "a name of the kernel's", "gretun-cont: {local: 26", "gre0: {local: 26", "^gre0:", "kernel itself", "another"
    ),
    broken(
        "a MAC that is none", "    gre:", "    mac: {lc1_sc1: 02:00}\n    gre:", "^02:00}", "not a MAC", "six bytes"
    ),
    broken(
        "a multicast MAC",
        "    gre:",
        "    mac: {lc1_sc1: 01:00:5e:00:00:01}\n    gre:",
        "^01:00:5e",
        "not a unicast",
        "such as 02",
    ),
    broken(
        "a route to nowhere",
        " via 21.0.0.2\n",
        "\n",
        "^23.0.0.0/24\n\n  con_ns2",
        "has neither gateway nor device",
        "via ADDRESS",
    ),
    broken("a route's unknown word", "24 via 21.0.0.2", "24 nearby", "^23.0.0.0/24 nearby", "'nearby' is no word"),
    broken(
        "on no link", "24 via 21.0.0.2", "24 via 21.0.0.2 onlink", "^23.0.0.0/24 via 21.0.0.2 onlink", "of no device"
    ),
    broken("a route's word twice", " via 21.0.0.2", " dev a dev b", "^23.0.0.0/24 dev a", "'dev' is repeated"),
    broken("a route's word without value", " via 21.0.0.2", " via", "^23.0.0.0/24 via\n", "nothing follows 'via'"),
    broken(
        "a prefix with host bits", "23.0.0.0/24 via", "23.0.0.1/24 via", "^23.0.0.1/24 via", "bits set", "23.0.0.0/24"
    ),
    broken("a prefix that is none", "23.0.0.0/24 via", "23.0.0/24 via", "^23.0.0/24 via", "not a prefix"),
    broken("a route of two families", "via 21.0.0.2", "via fd00::1", "^23.0.0.0/24 via fd", "mixes IPv4 and IPv6"),
)

DEVICES = (
    broken(
        "unknown node in a link", "[lc1:lc1_sc1", "[lc9:lc1_sc1", "[^lc9:", "unknown node 'lc9'", "did you mean 'lc"
    ),
    broken("a port in two links", "[lc1:lc1_sc2,", "[lc1:lc1_sc1,", "[^lc1:lc1_sc1, sc2", "two links", "line 87"),
    broken("a port named as a tunnel", "[lc1:lc1_sc2,", "[lc1:gretun-cont,", "[^lc1:gret", "two devices named"),
    broken(
        "an interface nobody links", "cs3-br: 30", "cs3-brr: 30", "^cs3-brr", "no interface", "did you mean 'cs3-br'?"
    ),
    broken(
        "an MTU set twice",
        "    bridges:",
        "    mtu: {vxlan-cont: 1400}\n    bridges:",
        "^vxlan-cont: 1400",
        "at the dev",
    ),
    broken(
        "a MAC on a GRE device",
        "    gre:",
        "    mac: {gretun-cont: 02:00:00:00:00:01}\n    gre:",
        "^gretun-cont: 02",
        "has no MAC",
    ),
    broken(
        "one MAC twice",
        "    gre:",
        "    mac: {lc1_sc1: 02:00:00:00:00:01, lc1_sc2: 02:00:00:00:00:01}\n    gre:",
        "lc1_sc2: ^02:00:00:00:00:01",
        "lc1:lc1_sc1 have one MAC",
    ),
    broken("a member that is no device", "[bridge1_lc1,", "[bridge1_lc9,", "^bridge1_lc9", "is no device of con_ns1"),
    broken(
        "a member of two bridges",
        "bridge2: [",
        "b: [bridge2_cs3]\n      bridge2: [",
        "lc2, ^bridge2_cs3",
        "of b already",
    ),
    broken("a member that is a bridge", "bridge2: [", "b: []\n      bridge2: [b, ", "bridge2: [^b", "itself a bridge"),
    broken(
        "a member with an address", "[bridge1_lc1,", "[br1_lc1, bridge1_lc1,", "^br1_lc1: 21", "is a member of bridge1"
    ),
)

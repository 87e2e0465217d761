"""Segments, what is apart, tunnels and management: what is derived from a file, and what is refused."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import ip_address

import pytest

from tests.self.builders import known_lab
from tests.self.formats.broken_labs import Said
from topology.carried import encapsulation
from topology.errors import LabError
from topology.expected import check_pairs
from topology.formats.lab import LABS, load_lab_text
from topology.formats.pairs_files import load_pairs_text, with_pairs_of_text
from topology.promises import ANY, Encapsulation, Management

TEXT = (LABS / "segments.yaml").read_text()
APART = "apart: [[blue, red, green, grey]]"
BLUE = "{vni: 10100, kind: l2-overlay, via: vxlan, hosts: [blue1, blue2,"
PAIR = APART + "\npairs: [{source: blue1, target: %s, kind: %s}]"
BROKEN = {
    "an unknown host": ("[blue1, blue2,", "[bleu1, blue2,", "hosts: [^bleu1", "unknown node 'bleu1'; did you mean"),
    "a host in two segments": (
        "[red1, red2,",
        "[red1, blue2,",
        "[red1, ^blue2",
        "host of the segment blue already, on",
    ),
    "a host twice": (BLUE, BLUE + " blue1,", "blue2, ^blue1", "blue1 is a host of the segment blue already, on line"),
    "one host": (
        BLUE,
        BLUE.replace("blue2,", "]}\n  tan: {kind: bridge, hosts: [blue2,"),
        "hosts: ^[blue1",
        "one host;",
    ),
    "no host": (
        BLUE,
        BLUE.replace("[blue1, blue2,", "[]}\n  x: {kind: bridge, hosts: [blue2,"),
        "hosts: ^[]",
        "no host",
    ),
    "no hosts": (BLUE, BLUE.replace("hosts", "host"), "vxlan, ^host:", "unknown key 'host'; did you mean 'hosts'?"),
    "a switch as host": (BLUE, BLUE + " l9,", "blue2, ^l9", "unknown node 'l9'"),
    "an unknown segment": (APART, "apart: [[blue, rad]]", "[[blue, ^rad", "unknown segment 'rad'; did you mean 'red'?"),
    "apart from itself": (APART, "apart: [[blue, blue]]", "[[blue, ^blue", "the segment blue is apart from itself;"),
    "apart alone": (APART, "apart: [[blue]]", "apart: [^[blue]]", "one segment is apart; two or more segments"),
    "apart of a word": (APART, "apart: [blue, red]", "apart: [^blue", "'blue' is not a list"),
    "apart twice": (APART, "apart: [[blue, red], [red, blue]]", "[red, ^blue]]", "red and blue are apart already, by"),
    "a pair between": (APART, PAIR % ("red1", "l2-overlay"), "pairs: [^{", "are a pair, and their segments are apart"),
    "two kinds": (APART, PAIR % ("blue2", "routed"), "pairs: [^{", "declared routed here, and l2-overlay in vxlan VNI"),
    "two tunnels": (
        APART,
        PAIR % ("blue2", "l2-overlay, vni: 10200"),
        "pairs: [^{",
        "declared l2-overlay in vxlan VNI 10200 here, and l2-overlay in vxlan VNI 10100 by the segment blue on line",
    ),
    "VNI and key": (
        BLUE,
        BLUE.replace("via: vxlan", "key: 7"),
        "^{vni: 10100, kind: l2-overlay, key",
        "both 'vni' and",
    ),
    "a key of VXLAN": (BLUE, BLUE.replace("vni: 10100", "key: 7"), "^{key: 7", "'key' does not fit via: vxlan; vni:"),
    "a VNI of GRE": (
        BLUE,
        BLUE.replace("vxlan", "gretap"),
        "^{vni: 10100, kind: l2-overlay, via: gretap",
        "; key: NUM",
    ),
    "frames in GRE": (
        BLUE,
        BLUE.replace("vni: 10100, ", "").replace("via: vxlan", "via: gre"),
        "^{kind: l2-overlay, via: gre",
        "an l2-overlay via gre, which holds no frames; via: gretap",
    ),
    "a tunnel of a bridge": (
        BLUE,
        BLUE.replace("l2-overlay", "bridge"),
        "^{vni: 10100, kind: bridge",
        "'via' does not fit the kind bridge; kind: l2-overlay or l3-overlay",
    ),
    "no such VNI": (
        BLUE,
        BLUE.replace("10100", "10101"),
        "{vni: ^10101",
        "no vxlan device of the lab has the vni 10101;",
    ),
    "no such tunnel": (BLUE, BLUE.replace("vxlan", "geneve"), "via: ^geneve", "the lab has no geneve device"),
    "a VNI out of range": (
        BLUE,
        BLUE.replace("10100", "16777216"),
        "{vni: ^16777216",
        "the VNI 16777216 is out of range",
    ),
    "another kind": (BLUE, BLUE.replace("l2", "l3"), "hosts: [blue1, ^blue2", "is declared l3-overlay but this fabric"),
    "a device of the lab": (APART, "management: [eth0]", "management: [^eth0", "blue1:eth0 is a device of the fabric"),
    "a network of the lab": (
        APART,
        "management: [10.1.0.0/16]",
        "[^10.1.0.0/16",
        "has 10.1.1.1, an address of s1:s1_l1",
    ),
    "a network with an address's bits": (APART, "management: [10.1.1.1/16]", "[^10.1.1.1/16", "has bits set beyond"),
    "management twice": (APART, "management: [mgmt, mgmt]", "[mgmt, ^mgmt", "mgmt is given a second time"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_promise_that_cannot_hold_is_refused_at_its_place(name: str) -> None:
    """Each mistake is reported at its own token, in one line."""
    old, new, place, words = BROKEN[name]
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    with pytest.raises(LabError) as caught:
        load_lab_text(text, "mine.yaml", extra_checks=[check_pairs])
    line, column = Said(place, ()).line_and_column(text)
    lines = [str(problem) for problem in caught.value.problems]
    assert any(said.startswith(f"mine.yaml:{line}:{column}: ") and words in said for said in lines), lines[:3]
    assert all(re.fullmatch(r"mine\.yaml:\d+:\d+: [^;\n]+; [^;\n]+", said) for said in lines)


def test_pairs_and_separations_follow_from_segments() -> None:
    """Four segments of ten hosts are 180 pairs, those behind one leaf bridged, and six separations."""
    lab = known_lab("segments")
    kinds = Counter((pair.kind, pair.segment, pair.within) for pair in lab.pairs)
    for number, name in enumerate(("blue", "red", "green", "grey"), 1):
        assert kinds["l2-overlay", name, Encapsulation(("vxlan",), 10000 + 100 * number)] == 37
        assert kinds["bridge", name, ANY] == 8
    assert (len(lab.pairs), len(lab.apart)) == (180, 6)
    assert len({frozenset((pair.source, pair.target)) for pair in lab.pairs}) == 180


def test_declared_pair_stands_for_the_derived_one() -> None:
    """A pair that stands in ``pairs`` too, also the other way round, is not derived again."""
    lab = load_lab_text(TEXT.replace(APART, "pairs: [{source: blue2, target: blue1, kind: l2-overlay}]"))
    assert len(lab.pairs) == 180
    assert (str(lab.pairs[0]), lab.pairs[0].segment) == ("blue2-blue1-l2-overlay", "")
    assert lab.pairs[0].within == Encapsulation(("vxlan",), 10100)


def test_expectation_has_the_promises_of_a_lab() -> None:
    """Beside a lab they replace the lab's, alone they stand for it; management comes together."""
    text = "segments:\n  a: {kind: l2-overlay, vni: 10100, hosts: [blue1, blue5, blue2]}\n"
    text += (
        "  b: {kind: l2-overlay, hosts: [red1, red2]}\napart: [[a, b]]\nmanagement: [mgmt, 172.20.0.0/16, 'fd00::/8']"
    )
    beside, alone = with_pairs_of_text(known_lab("segments"), text, "e.yaml", [check_pairs]), load_pairs_text(text)
    assert [pair.kind for pair in beside.pairs] == ["bridge", "l2-overlay", "l2-overlay", "l2-overlay"]
    assert [pair.kind for pair in alone.pairs] == ["l2-overlay"] * 4
    for fabric in (beside, alone):
        assert [str(two) for two in fabric.apart] == ["a-b"]
        assert fabric.management.interfaces == {"mgmt"}
        assert [fabric.management.has("eth9", [ip_address(ip)]) for ip in ("172.20.0.9", "fd00::1", "10.0.0.1")] == [
            True,
            True,
            False,
        ]
    assert [pair.where.column for pair in alone.pairs] == [52, 59, 59, 39]


def test_management_is_known_by_name_and_by_address() -> None:
    """An interface counts by its name, or by one address in a network of the same IP version."""
    management = load_pairs_text(
        "pairs: [{source: a, target: b, kind: bridge}]\nmanagement: [eth0, 10.0.0.0/8]"
    ).management
    assert [management.has(name) for name in ("eth0", "eth1")] == [True, False]
    assert Management().has("eth0") is False


HEADERS = {
    "gre": ["ether", "ipv4", "gre", "ipv4"],
    "gretap": ["ether", "ipv4", "gre", "ether", "ipv4"],
    "ip6gre": ["ipv6", "gre", "ipv6"],
    "ip6gretap": ["ipv6", "gre", "ether"],
    "vxlan": ["ether", "ipv4", "gre", "ipv4", "udp", "vxlan", "ether", "ipv4"],
    "geneve": ["ether", "ipv6", "udp", "geneve", "ether"],
}


@pytest.mark.parametrize("via", HEADERS)
def test_innermost_tunnel_is_known_by_its_headers(via: str) -> None:
    """GRE is told apart by what is around it and in it; a number counts where the header has one."""
    layers = HEADERS[via]
    assert encapsulation([(name, {}) for name in layers]) == Encapsulation((via,))
    word = "vni" if via in ("vxlan", "geneve") else "key"
    seen = encapsulation([(name, {word: 7} if name in ("gre", "vxlan", "geneve") else {}) for name in layers])
    assert seen == Encapsulation((via,), **{word: 7})
    assert encapsulation([(name, {}) for name in layers if name in ("ether", "ipv4")]) is None


@pytest.mark.parametrize(
    ("lab", "allowed"),
    [("vxlan-only", ("fragments", "icmp", "silence")), ("evpn-l2", ("fragments", "icmp"))],
)
def test_packets_vanish_only_where_a_declaration_computes_which_cross(lab: str, allowed: tuple[str, ...]) -> None:
    """Of pairs that daemons carry no size is computed: without a promise what does not cross must be answered."""
    assert {pair.mtu.above for pair in known_lab(lab).pairs} == {allowed}

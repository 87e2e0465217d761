"""Isolation, judged from recorded evidence: what Linux 6.18 showed of the lab two-tenants, sound and leaking."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from reports.checks.closed import judge_machine, judge_outward, judge_surroundings
from reports.checks.domains import NAMED_MAX, judge_frame
from reports.checks.forgery import judge_forgery
from reports.evidence import Finding, Sighting
from reports.judge.isolation import ForgerySeen, FrameSeen, Outwards, OutwardSeen, Surroundings, arrives, bare
from tests.self.builders import known_lab
from topology.expected import expected_journey
from topology.isolation.domains import domains, reached, transit
from topology.isolation.forgery import control, forgeries, targets
from topology.model import Fabric
from topology.packet import Probe
from topology.refs import PortRef
from topology.wire.headers import decode

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "isolation.json").read_text())
SOUND = "sound"


@cache
def lab() -> Fabric:
    """The lab of which the evidence is."""
    return known_lab("two-tenants")


def port(name: str) -> PortRef:
    return PortRef(*name.split(":"))


def case(name: str, **wanted: str) -> Any:
    """A recorded case."""
    return next(c for c in RECORDED if c["case"] == name and all(c.get(k) == v for k, v in wanted.items()))


def sightings(entry: Any) -> tuple[Sighting, ...]:
    """The recorded frames, read again."""
    return tuple(
        Sighting(node, interface, way, time_ns, number, len(frame) // 2, bytes.fromhex(frame), _decoded(frame))
        for number, (node, interface, way, time_ns, frame) in enumerate(entry["sightings"])
    )


def _decoded(frame: str) -> Any:
    return decode(bytes.fromhex(frame), ports=lab().udp_ports)


def frame(name: str = SOUND, source: str = "red1:eth0", **wanted: str) -> FrameSeen:
    """A recorded frame with what is expected of it."""
    entry = case(name, what="frame", source=source, **wanted)
    domain = next(domain for domain in domains(lab()) if port(source) in domain.stations)
    target = port(entry["target"]) if entry["target"] else port(source)
    expected = reached(lab(), domain, entry["kind"], port(source), target)
    return FrameSeen(domain, port(source), entry["kind"], expected, transit(lab(), domain), sightings(entry))


def forged(name: str, kind: str, **policy: Any) -> ForgerySeen:
    """A recorded forgery, in a lab that says this about isolation."""
    entry = case(name, what="forgery", kind=kind)
    fabric = replace(lab(), isolation=replace(lab().isolation, **policy))
    target = next(target for target in targets(fabric) if str(target) == entry["vtep"])
    attack_path = next(attack_path for attack_path in target.attack_paths if attack_path.role == entry["role"])
    known = (*forgeries(fabric, attack_path), control(fabric, attack_path))
    return ForgerySeen(next(f for f in known if (f.kind or "control") == kind), sightings(entry))


def outward(name: str) -> OutwardSeen:
    """A recorded probe to the outside."""
    entry = case(name, what="outward")
    probe = Probe("l1", "198.51.100.1", lab()["l1"].address, ip_address("198.51.100.1"))
    probe = replace(probe, nonce=bytes.fromhex(entry["nonce"]))
    return OutwardSeen(probe, expected_journey(lab(), probe), sightings(entry), entry["refusal"])


def says(finding: Finding, *words: str) -> None:
    """The finding is against the network, and says all of this."""
    assert not finding
    assert [word for word in words if word not in finding.message] == [], finding.message


SOUND_FRAMES = [(c["source"], c["kind"]) for c in RECORDED if c["case"] == SOUND and c["what"] == "frame"]


@pytest.mark.parametrize(("source", "kind"), SOUND_FRAMES)
def test_frame_at_exactly_its_places_is_sound(source: str, kind: str) -> None:
    """Bare at the members that it is for, and in the domain's own VNI between the leaves."""
    seen = frame(source=source, kind=kind)
    finding = judge_frame(seen)
    assert finding
    assert any("vxlan" in sighting.layers for sighting in seen.sightings)
    assert finding.suspects == ()


LEAKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "VNIs in one bridge, broadcast": (
        "two VNIs in one bridge",
        "broadcast",
        (
            "l1:vx-blue - broadcast frame of VNI-100 from red1:eth0 - expected nothing - seen ether / arp who-has",
            "too much at l1:l1_s1 in VXLAN VNI 200",
            "blue2:eth0",
            "blue3:eth0",
        ),
    ),
    "veth, broadcast": (
        "veth between the bridges",
        "broadcast",
        ("l1:leak0 - broadcast frame of VNI-100", "l1:leak1", "blue1:eth0", "blue2:eth0"),
    ),
    "veth, unknown unicast": ("veth between the bridges", "unknown-unicast", ("l1:leak0 - unknown-unicast frame",)),
    "undeclared VNI": (
        "undeclared VNI",
        "broadcast",
        (
            "l1:l1_s1 - broadcast frame of VNI-100 from red1:eth0 - expected VXLAN VNI 100 port 4789 - seen ether",
            "vxlan 101",
            "s1:s1_l1 in VXLAN VNI 101",
            "missing at l2:br-red, l2:l2_red3, l2:vx-red, red3:eth0",
        ),
    ),
    "the other's VNI": (
        "the other tenant's VNI",
        "broadcast",
        (
            "l1:l1_s1 - broadcast frame of VNI-100",
            "expected VXLAN VNI 100 port 4789",
            "vxlan 200",
            "too much at ",
            "blue3:eth0",
            "missing at ",
            "red3:eth0",
        ),
    ),
    "station down": (
        "station down",
        "broadcast",
        ("l2:l2_red3 - broadcast frame of VNI-100 from red1:eth0 - expected it - seen nothing", "red3:eth0"),
    ),
}


@pytest.mark.parametrize(("name", "kind", "words"), LEAKS.values(), ids=LEAKS)
def test_leak_and_loss_are_named(name: str, kind: str, words: tuple[str, ...]) -> None:
    """Every place with too much and every place with too little is named, a leak's first place first."""
    seen = frame(name, kind=kind)
    finding = judge_frame(seen)
    says(finding, *words)
    assert finding.message.startswith(words[0])
    assert finding.suspects[0] == words[0].split(":")[0]


def test_unseen_frame_is_missed_everywhere() -> None:
    """Nothing at all is no isolation."""
    says(judge_frame(replace(frame(kind="broadcast"), sightings=())), "expected it - seen nothing", "missing at ")


MOVES: dict[str, Callable[[Sighting], Sighting]] = {
    "bare on a link of the underlay": lambda s: replace(s, node="s1", interface="s1_l1"),
    "bare at a customer of the other tenant": lambda s: replace(s, node="blue1", interface="eth0"),
    "at a device that nobody declares": lambda s: replace(s, node="l1", interface="tap9"),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_one_bare_sighting_elsewhere_is_one_too_many(move: Callable[[Sighting], Sighting]) -> None:
    """A single frame that is bare where it must not be is named."""
    seen = frame(kind="unicast")
    stray = move(seen.sightings[0])
    says(
        judge_frame(replace(seen, sightings=(*seen.sightings, stray))),
        f"{stray.node}:{stray.interface} - unicast frame of VNI-100 from red1:eth0 - expected nothing",
    )


def test_long_lists_are_cut() -> None:
    """A message names so many places, and counts the others."""
    seen = frame(kind="broadcast")
    strays = tuple(replace(seen.sightings[0], interface=f"x{n}") for n in range(NAMED_MAX + 4))
    says(judge_frame(replace(seen, sightings=(*seen.sightings, *strays))), f"x{NAMED_MAX}", "and 3 more")


@pytest.mark.parametrize("kind", ["undeclared-vni", "clear-i-flag", "reserved-bit"])
def test_refused_forgery_is_sound(kind: str) -> None:
    """The packet reached the VTEP's leaf, its frame no node."""
    seen = forged(SOUND, kind)
    assert any(s.node == "l1" and "vxlan" in s.layers for s in seen.sightings)
    assert judge_forgery(seen).message.startswith("l1:vx-red refuses VXLAN from 10.2.0.2 with ")
    assert not arrives(seen)


@pytest.mark.parametrize("kind", ["foreign-source", "other-vni"])
def test_accepted_forgery_is_sound_where_the_lab_says_so_and_is_reported(kind: str) -> None:
    """Its frame went to the named tenant's members and nowhere else; the message says plainly that it was accepted."""
    seen = forged(SOUND, kind)
    finding = judge_forgery(seen)
    assert finding
    assert "accepts VXLAN from 10.1.0.1" in finding.message
    assert finding.message.endswith("sent by spine s1, as the lab declares (foreign-sources: accepted)")
    tenants = {place.node[:3] for place in seen.delivered if place.interface == "eth0"}
    assert tenants == ({"red"} if kind == "foreign-source" else {"blu"})


@pytest.mark.parametrize("kind", ["foreign-source", "other-vni"])
def test_accepted_forgery_breaks_a_lab_that_refuses_foreign_sources(kind: str) -> None:
    """The same evidence, another declaration: each place of the frame is named."""
    seen = forged(SOUND, kind, foreign_sources="refused")
    says(judge_forgery(seen), "expected refused (isolation: foreign-sources: refused) - seen its frame at l1:vx-")


def test_refused_forgery_breaks_a_lab_that_accepts_it() -> None:
    """A forgery declared accepted and refused is a difference, too."""
    seen = forged(SOUND, "reserved-bit", reserved_bits="accepted")
    says(judge_forgery(seen), "expected accepted (isolation: reserved-bits: accepted) - seen it refused")


FORGERY_LEAKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a VTEP too many": (
        "VTEP for an undeclared VNI",
        "undeclared-vni",
        (
            "l1:vx-red - VXLAN from 10.2.0.2 with VNI 101 sent by spine s1 - expected refused - seen its frame at",
            "at l1:leak0",
            "red3:eth0",
        ),
    ),
    "a reserved bit is taken": (
        "VTEP that takes a reserved bit",
        "reserved-bit",
        ("expected refused (isolation: reserved-bits: refused) - seen its frame at l1:vx-red",),
    ),
    "the other tenant's frame in this tenant": (
        "two VNIs in one bridge",
        "other-vni",
        ("l1:br-red - frame of VXLAN from 10.1.0.1 with VNI 200", "red1:eth0", "missing at blue1:eth0"),
    ),
    "this tenant's frame in the other tenant": (
        "two VNIs in one bridge",
        "foreign-source",
        ("l1:vx-blue - frame of VXLAN from 10.1.0.1 with VNI 100", "blue2:eth0", "blue3:eth0"),
    ),
    "a VTEP in no bridge": (
        "VTEP in no bridge",
        "foreign-source",
        ("l1:br-red - frame of VXLAN", "expected it - seen nothing", "red2:eth0"),
    ),
    "strangers are filtered": (
        "strangers filtered",
        "foreign-source",
        ("sent by leaf l2 - expected accepted (isolation: foreign-sources: accepted) - seen it refused",),
    ),
}


@pytest.mark.parametrize(("name", "kind", "words"), FORGERY_LEAKS.values(), ids=FORGERY_LEAKS)
def test_forgery_that_goes_astray_is_named(name: str, kind: str, words: tuple[str, ...]) -> None:
    """The finding names each place of too many or too few frames."""
    says(judge_forgery(forged(name, kind)), *words)


def test_error_that_quotes_a_forgery_delivers_nothing() -> None:
    """An ICMP error holds the frame's nonce, but does not deliver the frame."""
    seen = forged(SOUND, "undeclared-vni")
    quoted = next(s for s in seen.sightings if "vxlan" in s.layers).frame[14:]
    head = (
        seen.sightings[0].frame[:14]
        + bytes.fromhex("450000ff00000000400100000a0100020a010001")
        + b"\x03\x03"
        + bytes(6)
    )
    error = replace(seen.sightings[0], frame=head + quoted, headers=_decoded((head + quoted).hex()))
    assert error.layers == ("ether", "ipv4", "icmp", "payload")
    assert bare([error])
    assert judge_forgery(replace(seen, sightings=(*seen.sightings, error)))


ADDRESSES = {str(address) for node in lab().nodes for address in node.addresses}


def test_probe_that_is_not_even_sent_ends_inside() -> None:
    """A node without a route says so itself; nothing was seen of the probe."""
    finding = judge_outward(outward(SOUND), ADDRESSES)
    assert finding
    assert "l1 -> 198.51.100.1 ends inside: l1 refused to send: Network is unreachable" in finding.message


def test_probe_on_an_undeclared_way_is_named() -> None:
    """An undeclared default route shows at the first interface that the probe leaves by."""
    says(
        judge_outward(outward("default route to the spine"), ADDRESSES),
        "l1:l1_s1 - l1 -> 198.51.100.1 - expected it to stay in the fabric - seen ether / ipv4",
        "s1:s1_l1 - ",
    )


def test_error_of_the_last_router_is_no_answer() -> None:
    """A router of the fabric that says it has no route is what is expected; an unknown one is not."""
    seen = outward("default route to the spine")
    errors = tuple(
        s for s in seen.sightings if "unreachable" in s.headers.summary() or s.headers.payload[:1] == b"\x45"
    )
    assert errors
    only = replace(seen, sightings=errors)
    assert judge_outward(only, ADDRESSES)
    says(judge_outward(only, ADDRESSES - {"10.1.0.1"}), "expected it from a node - seen it from 10.1.0.1")


def test_answer_from_outside_is_named() -> None:
    """The answering node is outside, and the interface of the answer leads there."""
    says(
        judge_outward(outward("way out"), ADDRESSES),
        "l1:leak0 - l1 -> 198.51.100.1 - expected it to stay in the fabric - seen ",
        "l1:leak0 - l1 -> 198.51.100.1 - expected no answer - seen ",
    )


def test_node_with_nothing_but_its_own_is_closed() -> None:
    """Declared devices, loopback, and a resolver on its own loopback lead nowhere."""
    assert judge_surroundings(Surroundings("l1", up=("lo", "l1_s1")), {"l1_s1", "vx-red"})
    assert judge_surroundings(Surroundings("l1", resolvers=("127.0.0.1", "::1")), ())


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Surroundings("l1", up=("lo", "gre0")), "l1:gre0 - device - expected down, as it is not declared - seen up"),
        (Surroundings("l1", rules=("9: from all",)), "l1 - rule - expected only the kernel's own - seen 9: from all"),
        (
            Surroundings("l1", routes=("default dev x table 9",)),
            "l1 - route - expected in no table but main - seen default dev x table 9",
        ),
        (
            Surroundings("l1", resolvers=("127.0.0.1", "9.9.9.9")),
            "l1 - resolver - expected none but its own loopback - seen 9.9.9.9",
        ),
        (Surroundings("l1", resolvers=("::ffff",)), "seen ::ffff"),
    ],
)
def test_whatever_leads_out_is_named(seen: Surroundings, words: str) -> None:
    """A device, a rule, a route of another table, a resolver: each with its node."""
    says(judge_surroundings(seen, {"l1_s1"}), words)


def test_machine_that_shows_a_packet_is_named_with_the_interface() -> None:
    """Each interface is named once for each sender."""
    assert judge_machine(lab(), [Outwards({})])
    finding = judge_machine(lab(), [Outwards({}, (("eth0", "l1 -> x"), ("eth0", "l1 -> x"), ("lo", "l2 -> x")))])
    says(finding, "this machine:eth0 - l1 -> x - expected nothing of the fabric - seen it; this machine:lo - l2 -> x")
    assert finding.message.count("eth0") == 1

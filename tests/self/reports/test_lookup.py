"""A kernel's answer about one packet, the commands that show causes, and how they are typed for each runtime."""

from __future__ import annotations

from dataclasses import replace
from socket import AF_BRIDGE

import pytest

from reports.diagnosis.lookup import Asked, question, told
from tests.self.builders import known_lab, reference
from tests.self.kernels.dumps import neighbour
from topology.expected import expected_journey, probe_between
from topology.kernels.rtnl.lookups import answered
from topology.nodes.entrance import typed
from topology.state import Answer, Lookup

FABRIC = reference()
HOPS = expected_journey(FABRIC, probe_between(FABRIC, "cs1", "cs3")).paths[0].hops
SRC, DST = FABRIC["cs1"].address, FABRIC["cs3"].address
ROUTED = Asked(Lookup("lc1", SRC, DST, "lc1-bridge1"), ("gretun-cont",))
BRIDGED = Asked(Lookup("con_ns1", SRC, DST, "bridge1_cs1", mac="02:00:00:00:00:01"), ("bridge1_lc1",))


def at(place: str) -> int:
    """The number of a hop."""
    return [hop.place for hop in HOPS].index(place)


def test_questions_are_those_that_a_node_decides() -> None:
    """A route where a node forwards or sends, a bridge's table where it bridges, nothing on a link."""
    assert question(FABRIC, HOPS, at("lc1:gretun-cont out")) == replace(ROUTED, size=84)
    own = question(FABRIC, HOPS, at("lc1:lc1_sc2 out"))
    assert own is not None
    assert (own.lookup.came_by, own.lookup.src, own.out) == (None, FABRIC["lc1"].gre.local, ("lc1_sc2",))
    bridged = question(FABRIC, HOPS, at("con_ns1:bridge1_lc1 out"))
    assert bridged is not None
    assert (bridged.lookup.came_by, bool(bridged.lookup.mac)) == ("bridge1_cs1", True)
    assert question(FABRIC, HOPS, at("sc2:sc2_lc1 in")) is None
    wrapped = expected_journey(FABRIC, probe_between(FABRIC, "cs1", "cs5")).paths[0].hops
    around = question(FABRIC, wrapped, [hop.place for hop in wrapped].index("con_ns1:br1_lc1 out"))
    assert around is not None
    vtep = FABRIC["con_ns1"].vxlan
    assert (around.lookup.over, around.lookup.mac, around.lookup.dst, around.size) == (
        vtep.name,
        FABRIC["cs5"]["cs5_br3"].mac,
        vtep.remote,
        134,
    )


OVER = Asked(Lookup("lc1", SRC, DST, None, mac="02:00:00:00:00:01", over="vx"), ("lc1_sc2",), 134)
ANSWERS: dict[str, tuple[Asked, Answer, list[tuple[str, str]]]] = {
    "agrees": (ROUTED, Answer(device="gretun-cont", next_hop=DST), []),
    "says nothing": (ROUTED, Answer(), []),
    "refuses": (ROUTED, Answer("Network is unreachable"), [("lookup", "Network is unreachable")]),
    "another device": (ROUTED, Answer(device="lc1_sc1", next_hop=DST), [("lookup", "out by lc1_sc1")]),
    "nobody answers": (
        ROUTED,
        Answer(device="gretun-cont", next_hop=DST, unanswered="FAILED"),
        [("address resolution", f"no answer for {DST} (FAILED)")],
    ),
    "room by the route": (OVER, Answer(device="lc1_sc2", next_hop=DST, mtu=134), []),
    "too big for the route": (OVER, Answer(device="lc1_sc2", next_hop=DST, mtu=133), [("mtu", "mtu 133 by the route")]),
    "the right remote": (OVER, Answer(device="lc1_sc2", next_hop=DST, remotes=(DST,)), []),
    "another remote": (OVER, Answer(device="lc1_sc2", next_hop=DST, remotes=(SRC,)), [("fdb", f"dst {SRC}")]),
    "right port": (BRIDGED, Answer(ports=("bridge1_lc1",)), []),
    "unknown MAC": (BRIDGED, Answer(), []),
    "wrong port": (BRIDGED, Answer(ports=("bridge1_cs2",)), [("fdb", "behind this port")]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_that_differs_is_a_cause(name: str) -> None:
    """Another answer than expected is a cause at its node, with the command that asks again."""
    asked, answer, found = ANSWERS[name]
    causes = list(told(asked, answer))
    assert [cause.kind for cause in causes] == [kind for kind, _ in found]
    assert all(words in cause.live for cause, (_, words) in zip(causes, found, strict=True))
    assert all(cause.node == asked.lookup.node and cause.show and cause.source == "kernel" for cause in causes)


def test_the_same_mac_in_another_bridge_is_no_wrong_port() -> None:
    """Two tenants may have the same MACs: the port behind which the other's is says nothing of this one's frame."""
    fabric = known_lab("two-tenants")
    hops = expected_journey(fabric, probe_between(fabric, "red1", "red2")).paths[0].hops
    asked = question(fabric, hops, [hop.place for hop in hops].index("l1:l1_red2 out"))
    assert asked is not None
    names = dict(enumerate(("l1_red1", "l1_red2", "vx-red", "vx-blue"), 1))
    bridges = {"l1_red1": 10, "l1_red2": 10, "vx-red": 10, "vx-blue": 11}

    def answer(*behind: str) -> Answer:
        """The kernel's, with its own entry for the port by which the frame came."""
        table = [(asked.lookup.mac, port) for port in behind] + [("02:00:00:00:0a:01", "l1_red1")]
        numbers = {name: number for number, name in names.items()}
        dump = (
            neighbour(AF_BRIDGE, numbers[port], 0x02, [("NDA_LLADDR", mac), ("NDA_MASTER", bridges[port])])
            for mac, port in table
        )
        return answered(asked.lookup, names, b"", b"", b"".join(dump))

    assert [len(list(told(asked, answer(port)))) for port in ("vx-blue", "vx-red", "l1_red2")] == [0, 1, 0]
    assert [len(list(told(asked, answer("vx-blue", port)))) for port in ("vx-red", "l1_red2")] == [1, 0]


@pytest.mark.parametrize(
    ("entrance", "words"),
    [
        ("", "ip -n l1 route show; ip netns exec l1 sysctl a; add it"),
        ("docker exec clab-l1", "docker exec clab-l1 ip route show; docker exec clab-l1 sysctl a; add it"),
        ("nsenter -t 7 -n", "nsenter -t 7 -n ip route show; nsenter -t 7 -n sysctl a; add it"),
    ],
)
def test_commands_are_typed_for_the_runtime(entrance: str, words: str) -> None:
    """Each command of a list is put behind the words that enter the node; once typed it stays."""
    assert typed("ip -n l1 route show; ip netns exec l1 sysctl a; add it", "l1", entrance) == words
    assert typed(words, "l1", entrance) == words

"""Exec lines in an order in which the kernel refuses or drops what they make, as ip(8) and bridge(8) showed."""

from __future__ import annotations

import pytest

from tests.self.formats.clabs import LINE, edited, load, place, refused, with_lines
from topology.model import Fabric

ADDRESS, ROUTE = "ip addr add 10.5.0.1/24 dev eth1", "ip route add 10.6.0.0/16 via 10.5.0.2"
SIX = "ip addr add fd05::1/64 dev eth1"
BRIDGE = "ip link add br7 type bridge"
LATE, DROPPED = "comes before its device is up", "the kernel drops the route"
ORDERS = {
    (ROUTE, ADDRESS): LATE,
    ("ip -6 route add fd06::/64 via fd05::2", SIX): LATE,
    (BRIDGE, "ip route add 10.6.0.0/16 dev br7", "ip link set br7 up"): LATE,
    (BRIDGE, "ip addr add 10.7.0.1/24 dev br7", "ip route add 10.6.0.0/16 via 10.7.0.2", "ip link set br7 up"): LATE,
    ("ip route add 10.6.0.0/16 nexthop via 192.168.10.2 nexthop via 10.5.0.2", ADDRESS): LATE,
    (ADDRESS, ROUTE, "ip link set eth1 down", "ip link set eth1 up"): DROPPED,
    (ADDRESS, ROUTE, "ip addr flush dev eth1", ADDRESS): DROPPED,
}
"""Exec lines of h1, and why the route among them is none in the kernel."""


@pytest.mark.parametrize("lines", ORDERS, ids="; ".join)
def test_route_that_only_the_end_of_the_file_bears_is_refused(lines: tuple[str, ...]) -> None:
    """A route before its device is up and has its address, or before both are taken away again, is refused."""
    assert ORDERS[lines] in str(refused(with_lines(*lines)))


@pytest.mark.parametrize(
    "lines",
    [
        (ADDRESS, ROUTE, "ip addr add 10.5.1.1/32 dev eth1", "ip addr del 10.5.1.1/32 dev eth1"),
        ("ip link set eth1 down", "ip link set eth1 up", ADDRESS, ROUTE),
        (ADDRESS, ROUTE, "ip link set eth1 down", "ip link set eth1 up", ROUTE.replace("add", "replace")),
        (SIX, "ip -6 route add fd06::/64 via fd05::2"),
    ],
    ids="; ".join,
)
def test_route_that_the_kernel_takes_and_keeps_is_not_blamed_for_its_place(lines: tuple[str, ...]) -> None:
    """A route stays while its device is up and has an address; one that is made anew is there again."""
    assert not [note for note in load(with_lines(*lines)).notes if DROPPED in note]


def routes(*lines: str) -> list[str]:
    """The routes of h1 to fd06::/64 after the exec lines."""
    fabric: Fabric = load(with_lines(SIX, *lines))
    return [str(route) for route in fabric["h1"].routes if "fd06" in str(route)]


@pytest.mark.parametrize("metric", ["", " metric 0", " metric 1024"])
def test_ipv6_route_of_no_metric_has_1024(metric: str) -> None:
    """Of two IPv6 routes that with a metric below 1024 is taken before that with none, and that with more behind it."""
    plain = f"ip -6 route add fd06::/64 via fd05::2{metric}"
    assert routes(plain, "ip -6 route add fd06::/64 via fd05::3 metric 100") == ["fd06::/64 via fd05::3"]
    assert routes(plain, "ip -6 route add fd06::/64 via fd05::3 metric 2000") == ["fd06::/64 via fd05::2"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ip route add 0.0.0.0/0 via 192.168.10.2", "fails (File exists)"),
        ("ip route add default via 192.168.10.2 metric 100", "is never used"),
    ],
)
def test_default_route_beside_the_management_networks_is_told(line: str, words: str) -> None:
    """However a default route is written that containerlab's own keeps from use, a note says so."""
    assert [note for note in load(with_lines(line)).notes if words in note]
    for gone in ("ip route del 0.0.0.0/0", "ip link set eth0 down"):
        assert not [note for note in load(with_lines(gone, line)).notes if words in note]


FDB = "bridge fdb append 00:00:00:00:00:00 dev vxlan10 dst 10.0.0.1"
ENTRY = "bridge fdb append 02:00:00:00:00:07 dev vxlan10 dst 10.0.0.1"


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (FDB, FDB.replace("append", "add"), "File exists"),
        (FDB, FDB.replace("append", "replace"), "never replaced"),
        (ENTRY, ENTRY.replace("append", "add"), "File exists"),
        (ENTRY, ENTRY, "changes nothing"),
    ],
)
def test_forwarding_entry_that_the_kernel_does_not_take_is_refused(first: str, second: str, words: str) -> None:
    """An entry that is there is not added again; frames to all are appended to, never replaced."""
    text = edited((f"- {FDB}\n", f"- {FDB}\n        - {first}\n        - {second} self\n"))
    assert [
        line
        for line in str(refused(text)).splitlines()
        if words in line and line.startswith(place(text, f"^{second} self"))
    ]


@pytest.mark.parametrize(
    "line", ["ip -details -color a", "ip -human-readable -s -s link", "ip -V", "bridge -d -j fdb show"]
)
def test_options_of_looking_change_nothing(line: str) -> None:
    """Commands that only look are understood with every option about what they print."""
    assert load(with_lines(line)) == load(with_lines(LINE.removeprefix("- ").replace("iperf3 -s -D", "ip a")))

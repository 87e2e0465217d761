"""The host kernel proves anywhere: a fabric of veth, bridge and VXLAN in a sandbox of namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from topology.errors import KernelUnavailable
from topology.formats.lab import load_lab
from topology.kernels.netlink import Netlink
from topology.kernels.registry import start_kernel
from topology.room import room_for
from topology.state import Lookup
from topology.wait import wait_for

ROOT = Path(__file__).parents[3]
LAB = ROOT / "tests" / "self" / "data" / "vxlan.yaml"


@pytest.fixture(scope="module")
def live() -> Iterator[LiveFabric]:
    """The VXLAN lab, up on the host kernel."""
    lab = load_lab(LAB)
    try:
        kernel = start_kernel("host", lab.needs, lambda _: None)
    except KernelUnavailable as error:
        pytest.skip(str(error))
    try:
        yield LiveFabric(lab, kernel)
    finally:
        kernel.close()


def test_every_node_is_as_declared(live: LiveFabric) -> None:
    """After the build, netlink reports each node as the lab declares it."""
    assert [cause for node in live.names for cause in live.differences(node)] == []


def test_unknown_kind_of_link_is_named(live: LiveFabric) -> None:
    """A kind that the kernel does not know is named in its words; one that only needs parameters is known."""
    [(kind, words)] = Netlink(live.kernel.agent).unknown_kinds(["bridge", "hopcheck-none", "vxlan"]).items()
    assert (kind, "Operation not supported" in words) == ("hopcheck-none", True)


@pytest.mark.parametrize("protocol", ["icmp", "udp"])
def test_every_pair_goes_the_declared_way(live: LiveFabric, protocol: str) -> None:
    """Probes of both kinds pass the declared hops with the declared headers, out and back."""
    prober = Prober(live)
    trips = [prober.trip(p.source, p.target, "udp" if protocol == "udp" else "icmp") for p in live.declared.pairs]
    assert [trip.as_declared.message for trip in trips if not trip.as_declared] == []
    assert len(trips) == 4


def test_nodes_learn_as_many_neighbours_as_is_computed_and_forget_them(live: LiveFabric) -> None:
    """Probes leave as many neighbour entries as are computed for the lab's pairs, and none once nodes forget them."""
    wait_for(lambda: all_forgotten(live), 5, "no neighbour to be known")
    prober = Prober(live)
    for trip in prober.trips([prober.probe(p.source, p.target, "icmp") for p in live.declared.pairs]):
        assert trip().arrived
    assert learned(live) == room_for(live.declared).neighbours[4]
    wait_for(lambda: all_forgotten(live), 5, "no neighbour to be known")


def all_forgotten(live: LiveFabric) -> bool:
    """Return whether no node has a neighbour left; one that has not forgotten yet may have asked another one again."""
    live.forget_neighbours()
    return learned(live) == 0


def learned(live: LiveFabric) -> int:
    """The neighbours that all nodes have learned."""
    return sum(len(live.run(name, "ip", "-4", "neigh").stdout.splitlines()) for name in live.names)


BREAKS = {
    "route": ("l2", "ip route del 10.11.0.0/24", "ip route add 10.11.0.0/24 via 10.2.0.1"),
    "link": (
        "s1",
        "ip link set s1_l2 down",
        "ip link set s1_l2 up && ip route add 10.12.0.0/24 via 10.2.0.2 && ip route add 10.14.0.0/24 via 10.2.0.2",
    ),
    "address": ("c5", "ip addr del 10.20.0.5/24 dev c5_v2", "ip addr add 10.20.0.5/24 dev c5_v2"),
    "bridge": ("v2", "ip link set v2_c5 nomaster", "ip link set v2_c5 master br"),
    "sysctl": ("s1", "sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1"),
    "rule": ("s1", "ip rule add to 10.12.0.0/24 pref 5 prohibit", "ip rule del pref 5"),
    "neigh": (
        "s1",
        "ip neigh replace 10.2.0.2 lladdr 02:00:00:00:00:99 dev s1_l2 nud permanent",
        "ip neigh del 10.2.0.2 dev s1_l2",
    ),
    # Not sticky, the entry would follow c5 to its port with the next frame that c5 happens to send (br_fdb_update).
    "fdb": ("v2", "bridge fdb replace {c5} dev vx master static sticky", "bridge fdb del {c5} dev vx master"),
    "qdisc": (
        "s1",
        "tc qdisc add dev s1_l2 root tbf rate 1kbit burst 20 limit 1",
        "tc qdisc del dev s1_l2 root",
    ),
}
"""What breaks c1 -> c5, by the kind of cause; ``{c5}`` is the MAC of c5."""


def do(live: LiveFabric, node: str, command: str) -> None:
    """Change a node; skips where this machine's kernel lacks what the command needs."""
    done = live.run(node, "sh", "-c", command)
    if done.code and ("unknown" in done.stderr or "not found" in done.stderr):
        pytest.skip(done.stderr.strip())
    assert done.code == 0, done.stderr


def test_kernel_says_what_it_would_do_with_a_packet(live: LiveFabric) -> None:
    """The route's MTU, and the remote behind which a VXLAN device knows the MAC of the frame inside."""
    vtep, mac, astray = live["v1"].vxlan, "02:00:00:00:00:99", ip_address("10.99.0.1")
    asked = Lookup("v1", vtep.local, vtep.remote, mac=mac, over=vtep.name)
    entry = f"{mac} dev {vtep.name} dst {astray} self"
    do(live, "v1", f"bridge fdb add {entry}; ip route replace 10.12.0.0/24 via 10.11.0.2 mtu 1300")
    try:
        answer = live.look_up(asked)
    finally:
        do(live, "v1", f"bridge fdb del {entry}; ip route replace 10.12.0.0/24 via 10.11.0.2")
    assert (answer.device, answer.mtu, answer.remotes) == ("v1_l1", 1300, (astray,))
    assert (live.look_up(asked).mtu, live.look_up(asked).remotes) == (0, ())


@pytest.mark.parametrize("kind", BREAKS)
def test_broken_node_is_named_with_its_cause(live: LiveFabric, kind: str) -> None:
    """A fault makes c1 -> c5 fail, and the cause found is the fault, at its node."""
    node, *commands = BREAKS[kind]
    fault, undo = (command.format(c5=live["c5"]["c5_v2"].mac) for command in commands)
    do(live, node, fault)
    try:
        trip = Prober(live, warm_up_s=0.1, arrival_s=0.15).trip("c1", "c5")
    finally:
        assert live.run(node, "sh", "-c", undo).code == 0
    assert not trip.arrived
    assert trip.cause is not None
    assert (trip.cause.node, trip.cause.kind) == (node, kind)
    assert live.differences(node) == ()


CHANGES = {
    "rule": "ip -6 rule add from fd00::/8 pref 50 lookup 100",
    "route": "ip route add blackhole 10.99.0.0/16",
    "route of another table": "ip route add 10.99.0.0/16 dev v1_l1 table 100",
    "route to itself": "ip route add local 10.12.0.0/24 dev lo table local",
    "sysctl": "sysctl -w net.ipv4.conf.v1_l1.rp_filter=1",
    "sysctl for all": "sysctl -w net.ipv6.conf.all.disable_ipv6=0",
    "neigh": "ip neigh replace 10.11.0.9 lladdr 02:00:00:00:00:99 dev v1_l1 nud permanent",
    "fdb": "bridge fdb add 02:00:00:00:00:99 dev v1_c1 master static",
    "fdb of the tunnel": "bridge fdb append 00:00:00:00:00:00 dev vx dst 10.99.0.1",
    "fdb of the device": "bridge fdb add 02:00:00:00:00:99 dev v1_c2 self",
    "qdisc": "tc qdisc add dev v1_c1 root handle 1: htb",
    "qdisc of lo": "tc qdisc add dev lo root tbf rate 1mbit burst 10k limit 20k",
    "filter": "tc qdisc add dev v1_c1 clsact && tc filter add dev v1_c1 egress pref 5 u32 match u32 0 0 flowid 1:1",
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_is_found_and_its_fix_fixes_it(live: LiveFabric, name: str) -> None:
    """Any change in a node is reported as a difference of its kind; the reported fix undoes it."""
    before = live.live_states()
    do(live, "v1", CHANGES[name])
    try:
        since = live.changed_since(before)
        found, *_ = live.find_causes(["c1", "v1"])
        causes = live.differences("v1")
    finally:
        for cause in live.differences("v1"):
            live.kernel.agent.run(["sh", "-c", cause.fix])
    assert causes == since
    assert replace(found, fix=causes[0].fix) == causes[0]
    assert (found.node, found.kind) == ("v1", name.split()[0])
    assert live.differences("v1") == ()


PASSING = {
    "neighbour": "ip neigh replace 10.11.0.9 lladdr 02:00:00:00:00:99 dev v1_l1 nud stale",
    "forwarding entry": "bridge fdb add 02:00:00:00:00:99 dev v1_c1 master dynamic",
    "group": "ip maddr add 01:00:5e:00:00:99 dev v1_c1",
    "counters": "ping -c 1 -W 1 10.11.0.2",
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_no_change(live: LiveFabric, name: str) -> None:
    """Entries that a kernel would learn, age or count are no part of a state, even if a command made them."""
    before = live.live_states()
    do(live, "v1", PASSING[name])
    assert live.changed_since(before) == ()


def test_nothing_of_the_machine_is_visible(live: LiveFabric) -> None:
    """Inside the sandbox there is no interface of the machine, no route, no resolver, and no way out."""
    run = live.kernel.agent.run
    assert "nameserver" not in run(["cat", "/etc/resolv.conf"]).stdout
    assert run(["ls", "/sys/class/net"]).stdout.split() == ["lo"]
    assert run(["cat", "/proc/net/route"]).stdout.splitlines()[1:] == []
    assert int(run(["sh", "-c", "echo $$"]).stdout) < 1000

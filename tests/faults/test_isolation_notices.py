"""The isolation suite's checks, on copies of the fabric in which something leaks: each fails, and names where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from fixtures.checks import CheckBook
from fixtures.instruments.live import LiveFabric
from reports.checks.closed import HOME, OUTWARDS, SURROUNDINGS
from reports.checks.domains import ANSWERED, KEPT_APART
from reports.checks.forgery import TREATED
from topology.errors import NotApplicable
from topology.isolation.domains import Domain, domains
from topology.isolation.forgery import Forgery, Target, forgeries
from topology.isolation.outside import outside
from topology.model import Address, Bridge, Fabric, Isolation, Node, UdpTunnel, Vxlan
from topology.refs import PortRef
from topology.wait import wait_for

pytestmark = pytest.mark.faults
LEAK, LEAK_END = "leak0", "leak1"
FLOOD = "bridge fdb append 00:00:00:00:00:00 dev {name} dst {remote}"
Do = Callable[[str, str], str]


@pytest.fixture
def do(pristine: LiveFabric) -> Do:
    """Runs a command in a node of the copy, which succeeds, and gives what it prints."""

    def run(node: str, command: str) -> str:
        done = pristine.run(node, "sh", "-ec", command)
        assert done.code == 0, f"{node}: {command}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def book(pristine: LiveFabric) -> CheckBook:
    """Return the trials on the broken copy."""
    return CheckBook(pristine)


@pytest.fixture
def vxlan(vxlan_target: Target) -> Vxlan:
    """The target's own device."""
    assert isinstance(vxlan_target.vtep, Vxlan)
    return vxlan_target.vtep


def bridge_of(lab: Fabric, domain: Domain) -> Bridge:
    """The first bridge of a domain."""
    return next(bridge for bridge in lab.all(Bridge) if bridge.ref in domain.members)


def domain_of(lab: Fabric, ref: PortRef) -> Domain:
    """The domain that an interface is in."""
    return next(domain for domain in domains(lab) if ref in domain.members)


def anew(node: Node, vxlan: Vxlan, more: str = "", **other: object) -> str:
    """The command that makes a VXLAN device again, with something else in it."""
    said = {"vni": vxlan.vni, "name": vxlan.name} | other
    bridge = node.bridge_of(vxlan.name)
    way = f"dev {vxlan.dev} " if vxlan.dev else ""
    ends = f"local {vxlan.local} remote {vxlan.remote} {way}dstport {vxlan.port}"
    mac = f"address {vxlan.mac} " if said["name"] == vxlan.name else ""
    made = f"ip link add name {said['name']} {mac}mtu {vxlan.mtu or 1450} type vxlan id {said['vni']} {ends} {more}"
    gone = f"ip link del dev {vxlan.name}; " if said["name"] == vxlan.name else ""
    floods = (FLOOD.format(name=said["name"], remote=remote) for remote in vxlan.others)
    made = "; ".join((made, *floods))
    return f"{gone}{made}; ip link set dev {said['name']} {f'master {bridge.name}' if bridge else ''} up"


def forgery(lab: Fabric, target: Target, kind: str) -> Forgery:
    """What is forged for a target."""
    return next(found for found in forgeries(lab, target.attack_paths[0]) if found.kind == kind)


def join(do: Do, one: Bridge, other: Bridge) -> None:
    """Join two bridges by a veth pair; a bridge lets a port forward only when it hears that its carrier is there."""
    there = f" netns {other.node}" if other.node != one.node else ""
    do(one.node, f"ip link add name {LEAK} type veth peer name {LEAK_END}{there}")
    do(one.node, f"ip link set dev {LEAK} master {one.name} up")
    do(other.node, f"ip link set dev {LEAK_END} master {other.name} up")
    for node, port in ((one.node, LEAK), (other.node, LEAK_END)):
        forwards = partial(forwarding, do, node, port)
        wait_for(forwards, 10, f"{node}:{port} - bridge port that forwards")


def forwarding(do: Do, node: str, port: str) -> bool:
    """Tell whether a bridge port forwards."""
    return "state forwarding" in do(node, f"ip -d link show dev {port}")


def test_veth_between_two_domains_is_noticed(
    lab: Fabric, two_domains: tuple[Domain, Domain], book: CheckBook, do: Do
) -> None:
    """Frames of both domains are seen where a link between their bridges lets them out."""
    one, other = (bridge_of(lab, domain) for domain in two_domains)
    join(do, one, other)
    for domain, bridge in zip(two_domains, (one, other), strict=True):
        for kind in ("broadcast", "unknown-unicast", "multicast"):
            finding = book.judged(KEPT_APART, domain, kind)
            assert not finding
            assert f"{bridge.node}:leak" in finding.message
            foreign = two_domains[1] if domain == two_domains[0] else two_domains[0]
            assert any(str(member) in finding.message for member in foreign.members)
            assert finding.cause is not None
            assert finding.cause.node in (one.node, other.node)


def test_two_vnis_in_one_bridge_are_noticed(
    lab: Fabric, neighbours: tuple[Domain, Domain, UdpTunnel, UdpTunnel], book: CheckBook, do: Do
) -> None:
    """A tunnel device in the other tenant's bridge shows that tenant's frames, which travel under the wrong VNI."""
    domain, other, mine, moved = neighbours
    bridge = lab[mine.node].bridge_of(mine.name)
    assert bridge
    do(moved.node, f"ip link set dev {moved.name} master {bridge.name}")
    finding = book.judged(KEPT_APART, domain, "broadcast")
    assert not finding
    assert finding.message.startswith(f"{moved.ref} - broadcast frame of {domain} from ")
    assert f" in {moved.title}" in finding.message
    assert any(str(station) in finding.message for station in other.stations)
    assert finding.cause is not None
    assert (finding.cause.kind, finding.cause.node, finding.cause.interface) == ("bridge", moved.node, moved.name)


def test_answer_of_the_wrong_tenant_is_noticed(
    lab: Fabric, twin_domains: tuple[Domain, Domain], pristine: LiveFabric, do: Do
) -> None:
    """Joined bridges of two tenants with one address let the asker hear the other tenant, too."""
    asked, twin = twin_domains
    assert CheckBook(pristine).judged(ANSWERED, asked)
    join(do, bridge_of(lab, asked), bridge_of(lab, twin))
    finding = CheckBook(pristine).judged(ANSWERED, asked)
    assert not finding
    assert any(f"{station}" in finding.message for station in twin.stations)


def test_wrong_vni_is_noticed(lab: Fabric, busy_target: Target, book: CheckBook, do: Do) -> None:
    """A VTEP with an undeclared VNI loses its domain's frames, and its packets are named on their way."""
    vxlan = busy_target.vtep
    assert isinstance(vxlan, Vxlan)
    wrong = dict(forgery(lab, busy_target, "undeclared-vni").sent.identity)["vni"]
    do(vxlan.node, anew(lab[vxlan.node], vxlan, vni=wrong))
    finding = book.judged(KEPT_APART, domain_of(lab, vxlan.ref), "broadcast")
    assert not finding
    assert f"expected {vxlan.title} - seen " in finding.message
    assert "missing at " in finding.message
    assert finding.cause is not None
    assert (finding.cause.kind, finding.cause.node, finding.cause.interface) == ("vxlan", vxlan.node, vxlan.name)


def test_station_that_is_cut_off_is_missed(wide_domain: Domain, book: CheckBook, do: Do) -> None:
    """A member that a frame does not reach is named, and so is the cause."""
    last = wide_domain.stations[-1]
    do(last.node, f"ip link set dev {last.interface} down")
    finding = book.judged(KEPT_APART, wide_domain, "broadcast")
    assert not finding
    assert f"{last} - " in finding.message
    assert "expected it - seen nothing" in finding.message
    assert finding.cause is not None
    assert finding.cause.node == last.node


def test_vtep_for_an_undeclared_vni_is_noticed(
    lab: Fabric, vxlan_target: Target, vxlan: Vxlan, book: CheckBook, do: Do
) -> None:
    """A VXLAN device too many takes forged packets; the place where their frame came out is named."""
    wrong = dict(forgery(lab, vxlan_target, "undeclared-vni").sent.identity)["vni"]
    do(vxlan.node, anew(lab[vxlan.node], vxlan, name=LEAK, vni=wrong))
    finding = book.judged(TREATED, vxlan_target, "undeclared-vni")
    assert not finding
    assert f"expected refused - seen its frame at {vxlan.node}:" in finding.message
    assert f"{vxlan.node}:{LEAK}" in finding.message


def test_reserved_bit_that_is_taken_is_noticed(
    lab: Fabric, vxlan_target: Target, vxlan: Vxlan, book: CheckBook, do: Do
) -> None:
    """A VXLAN device that gives a reserved bit a meaning accepts what the lab says is refused."""
    node = lab[vxlan.node]
    for other in (found for found in node.all(Vxlan) if found.port == vxlan.port and found != vxlan):
        do(node.name, f"ip link del dev {other.name}")  # devices with and without gbp cannot share a port
    do(node.name, anew(node, vxlan, more="gbp"))
    finding = book.judged(TREATED, vxlan_target, "reserved-bit")
    assert not finding
    assert f"{vxlan_target} - " in finding.message
    assert "expected refused (isolation: reserved-bits: refused) - seen its frame at " in finding.message


def test_foreign_source_that_is_accepted_is_noticed(lab: Fabric, vxlan_target: Target, pristine: LiveFabric) -> None:
    """Linux's VXLAN breaks the promise of a lab that refuses foreign sources."""
    pristine.declared = replace(lab, isolation=Isolation(foreign_sources="refused"))
    finding = CheckBook(pristine).judged(TREATED, vxlan_target, "foreign-source")
    assert not finding
    assert "expected refused (isolation: foreign-sources: refused) - seen its frame at " in finding.message


def test_foreign_source_that_is_refused_is_noticed(
    lab: Fabric, vxlan_target: Target, pristine: LiveFabric, do: Do
) -> None:
    """A filter at the VTEP's node is a difference in a lab that accepts foreign sources."""
    pristine.declared = replace(lab, isolation=Isolation(foreign_sources="accepted"))
    forged = (found for attack_path in vxlan_target.attack_paths for found in forgeries(lab, attack_path))
    for stranger in {found.source for found in forged if found.kind == "foreign-source"}:
        do(vxlan_target.vtep.node, turn_away(stranger, dict(vxlan_target.vtep.identity)["port"]))
    finding = CheckBook(pristine).judged(TREATED, vxlan_target, "foreign-source")
    assert not finding
    assert "expected accepted (isolation: foreign-sources: accepted) - seen it refused" in finding.message


def turn_away(source: Address, port: int | None) -> str:
    """The command that has a node drop a source's packets to a UDP port, whether they are for it or not.

    Its rule comes before the one that leads to the node's own addresses, which has its place first.
    """
    rule = "ip -6 rule" if source.version == 6 else "ip rule"
    local = f"{rule} show pref 1 | grep -q local || {{ {rule} add pref 1 lookup local; {rule} del pref 0; }}"
    return f"{local}; {rule} add pref 0 from {source} ipproto udp dport {port} blackhole"


def test_way_out_is_noticed(lab: Fabric, pristine: LiveFabric, book: CheckBook, do: Do) -> None:
    """A node with a link to a namespace outside lets packets out, and they are answered; the link is named."""
    node = next(node for node in lab.nodes if node.addresses)
    address = outside(lab, node.address.version)
    pristine.kernel.agent.call("netns_add", names=["outside"])
    prefix, flags = (64, " nodad") if address.version == 6 else (24, "")
    do(node.name, f"ip link add name {LEAK} type veth peer name {LEAK_END} netns outside; ip link set dev {LEAK} up")
    do(node.name, f"ip addr add {address + 1}/{prefix} dev {LEAK}{flags}")
    do("outside", f"ip link set dev {LEAK_END} up; ip addr add {address}/{prefix} dev {LEAK_END}{flags}")
    do("outside", f"ip route add default via {address + 1}")
    finding = book.judged(OUTWARDS, node.name)
    assert not finding
    where = f"{node.name}:{LEAK} - {node.name} -> {address}"
    assert f"{where} - expected it to stay in the fabric - seen " in finding.message
    assert f"{where} - expected no answer - seen " in finding.message
    assert not book.judged(SURROUNDINGS, node.name)
    assert LEAK in {cause.interface for cause in pristine.differences(node.name)}


def test_rule_and_table_are_noticed(lab: Fabric, book: CheckBook, do: Do) -> None:
    """A policy rule, and the route that it leads to, are named, though the main table is as declared."""
    node = lab.nodes[0].name
    do(node, "ip rule add pref 100 lookup 100; ip route add default dev lo table 100")
    message = book.judged(SURROUNDINGS, node).message
    assert f"{node} - rule - expected only the kernel's own - seen pref 100 from all lookup 100" in message
    assert f"{node} - route - expected in no table but main - seen default dev lo table 100" in message


def test_resolver_is_noticed(lab: Fabric, pristine: LiveFabric, book: CheckBook, pytestconfig: pytest.Config) -> None:
    """A resolver in a node's configuration is named."""
    if pytestconfig.getoption("--runtime") != "netns":
        raise NotApplicable("a container has a file of resolvers of its own, on a read-only root")
    said = f"echo nameserver {outside(lab)} >/run/resolvers && mount --bind /run/resolvers /etc/resolv.conf"
    assert pristine.kernel.agent.run(["sh", "-c", said]).code == 0
    node = lab.nodes[0].name
    expected = f"{node} - resolver - expected none but its own loopback - seen {outside(lab)}"
    assert book.judged(SURROUNDINGS, node).message == expected


def test_device_beside_the_fabric_is_noticed(pristine: LiveFabric) -> None:
    """A device in the namespace that the fabric was built from is named."""
    assert CheckBook(pristine).judged(HOME)
    assert pristine.kernel.agent.run(["ip", "link", "add", "name", LEAK, "type", "bridge"]).code == 0
    assert f"agent's namespace - expected no device - seen {LEAK}" in CheckBook(pristine).judged(HOME).message

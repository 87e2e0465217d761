"""The plan: commands that could be typed as they stand, each in its place, and messages that lose nothing."""

from __future__ import annotations

from collections import Counter

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from tests.self.builders import reference, reference_text, vxlan_lab
from tests.self.topology.ip_commands import complaints
from topology.formats.lab import load_lab_text
from topology.model import Device, Fabric, Loopback
from topology.plan import FIRST_INDEX, NamespaceOf, Operation, make_plan, remade

MIXED = """
lab: mixed
nodes:
  a:
    role: leaf
    addresses: {eth: [10.0.0.1/30, "fd00:1::1/64"], loop: 10.9.9.1/32, t4: 10.8.0.1/30}
    bridges: {loop: [], br: [v6, in-tunnel]}
    vxlan:
      in-tunnel: {vni: 9, local: 10.0.0.1, remote: 10.0.0.2, dev: t4}
      v6: {vni: 7, local: "fd00:1::1", remote: "fd00:1::2", mtu: 1430}
    gre:
      t4: {local: 10.0.0.1, remote: 10.0.0.2, key: 16, ttl: 9, mtu: 1400}
      t6: {local: "fd00:1::1", remote: "fd00:1::2", key: 0}
    routes: ["::/0 dev eth", "fd00:5::/64 via fd00:1::2", default via 10.0.0.2]
  b:
    role: switch
    addresses: {eth: [10.0.0.2/30, "fd00:1::2/64"], t4: 10.8.0.2/30}
    vxlan:
      in-tunnel: {vni: 9, local: 10.0.0.2, remote: 10.0.0.1, dev: t4}
      v6: {vni: 7, local: "fd00:1::2", remote: "fd00:1::1"}
    gre:
      t4: {local: 10.0.0.2, remote: 10.0.0.1, key: 16}
      t6: {local: "fd00:1::2", remote: "fd00:1::1", key: 0}
links:
  - [b:eth, a:eth]
"""


@pytest.fixture(scope="module")
def mixed() -> Fabric:
    return load_lab_text(MIXED)


@pytest.fixture(params=["reference", "vxlan", "mixed"])
def lab(request: pytest.FixtureRequest, mixed: Fabric) -> Fabric:
    labs: dict[str, Fabric] = {"reference": reference(), "vxlan": vxlan_lab(), "mixed": mixed}
    return labs[request.param]


def operations(lab: Fabric) -> list[Operation]:
    plan = make_plan(lab)
    return [*plan.sysctls, *(op for phase in plan.phases for op in phase)]


def command_of(lab: Fabric, start: str) -> str:
    found = [command for command in make_plan(lab).commands if command.startswith(start)]
    assert len(found) == 1, found
    return found[0]


def test_every_command_finds_what_it_needs(lab: Fabric) -> None:
    """Read from top to bottom, no command names a namespace or device that is not there, or is down, yet."""
    assert complaints(make_plan(lab).commands) == []


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("ip -n lc1 link set dev gretun-cont up", "needs device gretun-cont"),
        ("ip -n con_ns1 link add name bridge1 address 02:4e:99:24:8d:05 type bridge", "needs device bridge1"),
        ("ip -n lc1 link set dev lc1_sc2 up", "needs lc1_sc2 to be up"),
        ("ip netns add sc2", "needs namespace sc2"),
    ],
)
def test_command_that_comes_too_late_is_noticed(command: str, what: str) -> None:
    """The reading of ip(8) above notices a plan in which one command comes last."""
    if "gretun" in command:
        command = command_of(reference(), "ip -n lc1 link add name gretun-cont")
    commands = list(make_plan(reference()).commands)
    commands.remove(command)
    assert any(what in complaint for complaint in complaints([*commands, command]))


@pytest.mark.parametrize(
    "command",
    [
        "ip -n lc1 link add gretun-cont type gre",
        "ip -n lc1 addr add 10.0.0.1 dev lo",
        "rm -rf /",
        "ip -n lc1 route add",
    ],
)
def test_what_is_no_command_is_noticed(command: str) -> None:
    """The reading of ip(8) above takes no other words."""
    assert complaints([command]) == [f"{command}: is no command"]


def test_routes_without_a_carrier_are_passed_over_when_all_links_are_up() -> None:
    """A tunnel takes its MTU from the route to its far end: none may be passed over before, as carriers come late."""
    commands = make_plan(reference()).commands
    late = [number for number, command in enumerate(commands) if "ignore_routes_with_linkdown" in command]
    assert late == list(range(len(commands) - 4 * len(reference().nodes), len(commands)))


def test_every_node_has_its_namespace() -> None:
    """Namespaces are made first, one for each node, and nothing is done anywhere else."""
    plan, names = make_plan(reference()), [node.name for node in reference().nodes]
    assert plan.commands[: len(names)] == tuple(f"ip netns add {name}" for name in names)
    assert {op.node for op in operations(reference())} == set(names)


def test_every_link_is_made_once_from_its_lower_end(lab: Fabric) -> None:
    """The first phase is the links, each made once, from the end whose name sorts first."""
    links, _ = make_plan(lab).phases
    made = [frozenset(((op.node, op.arguments["ifname"]), _far(op))) for op in links]
    declared = [frozenset((end.node, end.interface) for end in link.ends) for link in lab.links]
    assert sorted(map(sorted, made)) == sorted(map(sorted, declared))
    assert all((op.node, op.arguments["ifname"]) < _far(op) for op in links)


def _far(op: Operation) -> tuple[str, str]:
    peer = op.arguments["peer"]
    assert isinstance(peer["net_ns_fd"], NamespaceOf)
    return peer["net_ns_fd"].node, peer["ifname"]


def test_indexes_are_one_per_device_and_used_by_both_ends(lab: Fabric) -> None:
    """A device has the index under which later messages speak of it, a veth's far end too."""
    made = Counter[tuple[str, int]]()
    for op in operations(lab):
        if (op.api, op.verb) == ("link", "add"):
            made[op.node, op.arguments["index"]] += 1
            if "peer" in op.arguments:
                made[_far(op)[0], op.arguments["peer"]["index"]] += 1
    assert set(made.values()) == {1}
    assert min(index for _, index in made) == FIRST_INDEX
    for op in operations(lab):
        if op.api != "link" or op.verb != "add":
            used = {op.arguments[key] for key in ("index", "master", "oif") if key in op.arguments} - {1}
            assert all((op.node, index) in made for index in used), op.command


def test_index_of_a_far_end_is_the_one_that_is_addressed() -> None:
    """sc1's address goes to the device that was made as the far end of leaf 1's link."""
    links, rest = make_plan(reference()).phases
    far = next(op.arguments["peer"] for op in links if _far(op) == ("sc1", "sc1_lc1"))
    address = next(op for op in rest if op.node == "sc1" and op.arguments.get("address") == "25.0.0.1")
    assert far["index"] == address.arguments["index"]


@pytest.mark.parametrize(
    "command",
    [
        "ip -n lc1 link add name lc1_sc1 address 02:e5:25:d4:3e:21 mtu 1500"
        " type veth peer name sc1_lc1 address 02:93:bd:ff:c5:20 mtu 1500 netns sc1",
        "ip -n lc1 addr add 20.0.0.254/24 dev lc1-bridge1",
        "ip -n lc1 link add name gretun-cont type gre local 26.0.0.2 remote 28.0.0.2 ttl inherit",
        "ip -n lc1 route add 27.0.0.0/24 via 25.0.0.1 dev lc1_sc1",
        "ip -n lc1 route add 30.0.0.0/24 dev gretun-cont",
        "ip -n con_ns1 link add name vxlan-cont address 02:0c:23:b1:75:ee mtu 1450"
        " type vxlan id 30 local 21.0.0.1 remote 23.0.0.1 dev br1_lc1 dstport 4900",
        "ip -n con_ns1 link set dev vxlan-cont master bridge1",
        "ip -n cs1 route add default via 20.0.0.254",
        "ip -n cs1 link set dev lo up",
    ],
)
def test_command_is_what_a_person_would_type(command: str) -> None:
    """The reference lab's plan says this, word for word, once."""
    assert make_plan(reference()).commands.count(command) == 1


@pytest.mark.parametrize(
    "command",
    [
        "ip -n a link add name t4 mtu 1400 type gre local 10.0.0.1 remote 10.0.0.2 ttl 9 key 16",
        "ip -n a link add name t6 type ip6gre local fd00:1::1 remote fd00:1::2 ttl inherit key 0 encaplimit none",
        "ip -n a addr add fd00:1::1/64 dev eth nodad",
        "ip -n a -6 route add default dev eth",
        "ip -n a -6 route add fd00:5::/64 via fd00:1::2",
        "ip -n a route add default via 10.0.0.2",
        "ip netns exec a sysctl -eqw net.ipv6.conf.all.disable_ipv6=0",
        "ip netns exec a sysctl -eqw net.ipv6.conf.all.forwarding=1",
        "ip netns exec b sysctl -eqw net.ipv6.conf.all.forwarding=0",
    ],
)
def test_ipv6_and_keys_are_typed_out(mixed: Fabric, command: str) -> None:
    """A lab with IPv6 says so in every command that would mean IPv4 otherwise, and keys are in the tunnel's."""
    assert make_plan(mixed).commands.count(command) == 1


def test_vxlan_comes_after_the_tunnel_that_it_leaves_by(mixed: Fabric) -> None:
    """A VTEP in the leaf, inside the leaf's GRE tunnel: the tunnel is made first, whatever the file's order."""
    commands = make_plan(mixed).commands
    tunnel = commands.index(command_of(mixed, "ip -n a link add name t4"))
    assert tunnel < commands.index(command_of(mixed, "ip -n a link add name in-tunnel"))


def test_devices_that_wait_for_each_other_end() -> None:
    """Two VXLAN devices that leave by each other are the kernel's to refuse; the plan just ends."""
    text = reference_text().replace("dev: br1_lc1,", "dev: other,")
    other = "\n      other: {vni: 31, local: 21.0.0.1, remote: 23.0.0.1, dev: vxlan-cont}"
    text = text.replace(
        "port: 4900, mtu: 1450}\n    bridges:\n      bridge1",
        "port: 4900, mtu: 1450}" + other + "\n    bridges:\n      bridge1",
    )
    text = text.replace(
        "dev: br3_lc2, port: 4900, mtu: 1450}",
        "dev: br3_lc2, port: 4900, mtu: 1450}\n      other: {vni: 31, local: 23.0.0.1, remote: 21.0.0.1}",
    )
    commands = make_plan(load_lab_text(text)).commands
    assert sum("con_ns1 link add name other" in command for command in commands) == 1


SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.ignore_routes_with_linkdown": "0",
    "net.ipv4.conf.default.ignore_routes_with_linkdown": "0",
    "net.ipv6.conf.all.ignore_routes_with_linkdown": "0",
    "net.ipv6.conf.default.ignore_routes_with_linkdown": "0",
    "net.ipv6.fib_multipath_hash_policy": "0",
    "net.ipv4.fib_multipath_hash_policy": "0",
    "net.ipv4.icmp_ratelimit": "0",
    "net.ipv6.icmp.ratelimit": "0",
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
    "net.ipv6.conf.all.forwarding": "0",
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.bridge.bridge-nf-call-iptables": "0",
    "net.bridge.bridge-nf-call-ip6tables": "0",
    "net.bridge.bridge-nf-call-arptables": "0",
}


def test_every_inherited_setting_is_written(mixed: Fabric) -> None:
    """Settings that a namespace inherits, and that change a fabric, are set in every node."""
    for lab, changes in ((reference(), {}), (mixed, {"conf.all.disable_ipv6": "0", "conf.default.disable_ipv6": "0"})):
        wanted = SYSCTLS | {f"net.ipv6.{key}": value for key, value in changes.items()}
        wanted |= {"net.ipv6.conf.all.forwarding": "1"} if changes else {}
        leaf = next(node.name for node in lab.role("leaf"))
        written = {op.arguments["key"]: op.arguments["value"] for op in make_plan(lab).sysctls if op.node == leaf}
        assert written == wanted


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        ("ip -n a -6 route add default", {"dst": "::/0", "family": 10, "scope": 253, "oif": FIRST_INDEX}),
        ("ip -n a -6 route add fd00:5::/64", {"family": 10, "gateway": "fd00:1::2", "oif": FIRST_INDEX}),
        ("ip -n a route add default", {"dst": "0.0.0.0/0", "family": 2, "gateway": "10.0.0.2", "oif": FIRST_INDEX}),
        ("ip -n a addr add fd00:1::1/64", {"address": "fd00:1::1", "prefixlen": 64, "flags": 2}),
        ("ip -n a addr add 10.9.9.1/32", {"address": "10.9.9.1", "prefixlen": 32, "index": FIRST_INDEX + 1}),
    ],
)
def test_message_says_what_its_command_says(mixed: Fabric, start: str, wanted: dict[str, object]) -> None:
    """Addresses and routes have their family, scope, gateway and device; IPv6 has no duplicate address detection."""
    found = [op for op in operations(mixed) if op.command.startswith(start)]
    assert len(found) == 1
    assert wanted.items() <= found[0].arguments.items()
    assert ("gateway" in found[0].arguments) != ("scope" in found[0].arguments) or found[0].api == "addr"


def test_routers_forward_and_others_do_not() -> None:
    """Leaves and spines forward; switches and customers do not."""
    commands = set(make_plan(reference()).commands)
    for node in reference().nodes:
        forwards = int(node.role in ("leaf", "spine"))
        start = f"ip netns exec {node.name} sysctl -eqw net.ipv4.ip_forward="
        assert [command for command in commands if command.startswith(start)] == [f"{start}{forwards}"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("t4", {"gre_local": "10.0.0.1", "gre_ttl": 9, "gre_ikey": 16, "gre_okey": 16, "gre_iflags": 0x2000}),
        (
            "t6",
            {
                "ip6gre_remote": "fd00:1::2",
                "ip6gre_ttl": 0,
                "ip6gre_ikey": 0,
                "ip6gre_oflags": 0x2000,
                "ip6gre_flags": 1,
            },
        ),
        ("v6", {"vxlan_local6": "fd00:1::1", "vxlan_group6": "fd00:1::2", "vxlan_id": 7, "vxlan_port": 4789}),
    ],
)
def test_tunnels_message_has_its_parameters(mixed: Fabric, name: str, wanted: dict[str, object]) -> None:
    """A tunnel's message says what its command says."""
    made = next(op for op in operations(mixed) if op.node == "a" and op.arguments.get("ifname") == name)
    assert wanted.items() <= made.arguments.items()


def test_no_parameter_is_lost_on_its_way_to_the_kernel(lab: Fabric) -> None:
    """pyroute2 leaves out in silence what it does not know: it must know every parameter of every link."""
    known = {name.removeprefix("IFLA_").lower() for name, _ in ifinfmsg.nla_map} | {"index", "kind", "peer"}
    for op in operations(lab):
        if (op.api, op.verb) == ("link", "add"):
            of_kind = {
                name.removeprefix("IFLA_").lower() for name, _ in ifinfmsg.ifinfo.data_map[op.arguments["kind"]].nla_map
            }
            assert op.arguments.keys() <= known | of_kind, op.command


def test_operations_know_their_line() -> None:
    """A refused operation can say which line of the lab file it comes from."""
    lines = reference_text().splitlines()
    for op in operations(reference()):
        assert op.where.file == "ece792.yaml", op.command
    route = next(op for op in operations(reference()) if "30.0.0.0/24 dev gretun-cont" in op.command)
    assert lines[route.where.line - 1].strip() == "- 30.0.0.0/24 dev gretun-cont"


def test_unknown_kind_of_device_is_refused() -> None:
    """A device that has no command is an error, not an omission."""
    alien = Device(node="x", name="y")
    node = reference()["cs1"].__class__(name="x", role="leaf", devices=(alien,))
    with pytest.raises(TypeError, match="no plan for a Device"):
        make_plan(Fabric("alien", (node,), (), ()))


def test_bridge_gets_its_mtu_again_once_its_members_have_joined() -> None:
    """A declared MTU of a bridge is set last, as each member that joins would take it back; others are left alone."""
    text = MIXED.replace("    bridges: {loop", "    mtu: {br: 1300, loop: 1200}\n    bridges: {loop")
    commands = make_plan(load_lab_text(text)).commands
    again = [n for n, command in enumerate(commands) if command == "ip -n a link set dev br mtu 1300"]
    joins = [n for n, command in enumerate(commands) if command.endswith("master br")]
    assert len(again) == 1
    assert len(joins) == 2
    assert again[0] > max(joins)
    assert not [command for command in commands if command == "ip -n a link set dev loop mtu 1200"]


def test_making_a_device_anew_gives_it_all_that_it_had(lab: Fabric) -> None:
    """No other command of the plan names the device: all that is on it, at a cable's other end too, is in its own."""
    for device in (one for one in lab.devices if not isinstance(one, Loopback)):
        own = set(map(str, remade(make_plan(lab), lab, device)))
        left = [command.split() for command in make_plan(lab).commands if command not in own]
        assert own, device.ref
        assert not [words for words in left if words[2] == device.node and device.name in words[3:]], device.ref


def test_what_is_made_on_a_device_is_made_anew_with_it(mixed: Fabric) -> None:
    """A tunnel that goes takes the VXLAN device along that sends by it, whose bridge it has to join again."""
    again = [str(one) for one in remade(make_plan(mixed), mixed, mixed["a"]["t4"])]
    assert any("link add name in-tunnel" in command for command in again)
    assert "ip -n a link set dev in-tunnel master br" in again
    assert not any("name v6 " in command for command in again)

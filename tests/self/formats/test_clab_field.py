"""Common contents of containerlab files and their results: forwarding, shells, bound files, names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.self.formats.clabs import FILE, edited, load, refused
from topology import formats
from topology.derived_pairs import with_derived_pairs
from topology.errors import LabError, Misuse
from topology.formats.clab import load_clab_text
from topology.model import Fabric

ROUTED = """
name: routed
topology:
  nodes:
    r:
      kind: linux
      exec:
        - ip addr add 10.1.5.1/24 dev net1
        - ip addr add 10.1.8.1/24 dev net2
        - LINE
    a: {kind: linux, exec: [ip addr add 10.1.5.10/24 dev eth1, ip route replace default via 10.1.5.1]}
    b: {kind: linux, exec: [ip addr add 10.1.8.10/24 dev eth1, ip route replace default via 10.1.8.1]}
  links:
    - endpoints: ["r:net1", "a:eth1"]
    - endpoints: ["r:net2", "b:eth1"]
"""
"""A router and a host at each side; LINE is the router's last exec line."""
INHERITED = "no line sets net.ipv4.ip_forward at r, which others route through; docker sets it to 1"


def routed(line: str) -> Fabric:
    """The lab with a last line of the router's, and the pairs that the model finds."""
    return with_derived_pairs(load_clab_text(ROUTED.replace("LINE", line), FILE))


ON = (
    "sysctl net/ipv4/ip_forward=1",
    "sysctl -q --write net.ipv4.conf.all.forwarding=1",
    "sh -c 'echo 1 | tee /proc/sys/net/ipv4/ip_forward'",
    "sh -c 'echo -n 1 | sudo tee -a /proc/sys/net/ipv4/ip_forward >/dev/null 2>&1'",
    "sh -c 'echo 1 1>/proc/sys/net/ipv4/ip_forward 2>/dev/null'",
    "sh -c '> /proc/sys/net/ipv4/ip_forward echo 1'",
    "sh -c 'printf \"%s\\n\" 1 >> /proc/sys/net/ipv4/ip_forward'",
    "sh -ec 'bash -c \"printf 1 > /proc/sys/net/ipv4/ip_forward\"'",
    "bash -e -c 'sudo sysctl -w net.ipv4.ip_forward=1 || true'",
)


@pytest.mark.parametrize("line", ON)
def test_forwarding_is_switched_in_every_way(line: str) -> None:
    """However forwarding is switched on, the router is one by its own lines, and both hosts are a pair; off, they are
    none."""
    fabric = routed(line)
    assert [str(pair) for pair in fabric.pairs] == ["a-b-routed"]
    assert not [note for note in fabric.notes if "ip_forward" in note]
    off = routed(line.replace("=1", "=0").replace(" 1 ", " 0 ").replace("echo 1'", "echo 0'"))
    assert off["r"].role == "customer"
    assert {pair.kind for pair in off.pairs} == {"bridge"}


@pytest.mark.parametrize("line", ["ip link show", "sysctl -w net.ipv6.conf.all.accept_ra=0"])
def test_forwarding_is_inherited_and_reported_once(line: str) -> None:
    """Without a line about forwarding a node that others route through forwards, as in docker, and one note says so."""
    fabric = routed(line)
    assert (fabric["r"].role, [str(pair) for pair in fabric.pairs]) == ("leaf", ["a-b-routed"])
    assert len([note for note in fabric.notes if INHERITED in note]) == 1


def test_host_without_a_route_through_it_stays_an_end() -> None:
    """A node with two networks that is no next hop of another node's routes is a customer."""
    text = ROUTED.replace("LINE", "ip link show").replace("route replace default", "route replace 10.1.5.1/32")
    assert load_clab_text(text, FILE)["r"].role == "customer"


def test_group_of_hosts_does_not_stop_a_node_from_forwarding() -> None:
    """A node of a group called hosts that others route through forwards all the same; a label has the last word."""
    grouped = ROUTED.replace("LINE", "ip link show").replace("    r:\n", "    r:\n      group: hosts\n")
    assert load_clab_text(grouped, FILE)["r"].role == "leaf"
    labelled = grouped.replace("group: hosts\n", "labels: {hopcheck.role: customer}\n")
    assert load_clab_text(labelled, FILE)["r"].role == "customer"


def test_ipv6_is_not_forwarded_by_itself() -> None:
    """A next hop of IPv6 routes alone forwards none without a line that says so; one that is a router because of IPv4
    is refused without it."""
    text = ROUTED.replace("10.1.5.", "fd05::").replace("10.1.8.", "fd08::").replace("/24", "/64")
    assert load_clab_text(text.replace("LINE", "ip link show"), FILE)["r"].role == "customer"
    assert load_clab_text(text.replace("LINE", "sysctl -w net.ipv6.conf.all.forwarding=1"), FILE)["r"].role == "leaf"
    both = text.replace("LINE", "ip addr add 10.1.5.1/24 dev net1").replace(
        "[ip addr", "[ip addr add ADDRESS dev eth1, ip addr"
    )
    both = both.replace("ADDRESS", "10.1.5.10/24", 1).replace("ADDRESS", "10.1.8.10/24")
    both = both.replace("- ip addr add fd08", "- ip addr add 10.1.8.1/24 dev net2\n        - ip addr add fd08")
    both = both.replace("default via fd08::1]", "default via fd08::1, ip route replace 10.1.5.0/24 via 10.1.8.1]")
    with pytest.raises(LabError, match=r"does not forward IPv6.*net\.ipv6\.conf\.all\.forwarding=1"):
        load_clab_text(both, FILE)


BOUND = 'binds: ["./leaf2:/srv/leaf2:ro"]'
UNREAD = {
    "binds: [./r1/daemons:/etc/frr/daemons]": True,
    "binds: [./r1:/etc/frr]": True,
    "binds: [./interfaces:/etc/network/interfaces]": True,
    "binds: [./setup.sh:/setup.sh]": True,
    "binds: [./cfg:/etc/my-router.d]": True,
    "binds: [/lib/modules:/lib/modules, ./www:/usr/share/nginx/html]": False,
    "binds: [./hosts:/etc/hosts:ro]": False,
    "startup-config: r.cfg": True,
    "cmd: bash /init.sh": True,
    "entrypoint: sh -c 'ip addr add 10.0.0.9/24 dev eth1; sleep 9'": True,
    "cmd: sleep infinity": False,
}
"""Keys of a node, and whether they may configure its network."""


@pytest.mark.parametrize("line", UNREAD)
def test_configuration_that_is_not_read_is_refused(line: str) -> None:
    """A file or start command that may configure a network is a problem, any other a note."""
    text = edited((BOUND, line))
    if UNREAD[line]:
        assert "may configure the network, and is not read" in str(refused(text))
    else:
        assert [note for note in load(text).notes if "is left out" in note]


@pytest.mark.parametrize("name", ["clab.yaml", "topo.yml", "lab.clab.yml"])
def test_topology_is_known_by_its_key(name: str, tmp_path: Path) -> None:
    """A YAML file with a topology is containerlab's whatever it is called, and gets pairs."""
    (tmp_path / name).write_text(ROUTED.replace("LINE", "ip link show"))
    fabric = formats.load(tmp_path / name, derive=with_derived_pairs)
    assert [str(pair) for pair in fabric.pairs] == ["a-b-routed"]


OTHERS = (
    ("build.sh", "ip netns add a\n", "a shell script"),
    ("build", "#!/usr/bin/env bash\nip netns add a\n", "a script"),
    ("net.py", "from mininet.net import Mininet\n", "a program"),
    ("Dockerfile", "FROM debian\n", "a Dockerfile"),
    ("site.yml", "- hosts: all\n  tasks: []\n", "an Ansible playbook"),
    ("compose.yaml", "services:\n  a: {image: x}\n", "a Compose file"),
)


@pytest.mark.parametrize(("name", "text", "what"), OTHERS)
def test_file_of_another_kind_is_refused_with_advice(name: str, text: str, what: str, tmp_path: Path) -> None:
    """A script, playbook or the like is refused with the advice to build with it, then adopt."""
    (tmp_path / name).write_text(text)
    with pytest.raises(Misuse, match=f"{name} is {what}, not a lab; .*build the network with it, then .*--adopt"):
        formats.load(str(tmp_path / name))

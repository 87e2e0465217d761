"""The key ``frr`` of a node: a configuration below the lab file's folder, and daemons that fit it."""

from __future__ import annotations

from pathlib import Path

import pytest

from topology.errors import LabError
from topology.formats.lab import load_lab
from topology.frr import Frr
from topology.plan import make_plan

LAB = """lab: two
nodes:
  r1: {role: leaf, frr: r1.conf, addresses: {eth1: 10.0.1.1/24}}
  r2: {role: leaf, frr: {config: sub/r2.conf, daemons: [bgpd, bfdd]}}
  c1: {role: customer, addresses: {eth0: 10.0.1.2/24}, routes: [default via 10.0.1.1]}
links: [[r1:eth0, r2:eth0], [r1:eth1, c1:eth0]]
"""
BGP = "router bgp 65001\n neighbor eth0 interface remote-as external\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the lab's configurations, and one beside it that it must not reach."""
    (tmp_path / "lab" / "sub").mkdir(parents=True)
    (tmp_path / "secret.conf").write_text(BGP)
    (tmp_path / "lab" / "out.conf").symlink_to(tmp_path / "secret.conf")
    (tmp_path / "lab" / "r1.conf").write_text(BGP)
    (tmp_path / "lab" / "raw.conf").write_bytes(b"router\xff")
    (tmp_path / "lab" / "ospf.conf").write_text("router ospf\n network 10.0.0.0/8 area 0\n")
    (tmp_path / "lab" / "sub" / "r2.conf").write_text(f"{BGP} neighbor eth0 bfd\n")
    return tmp_path / "lab"


def test_node_has_its_configuration_and_daemons(folder: Path) -> None:
    """A path alone stands for bgpd; the text, the daemons and the runtime come with the node, and into the plan."""
    (folder / "two.yaml").write_text(LAB)
    fabric = load_lab(folder / "two.yaml")
    assert [node.runtime for node in fabric.nodes] == ["frr", "frr", ""]
    assert fabric["r1"].frr == Frr(BGP, ("bgpd",), str(folder / "r1.conf"))
    assert (found := fabric["r2"].frr) is not None
    assert found.daemons == ("bgpd", "bfdd")
    assert [*make_plan(fabric).daemons] == ["r1", "r2"]
    assert fabric.has_daemons
    assert fabric.judged.nodes == ()


MISTAKES = {
    "an unknown daemon": (
        "[bgpd, bfdd]",
        "[bgpd, bfdd, ripd]",
        "4:69",
        "unknown daemon 'ripd'; one of: bgpd, ospfd, bfdd",
    ),
    "a missing file": ("r1.conf", "r9.conf", "3:25", "no such file; the node's frr.conf"),
    "a folder": ("r1.conf", "sub", "3:25", "not a file; the node's frr.conf"),
    "a file elsewhere": ("r1.conf", "../secret.conf", "3:25", "outside of the lab file's folder"),
    "an absolute path": ("r1.conf", "/etc/hostname", "3:25", "outside of the lab file's folder"),
    "a link that leads out": ("r1.conf", "out.conf", "3:25", "outside of the lab file's folder"),
    "no path": ("r1.conf", '"r1\\0.conf"', "3:25", "'r1\\x00.conf' is no path: embedded null byte"),
    "a long name": ("r1.conf", f"{'r' * 300}.conf", "3:25", "cannot be read: File name too long"),
    "bytes": ("r1.conf", "raw.conf", "1:7", "the byte 0xff is not UTF-8"),
    "a needed daemon": (
        "r1.conf",
        "ospf.conf",
        "3:25",
        "lines for ospfd, which does not run in r1; daemons: [bgpd, ospfd]",
    ),
    "another runtime": ("frr: r1.conf", "frr: r1.conf, runtime: docker", "3:43", "the runtime docker; runtime: frr"),
    "no configuration": ("frr: r1.conf", "runtime: frr", "3:29", "no configuration; frr: PATH"),
    "a host": ("role: leaf, frr: r1", "role: customer, frr: r1", "3:14", "forwards no packets; role: leaf or spine"),
    "a list": ("r1.conf", "[r1.conf]", "3:25", ""),
    "no remote": (
        "role: customer, ",
        "role: customer, vxlan: {v: {vni: 5, local: 10.0.1.2, remotes: []}}, ",
        "5:",
        "v has no remote, and no daemon in c1 finds any",
    ),
    "a VRF of no daemon": (
        "role: customer, ",
        "role: customer, vrfs: {red: {table: 9, members: [eth0]}}, ",
        "5:",
        "red is a VRF, and no daemon routes in c1; frr: PATH",
    ),
    "a VRF's table": (
        "r1.conf, ",
        "r1.conf, vrfs: {a: {table: 254, members: []}}, ",
        "3:",
        "254 is that of the kernel",
    ),
    "a VRF's member": ("r1.conf, ", "r1.conf, vrfs: {a: {table: 9, members: [a]}}, ", "3:", "'a' is no device of r1"),
    "a member of two": (
        "r1.conf, ",
        "r1.conf, vrfs: {a: {table: 9, members: [eth0]}, b: {table: 8, members: [eth0]}}, ",
        "3:",
        "'eth0' is a member of a already",
    ),
    "an answer in no bridge": (
        "r1.conf, ",
        "r1.conf, vxlan: {v: {vni: 5, local: 10.0.1.1, remotes: [], suppress: true}}, ",
        "3:",
        "v is in no bridge that could answer in place of others",
    ),
    "no local address": (
        "r1.conf, ",
        "r1.conf, vxlan: {v: {vni: 5, remotes: []}}, ",
        "3:",
        "v has no local address, by which other VTEPs know it; local: ADDRESS",
    ),
    "a VTEP with an IPv6 address": (
        "r1.conf, ",
        'r1.conf, vxlan: {v: {vni: 5, local: "fd00::1", remotes: []}}, ',
        "3:61",
        "v has the IPv6 address fd00::1, and the EVPN of FRR 8.4 knows only IPv4 VTEPs; local: an IPv4 address",
    ),
}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        *((f"router {one}", f"router {one}") for one in ("ospf6", "isis core", "rip", "ripng", "eigrp 1", "babel")),
        ("interface eth0\n ip pim", "ip pim"),
        ("mpls ldp", "mpls ldp"),
        ("interface eth0\n evpn mh es-id 1", "evpn mh"),
        ("ip route 10.9.0.0/16 10.0.1.2", ""),
        ("interface eth0\n description router isis", ""),
    ],
)
def test_line_that_nothing_here_follows_is_refused(folder: Path, line: str, words: str) -> None:
    """vtysh takes it without a word; its place is in the configuration. Static routes are staticd's, which runs."""
    (folder / "r1.conf").write_text(f"{BGP}{line}\n")
    (folder / "two.yaml").write_text(LAB)
    if not words:
        assert load_lab(folder / "two.yaml").has_daemons
        return
    with pytest.raises(LabError) as refused:
        load_lab(folder / "two.yaml")
    (problem,) = refused.value.problems
    words = " ".join(words.split()[:2])
    number = 3 + line.count("\n")
    why = "puts a host behind several VTEPs, which is not followed; each host behind one VTEP"
    why = why if words == "evpn mh" else "needs a daemon that is not run here; lines for one of bgpd"
    assert f"r1.conf:{number}:1: '{words}' {why}" in str(problem)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_refused_at_its_place(folder: Path, name: str) -> None:
    """Whatever a configuration is or lacks is said at its line and column, with what would be right."""
    old, new, place, words = MISTAKES[name]
    assert old in LAB
    (folder / "two.yaml").write_text(LAB.replace(old, new, 1))
    with pytest.raises(LabError) as refused:
        load_lab(folder / "two.yaml")
    (problem,) = refused.value.problems
    assert f":{place}" in str(problem), problem
    assert words in str(problem)

"""FRR of a containerlab file: its bound files are a node's ``frr``, and what cannot be run is refused in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from topology.errors import LabError
from topology.formats.clab import load_clab

TEXT = """\
name: routed
topology:
  nodes:
    r1:
      kind: linux
      image: quay.io/frrouting/frr:10.5.0
      binds: [r1/frr.conf:/etc/frr/frr.conf, "r1/daemons:/etc/frr/daemons:ro"]
    h1: {kind: linux, image: alpine, exec: [ip addr add 10.1.1.2/24 dev eth1]}
  links:
    - endpoints: [r1:eth1, h1:eth1]
"""
CONFIG = "interface eth1\n ip address 10.1.1.1/24\nrouter bgp 65001\n"
SWITCHES = '# which run\nzebra=yes\nbgpd=yes\nospfd = no\n bfdd=yes\nvtysh_enable=yes\nbgpd_options="-A ::1"\n'
ONE, OTHER = "r1/frr.conf:/etc/frr/frr.conf, ", '"r1/daemons:/etc/frr/daemons:ro"'


def lab(folder: Path, *edits: tuple[str, str], switches: str = SWITCHES) -> Path:
    """The file in a folder, with the files that it binds, some text of it replaced."""
    text = TEXT
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "r1").mkdir()
    for name, content in (("r1/frr.conf", CONFIG), ("r1/daemons", switches), ("lab.clab.yml", text)):
        (folder / name).write_text(content)
    return folder / "lab.clab.yml"


@pytest.mark.parametrize("binds", ["", "r1:/etc/frr", "r1/:/etc/frr/:ro"])
def test_bound_files_are_the_nodes_daemons(binds: str, tmp_path: Path) -> None:
    """Two files or their folder: the configuration as it is, and those daemons that are switched on; it is a router."""
    edits = [(ONE + OTHER, binds)] if binds else []
    node = load_clab(lab(tmp_path, *edits))["r1"]
    assert (node.role, node.runtime) == ("leaf", "frr")
    assert node.frr
    assert (node.frr.config, node.frr.daemons) == (CONFIG, ("bgpd", "bfdd"))


REFUSED = {
    "no configuration": ((ONE, ""), "lab.clab.yml:7:15: r1 has no frr.conf"),
    "another image": (
        ("quay.io/frrouting/frr:10.5.0", "vyos/frrouting-frr"),
        "lab.clab.yml:7:15: 'binds: r1/frr.conf:/etc/frr/frr.conf' may configure the network, and is not read; image:",
    ),
    "no file": (("r1/daemons:", "r2/daemons:"), "no such file; FRR's file of daemons"),
    "outside": (("r1/daemons:", "../daemons:"), "../daemons is outside of the lab file's folder"),
    "an outside configuration": (("r1/frr.conf:", "../frr.conf:"), "../frr.conf is outside of the lab file's folder"),
    "no switches": ((f", {OTHER}", ""), "has lines for bgpd, which does not run in r1"),
    "a strange folder": ((ONE + OTHER, f"{'x' * 300}:/etc/frr"), "cannot be read: File name too long"),
    "no path": (("r1/daemons:", "r1\\0x:"), "is no path: "),
    "a folder that is no path": ((ONE + OTHER, '"x\\0:/etc/frr"'), "lab.clab.yml:7:15: 'x\\x00/frr.conf' is no path: "),
    "another vendor": (("kind: linux\n", "kind: nokia_srlinux\n"), "the kind 'nokia_srlinux' is unsupported"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_run_is_refused(name: str, tmp_path: Path) -> None:
    """Without a configuration, from elsewhere, in an image that may be anything: no node runs other than it says."""
    edit, words = REFUSED[name]
    with pytest.raises(LabError) as caught:
        load_clab(lab(tmp_path, edit))
    assert words in str(caught.value)


def test_daemon_that_is_not_run_is_refused_where_it_is_switched_on(tmp_path: Path) -> None:
    """The place is in the file of daemons."""
    with pytest.raises(LabError, match=r"r1/daemons:8:2: isisd of r1 is not run; one of bgpd, ospfd, bfdd"):
        load_clab(lab(tmp_path, switches=f"{SWITCHES} isisd=yes\n"))

"""``--cluster`` is read as it is written, and what is none is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.cluster.option import Wanted, wanted_of
from topology.errors import Misuse

RIGHT = {
    "local": Wanted("local"),
    "local:12": Wanted("local", guests=12),
    "tcp://leaf7:8786": Wanted("tcp", address="tcp://leaf7:8786"),
    "tls://10.0.0.1:8786": Wanted("tcp", address="tls://10.0.0.1:8786"),
}
FILES = {
    "leaf7 2\n# spare\n\nada@leaf8  # one\n": Wanted("ssh", hosts=("leaf7", "leaf7", "ada@leaf8")),
    "workers: 3\nmemory: 2GB\njob_extra_directives: --exclusive -N1\n": Wanted(
        "slurm", settings=(("workers", 3), ("memory", "2GB"), ("job_extra_directives", ["--exclusive", "-N1"]))
    ),
}
WRONG = (
    "",
    "locale",
    "local:",
    "local:0",
    "local:x",
    "local:٣",
    "local:99999999",
    "tcp:leaf7",
    "tcp://leaf7",
    "ssh:",
    "k8s:x",
)
WRONG_FILES = {
    "ssh": {
        "": "1:1: no host",
        "leaf7\nleaf8 none\n": "2:1: no host; a name for ssh and the number of its guests: leaf7 4",
        "-oProxyCommand=x 1\n": "1:1: no host",
        "leaf7 2 3\n": "1:1: no host",
    },
    "slurm": {
        "memory: 2GB\n": "no 'workers' or no 'memory'",
        "workers: 2\nmemory: 2GB\nprologue: x\n": "unknown key 'prologue'",
        "workers: many\nmemory: 2GB\n": "workers - expected a number from 1 to 256 - seen 'many'",
        "workers: 2\nmemory: [1]\n": "memory - expected text",
        "- workers\n": "no 'workers'",
        "workers: [\n": "profile:",
    },
}


@pytest.mark.parametrize("text", RIGHT)
def test_cluster_is_read(text: str) -> None:
    assert wanted_of(text) == RIGHT[text]


@pytest.mark.parametrize("text", FILES)
def test_file_of_a_cluster_is_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "profile").write_text(text)
    assert wanted_of(f"{FILES[text].kind}:{tmp_path / 'profile'}") == FILES[text]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(Misuse, match="no cluster; local, local:N, tcp://"):
        wanted_of(text)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, found in WRONG_FILES.items() for text in found])
def test_file_with_a_mistake_is_refused_at_its_place(kind: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "profile").write_text(text)
    with pytest.raises(Misuse) as refused:
        wanted_of(f"{kind}:{tmp_path / 'profile'}")
    assert WRONG_FILES[kind][text] in str(refused.value)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no such file"):
        wanted_of(f"ssh:{tmp_path / 'none'}")

"""Recognises files that are not labs (scripts, playbooks, captures), and names the right use of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from topology.errors import Misuse
from topology.formats.text_file import displayed

ADOPT = (
    "hopcheck runs nothing of it: build the network with it, "
    "then `pytest -m overlay --adopt --expect pairs.yaml` (docs/adopting.md)"
)
SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys((".sh", ".bash", ".zsh", ".ash"), "a shell script"),
    **dict.fromkeys((".py", ".pl", ".rb", ".lua", ".tcl", ".exp", ".js", ".go", ".mn"), "a program"),
    **dict.fromkeys((".tf", ".j2", ".ipynb", ".ps1", ".bat"), "a program"),
    ".conf": "a configuration file",
    ".imn": "a CORE topology",
    ".gns3": "a GNS3 project",
    ".unl": "an EVE-NG lab",
    ".pkt": "a Packet Tracer file",
    ".pcap": "a capture",
    ".pcapng": "a capture",
}
"""Kinds of files by suffix."""
NAMES: Mapping[str, str] = {
    "dockerfile": "a Dockerfile",
    "containerfile": "a Dockerfile",
    "makefile": "a makefile",
    "vagrantfile": "a Vagrantfile",
}
"""Kinds of files by name."""
YAML = (
    (re.compile(r"^(- )?\s*(hosts|tasks|roles)\s*:", re.MULTILINE), "an Ansible playbook"),
    (re.compile(r"^services\s*:", re.MULTILINE), "a Compose file"),
    (re.compile(r"^network\s*:", re.MULTILINE), "a netplan file"),
    (re.compile(r"^apiVersion\s*:", re.MULTILINE), "a Kubernetes manifest"),
)
"""Kinds of YAML files without a lab's keys, by the keys that they have."""
_LAB_KEYS = re.compile(r"^\s*[{]?\s*['\"]?(lab|nodes|topology)['\"]?\s*:", re.MULTILINE)
_HEAD = 4096
"""Characters from the start of a file that are looked at."""


def refuse_others(path: Path) -> None:
    """Raise Misuse with what to do instead for a file that is there and is no lab by its name or its first lines."""
    if path.is_file() and (what := _called(path)):
        raise Misuse(f"{displayed(path)} is {what}, not a lab; {ADOPT}")


def _called(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode(errors="replace")
    except OSError:
        return ""
    if head.startswith("#!"):
        return "a script"
    if (name := path.name.lower().partition(".")[0]) in NAMES:
        return NAMES[name]
    if path.suffix in (".yaml", ".yml"):
        return "" if _LAB_KEYS.search(head) else next((what for form, what in YAML if form.search(head)), "")
    return SUFFIXES.get(path.suffix.lower(), "")

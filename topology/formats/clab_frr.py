"""FRR in a containerlab file: a node of the image frrouting/frr whose frr.conf is bound into it is a lab's ``frr``.

Its ``daemons`` file, where it is bound too, says which run beside zebra. Both are read, and never run, here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from topology.errors import Misuse, Position
from topology.formats.clab_file import FRR_CONFIG, FRR_DAEMONS, FRR_FOLDER, Declared, is_of_frr, target_of
from topology.formats.lab_refusals import ALL
from topology.formats.lab_values import shown
from topology.formats.text_file import displayed, path_below, read_text
from topology.formats.yaml_positions import Items, Scalar, Table, Tree
from topology.frr import ALWAYS, DAEMONS

IMAGE = re.compile(r"(.*/)?frrouting/frr([:@].*)?")
SWITCH = re.compile(r"^[ \t]*(\w+)[ \t]*=[ \t]*[\"']?(?:yes|true|1)\b", re.MULTILINE)


def frr_of(node: Declared, file: str) -> Table | None:
    """The key ``frr`` of a node, None where nothing is bound into FRR's folder; findings say what cannot be run."""
    folder = Path(file).resolve().parent
    bound = dict(_bound(node, folder))
    if not bound:
        return None
    findings, one = node.reader.findings, next(iter(bound.values()))
    image = node.value("image")
    if image is None or not IMAGE.fullmatch(image.text):
        what = f"{shown(f'binds: {one.text}')} may configure the network, and is not read"
        findings.refuse(one.where, what, "image: frrouting/frr, or exec lines that say the same", *ALL)
        return None
    if FRR_CONFIG not in bound:
        what = f"{node.name} has no {FRR_CONFIG}: its daemons would run without a configuration"
        findings.refuse(one.where, what, f"binds: [PATH:{FRR_FOLDER}/{FRR_CONFIG}]", *ALL)
        return None
    entries: dict[str, Tree] = {
        "config": Scalar(bound[FRR_CONFIG].where, _source(bound[FRR_CONFIG])),
        "daemons": Items(one.where, [*_daemons(node, bound.get(FRR_DAEMONS), folder)]),
    }
    return Table(one.where, {key: (part.where, part) for key, part in entries.items()})


def _bound(node: Declared, folder: Path) -> Iterator[tuple[str, Scalar]]:
    """Each file that is bound into FRR's folder, by its name there, with a bind of it alone."""
    binds = (tree for layer in node.layers if "binds" in layer.entries for tree in node.reader.items(layer, "binds"))
    for tree in binds:
        if not isinstance(tree, Scalar) or not is_of_frr("binds", tree):
            continue
        if target_of(tree.text) != FRR_FOLDER:
            yield target_of(tree.text).rpartition("/")[2], tree
            continue
        source = _source(tree).rstrip("/")
        yield FRR_CONFIG, Scalar(tree.where, f"{source}/{FRR_CONFIG}")
        if _may_be(folder / source / FRR_DAEMONS):
            yield FRR_DAEMONS, Scalar(tree.where, f"{source}/{FRR_DAEMONS}")


def _may_be(path: Path) -> bool:
    """True unless there is surely no such file: reading one that cannot be looked for says why."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return True


def _source(bind: Scalar) -> str:
    return bind.text.partition(":")[0]


def _daemons(node: Declared, bind: Scalar | None, folder: Path) -> Iterator[Scalar]:
    """The daemons that are switched on, each at its place in the file that does so; none without such a file."""
    findings = node.reader.findings
    if bind is None:
        return
    try:
        path = path_below(folder, _source(bind))
        text = read_text(path, "FRR's file of daemons")
    except Misuse as error:
        what, _, right = str(error).rpartition("; ")
        findings.refuse(bind.where, what, right, *ALL)
        return
    for found in SWITCH.finditer(text):
        line = text.count("\n", 0, found.start(1)) + 1
        where = Position(displayed(path), line, found.start(1) - text.rfind("\n", 0, found.start(1)))
        if found[1] in DAEMONS:
            yield Scalar(bind.where, found[1])
        elif found[1] not in ALWAYS and found[1].endswith("d"):
            findings.refuse(where, f"{found[1]} of {node.name} is not run", f"one of {', '.join(DAEMONS)}", *ALL)

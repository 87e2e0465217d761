"""Reads a recipe: how submissions are built, and what hopcheck must know of the assignment.

One recipe is for a class. From a submission's own ``hopcheck.yaml`` only steps, cleanup and needs are taken.
Its keys are described in docs/grading.md.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, PlainValidator

from topology.errors import LabError
from topology.formats import lab_values as values
from topology.formats import load
from topology.formats.lab_refusals import read_spec
from topology.formats.lab_schema import Flag, Listed, ManagementItem, Spec, _choice, _number, _one_or_more
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.formats.yaml_positions import parse
from topology.model import NAME_MAX, Network
from topology.promises import TENANT_TYPES, TenantType

Need: TypeAlias = Literal["docker", "ansible"]
NEEDS: tuple[Need, ...] = get_args(Need)
PLACEHOLDERS = ("csv", "spines", "leaves")
OWN_FILE = "hopcheck.yaml"
OWN_KEYS = ("steps", "cleanup", "needs")
"""What a submission may say of itself."""
COMMAND_MAX = 4096
STEPS_MAX = 32
STEP_S, BUILD_S, STEP_MAX_S = 600, 1800, 6 * 3600
"""Seconds of a step that names no deadline, of all steps where the class names none, and of the longest step."""
MIB = 1 << 20
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smh])", re.ASCII)
_SIZE = re.compile(r"([1-9][0-9]{0,5})([KMG])", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/-]{0,127}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?", re.ASCII)
_FILLED = re.compile(r"(?<!\$)\{([a-z]+)\}")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
HOLDS = "a recipe, starting with 'steps:'"


def duration(value: object) -> int:
    """Read a time with its unit, in seconds."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= STEP_MAX_S:
        raise values.wrong(f"{values.shown(value)} is no deadline", "a number with its unit: 90s, 5m, or 6h at most")
    return seconds


def size(value: object) -> int:
    """Read a number of bytes with its unit."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise values.wrong(f"{values.shown(value)} is no size", "a number with its unit: 500K, 10M or 2G")
    return int(found[1]) * _BYTES[found[2]]


def command(value: object) -> str:
    """Read a shell's command line, which may have the placeholders ``{csv}``, ``{spines}`` and ``{leaves}``."""
    found = values.text(value)
    if not found.strip() or "\0" in found or len(found) > COMMAND_MAX:
        raise values.wrong(f"{values.shown(found)} is no command", f"one of at most {COMMAND_MAX} characters")
    for word in _FILLED.findall(found):
        if word not in PLACEHOLDERS and (meant := get_close_matches(word, PLACEHOLDERS, n=1)):
            raise values.wrong(f"unknown placeholder {{{word}}}", f"did you mean {{{meant[0]}}}?")
    return found


def folder(value: object) -> str:
    """Read a folder inside a submission."""
    found = values.text(value)
    if not found or found.startswith("/") or ".." in found.split("/") or "\0" in found:
        raise values.wrong(f"{values.shown(found)} is no folder of a submission", "a relative path without '..'")
    return found


def image(value: object) -> str:
    """Read a container image's name."""
    found = values.text(value)
    if not _IMAGE.fullmatch(found):
        raise values.wrong(f"{values.shown(found)} is no image's name", "such as ubuntu:22.04")
    return found


def template(value: object) -> str:
    """Read the form of the names that a submission gives to its customers."""
    found = values.text(value)
    if found.count("{name}") != 1 or len(found) > COMMAND_MAX:
        raise values.wrong(f"{values.shown(found)} has no place for a customer's name", "such as x-{name}")
    return found


Command: TypeAlias = Annotated[str, PlainValidator(command)]
Count: TypeAlias = Annotated[int, _number("number", 1, 64)]
Needs: TypeAlias = Listed[Annotated[Need, _choice("need", NEEDS)]]


def _some_steps(value: object) -> object:
    if isinstance(value, list) and len(value) > STEPS_MAX:
        raise values.wrong(f"{len(value)} steps", f"at most {STEPS_MAX}")
    return value


class StepSpec(Spec):
    """One entry of ``steps``."""

    run: Command
    cwd: Annotated[str, PlainValidator(folder)] = "."
    deadline: Annotated[int, PlainValidator(duration)] = STEP_S
    needed: ClassVar[Mapping[str, str]] = {"run": "run: a command line"}


class FixedSpec(Spec):
    """One entry of ``fixed``: two customers, and how their traffic is carried."""

    source: Annotated[str, PlainValidator(values.name("node", NAME_MAX))]
    target: Annotated[str, PlainValidator(values.name("node", NAME_MAX))]
    type: Annotated[TenantType, _choice("type", TENANT_TYPES)]
    needed: ClassVar[Mapping[str, str]] = {
        "source": "source: a customer's name",
        "target": "target: a customer's name",
        "type": f"type: one of {', '.join(TENANT_TYPES)}",
    }


class CsvSpec(Spec):
    """The dialect of the CSV that a submission reads."""

    header: Flag = False
    blanks: Flag = False


class LimitsSpec(Spec):
    """Limits of a submission, in bytes."""

    memory: Annotated[int, PlainValidator(size)] = 2048 * MIB
    output: Annotated[int, PlainValidator(size)] = 10 * MIB


class RecipeSpec(Spec):
    """A whole recipe."""

    steps: Annotated[Listed[StepSpec], BeforeValidator(_some_steps)] = Field(default={})
    cleanup: Command = ""
    fixed: Listed[FixedSpec] = Field(default={})
    prelude: Annotated[str, PlainValidator(values.text)] = ""
    csv: CsvSpec = CsvSpec()
    needs: Annotated[Needs, BeforeValidator(_one_or_more)] = Field(default={})
    images: Annotated[Listed[Annotated[str, PlainValidator(image)]], BeforeValidator(_one_or_more)] = Field(default={})
    customers: Annotated[str, PlainValidator(template)] = "{name}"
    management: Listed[ManagementItem] = Field(default={})
    limits: LimitsSpec = LimitsSpec()
    spines: Count = 2
    leaves: Count = 2


@dataclass(frozen=True)
class Step:
    """A command line of a shell inside the submission's folder ``cwd``, with the seconds that it may take."""

    run: str
    cwd: str = "."
    deadline: int = STEP_S


@dataclass(frozen=True)
class Recipe:
    """A recipe: how submissions are built; ``total`` are the seconds that all steps of one may take together.

    ``header`` and ``blanks`` are the dialect of its CSV. ``memory`` and ``output`` are in bytes. ``prelude`` is a lab
    that is built before the submission. ``fixed`` are rows (source, target, type) that each builds without the CSV.
    """

    steps: tuple[Step, ...] = ()
    cleanup: str = ""
    prelude: Path | None = None
    header: bool = False
    blanks: bool = False
    needs: tuple[Need, ...] = ()
    images: tuple[str, ...] = ()
    customers: str = "{name}"
    management: tuple[str | Network, ...] = ()
    memory: int = 2048 * MIB
    output: int = 10 * MIB
    spines: int = 2
    leaves: int = 2
    total: int = BUILD_S
    fixed: tuple[tuple[str, str, TenantType], ...] = ()

    def filled(self, line: str, csv: str) -> str:
        """Return a command line with its placeholders filled in; ``csv`` is the file's path where it runs."""
        filled = line.replace("{csv}", shlex.quote(csv))
        return filled.replace("{spines}", str(self.spines)).replace("{leaves}", str(self.leaves))

    def rows_text(self, rows: Sequence[tuple[str, str, str]]) -> str:
        """Return the CSV of rows of source, target and type, in the dialect that submissions read."""
        lines = [("source", "destination", "type"), *rows] if self.header else rows
        return "".join((", " if self.blanks else ",").join(line) + "\n" for line in lines)


def load_recipe(path: Path) -> Recipe:
    """Return a file's recipe; raises LabError with every problem of its content or of its prelude's, Misuse if one
    cannot be read."""
    spec = _spec_of(read_text(path, "a YAML file with a list steps:"), displayed(path))
    if spec.prelude:
        load(path.parent / spec.prelude)
    steps = _steps(spec)
    return Recipe(
        steps,
        spec.cleanup,
        path.parent / spec.prelude if spec.prelude else None,
        spec.csv.header,
        spec.csv.blanks,
        tuple(spec.needs.values()),
        tuple(spec.images.values()),
        spec.customers,
        tuple(spec.management.values()),
        spec.limits.memory,
        spec.limits.output,
        spec.spines,
        spec.leaves,
        total=sum(step.deadline for step in steps) or BUILD_S,
        fixed=tuple((one.source, one.target, one.type) for one in spec.fixed.values()),
    )


def with_own(recipe: Recipe, text: str, file: str = OWN_FILE) -> tuple[Recipe, list[str]]:
    """Return the class's recipe with what a submission's own file may say, and a note on each key that it may not.

    No deadline is longer than the class's whole time. Raises LabError with every problem of the text.
    """
    spec = _spec_of(text, file)
    steps = tuple(replace(step, deadline=min(step.deadline, recipe.total)) for step in _steps(spec))
    given = [field.alias or name for name, field in RecipeSpec.model_fields.items() if name in spec.model_fields_set]
    own = replace(
        recipe,
        steps=steps or recipe.steps,
        cleanup=spec.cleanup or recipe.cleanup,
        needs=tuple(dict.fromkeys((*recipe.needs, *spec.needs.values()))),
    )
    return own, [f"{file}: {key!r} is the class's to say, and left out" for key in given if key not in OWN_KEYS]


def _spec_of(text: str, file: str) -> RecipeSpec:
    refuse_too_long(len(text), file)
    tree, form = parse(text, file, HOLDS)
    spec, refused, _ = read_spec(tree, RecipeSpec)
    if spec is None or form or refused:
        raise LabError([*form, *refused])
    return spec


def _steps(spec: RecipeSpec) -> tuple[Step, ...]:
    return tuple(Step(one.run, one.cwd, one.deadline) for one in spec.steps.values())

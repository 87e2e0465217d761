"""JSON Schemas of the lab file, of ``--expect``, recipes and rubrics, derived from their readers.

``python -m topology.formats.json_schemas`` writes them.

What a schema cannot say (that a node exists, that a route leads somewhere) only the readers check.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from topology.formats import lab_schema, recipe, rubric
from topology.formats import lab_values as values
from topology.formats.lab_schema import ExpectSpec, LabSpec, Spec
from topology.links.tunnel import VNI_MAX, VNI_MIN

FOLDER = Path(__file__).parents[1] / "schemas"
SCHEMAS: Mapping[str, type[Spec]] = {
    "lab": LabSpec,
    "expect": ExpectSpec,
    "recipe": recipe.RecipeSpec,
    "rubric": rubric.RubricSpec,
}
"""The published schemas by the names of their files."""
TEXT: JsonSchemaValue = {"type": "string"}
SCALARS: Mapping[Callable[..., Any], JsonSchemaValue] = {
    values.text: TEXT,
    values.vni: {"type": "integer", "minimum": VNI_MIN, "maximum": VNI_MAX},
    values.ttl: {"anyOf": [{"const": "inherit"}, {"type": "integer", "minimum": 1, "maximum": 255}]},
    values.mac: {"type": "string", "pattern": "^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$"},
    values.address: {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    values.interface: {"type": "string", "pattern": "^[^/%\\s]+/[0-9]{1,3}$"},
    values.interface_or_network: {"type": "string", "pattern": "^[A-Za-z0-9_:][A-Za-z0-9_.:/-]*$"},
    values.node_or_address: {
        "type": "string",
        "pattern": "^[A-Za-z0-9_:][A-Za-z0-9_.:-]*(@[A-Za-z0-9_][A-Za-z0-9_.-]*)?$",
    },
    values.endpoint: {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*:[A-Za-z0-9_][A-Za-z0-9_.-]*$"},
    values.share: {"type": "string", "pattern": "^[0-9]{1,4}(\\.[0-9]{1,3})? ?%$"},
    values.time_without_service: {"type": "string", "pattern": "^[0-9]{1,6}(\\.[0-9]{1,3})? ?m?s$"},
    values.flag: {"type": "boolean"},
    values.route: TEXT,
    recipe.duration: {"type": "string", "pattern": "^[1-9][0-9]{0,5}[smh]$"},
    recipe.size: {"type": "string", "pattern": "^[1-9][0-9]{0,5}[KMG]$"},
    recipe.command: {"type": "string", "minLength": 1, "maxLength": recipe.COMMAND_MAX},
    recipe.folder: {"type": "string", "pattern": "^[^/]"},
    recipe.image: {"type": "string", "pattern": "^[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_.-]+)?$"},
    recipe.template: {"type": "string", "pattern": "\\{name\\}"},
    rubric.effects_share: {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": float(rubric.SHARE_MAX)},
            {"type": "string", "pattern": "^0(\\.([0-4][0-9]{0,2}|50{0,2}))?$"},
        ]
    },
}
"""The form of each scalar that the readers know, by its reader."""


def scalar(read: Callable[..., Any]) -> JsonSchemaValue:
    """The schema of what a reader of scalars takes; those that are made for a noun have their bounds in them."""
    if read in SCALARS:
        return dict(SCALARS[read])
    given = inspect.getclosurevars(read).nonlocals
    if "known" in given:
        return {"enum": [*given["known"]]}
    if "low" in given:
        return {"type": "integer", "minimum": given["low"], "maximum": given["high"]}
    name = {"type": "string", "maxLength": given["limit"], "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"}
    return name | ({"not": {"enum": sorted(values.KERNEL_NAMES)}} if given["noun"] == "device" else {})


class Generator(GenerateJsonSchema):
    """Writes what the readers take before they turn it into their own form."""

    def function_plain_schema(self, schema: Any) -> JsonSchemaValue:
        """A scalar."""
        return scalar(schema["function"]["function"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """A part that may be left out; its default is in the reader's own form, which no file has."""
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles, which would only repeat the keys."""
        return False

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        """A list, which the readers hold by number, or a mapping from names."""
        inner = self.generate_inner(schema["values_schema"])
        if schema["keys_schema"]["type"] == "int":
            return {"type": "array", "items": inner}
        return {
            "type": "object",
            "propertyNames": self.generate_inner(schema["keys_schema"]),
            "additionalProperties": inner,
        }

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        """What may be written shorter, or has a number of parts."""
        inner = self.generate_inner(schema["schema"])
        read = schema["function"]["function"]
        if read in (lab_schema._one_or_more, lab_schema._fates):
            return {"anyOf": [inner["items"], inner | {"minItems": int(read is lab_schema._fates)}]}
        if read is recipe._some_steps:
            return inner | {"maxItems": recipe.STEPS_MAX}
        if read is lab_schema._two_ends:
            return inner | {"minItems": 2, "maxItems": 2}
        if read is lab_schema._link:
            pair = {"type": "array", "items": SCALARS[values.endpoint], "minItems": 2, "maxItems": 2}
            return {"anyOf": [pair, inner]}
        return inner | ({"minProperties": 1} if read is lab_schema._nodes else {})


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one kind of file."""
    made = SCHEMAS[name].model_json_schema(by_alias=True, schema_generator=Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}


def texts() -> dict[Path, str]:
    """The published files and what they hold."""
    return {FOLDER / f"{name}.json": json.dumps(schema_of(name), indent=1) + "\n" for name in SCHEMAS}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text)

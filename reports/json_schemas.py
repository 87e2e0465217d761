"""The published schemas of records; ``python -m reports.json_schemas`` writes them again."""

from __future__ import annotations

import json
from pathlib import Path

from reports.grading.record import Graded
from reports.record.model import Record

SCHEMAS = {"results": Record, "grading": Graded}


def texts() -> dict[Path, str]:
    """The published files and what they hold."""
    from pydantic import TypeAdapter

    folder = Path(__file__).parent
    made = {name: TypeAdapter(kind).json_schema() for name, kind in SCHEMAS.items()}
    return {folder / f"{name}.schema.json": json.dumps(schema, indent=1) + "\n" for name, schema in made.items()}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text)

"""All benchmarks, one after the other: ``python -m benchmarks``. A missed goal is shown, and is no error.

What this machine cannot do is said and left out.
"""

from __future__ import annotations

from rich.console import Console

from benchmarks import build, parallel, readout, restore
from topology.errors import EnvironmentBroken

if __name__ == "__main__":
    for bench in (build, restore, readout, parallel):
        try:
            bench.main()
        except EnvironmentBroken as error:
            Console().print(f"{bench.__name__}: skipped: {error}", markup=False)

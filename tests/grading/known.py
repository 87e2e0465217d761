"""The submissions of our own under ``submissions``, each right: the rows that each is built for, and its recipe."""

from __future__ import annotations

from tests.grading.kit import BUILD_S, SUBMISSIONS, Known, files_of, recipe
from topology.formats.recipe import Recipe

NUMBERLESS = "no-leak"
"""Of rows without a number of their own: leaves with one tunnel for all."""
KNOWN = {
    "namespaces": Known("VXLAN GRE", recipe("./build.sh {csv}", cleanup="ip -all netns del")),
    "two-spines": Known("VXLAN Bridge VXLAN", recipe("sh build.sh {csv}", spines=2), NUMBERLESS),
    "state-in-steps": Known("GRE", Recipe(total=2 * BUILD_S), NUMBERLESS),
    "in-tunnel": Known("VXLAN", recipe("./build.sh {csv}", blanks=True)),
    "beside-tunnel": Known("VXLAN VXLAN", recipe("python3 run.py {csv}")),
    "gre-on-itself": Known("GRE", recipe("bash gre.sh", "bash customers.sh {csv}", blanks=True), NUMBERLESS),
    "ecmp-loopbacks": Known("VXLAN", recipe("sh build.sh {csv}", spines=2)),
    "ipv6-underlay": Known("VXLAN GRE L3", recipe("sh fabric.sh", "bash customers.sh {csv}"), NUMBERLESS),
    "old-tools": Known("Bridge L3", recipe("bash setup.sh", "bash attach.sh {csv}", "bash trace.sh"), NUMBERLESS),
    "one-vxlan-device": Known("VXLAN VXLAN GRE", recipe("bash build.sh {csv}", spines=2)),
    "machine-bridges": Known("VXLAN GRE", recipe("sh build.sh {csv}")),
    "macvlan": Known("VXLAN GRE", recipe("sh build.sh {csv}", spines=2)),
    "netlink": Known("GRE GRE", recipe("python3 fabric.py {csv}")),
    "random-leaves": Known("VXLAN L3", recipe("python3 build.py {csv}"), NUMBERLESS),
    "over-prelude": Known("VXLAN VXLAN", recipe("python3 main.py {csv}", blanks=True)),
    "docker-sdk": Known("L3", recipe("python3 build.py 1 2 ubuntu {csv}", needs=("docker",)), NUMBERLESS),
    "docker-cli": Known("VXLAN", recipe("./create.sh ubuntu:22.04 {csv}", needs=("docker",), blanks=True)),
}
"""By the name of the text archive. One submission more is declared, not built."""
ALWAYS = "namespaces"
"""That is graded with each change."""


def files(name: str) -> dict[str, str]:
    """The files of a submission."""
    return files_of(SUBMISSIONS / f"{name}.txtar")

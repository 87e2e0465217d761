"""Rewrites commands for a node as they are typed on the machine that carries it. Pure."""

from __future__ import annotations

NETNS = "ip netns exec"
"""Enters a namespace that has a name; containers are entered by ``docker exec``, processes' by ``nsenter``."""
TOOLS = ("ip", "bridge", "tc")
"""The tools of iproute2 that enter a named namespace themselves, with ``-n``."""


def typed(commands: str, node: str, entrance: str) -> str:
    """Return commands that are written for a namespace with the node's name, rewritten for a node that is entered by
    the command ``entrance``. An empty ``entrance`` means such a namespace: the commands are unchanged.
    """
    return "; ".join(_typed(command, node, entrance) for command in commands.split("; ")) if entrance else commands


def _typed(command: str, node: str, entrance: str) -> str:
    forms = {f"{NETNS} {node} ": "", **{f"{tool} -n {node} ": f"{tool} " for tool in TOOLS}}
    begun = next((form for form in forms if command.startswith(form)), None)
    return command if begun is None else f"{entrance} {forms[begun]}{command.removeprefix(begun)}"

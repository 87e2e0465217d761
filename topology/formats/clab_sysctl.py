"""``sysctl`` of a containerlab file: whether a node forwards, and what hopcheck's own nodes are set to.

hopcheck writes some sysctls itself, in every node (topology/plan.py). A file may say the same; what says otherwise
would make another fabric, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from topology.errors import Position
from topology.formats.clab_findings import refusal
from topology.formats.clab_machine import Machine
from topology.formats.clab_routing import HASH_POLICY, LINKDOWN
from topology.formats.clab_shell import Words
from topology.formats.lab_values import shown

FORWARDING: Mapping[str, int] = {
    "net.ipv4.ip_forward": 4,
    "net.ipv4.conf.all.forwarding": 4,
    "net.ipv6.conf.all.forwarding": 6,
}
"""The keys that make a router, and the IP version each is for."""
ROUTING: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(HASH_POLICY, ("0", "1", "2")),
    **dict.fromkeys(LINKDOWN, ("0", "1")),
}
"""How next hops are chosen, which a lab says for all its nodes at once; and the values that it can say."""
AS_MADE: Mapping[str, tuple[str, ...]] = {
    r"net\.ipv4\.conf\.default\.forwarding": ("1",),
    r"net\.ipv4\.conf\.\S+\.rp_filter": ("0",),
    r"net\.ipv[46]\.conf\.\S+\.ignore_routes_with_linkdown": ("0",),
    r"net\.ipv4\.conf\.\S+\.proxy_arp": ("0",),
    r"net\.ipv6\.conf\.\S+\.disable_ipv6": ("0", "1"),
    r"net\.bridge\.bridge-nf-call-(ip|ip6|arp)tables": ("0",),
    r"net\.ipv[46]\.icmp[._]ratelimit": ("0",),
    r"net\.ipv6\.conf\.\S+\.(accept_dad|dad_transmits|accept_ra|autoconf|use_tempaddr|optimistic_dad)": (),
}
"""Keys, and the values that are what hopcheck makes; none where every value gives the same fabric."""

LONG = ("--write", "--quiet", "--ignore", "--all", "--values", "--names")
"""Long options of sysctl(8) that read nothing from elsewhere."""


def sysctl(machine: Machine, words: Words) -> None:
    """``sysctl -w KEY=VALUE``; one that only reads does nothing."""
    writes = False
    while words:
        word = words.take()
        if word.startswith("-"):
            writes = writes or word == "--write" or "w" in word
            if word not in LONG and not set(word) <= set("-wqeanN"):
                raise refusal(words.where, f"{shown(str(words))} reads settings from elsewhere", "sysctl -w KEY=VALUE")
        elif "=" in word:
            key, _, value = word.partition("=")
            write(machine, key, value, words.where)
        elif writes:
            raise refusal(words.where, f"{shown(word)} in {shown(str(words))} has no value", "sysctl -w KEY=VALUE")


def write(machine: Machine, key: str, value: str, where: Position) -> None:
    """One sysctl; raises LabError where it is not what hopcheck makes."""
    key, value = key.strip().replace("/", "."), value.strip()
    if key in FORWARDING and value in ("0", "1"):
        machine.forwarding[FORWARDING[key]] = (value == "1", where)
        return
    if key in ROUTING and value in ROUTING[key]:
        machine.routing[key] = (value, where)
        return
    allowed = ROUTING.get(key) or next(
        (values for pattern, values in AS_MADE.items() if re.fullmatch(pattern, key)), None
    )
    if allowed is not None and (not allowed or value in allowed):
        if key.endswith(".disable_ipv6"):
            device = key.removeprefix("net.ipv6.conf.").removesuffix(".disable_ipv6")
            machine.without_ipv6.pop(device, None)
            if value == "1":
                machine.without_ipv6[device] = where
    elif allowed is not None:
        right = f"{key}={' or '.join(allowed)}, as hopcheck writes it"
        raise refusal(where, f"{shown(key)} is set to {shown(value)}", right)
    elif key in FORWARDING:
        raise refusal(where, f"{shown(key)} is set to {shown(value)}", "0 or 1")
    elif key.startswith("net.") or not key:
        what = f"the sysctl {shown(key)} may change the network, and is not understood"
        raise refusal(where, what, "one that hopcheck writes too (--plan shows them)")
    else:
        machine.findings.note(where, f"the sysctl {shown(key)} is left out", "it is no network's")

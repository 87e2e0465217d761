"""Judges that the fabric is closed: no route leads out, and none of its packets are at this machine's interfaces.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from reports.checks import Check
from reports.checks.domains import listed
from reports.evidence import Finding, first_broken
from reports.judge.isolation import HomeSeen, Outwards, OutwardSeen, Surroundings
from reports.judge.journey import in_order
from topology.errors import NotApplicable
from topology.model import Fabric

ALL = "all nodes"
"""The one question to instruments that look at the whole fabric."""


def judge_agents_namespace(_: Fabric, seen: Sequence[HomeSeen]) -> Finding:
    """Return whether the network namespace in which a kernel's agent started has no device of its own."""
    (home,) = seen
    words = f"kernel {home.kernel} - agent's namespace - expected no device - seen {', '.join(home.devices)}"
    return Finding(not home.devices, words)


def judge_outward(seen: OutwardSeen, fabric_addresses: Collection[str]) -> Finding:
    """Return whether a probe to an outside address stayed on its declared path, which ends in the fabric, and got no
    answer.
    """
    probe, what = seen.probe, f"{seen.probe.source} -> {seen.probe.dst}"
    legal = {hop.place for path in (*seen.expected.paths, *seen.expected.copies) for hop in path.hops}
    complaints = []
    for sighting in in_order(seen.sightings):
        place, sender = sighting.ref, str(sighting.ips[-1]["src"]) if sighting.ips else ""
        if sighting.is_error:
            if sender not in fabric_addresses:
                complaints.append(f"{place} - error for {what} - expected it from a node - seen it from {sender}")
        elif sender == str(probe.dst):
            complaints.append(f"{place} - {what} - expected no answer - seen {sighting.headers.summary()}")
        elif sighting.place not in legal:
            complaints.append(
                f"{place} - {what} - expected it to stay in the fabric - seen {sighting.headers.summary()}"
            )
    return _finding(dict.fromkeys(complaints), f"{what} ends inside: {seen.refusal or seen.expected.dropped}")


def judge_surroundings(seen: Surroundings, declared: Collection[str]) -> Finding:
    """Return whether every device, rule, route and resolver of a node is declared or leads nowhere."""
    node = seen.node
    strange = [name for name in seen.up if name != "lo" and name not in declared]
    complaints = [f"{node}:{name} - device - expected down, as it is not declared - seen up" for name in strange]
    complaints += [f"{node} - rule - expected only the kernel's own - seen {rule}" for rule in seen.rules]
    complaints += [f"{node} - route - expected in no table but main - seen {route}" for route in seen.routes]
    abroad = [address for address in seen.resolvers if not _is_own(address)]
    complaints += [f"{node} - resolver - expected none but its own loopback - seen {address}" for address in abroad]
    return _finding(complaints, f"{node} has nothing undeclared")


def _is_own(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def judge_machine(_: Fabric, seen: Sequence[Outwards]) -> Finding:
    """Return whether the machine's own interfaces showed nothing of the fabric; NotApplicable if they were not read."""
    if seen[0].why_not:
        raise NotApplicable(seen[0].why_not)
    complaints = [
        f"this machine:{interface} - {whose} - expected nothing of the fabric - seen it"
        for interface, whose in dict.fromkeys(seen[0].strays)
    ]
    return _finding(complaints, "this machine's interfaces show nothing of the fabric")


def _finding(complaints: Iterable[str], otherwise: str) -> Finding:
    found = list(complaints)
    return Finding(not found, listed(found, "; ") if found else otherwise)


def _all(*_: object) -> Sequence[str]:
    return (ALL,)


def _judge_outwards(lab: Fabric, seen: Sequence[Outwards], node: str) -> Finding:
    addresses = {str(address) for known in lab.nodes for address in known.addresses}
    return first_broken(judge_outward(one, addresses) for one in seen[0].probes[node])


def _judge_surroundings(lab: Fabric, seen: Sequence[Mapping[str, Surroundings]], node: str) -> Finding:
    return judge_surroundings(seen[0][node], {device.name for device in lab[node].devices})


NOTHING_OUT, OPEN = "nothing is sent to the outside of it", "whether it is closed is not asked"
OUTWARDS = Check("outwards", _all, _judge_outwards, of_ours=NOTHING_OUT)
MACHINE = Check("outwards", _all, judge_machine, of_ours=NOTHING_OUT)
SURROUNDINGS = Check("surroundings", _all, _judge_surroundings, of_ours=OPEN)
HOME = Check("home", _all, judge_agents_namespace, of_ours=OPEN)

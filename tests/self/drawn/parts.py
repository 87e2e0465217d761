"""Traffic of a drawn lab without a tunnel: bridged or routed customers, and spreads of many flows."""

from __future__ import annotations

from tests.self.drawn.underlay import Network, Underlay

CUSTOMER_MTUS = (1500, 1500, 1500, 9000, 1400, 1280)


def pair(under: Underlay, source: str, target: str, kind: str) -> None:
    """Promise a pair, either way round."""
    ends = [source, target] if under.random.random() < 0.5 else [target, source]
    promise = {"mtu": {"customers": 576}} if under.random.random() < 0.2 else {}
    under.shared.pairs.append({"source": ends[0], "target": ends[1], "kind": kind, **promise})
    under.shared.parts.add(f"kind {kind}")


def station(under: Underlay, at: str, bridge: str, subnet: Network, host: int) -> str:
    """A customer on a bridge, now and then on a trunk of its own."""
    name = under.node("customer")
    ends = [name, at]
    devices = list(under.link(name, at, under.random.choice(CUSTOMER_MTUS)))
    if under.random.random() < 0.15:
        vid = under.random.randint(1, 4094)
        devices = [tagged(under, node, port, vid) for node, port in zip(ends, devices, strict=True)]
        under.shared.parts.add("customer on a trunk")
    under.give(name, devices[0], subnet, host)
    if host == 0 and under.random.random() < 0.2:
        under.give(name, devices[0], under.subnet(10 - subnet.version), 0)
        under.shared.parts.add("dual stack")
    under.shared.nodes[at]["bridges"].setdefault(bridge, []).append(devices[1])
    return name


def routed_customer(under: Underlay, at: str, version: int) -> tuple[str, Network]:
    """A customer in a subnet of its own, whose gateway is its router; with its subnet."""
    name, subnet = under.node("customer"), under.subnet(version)
    near, far = under.link(name, at, under.random.choice(CUSTOMER_MTUS))
    under.give(name, near, subnet, 0)
    gateway = under.give(at, far, subnet, 1)
    under.route(name, "default", f"via {gateway}")
    return name, subnet


def segment(under: Underlay) -> Network:
    """A subnet for bridged customers; where overlap is accepted, all labs share one."""
    version = under.random.choice((4, 4, 4, 6))
    own = under.subnet(version)
    if under.shared.overlap and version == 4 and under.random.random() < 0.7:
        under.shared.parts.add("overlap")
        return type(own)("192.168.7.0/24")
    return own


def bridge(under: Underlay) -> None:
    """Two customers on one bridge."""
    at, subnet = under.random.choice(under.ends), segment(under)
    name = under.device(at)
    one, other = (station(under, at, name, subnet, host) for host in range(2))
    pair(under, one, other, "bridge")


def trunk(under: Underlay) -> None:
    """A VLAN between a switch and its neighbour: two customers at both ends, under one tag."""
    at, subnet, vid = under.random.choice(under.ends), segment(under), under.random.randint(1, 4094)
    switch = under.node("switch")
    near, far = under.link(switch, at, under.random.choice(CUSTOMER_MTUS))
    found = []
    for host, (node, port) in enumerate(((switch, near), (at, far))):
        sub = tagged(under, node, port, vid)
        name = under.device(node)
        under.shared.nodes[node]["bridges"][name] = [sub]
        found.append(station(under, node, name, subnet, host))
    pair(under, found[0], found[1], "bridge")


def tagged(under: Underlay, node: str, port: str, vid: int) -> str:
    """A port's sub-interface."""
    name = under.device(node)
    under.shared.nodes[node]["vlan"][name] = {"dev": port, "id": vid}
    return name


def stick(under: Underlay) -> None:
    """A router on a stick: two VLANs of a switch, routed by the router at the trunk's other end."""
    at, switch, version = under.random.choice(under.ends), under.node("switch"), under.random.choice((4, 6))
    near, far = under.link(switch, at)
    found = []
    for vid in under.random.sample(range(1, 4095), 2):
        subnet, name, sub = under.subnet(version), under.device(switch), tagged(under, switch, near, vid)
        under.shared.nodes[switch]["bridges"][name] = [sub]
        found.append(station(under, switch, name, subnet, 0))
        gateway = under.give(at, tagged(under, at, far, vid), subnet, 1)
        under.route(found[-1], "default", f"via {gateway}")
    pair(under, found[0], found[1], "routed")


def routed(under: Underlay) -> None:
    """Two customers behind two routers, without a tunnel; what many flows do is promised where it is known."""
    found = []
    for at in under.random.sample(under.ends, 2):
        name, subnet = routed_customer(under, at, under.version)
        under.announce(str(subnet), at)
        found.append(name)
    pair(under, found[0], found[1], "routed")
    spread(under, found, even=under.shared.hash_policy == "layer-4")


def spread(under: Underlay, ends: list[str], even: bool) -> None:
    """Promise how many flows spread; not for IPv6 by layer 3, which hashes a flow label that the sender chooses."""
    if under.shape != "leaf-spine" or (under.version == 6 and not even):
        return
    even = even and under.ecmp and sum(len(hops) for hops in under.steps[under.ends[0]].values()) > 1
    survives = even and under.shared.ignore_linkdown
    promise = {"source": ends[0], "target": ends[1], "over": "all-ways" if even else "one-way", "survives": survives}
    under.shared.spreads.append(promise)
    under.shared.parts.add(f"spread {promise['over']}{' survives' if survives else ''}")

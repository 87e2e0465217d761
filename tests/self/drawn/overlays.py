"""The tunnels of drawn labs: GRE between routers, VXLAN and Geneve in them or behind them, and both at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tests.self.drawn.parts import pair, routed_customer, segment, spread, station
from tests.self.drawn.underlay import Underlay

VNI_MAX = 2**24 - 1


@dataclass(frozen=True)
class Vtep:
    """A tunnel's end: the node, its address there, the device by which packets leave where one is named, and the
    subnet that others must know where it is behind a router."""

    node: str
    local: str
    dev: str | None = None
    subnet: str = ""


def gre(under: Underlay, hub: bool = True) -> None:
    """Customers routed through GRE: of two routers, or of a hub and its spokes."""
    first, *spokes = under.random.sample(under.ends, under.random.randint(2, len(under.ends)) if hub else 2)
    version = under.random.choice((4, 4, 6))
    at_hub, behind_hub = routed_customer(under, first, version)
    for spoke in spokes:
        name, subnet = routed_customer(under, spoke, version)
        anew = over(under, (first, str(subnet)), (spoke, str(behind_hub)))
        pair(under, at_hub, name, "l3-overlay")
        if version == under.version == 4:
            spread(under, [at_hub, name], even=anew)  # by the packet inside, whatever the hash policy
    under.shared.parts.add(f"gre IPv{version} in IPv{under.version}")


def over(under: Underlay, one: tuple[str, str], other: tuple[str, str]) -> bool:
    """A GRE tunnel between two routers, and into it what each has for the other's prefix; whether it looks its route up
    for every packet anew."""
    ends, random = [one[0], other[0]], under.random
    plain = random.random() < 0.5 and under.shape != "ring" and not under.ecmp
    local = under.along(*ends) if plain else tuple(under.loopback(end) for end in ends)
    how = random.choice(({}, {"ttl": 64}, {"ttl": "inherit"}, {"ttl": 3}, {"tos": "inherit"}))
    key = {"key": next(under.shared.numbers)} if plain or random.random() < 0.5 else {}
    for number, (node, prefix) in enumerate((one, other)):
        name = under.device(node)
        made = {"local": local[number], "remote": local[1 - number], **key, **how}
        under.shared.nodes[node]["gre"][name] = made
        under.route(node, prefix, f"dev {name}")
    under.shared.parts |= {f"gre {word}" for word in (*key, *how)}
    return "tos" in how


def behind(under: Underlay, at: str) -> Vtep:
    """A VTEP in a node of its own, behind a router."""
    role = under.random.choice(("switch", "leaf") if under.shared.roles in ("both", "leaf") else ("switch",))
    node, subnet = under.node(role), under.subnet(under.version)
    near, far = under.link(node, at, max(under.mtus))
    address, gateway = under.give(node, near, subnet, 0), under.give(at, far, subnet, 1)
    under.route(node, "default", f"via {gateway}")
    return Vtep(node, address, near if under.random.random() < 0.7 else None, str(subnet))


def vxlan(under: Underlay) -> None:
    """An Ethernet segment over VXLAN: two or three VTEPs in the routers, or behind them, there also over GRE."""
    random = under.random
    apart = under.shared.roles != "none" and random.random() < 0.5
    number = random.randint(2, min(3, len(under.ends) + apart))
    ats = random.sample(under.ends, min(number, len(under.ends)))
    ats += ats[:1] * (number - len(ats))
    ends = [behind(under, at) if apart else Vtep(at, under.loopback(at)) for at in ats]
    inside = apart and number == len(set(ats)) == 2 and random.random() < 0.4
    if inside:
        over(under, (ats[0], ends[1].subnet), (ats[1], ends[0].subnet))
    elif apart:
        for at, end in zip(ats, ends, strict=True):
            under.announce(end.subnet, at)
    stations = joined(under, ends)
    for one, other in pairwise(stations):
        pair(under, one, other, "l2-overlay")
    if number == 2 and not inside:
        spread(under, stations, even=apart and under.shared.hash_policy == "layer-4")
    place = "in gre" if inside else "behind" if apart else "in the router"
    under.shared.parts |= {f"vxlan {place}", f"vxlan with {number}"}


def joined(under: Underlay, ends: list[Vtep]) -> list[str]:
    """VXLAN devices of one VNI at all ends, each in a bridge with one customer; the customers."""
    random, found = under.random, []
    vni, port, subnet = random.randint(1, VNI_MAX), random.choice((4789, 8472, 4900)), segment(under)
    room = min(under.mtus) - (50 if under.version == 4 else 70)
    mtu = random.choice((None, None, min(room, 1450), room))
    for host, end in enumerate(ends):
        others = [other.local for other in ends if other != end]
        to = {"remotes": others} if len(others) > 1 or random.random() < 0.3 else {"remote": others[0]}
        name, members = under.device(end.node), under.device(end.node)
        made = {"vni": vni, "local": end.local, **to, "dev": end.dev, "port": port, "mtu": mtu}
        under.shared.nodes[end.node]["vxlan"][name] = {key: value for key, value in made.items() if value is not None}
        under.shared.nodes[end.node]["bridges"][members] = [name]
        found.append(station(under, end.node, members, subnet, host))
    return found


def geneve(under: Underlay) -> None:
    """An Ethernet segment over Geneve, from one router to one or two others."""
    first, *spokes = under.random.sample(under.ends, under.random.randint(2, len(under.ends)))
    subnet, vni, port = segment(under), under.random.randint(1, VNI_MAX), under.random.choice((6081, 6082))
    name = under.device(first)
    under.shared.nodes[first]["bridges"][name] = []
    hub = station(under, first, name, subnet, 0)
    for host, spoke in enumerate(spokes, start=1):
        ends, bridges = under.along(first, spoke), (name, under.device(spoke))
        for number, node in enumerate((first, spoke)):
            device = under.device(node)
            made = {"vni": vni, "remote": ends[1 - number], "port": port}
            under.shared.nodes[node]["geneve"][device] = made | ({"local": ends[number]} if vni % 2 else {})
            under.shared.nodes[node]["bridges"].setdefault(bridges[number], []).append(device)
        far = station(under, spoke, bridges[1], subnet, host)
        pair(under, hub, far, "l2-overlay")


def hairpin(under: Underlay) -> None:
    """VXLAN to the gateway's router, and from there GRE back to the first, behind which the other customer is."""
    a, b = under.random.sample(under.ends, 2)
    locals_ = [under.loopback(at) for at in (a, b)]
    subnet, vni, bridges = under.subnet(4), under.random.randint(1, VNI_MAX), [under.device(a), under.device(b)]
    for number, node in enumerate((a, b)):
        name = under.device(node)
        made = {"vni": vni, "local": locals_[number], "remote": locals_[1 - number]}
        under.shared.nodes[node]["vxlan"][name] = made
        under.shared.nodes[node]["bridges"][bridges[number]] = [name]
    near = station(under, a, bridges[0], subnet, 0)
    gateway = under.give(b, bridges[1], subnet, 1)
    under.route(near, "default", f"via {gateway}")
    far, its_subnet = routed_customer(under, a, 4)
    over(under, (b, str(its_subnet)), (a, str(subnet)))
    pair(under, near, far, "hairpin")

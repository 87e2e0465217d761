"""Small fabrics in shapes that no suite may be surprised by: without spines, without leaves, with odd names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from topology.derived_pairs import with_derived_pairs
from topology.expected import check_pairs
from topology.formats.lab import load_lab_text
from topology.limits import check_mtus
from topology.model import Fabric
from topology.mtu import check_device_mtus

CHECKS = (check_pairs, check_device_mtus, check_mtus)
"""Those of a run (fixtures/lab.py)."""
DOCUMENTED = Path(__file__).parents[2] / "docs" / "lab-file.md"
THREE_ON_ONE_SWITCH = """
lab: three-on-one-switch
nodes:
  fabric: {role: switch, bridges: {br: [p1, p2, p3]}}
  a: {role: leaf, addresses: {up: 10.0.0.1/24}, vxlan: {vx: {vni: 7, local: 10.0.0.1, remotes: [10.0.0.2, 10.0.0.3]}},
    bridges: {br: [h, vx]}}
  b: {role: leaf, addresses: {up: 10.0.0.2/24}, vxlan: {vx: {vni: 7, local: 10.0.0.2, remotes: [10.0.0.1, 10.0.0.3]}},
    bridges: {br: [h, vx]}}
  c: {role: leaf, addresses: {up: 10.0.0.3/24}, vxlan: {vx: {vni: 7, local: 10.0.0.3, remotes: [10.0.0.1, 10.0.0.2]}},
    bridges: {br: [h, vx]}}
  h1: {role: customer, addresses: {eth0: 192.168.7.1/24}}
  h2: {role: customer, addresses: {eth0: 192.168.7.2/24}}
  h3: {role: customer, addresses: {eth0: 192.168.7.3/24}}
links:
  - {endpoints: [fabric:p1, a:up], mtu: 1550}
  - {endpoints: [fabric:p2, b:up], mtu: 1550}
  - {endpoints: [fabric:p3, c:up], mtu: 1550}
  - [a:h, h1:eth0]
  - [b:h, h2:eth0]
  - [c:h, h3:eth0]
pairs: [{source: h1, target: h2, kind: l2-overlay}, {source: h3, target: h1, kind: l2-overlay}]
"""
GENEVE_POINT_TO_POINT = """
lab: geneve-point-to-point
nodes:
  a: {role: switch, addresses: {dev: 10.0.0.1/30}, bridges: {br: [via, type]},
    geneve: {type: {vni: 9, remote: 10.0.0.2}}}
  b: {role: switch, addresses: {dev: 10.0.0.2/30}, bridges: {br: [via, type]},
    geneve: {type: {vni: 9, remote: 10.0.0.1}}}
  h1: {role: customer, addresses: {up: 192.168.9.1/24}}
  h2: {role: customer, addresses: {up: 192.168.9.2/24}}
links: [[a:dev, b:dev], [a:via, h1:up], [b:via, h2:up]]
pairs: [{source: h1, target: h2, kind: l2-overlay}]
"""
ROUTED_VXLAN = """
lab: routed-vxlan
nodes:
  a: {role: leaf, addresses: {master: 10.0.0.1/30, src: 192.168.1.254/24, vx: 172.16.0.1/30},
    vxlan: {vx: {vni: 5, local: 10.0.0.1, remote: 10.0.0.2}}, routes: [192.168.2.0/24 via 172.16.0.2]}
  b: {role: leaf, addresses: {master: 10.0.0.2/30, src: 192.168.2.254/24, vx: 172.16.0.2/30},
    vxlan: {vx: {vni: 5, local: 10.0.0.2, remote: 10.0.0.1}}, routes: [192.168.1.0/24 via 172.16.0.1]}
  h1: {role: customer, addresses: {eth0: 192.168.1.1/24}, routes: [default via 192.168.1.254]}
  h2: {role: customer, addresses: {eth0: 192.168.2.1/24}, routes: [default via 192.168.2.254]}
links: [[a:master, b:master], [a:src, h1:eth0], [b:src, h2:eth0]]
"""
TUNNEL_BETWEEN_CUSTOMERS = """
lab: tunnel-between-customers
nodes:
  r: {role: spine, addresses: {mtu: 10.0.1.254/24, name: 10.0.2.254/24}}
  h1: {role: customer, addresses: {eth0: 10.0.1.1/24, vx: 192.168.5.1/24}, routes: [default via 10.0.1.254],
    vxlan: {vx: {vni: 5, local: 10.0.1.1, remote: 10.0.2.1, mtu: 1450}}}
  h2: {role: customer, addresses: {eth0: 10.0.2.1/24, vx: 192.168.5.2/24}, routes: [default via 10.0.2.254],
    vxlan: {vx: {vni: 5, local: 10.0.2.1, remote: 10.0.1.1, mtu: 1450}}}
links: [[r:mtu, h1:eth0], [r:name, h2:eth0]]
pairs: [{source: h1, target: h2, kind: routed}]
"""
IPV6_WITHOUT_SPINES = """
lab: ipv6-without-spines
nodes:
  a: {role: leaf, addresses: {up: fd00::1/64, h: 192.168.1.254/24}, gre: {tun: {local: fd00::1, remote: fd00::2}},
    routes: [192.168.2.0/24 dev tun]}
  b: {role: leaf, addresses: {up: fd00::2/64, h: 192.168.2.254/24}, gre: {tun: {local: fd00::2, remote: fd00::1}},
    routes: [192.168.1.0/24 dev tun]}
  h1: {role: customer, addresses: {eth0: 192.168.1.1/24}, routes: [default via 192.168.1.254]}
  h2: {role: customer, addresses: {eth0: 192.168.2.1/24}, routes: [default via 192.168.2.254]}
links: [[a:up, b:up], [a:h, h1:eth0], [b:h, h2:eth0]]
pairs: [{source: h1, target: h2, kind: l3-overlay}]
"""
TWO_VTEPS_BEHIND_ONE_LEAF = """
lab: two-vteps-behind-one-leaf
nodes:
  s: {role: spine, addresses: {p1: 10.0.1.1/30, p2: 10.0.2.1/30},
    routes: [10.1.0.0/16 via 10.0.1.2, 10.2.0.0/16 via 10.0.2.2]}
  l1: {role: leaf, addresses: {up: 10.0.1.2/30, w1: 10.1.1.254/24, w2: 10.1.2.254/24},
    routes: [10.2.0.0/16 via 10.0.1.1]}
  l2: {role: leaf, addresses: {up: 10.0.2.2/30, w3: 10.2.3.254/24}, routes: [10.1.0.0/16 via 10.0.2.1]}
  w1: {role: switch, addresses: {up: 10.1.1.1/24}, routes: [default via 10.1.1.254], bridges: {br: [h, vx]},
    vxlan: {vx: {vni: 5, local: 10.1.1.1, remotes: [10.1.2.1, 10.2.3.1], mtu: 1450}}}
  w2: {role: switch, addresses: {up: 10.1.2.1/24}, routes: [default via 10.1.2.254], bridges: {br: [h, vx]},
    vxlan: {vx: {vni: 5, local: 10.1.2.1, remotes: [10.1.1.1, 10.2.3.1], mtu: 1450}}}
  w3: {role: switch, addresses: {up: 10.2.3.1/24}, routes: [default via 10.2.3.254], bridges: {br: [h, vx]},
    vxlan: {vx: {vni: 5, local: 10.2.3.1, remotes: [10.1.1.1, 10.1.2.1], mtu: 1450}}}
  h1: {role: customer, addresses: {eth0: 192.168.5.1/24}}
  h2: {role: customer, addresses: {eth0: 192.168.5.2/24}}
  h3: {role: customer, addresses: {eth0: 192.168.5.3/24}}
links: [[s:p1, l1:up], [s:p2, l2:up], [l1:w1, w1:up], [l1:w2, w2:up], [l2:w3, w3:up],
  [w1:h, h1:eth0], [w2:h, h2:eth0], [w3:h, h3:eth0]]
pairs: [{source: h1, target: h3, kind: l2-overlay}, {source: h1, target: h2, kind: l2-overlay}]
"""
JUMBO_UNDERLAY = """
lab: jumbo-underlay
nodes:
  a: {role: leaf, addresses: {up: 10.0.0.1/30, h: 192.168.1.254/24}, mtu: {h: 9500},
    gre: {tun: {local: 10.0.0.1, remote: 10.0.0.2, mtu: 1450}}, routes: [192.168.2.0/24 dev tun]}
  b: {role: leaf, addresses: {up: 10.0.0.2/30, h: 192.168.2.254/24}, mtu: {h: 9500},
    gre: {tun: {local: 10.0.0.2, remote: 10.0.0.1, mtu: 1450}}, routes: [192.168.1.0/24 dev tun]}
  h1: {role: customer, addresses: {eth0: 192.168.1.1/24}, routes: [default via 192.168.1.254]}
  h2: {role: customer, addresses: {eth0: 192.168.2.1/24}, routes: [default via 192.168.2.254]}
links:
  - {endpoints: [a:up, b:up], mtu: 9500}
  - [a:h, h1:eth0]
  - [b:h, h2:eth0]
pairs: [{source: h1, target: h2, kind: l3-overlay}]
"""
BARE = """
lab: bare
nodes:
  r: {role: spine, addresses: {a: 10.0.1.254/24, b: 10.0.2.254/24}}
  h1: {role: customer, addresses: {eth0: 10.0.1.1/24}, routes: [default via 10.0.1.254]}
  h2: {role: customer, addresses: {eth0: 10.0.2.1/24}, routes: [default via 10.0.2.254]}
links: [[r:a, h1:eth0], [r:b, h2:eth0]]
pairs: [{source: h1, target: h2, kind: routed}]
"""
TWO_WAYS_WITHOUT_SPINES = """
lab: two-ways-without-spines
routing: {multipath-hash: layer-4, ignore-routes-with-linkdown: true}
nodes:
  a: {role: leaf, addresses: {ax: 10.0.1.1/30, ay: 10.0.2.1/30, h: 192.168.1.254/24},
    routes: [192.168.2.0/24 nexthop via 10.0.1.2 nexthop via 10.0.2.2]}
  b: {role: leaf, addresses: {bx: 10.0.3.1/30, by: 10.0.4.1/30, h: 192.168.2.254/24},
    routes: [192.168.1.0/24 nexthop via 10.0.3.2 nexthop via 10.0.4.2]}
  x: {role: leaf, addresses: {ax: 10.0.1.2/30, bx: 10.0.3.2/30},
    routes: [192.168.1.0/24 via 10.0.1.1, 192.168.2.0/24 via 10.0.3.1]}
  y: {role: leaf, addresses: {ay: 10.0.2.2/30, by: 10.0.4.2/30},
    routes: [192.168.1.0/24 via 10.0.2.1, 192.168.2.0/24 via 10.0.4.1]}
  h1: {role: customer, addresses: {eth0: 192.168.1.1/24}, routes: [default via 192.168.1.254]}
  h2: {role: customer, addresses: {eth0: 192.168.2.1/24}, routes: [default via 192.168.2.254]}
links: [[a:ax, x:ax], [a:ay, y:ay], [b:bx, x:bx], [b:by, y:by], [a:h, h1:eth0], [b:h, h2:eth0]]
pairs: [{source: h1, target: h2, kind: routed}]
spreads: [{source: h1, target: h2, over: all-ways, survives: true}]
"""
LINKS_SIDE_BY_SIDE = """
lab: links-side-by-side
routing: {multipath-hash: layer-4}
nodes:
  a: {role: leaf, addresses: {p: 10.0.1.1/30, q: 10.0.2.1/30, h: 192.168.1.254/24},
    routes: [192.168.2.0/24 nexthop via 10.0.1.2 nexthop via 10.0.2.2]}
  b: {role: leaf, addresses: {p: 10.0.1.2/30, q: 10.0.2.2/30, h: 192.168.2.254/24},
    routes: [192.168.1.0/24 nexthop via 10.0.1.1 nexthop via 10.0.2.1]}
  h1: {role: customer, addresses: {eth0: 192.168.1.1/24}, routes: [default via 192.168.1.254]}
  h2: {role: customer, addresses: {eth0: 192.168.2.1/24}, routes: [default via 192.168.2.254]}
links: [[a:p, b:p], [a:q, b:q], [a:h, h1:eth0], [b:h, h2:eth0]]
pairs: [{source: h1, target: h2, kind: routed}]
spreads: [{source: h1, target: h2, over: all-ways}]
"""
TEXTS: Mapping[str, str] = {
    "three-on-one-switch": THREE_ON_ONE_SWITCH,
    "geneve-point-to-point": GENEVE_POINT_TO_POINT,
    "routed-vxlan": ROUTED_VXLAN,
    "tunnel-between-customers": TUNNEL_BETWEEN_CUSTOMERS,
    "ipv6-without-spines": IPV6_WITHOUT_SPINES,
    "two-vteps-behind-one-leaf": TWO_VTEPS_BEHIND_ONE_LEAF,
    "jumbo-underlay": JUMBO_UNDERLAY,
    "bare": BARE,
    "two-ways-without-spines": TWO_WAYS_WITHOUT_SPINES,
    "links-side-by-side": LINKS_SIDE_BY_SIDE,
}


def documented() -> str:
    """The complete example of docs/lab-file.md."""
    return DOCUMENTED.read_text().partition("```yaml\n")[2].partition("```")[0]


@cache
def shape(name: str) -> Fabric:
    """One of the fabrics, with the pairs that it declares or that can be derived from it."""
    fabric = load_lab_text(documented() if name == "documented" else TEXTS[name], f"{name}.yaml", extra_checks=CHECKS)
    return fabric if fabric.pairs else with_derived_pairs(fabric)


SHAPES = ("documented", *TEXTS)

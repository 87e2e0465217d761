"""Small labs, each of which carries its pair as one kind."""

from __future__ import annotations

import re

from topology.formats.lab import load_lab_text
from topology.model import Fabric
from topology.promises import Kind

CUSTOMERS = """
  c1: {role: customer, addresses: {e: 10.1.0.1/24}, routes: [default via 10.1.0.254]}
  c2: {role: customer, addresses: {e: 10.2.0.1/24}, routes: [default via 10.2.0.254]}
"""
LINKS = "links: [[l1:up, s:d1], [l2:up, s:d2], [l1:c, c1:e], [l2:c, c2:e]]"
SPINE = """
  s:
    role: spine
    addresses: {d1: 10.0.1.2/30, d2: 10.0.2.2/30}
"""


def leaf(number: int, tunnel: str, more: str = "") -> str:
    """A leaf that routes its customer's packets into a tunnel device that has an address."""
    far = 3 - number
    return f"""
  l{number}:
    role: leaf
    addresses: {{up: 10.0.{number}.1/30, c: 10.{number}.0.254/24, t: 10.9.0.{number}/30}}
    {tunnel.format(here=f"10.0.{number}.1", there=f"10.0.{far}.1")}
    routes: [10.0.0.0/16 via 10.0.{number}.2, 10.{far}.0.0/16 via 10.9.0.{far}]
"""


def routed_into(tunnel: str) -> str:
    """Two leaves behind a spine, between which packets are routed through a tunnel."""
    return f"nodes:{SPINE}{leaf(1, tunnel)}{leaf(2, tunnel)}{CUSTOMERS}{LINKS}"


ASYMMETRIC = (
    """
nodes:
  l1:
    role: leaf
    addresses: {up: 10.0.0.1/30, b1: 10.1.0.254/24, b2: 10.2.0.253/24}
    vxlan: {v1: {vni: 1, local: 10.0.0.1, remote: 10.0.0.2}, v2: {vni: 2, local: 10.0.0.1, remote: 10.0.0.2}}
    bridges: {b1: [c, v1], b2: [v2]}
  l2:
    role: leaf
    addresses: {up: 10.0.0.2/30, b1: 10.1.0.253/24, b2: 10.2.0.254/24}
    vxlan: {v1: {vni: 1, local: 10.0.0.2, remote: 10.0.0.1}, v2: {vni: 2, local: 10.0.0.2, remote: 10.0.0.1}}
    bridges: {b1: [v1], b2: [c, v2]}
"""
    + CUSTOMERS
    + "links: [[l1:up, l2:up], [l1:c, c1:e], [l2:c, c2:e]]"
)

CENTRAL_GATEWAY = (
    """
nodes:
  l1:
    role: leaf
    addresses: {up: 10.0.1.1/30}
    vxlan: {v: {vni: 1, local: 10.0.1.1, remote: 10.0.1.2}}
    bridges: {b: [c, v]}
  l2:
    role: leaf
    addresses: {up: 10.0.2.1/30}
    vxlan: {v: {vni: 2, local: 10.0.2.1, remote: 10.0.2.2}}
    bridges: {b: [c, v]}
  s:
    role: leaf
    addresses: {d1: 10.0.1.2/30, d2: 10.0.2.2/30, b1: 10.1.0.254/24, b2: 10.2.0.254/24}
    vxlan: {v1: {vni: 1, local: 10.0.1.2, remote: 10.0.1.1}, v2: {vni: 2, local: 10.0.2.2, remote: 10.0.2.1}}
    bridges: {b1: [v1], b2: [v2]}
"""
    + CUSTOMERS
    + LINKS
)

GATEWAY_AT_THE_FAR_LEAF = (
    """
nodes:
  l1:
    role: leaf
    addresses: {up: 10.0.0.1/30}
    vxlan: {v: {vni: 1, local: 10.0.0.1, remote: 10.0.0.2}}
    bridges: {b: [c, v]}
  l2:
    role: leaf
    addresses: {up: 10.0.0.2/30, b: 10.1.0.254/24, c: 10.2.0.254/24}
    vxlan: {v: {vni: 1, local: 10.0.0.2, remote: 10.0.0.1}}
    bridges: {b: [v]}
"""
    + CUSTOMERS
    + "links: [[l1:up, l2:up], [l1:c, c1:e], [l2:c, c2:e]]"
)

GRE_IN_VXLAN = (
    """
nodes:
  v1:
    role: switch
    addresses: {up: 10.0.0.1/30}
    vxlan: {v: {vni: 1, local: 10.0.0.1, remote: 10.0.0.2}}
    bridges: {b: [d, v]}
  v2:
    role: switch
    addresses: {up: 10.0.0.2/30}
    vxlan: {v: {vni: 1, local: 10.0.0.2, remote: 10.0.0.1}}
    bridges: {b: [d, v]}
  l1:
    role: leaf
    addresses: {up: 10.5.0.1/24, c: 10.1.0.254/24}
    gre: {t: {local: 10.5.0.1, remote: 10.5.0.2}}
    routes: [10.2.0.0/24 dev t]
  l2:
    role: leaf
    addresses: {up: 10.5.0.2/24, c: 10.2.0.254/24}
    gre: {t: {local: 10.5.0.2, remote: 10.5.0.1}}
    routes: [10.1.0.0/24 dev t]
"""
    + CUSTOMERS
    + "links: [[v1:up, v2:up], [v1:d, l1:up], [v2:d, l2:up], [l1:c, c1:e], [l2:c, c2:e]]"
)

GRE_HUB = (
    """
nodes:
  l1:
    role: leaf
    addresses: {up: 10.0.1.1/30, c: 10.1.0.254/24}
    gre: {t: {local: 10.0.1.1, remote: 10.0.1.2}}
    routes: [10.2.0.0/24 dev t]
  l2:
    role: leaf
    addresses: {up: 10.0.2.1/30, c: 10.2.0.254/24}
    gre: {t: {local: 10.0.2.1, remote: 10.0.2.2}}
    routes: [10.1.0.0/24 dev t]
  s:
    role: spine
    addresses: {d1: 10.0.1.2/30, d2: 10.0.2.2/30}
    gre: {t1: {local: 10.0.1.2, remote: 10.0.1.1}, t2: {local: 10.0.2.2, remote: 10.0.2.1}}
    routes: [10.1.0.0/24 dev t1, 10.2.0.0/24 dev t2]
"""
    + CUSTOMERS
    + LINKS
)

ON_A_STICK = (
    """
nodes:
  sw:
    role: switch
    vlan: {r.1: {dev: r, id: 1}, r.2: {dev: r, id: 2}}
    bridges: {b1: [p1, r.1], b2: [p2, r.2]}
  r:
    role: leaf
    vlan: {e.1: {dev: e, id: 1}, e.2: {dev: e, id: 2}}
    addresses: {e.1: 10.1.0.254/24, e.2: 10.2.0.254/24}
"""
    + CUSTOMERS
    + "links: [[sw:r, r:e], [sw:p1, c1:e], [sw:p2, c2:e]]"
)

TRUNK = """
nodes:
  w1: {role: switch, vlan: {t.7: {dev: t, id: 7}}, bridges: {b: [p, t.7]}}
  w2: {role: switch, vlan: {t.7: {dev: t, id: 7}}, bridges: {b: [p, t.7]}}
  c1: {role: customer, addresses: {e: 10.1.0.1/24}}
  c2: {role: customer, addresses: {e: 10.1.0.2/24}}
links: [[w1:t, w2:t], [w1:p, c1:e], [w2:p, c2:e]]
"""

DIGITS = re.compile(r"10\.(\d+)\.(\d+)\.(\d+)")


def with_ipv6(text: str) -> str:
    """The same lab with IPv6 addresses everywhere."""
    text = DIGITS.sub(r"fd00:\1:\2::\3", text)
    for old, new in (("/24", "/64"), ("/30", "/126"), ("/16", "/32")):
        text = text.replace(old, new)
    return text


ROUTED_VXLAN = routed_into("vxlan: {{t: {{vni: 9, local: {here}, remote: {there}}}}}")
LABS: dict[str, tuple[str, Kind]] = {
    "routed VXLAN": (ROUTED_VXLAN, "l3-overlay"),
    "routed VXLAN, IPv6": (with_ipv6(ROUTED_VXLAN), "l3-overlay"),
    "routed before VXLAN and bridged behind it, IPv6": (with_ipv6(ASYMMETRIC), "l3-overlay"),
    "routed Geneve": (routed_into("geneve: {{t: {{vni: 9, remote: {there}}}}}"), "l3-overlay"),
    "routed GRE": (routed_into("gre: {{t: {{local: {here}, remote: {there}}}}}"), "l3-overlay"),
    "routed before VXLAN and bridged behind it": (ASYMMETRIC, "l3-overlay"),
    "bridged into VXLAN and routed behind it": (GATEWAY_AT_THE_FAR_LEAF, "l3-overlay"),
    "from one VXLAN into another at a gateway": (CENTRAL_GATEWAY, "hairpin"),
    "GRE in VXLAN": (GRE_IN_VXLAN, "l3-overlay"),
    "from one GRE tunnel into another at a hub": (GRE_HUB, "l3-overlay"),
    "router on a stick": (ON_A_STICK, "routed"),
    "VLAN trunk": (TRUNK, "bridge"),
    "one link": (
        "nodes:\n  c1: {role: customer, addresses: {e: 10.1.0.1/24}}\n"
        "  c2: {role: customer, addresses: {e: 10.1.0.2/24}}\nlinks: [[c1:e, c2:e]]",
        "bridge",
    ),
}


def kind_lab(name: str, pairs: str = "") -> Fabric:
    """One of these labs, with pairs where they are given."""
    return load_lab_text(f"lab: kinds\n{LABS[name][0].strip()}\n{pairs}")

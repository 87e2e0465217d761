"""Builds a fabric with Mininet, in the sandbox of whoever starts it, and says how long that took.

``/usr/bin/python3 mininet_fabric.py < wanted.json``: ``wanted`` has the hosts' names, and for each link a node, an
interface and an address for both ends. Every node is a plain Mininet host in a namespace of its own, links are made as
they are by default, and there is no switch and no controller: the least that Mininet can do. Prints a JSON object with
seconds for building and for stopping, and the number of addresses that were really there.
"""

from __future__ import annotations

import json
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.topo import Topo


def main() -> None:
    """Build, look, stop."""
    wanted = json.load(sys.stdin)
    setLogLevel("error")
    # Mininet would raise limits of the whole machine first.
    Mininet.inited = True
    start = time.perf_counter()
    topology = Topo()
    for name in wanted["nodes"]:
        topology.addHost(name, ip=None)
    for (near, near_port, near_address), (far, far_port, far_address) in wanted["links"]:
        topology.addLink(
            near,
            far,
            intfName1=near_port,
            intfName2=far_port,
            params1={"ip": near_address},
            params2={"ip": far_address},
        )
    net = Mininet(topo=topology, controller=None, build=False)
    net.build()
    net.start()
    built = time.perf_counter() - start
    there = sum(host.cmd("ip -4 -o addr show up scope global").count(" inet ") for host in net.hosts)
    start = time.perf_counter()
    net.stop()
    print(json.dumps({"build_s": built, "stop_s": time.perf_counter() - start, "addresses": there}))


if __name__ == "__main__":
    main()

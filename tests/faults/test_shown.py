"""The commands that show and fix a cause run as they are printed, on a copy of the fabric with that fault."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fixtures.instruments.live import LiveFabric
from reports.diagnosis.rank import ranked

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

SHOWN: Mapping[str, tuple[str, str, str]] = {
    "a port": ("con_ns1", "bridge link set dev bridge1_cs1 isolated on", "isolated on"),
    "ARP": ("cs5", "ip link set dev cs5_br3 arp off", "NOARP"),
    "a MAC": ("cs4", "ip link set dev cs4-br address 02:00:00:00:00:09", "02:00:00:00:00:09"),
    "an MTU": ("sc1", "ip link set dev sc1_lc1 mtu 1400", "mtu 1400"),
    "a bridge": ("con_ns3", "ip link set dev vxlan-cont nomaster", "vxlan-cont"),
    "a header": ("lc1", "ip link set dev gretun-cont type gre local 26.0.0.2 remote 28.0.0.2 key 5", "ikey"),
    "an address": ("cs3", "ip addr add 30.0.0.77/24 dev cs3-br", "30.0.0.77"),
    "no address": ("cs2", "ip addr del 20.0.0.2/24 dev cs2_br1", ""),
    "a route": ("lc2", "ip route replace unreachable 21.0.0.0/24", "unreachable 21.0.0.0/24"),
    "no route": ("sc2", "ip route del 28.0.0.0/24", ""),
    "no default": ("cs1", "ip route del default", ""),
    "a rule": ("lc1", "ip rule add from 20.0.0.0/24 blackhole", "from 20.0.0.0/24 blackhole"),
    "a further table": ("lc1", "ip route add 9.9.9.0/24 dev lc1_sc1 table 77", "9.9.9.0/24"),
    "a neighbour": ("lc2", "ip neigh replace 28.0.0.1 lladdr 02:00:00:00:00:01 dev lc2_sc2 nud permanent", "PERMANENT"),
    "an entry": (
        "con_ns1",
        "bridge fdb replace 02:00:00:00:00:77 dev vxlan-cont dst 23.0.0.7 self permanent",
        "23.0.0.7",
    ),
    "a qdisc": ("sc2", "tc qdisc add dev sc2_lc2 root netem loss 10%", "netem"),
    "an ingress filter": (
        "lc2",
        "tc qdisc add dev lc2_sc2 clsact; tc filter add dev lc2_sc2 ingress matchall action drop",
        "matchall",
    ),
    "a table": (
        "sc1",
        "nft add table inet f; nft 'add chain inet f c { type filter hook forward priority 0; policy drop; }'",
        "policy drop",
    ),
    "a sysctl": ("cs5", "sysctl -w net.ipv4.icmp_echo_ignore_all=1", "icmp_echo_ignore_all = 1"),
    "a link": ("cs4", "ip link set dev cs4-br down", "state DOWN"),
    "no link": ("con_ns3", "ip link del dev vxlan-cont", "UP"),
}
"""By what is shown: the node, what breaks it, and words that its command prints, none where it prints nothing."""


def test_each_kind_is_shown_and_fixed(pristine: LiveFabric) -> None:
    """For every kind of difference the command that shows it prints what is wrong, or that it is not there, and the one
    that fixes it leaves nothing of it."""
    for what, (node, command, words) in SHOWN.items():
        before = set(pristine.differences(node))
        done = pristine.run(node, "sh", "-ec", command)
        assert done.code == 0, (what, done.stderr)
        new = [cause for cause in pristine.differences(node) if cause not in before]
        assert new, what
        printed = [pristine.kernel.agent.run(["sh", "-c", cause.show]) for cause in new]
        assert [one.code for one in printed] == [0] * len(new), (what, new, printed)
        assert words in printed[0].stdout, (what, new[0].show, printed[0].stdout)
        assert words or not printed[0].stdout, (what, new[0].show, printed[0].stdout)
        fix = "; ".join(cause.fix for cause in ranked(new))
        fixed = pristine.kernel.agent.run(["sh", "-ec", fix])
        assert (fixed.code, set(pristine.differences(node))) == (0, before), (what, fix, fixed.stderr)

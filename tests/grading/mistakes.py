"""The mistakes of real solutions, each a small change of a right submission of ours: what it costs and what is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reports.grading.record import Promise
from tests.grading.kit import ALL, Known, drawn
from tests.grading.known import KNOWN, files


@dataclass(frozen=True)
class Mistake:
    """Rows of some types for a submission with ``changes``, what stands there and what instead: the points that items
    lose, and a pattern of the place and the words that every first cause has, or the message where there is none."""

    rows: str
    changes: tuple[tuple[str, str], ...]
    lost: dict[str, float]
    reason: str
    base: str = "namespaces"

    @property
    def known(self) -> Known:
        """The submission that it is a change of, asked for its rows."""
        return KNOWN[self.base].asked(self.rows)

    @property
    def files(self) -> dict[str, str]:
        """The submission's files, changed."""
        own = files(self.base)
        for right, wrong in self.changes:
            assert any(right in text for text in own.values()), right
            own = {name: text.replace(right, wrong) for name, text in own.items()}
        return own

    def unnamed(self, broken: Sequence[Promise]) -> list[str]:
        """The reasons that do not name it; all of them where none does."""
        causes = [f"{one.causes[0].where} {one.causes[0].live}" for one in broken if one.causes]
        reasons = causes or [one.said for one in broken]
        return [one for one in reasons if not re.search(self.reason, one)] if reasons else ["no reason"]


CARELESS = (("#!/bin/sh -e", "#!/bin/sh"), ("done < $1", "done < $1\nexit 0"))
"""A build that goes on after every error, and ends well."""
ROW = {"rows": 60.0, "apart": 20.0, "sizes": 5.0}
"""The points of the only row."""
SECOND = {item: points / 2 for item, points in ROW.items()}
"""Those of one of two rows."""
ALL_OF_IT = {"fabric": 20.0, **ROW}
MASTER = "ip -n l$i link set dev vx$row master br$row up"
MISTAKES = {
    "exit codes ignored": Mistake(
        "VXLAN", (*CARELESS, (MASTER, MASTER.replace("master", "mastr"))), ROW, r"^l[12] vx1 "
    ),
    "VTEP outside its bridge at one leaf": Mistake(
        "VXLAN VXLAN", ((MASTER, f"[ $i$row = 22 ] && ip -n l2 link set dev vx2 up || {MASTER}"),), SECOND, "^l2 vx2 "
    ),
    "no VTEP at all": Mistake(
        "VXLAN",
        (*CARELESS, ("ip -n l$i link add name vx$row", "ip netns l$i exec ip link add name vx$row")),
        ROW,
        "^l1 br1 ",
    ),
    "build that ends at its first error": Mistake(
        "VXLAN",
        (("type vxlan id", "type vxlam id"),),
        ALL_OF_IT,
        "exit code|B1X - expected one container or namespace",
    ),
    "addresses cut from the eleventh link on": Mistake(
        "VXLAN",
        (("addr add 10.1.$i.2/24 dev l$i", "addr add 10.1.$(echo 1 11 | cut -d' ' -f$i).2/24 dev l$i"),),
        ALL_OF_IT,
        "^(s1 l2|l2 s1) ",
    ),
    "one VNI for all rows": Mistake(
        "VXLAN VXLAN", (("{row}042", "42"),), {"apart": 20.0}, "^VNI 42 - expected for this row alone", "beside-tunnel"
    ),
    "subnets of the type, not of the row": Mistake(
        "L3 L3", (*CARELESS, ("43.$row.", "43.1.")), SECOND, r"^l[12] 43\.1\.[12]\.0/24 .*dev [AB]1X .*dev [AB]2X"
    ),
    "multicast where nothing routes it": Mistake(
        "VXLAN", (("remote 10.1.$((3 - i)).1", "group 239.1.1.1 dev s1"),), ROW, "^(l[12] vx1|s1 l[12]) "
    ),
    "no return path over one spine": Mistake(
        "VXLAN Bridge",
        (("ip -n s$s addr add 10.$s.$l.2/24", "[ $l$s = 21 ] && continue; ip -n s$s addr add 10.$s.$l.2/24"),),
        {"fabric": 20.0, "rows": 30.0, "apart": 10.0, "sizes": 2.5},
        "^(s1 l2|l2 s1) ",
        "two-spines",
    ),
    "no MTU anywhere": Mistake(
        "VXLAN",
        (("ip -n $1 link set dev eth0 mtu 1400\n", "\n"),),
        {"sizes": 5.0},
        "^NS[13] br[13]_lc[12] .*less 50 of tunnel headers",
        "in-tunnel",
    ),
    "customer outside its bridge": Mistake(
        "VXLAN", (("ip -n l$i link set dev $name master br$row\n", "\n"),), ROW, "^l[12] [AB]1X "
    ),
    "the VTEP's bridge down": Mistake(
        "VXLAN", (("name br$row up type bridge\nip -n l$i", "name br$row type bridge\nip -n l$i"),), ROW, "^l[12] br1 "
    ),
    "two routes of a spine swapped": Mistake(
        "L3", (("/24 via 10.1.$i.1", "/24 via 10.1.$((3 - i)).1"),), ROW, r"^s1 43\.1\.[12]\.0/24 via .*: a circle of "
    ),
    "first row taken for a header": Mistake(
        "L3 VXLAN",
        (("row + 1)) i=0", "row + 1)) i=0\n    [ $row = 1 ] && continue"),),
        SECOND,
        "A1X - expected one container or namespace",
    ),
    "number of a process typed in": Mistake(
        "VXLAN Bridge",
        (
            *CARELESS,
            ("cable $name eth0 l1 $name", "ip link add name $name netns l1 type veth peer name eth0 netns 4711"),
        ),
        SECOND,
        "A2X - expected",
    ),
    "L3 rows through the tunnel": Mistake(
        "L3 GRE", ((". ./$type.sh", ". ./GRE.sh"),), {"rows": 30.0}, r"^l1 44\.1\.2\.0/24 dev gre1"
    ),
    "L3 rows in one network": Mistake(
        "L3 VXLAN",
        ((". ./$type.sh", "[ $type = L3 ] && . ./Bridge.sh || . ./$type.sh"),),
        {"rows": 30.0},
        "expected carried as routed - seen bridge",
    ),
    "loop between spine and leaf": Mistake(
        "L3",
        (("ip -n s1 route add 43.$row.$i.0/24 via 10.1.$i.1", "ip -n s1 route add 43.$row.$i.0/24 via 10.1.1.1"),),
        ROW,
        r"^s1 43\.1\.[12]\.0/24 via .*: a circle of ",
    ),
    "another VNI at one leaf": Mistake(
        "VXLAN VXLAN", (("id $((100 + row))", "id $((100 + row + 8 * (row == 1 && i == 2)))"),), SECOND, "^l[12] vx1 "
    ),
    "another VNI for a VLAN": Mistake(
        "VXLAN VXLAN",
        (("tunnel_info id 10$vlan", "tunnel_info id $((10000 + vlan + 8 * (row == 1 && l == 2)))"),),
        SECOND,
        "^leaf[12] vx vid 101 tunnel_info id ",
        "one-vxlan-device",
    ),
    "remote under no VNI": Mistake(
        "VXLAN", ((" src_vni 10$vlan", ""),), ROW, "^leaf[12] vx .*no remote for frames", "one-vxlan-device"
    ),
}
"""Traces that show nothing cost nothing: no promise is about them (``old-tools``)."""
DRAWN = list(MISTAKES) if ALL else drawn(list(MISTAKES), 1)

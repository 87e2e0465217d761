"""State that decides about packets beside links, addresses and main routes, from a kernel's dumps.

Policy rules, permanent neighbours, forwarding entries, filters and nftables' tables, in the words
of ip, bridge, tc and nft. Entries that the kernel learns, ages or makes by itself are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from ipaddress import ip_address

from topology.kernels.rtnl import messages as nl
from topology.kernels.rtnl.dumps import NTF_EXT_LEARNED, NUD_NOARP, NUD_PERMANENT, Request
from topology.kernels.rtnl.qdiscs import TC_H_INGRESS, added, handle
from topology.state import DEFAULT_RULES, Entry

NTF_SELF, NTF_STICKY = 0x02, 0x40
"""linux/neighbour.h; a bridge says NOARP of a static entry, PERMANENT of one that is the node's own (br_fdb.c)."""
VLAN_PVID, VLAN_UNTAGGED = 2, 4
"""BRIDGE_VLAN_INFO_PVID and _UNTAGGED of linux/if_bridge.h."""
FIB_RULE_INVERT, GOTO, NOT_SUPPRESSED = 2, 2, 0xFFFFFFFF
ACTIONS = {3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
TABLES = {253: "default", 254: "main", 255: "local"}
"""linux/fib_rules.h and rtnetlink.h, in the words of ip-rule(8)."""
RTPROT_STATIC, RTPROT_RA = 4, 9
"""linux/rtnetlink.h: a kernel does not interpret the protocols behind STATIC, but for its own of advertised routes."""
DAEMONS = {11: "zebra", 12: "bird", 18: "keepalived", 42: "babel", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip"}
"""Protocols of daemons (linux/rtnetlink.h), in the words of ip-route(8); others are known by number."""
VERSIONS = {2: 4, 10: 6}
"""AF_INET and AF_INET6; multicast routing has rules under families of its own."""
INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
"""linux/pkt_sched.h: the two places for filters at ingress and clsact."""
WITHOUT_FILTERS = frozenset(("noqueue", "pfifo_fast", "pfifo", "bfifo", "mq", "netem", "tbf"))
PROTOCOLS = {0x0003: "all", 0x0800: "ip", 0x0806: "arp", 0x86DD: "ipv6", 0x8100: "802.1q"}
"""EtherTypes as tc(8) writes them (linux/if_ether.h)."""
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
"""linux/netfilter.h, as nft(8) writes them."""
NF_DROP = 0
DOCKERS_RESOLVER = bytes((127, 0, 0, 11))


def daemon(protocol: int) -> str:
    """The daemon that makes entries of a protocol; empty where the kernel or an administrator does."""
    return "" if protocol <= RTPROT_STATIC or protocol == RTPROT_RA else DAEMONS.get(protocol, str(protocol))


def rules(dump: bytes) -> Iterator[Entry]:
    """Every policy rule; where a kernel has none of a version, it does what the default ones say."""
    found: dict[int, list[Entry]] = {4: [], 6: []}
    for rule in nl.parsed(nl.RULE, dump):
        if (version := VERSIONS.get(rule["family"])) is not None:
            words = f"pref {rule.get('priority', 0)} {' '.join(_rule(rule))}"
            owner = daemon(rule.get("protocol", 0))
            found[version].append(Entry("ip -6 rule" if version == 6 else "ip rule", None, words, words, owner=owner))
    for version, entries in found.items():
        yield from entries or DEFAULT_RULES[version]


def _rule(rule: nl.Message) -> Iterator[str]:
    """Words behind the preference, in the order of ip-rule(8)."""
    if rule["flags"] & FIB_RULE_INVERT:
        yield "not"
    yield f"from {rule['from']}/{rule['src_len']}" if "from" in rule else "from all"
    if "to" in rule:
        yield f"to {rule['to']}/{rule['dst_len']}"
    if rule["tos"]:
        yield f"tos {rule['tos']:#x}"
    if mark := rule.get("mark"):
        yield f"fwmark {mark:#x}/{rule.get('mask') or 0xFFFFFFFF:#x}"
    for word in ("iif", "oif", "uidrange", "ipproto", "sport", "dport", "tun_id"):
        if word in rule:
            yield f"{word} {rule[word]}"
    yield _action(rule)
    if (shortest := rule.get("suppress_prefixlength", NOT_SUPPRESSED)) != NOT_SUPPRESSED:
        yield f"suppress_prefixlength {shortest}"


def _action(rule: nl.Message) -> str:
    if rule.get("l3mdev"):
        return "l3mdev"
    if rule["action"] == GOTO:
        return f"goto {rule.get('goto')}"
    return ACTIONS.get(rule["action"]) or f"lookup {TABLES.get(rule['table'], rule['table'])}"


def neighbours(dump: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Every permanent neighbour and every one that a daemon made (ip-neighbour(8))."""
    for known in nl.parsed(nl.NEIGHBOUR, dump):
        device, owner = names.get(known["index"]), _owner(known)
        kept = known["state"] & NUD_PERMANENT or (owner and "mac" in known)
        if kept and known["family"] in VERSIONS and device:
            place = f"{known.get('dst')} dev {device}"
            how = "nud permanent" if known["state"] & NUD_PERMANENT else "extern_learn"
            words = f"{known.get('dst')} lladdr {known.get('mac')} dev {device} {how}"
            yield Entry("ip neigh", device, words, place, owner=owner)


def _owner(known: nl.Message) -> str:
    """The daemon that made a neighbour or a forwarding entry; empty for others."""
    return daemon(known.get("protocol", 0)) or ("extern_learn" if known["flags"] & NTF_EXT_LEARNED else "")


def forwarding(dump: bytes, names: Mapping[int, str], own: Set[str]) -> Iterator[Entry]:
    """Every permanent entry of a bridge's or a VXLAN device's table, every one of a daemon's, and every further address
    of a device (bridge(8)).

    The kernel's own are left out: groups that a device listens to, and ``own``, the MACs of the node's devices.
    """
    found = {}
    for known in nl.parsed(nl.NEIGHBOUR, dump):
        mac, device = known.get("mac", ""), names.get(known["index"])
        kept = known["state"] & (NUD_PERMANENT | NUD_NOARP) or known["flags"] & NTF_EXT_LEARNED
        if kept and mac and device and mac not in own and not int(mac[:2], 16) & 1:
            place = f"{mac} dev {device}{_ends(known, names)}{_table(known)}"
            words = f"{place} {_kept_as(known)}"
            read = (mac, ip_address(known["dst"])) if "dst" in known else None
            found[place, known.get("vlan")] = Entry("bridge fdb", device, words, place, owner=_owner(known), read=read)
    for (place, vlan), entry in found.items():
        # A bridge keeps a copy in each of a port's VLANs of what was added to no VLAN in particular.
        if vlan is None:
            yield entry
        elif (place, None) not in found:
            yield replace(entry, words=f"{entry.words} vlan {vlan}", place=f"{place} vlan {vlan}")


def _ends(known: nl.Message, names: Mapping[int, str]) -> str:
    words = ("dst", "port", "vni", "src_vni")
    ends = {word: known.get(word) for word in words} | {"via": names.get(known.get("via", 0))}
    return "".join(f" {word} {value}" for word, value in ends.items() if value is not None)


def _table(known: nl.Message) -> str:
    """Whose table it is in: the device's own, or that of the bridge that the device is a port of."""
    of_bridge = known.get("master", known["index"]) != known["index"]
    return " master" if of_bridge and not known["flags"] & NTF_SELF else " self"


def _kept_as(known: nl.Message) -> str:
    sticky = " sticky" if known["flags"] & NTF_STICKY else ""
    learned = " extern_learn" if known["flags"] & NTF_EXT_LEARNED else ""
    kept = {0: "", NUD_NOARP: "static"}.get(known["state"] & (NUD_PERMANENT | NUD_NOARP), "permanent")
    return f"{kept}{sticky}{learned}".strip()


def vlans(dump: bytes, filtering: Set[str]) -> Iterator[Entry]:
    """Every VLAN of the bridges that filter them and of their ports, which are ``filtering``."""
    for port in nl.parsed(nl.VLANS, dump):
        for vid, flags, tunnel in port.get("vlans", ()) if port["name"] in filtering else ():
            place = f"dev {port['name']} vid {vid}"
            words = [word for bit, word in ((VLAN_PVID, "pvid"), (VLAN_UNTAGGED, "untagged")) if flags & bit]
            words += [f"tunnel_info id {tunnel}"] if tunnel is not None else []
            yield Entry("bridge vlan", port["name"], " ".join([place, *words]), place)


def filter_requests(dump: bytes) -> Iterator[Request]:
    """The requests to a node with these qdiscs for its filters, wherever some may be."""
    for qdisc in added(dump):
        if qdisc["parent"] == TC_H_INGRESS:
            yield _filter_request(qdisc["index"], INGRESS)
            if qdisc["kind"] == "clsact":
                yield _filter_request(qdisc["index"], EGRESS)
        elif qdisc["kind"] not in WITHOUT_FILTERS:
            yield _filter_request(qdisc["index"], qdisc["handle"])


def _filter_request(index: int, parent: int) -> Request:
    return Request("filters", nl.FILTER.request(index=index, parent=parent))


def filters(dump: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Every filter, once for all that it matches: the kernel reports its counters together with those matches."""
    for known in nl.parsed(nl.FILTER, dump):
        device, parent = names.get(known["index"]), known["parent"]
        (protocol,) = struct.unpack("!H", struct.pack("=H", known["info"] & 0xFFFF))
        at = {INGRESS: "ingress", EGRESS: "egress"}.get(parent, f"parent {handle(parent)}")
        match = f"protocol {PROTOCOLS.get(protocol, hex(protocol))} pref {known['info'] >> 16}"
        place = f"dev {device} {at} {match}"
        yield Entry("tc filter", device, f"{place} {known['kind']}", place)


def firewall(dump: bytes, acting: Collection[tuple[int, str]]) -> Iterator[Entry]:
    """Every table of nftables; ``acting`` are the families and names of those that can do something to a packet."""
    for table in nl.parsed(nl.NFT_TABLE, dump):
        family, name = table["family"], table["name"]
        words = f"table {FAMILIES.get(family, family)} {name}"
        yield Entry("nft", None, words, words, idle=(family, name) not in acting)


def acting_tables(chains: Iterable[bytes], rules: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """The family and name of every table with a chain whose policy is to drop, or with a rule.

    Rules of a table ``nat`` for 127.0.0.11 are left out: docker's resolver in a container, which nothing else meets.
    """
    for chain in (chain for dump in chains for chain in nl.parsed(nl.NFT_CHAIN, dump)):
        if chain.get("policy") == NF_DROP:
            yield chain["family"], chain["name"]
    for kind, _, _, payload in (message for dump in rules for message in nl.messages(dump)):
        rule = nl.NFT_RULE.read(payload) if kind == nl.NFT_RULE.kind else {}
        if rule and not (rule["name"] == "nat" and DOCKERS_RESOLVER in payload):
            yield rule["family"], rule["name"]

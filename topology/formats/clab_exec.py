"""Applies a node's exec lines to its state: the program of each, and its effect.

What configures the network in a way that is not understood is refused; what only looks changes nothing; any other
program is left out, and noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from topology.errors import LabError, Position
from topology.formats.clab_grammar import ENTRY, FLOOD, LOOKS
from topology.formats.clab_ip import ip
from topology.formats.clab_node import ExecNode
from topology.formats.clab_shell import SHELLS, Words, commands, program_of, refusal
from topology.formats.lab_refusals import ALL
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Scalar

_NETWORK = (
    "arp arptables babeld batctl bfdd bgpctl bgpd bird bird6 bird6c birdc bpftool brctl bridge charon charon-systemd "
    "dhclient dhcp6c dhcpcd ebtables eigrpd exabgp fabricd firewall-cmd frr gobgpd holod ifconfig ifdown ifenslave "
    "ifquery ifreload ifup ip ip6tables ip6tables-legacy ip6tables-nft ip6tables-restore ipsec ipset iptables "
    "iptables-legacy iptables-legacy-restore iptables-nft iptables-restore ipvsadm isisd keepalived ldpd "
    "macchanger mgmtd mii-tool mrouted mstpd ndppd netplan networkctl networking nft nhrpd nmcli nsenter nv "
    "odhcp6c olsrd openbgpd openrc openvpn ospf6d ospfd ovs-appctl ovs-dpctl ovs-ofctl ovs-vsctl ovs-vswitchd "
    "ovsdb-server parprouted pathd pbrd pim6d pimd pppd radvd rc-service rdisc6 ripd ripngd route rtadvd runit "
    "runsvdir s6-svscan service smcroute smcrouted staticd strongswan supervisord swanctl sysctl systemctl tc "
    "tcset teamd tincd tunctl udhcpc ufw unshare vconfig vde_switch vpp vppctl vrrpd vtysh watchfrr wg wg-quick "
    "xdp-loader xl2tpd zebra"
)
NETWORK = frozenset(_NETWORK.split())
"""Programs that can change a fabric, and those that start such programs."""
_NAME = r"\w[\w.:/-]*"
_LIST = rf"(?:-t|-[nvxwLSV46]+|--(?:table|list|list-rules|numeric|verbose|exact|line-numbers|version)|{_NAME})"
LOOKING: Mapping[str, str] = {
    r"(?:ip6?|arp|eb)tables(?:-legacy|-nft)?": rf"(?=.*(?:-[nvxw46]*[LSV]|--list)){_LIST}(?: {_LIST})*",
    "nft": rf"(?:-[ajnspy]+ )*list(?: {_NAME})+",
    "tc": rf"(?:-[sdpjrno]+ )*\w+(?: (?:show|list|ls)(?: {_NAME})*)?",
    "birdc|bird6c|brctl|gobgp|ipset|networkctl|swanctl|vppctl|wg": rf"(?:show|showmacs|showstp|list)(?: {_NAME})*",
    "systemctl|service|rc-service": rf"(?:status|is-active|is-enabled|show)(?: {_NAME})*|{_NAME} status",
    "ifconfig|route|arp": r"(?:-[aenv46]+(?: -[aenv46]+)*)?",
}
"""Programs, and the arguments with which they only look."""
_VTYSH_SHOWS = re.compile(r"\s*(?:sh|sho|show|ping|traceroute|list|exit|end)\b.*")
WRAPPERS = "env timeout nice time xargs watch script su chroot stdbuf flock parallel"
"""Programs that run another one, which their arguments name."""
INTERPRETERS = "python python2 python3 perl ruby lua node tclsh expect"
SETTINGS = re.compile(
    r"/proc/(sys|\d+|self)/net\b|/sys/(class|devices/virtual)/net\b|/sys/devices/\S*/net/|sys/net/ipv[46]/"
)
"""Paths of the kernel's network settings."""
READERS = "cat head tail ls grep egrep find stat test [ wc readlink more less"
"""Programs that change nothing that they read."""
SCRIPT = re.compile(r"\.(?:sh|bash|ash|py|pl|rb|lua)\b|/docker-start\b|/entrypoint\b")
UNSEEN = "is a script, whose commands are not seen"
NAT = re.compile(r"\bnat\b|\bMASQUERADE\b|\bmasquerade\b|\b[SD]NAT\b")
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_RIGHT = "ip, 'bridge fdb append' and sysctl commands that say the same"
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
HASH_POLICY = tuple(f"net.ipv{version}.fib_multipath_hash_policy" for version in (4, 6))
LINKDOWN = tuple(f"net.ipv{v}.conf.{name}.ignore_routes_with_linkdown" for v in (4, 6) for name in ("all", "default"))
FORWARDING: Mapping[str, int] = {
    "net.ipv4.ip_forward": 4,
    "net.ipv4.conf.all.forwarding": 4,
    "net.ipv6.conf.all.forwarding": 6,
}
"""The keys that make a router, and the IP version each is for."""
SYSCTLS: Mapping[str, str] = {
    r"net\.ipv4\.ip_forward|net\.ipv[46]\.conf\.all\.forwarding": "0 1",
    r"net\.ipv[46]\.fib_multipath_hash_policy": "0 1 2",
    r"net\.ipv[46]\.conf\.(all|default)\.ignore_routes_with_linkdown": "0 1",
    r"net\.ipv4\.conf\.default\.forwarding": "1",
    r"net\.ipv4\.conf\.\S+\.rp_filter": "0",
    r"net\.ipv[46]\.conf\.\S+\.ignore_routes_with_linkdown": "0",
    r"net\.ipv4\.conf\.\S+\.proxy_arp": "0",
    r"net\.ipv6\.conf\.\S+\.disable_ipv6": "0 1",
    r"net\.bridge\.bridge-nf-call-(ip|ip6|arp)tables": "0",
    r"net\.ipv[46]\.icmp[._]ratelimit": "0",
    r"net\.ipv6\.conf\.\S+\.(accept_dad|dad_transmits|accept_ra|autoconf|use_tempaddr|optimistic_dad)": "",
}
"""Keys, and the values that hopcheck can make; none where every value gives the same fabric. The first match counts."""
_LONG = ("--write", "--quiet", "--ignore", "--all", "--values", "--names")
"""Long options of sysctl(8) that read nothing from elsewhere."""


def carry_out(node: ExecNode, line: str, where: Position) -> None:
    """Apply one exec line; its problems and notes go to the node's findings."""
    try:
        found = list(commands(line, where))
    except LabError as error:
        if is_about_networks(line):
            node.findings.problems.update(dict.fromkeys(error.problems))
            node.findings.spoiled |= ALL
        else:
            _leave_out(node, line, where)
        return
    for words in found:
        with node.findings.collected():
            _run(node, words)


def is_about_networks(line: str) -> bool:
    """Return whether a line that is not understood may configure the network: it names such a program, such a setting
    of the kernel, or another script."""
    return bool(SCRIPT.search(line) or SETTINGS.search(line)) or not NETWORK.isdisjoint(_WORD.findall(line))


def _run(node: ExecNode, words: Words) -> None:
    """One command; raises LabError where it configures the network otherwise than hopcheck can."""
    line, program = str(words), program_of([words.take()])
    if program in PROGRAMS:
        PROGRAMS[program](node, words)
    elif program in ("echo", "printf"):
        shell = "containerlab runs no shell; sh -c '...' would write it"
        node.findings.note(
            words.where, f"{shown(line)} only prints", shell if SETTINGS.search(line) else "it sets nothing"
        )
    elif _looks(program, words.rest):
        return
    elif why := _reason(program, line):
        node.findings.spoiled |= ALL if why == UNSEEN else frozenset()
        raise refusal(words.where, f"{shown(line)} {why}", _RIGHT)
    else:
        _leave_out(node, line, words.where)


def _looks(program: str, arguments: Sequence[str]) -> bool:
    """Return whether a program that can change the network only prints something."""
    if program == "vtysh":
        lines = [line for script in arguments[1::2] for line in script.splitlines()]
        return set(arguments[::2]) == {"-c"} and all(map(_VTYSH_SHOWS.fullmatch, lines))
    text = " ".join(arguments)
    return any(re.fullmatch(name, program) and re.fullmatch(rest, text) for name, rest in LOOKING.items())


def _reason(program: str, line: str) -> str:
    """The reason why a command that is not understood may change the network; empty where there is none."""
    if SETTINGS.search(line) and program not in READERS.split():
        return "may write a setting of the network's, and is not understood"
    if program in SHELLS or SCRIPT.search(line if program in INTERPRETERS.split() else line.split()[0]):
        return UNSEEN
    if NAT.search(line) and program in NETWORK:
        return "translates addresses (NAT), which hopcheck's fabrics do not"
    runs_another = program in f"{WRAPPERS} {INTERPRETERS}".split() or "=" in program
    if program in NETWORK or (runs_another and is_about_networks(line)):
        return "may change the network, and is not understood"
    return ""


def _leave_out(node: ExecNode, line: str, where: Position) -> None:
    node.findings.note(where, f"{shown(line)} is not run", "no command of a network is known in it")


def bridge(node: ExecNode, words: Words) -> None:
    """``bridge fdb append MAC dev VXLAN dst ADDRESS [via DEV]``: where a VXLAN device sends frames to a MAC, or those
    to unknown MACs and to all (``00:00:00:00:00:00``)."""
    words.skip([f"{dash}{look}" for look in LOOKS for dash in ("-", "--")])
    object_, verb = (words.take() if words else "" for _ in range(2))
    if verb in ("", "show", "list", "lst", "get"):
        return
    found = ENTRY.read(words, node.findings) if object_ == "fdb" and verb in ("append", "add", "replace") else {}
    mac = found.get("mac", "")
    if not _MAC.fullmatch(mac) or set(found) & {"dev", "dst"} != {"dev", "dst"}:
        what = f"{shown(str(words))} sets an entry that bridges learn or lack"
        raise refusal(words.where, what, ENTRY.right)
    name, entry = found["dev"], Scalar(words.where, found["dst"])
    if node.is_lost(name):
        return
    if node.made(name) != "vxlan":
        raise refusal(words.where, f"{shown(name)} is no VXLAN device that is made before", ENTRY.right)
    device = node.device(name)
    way = device.settings.get("dev")
    if "via" in found and (way is None or found["via"] != way.text):
        what = f"{shown(name)} floods by {shown(found['via'])}, which is not its dev"
        raise refusal(words.where, what, ENTRY.right)
    is_there = bool(device.floods or "remote" in device.settings) if mac == FLOOD else mac in device.entries
    _check_entry(words, verb, mac, is_there)
    if mac == FLOOD:
        device.floods.append(entry)
    else:
        device.entries[mac] = entry


def _check_entry(words: Words, verb: str, mac: str, is_there: bool) -> None:
    """Refuse an entry that the kernel refuses beside those present (vxlan_fdb_update, drivers/net/vxlan)."""
    if verb == "replace" and mac == FLOOD:
        raise refusal(words.where, f"{shown(str(words))} fails: an all-zeros entry cannot be replaced", ENTRY.right)
    right = f"bridge fdb {'append' if mac == FLOOD else 'replace'} {mac} ..."
    if verb == "add" and is_there:
        raise refusal(words.where, f"{shown(str(words))} fails: File exists", right)
    if verb == "append" and is_there and mac != FLOOD:
        raise refusal(words.where, f"{shown(str(words))} changes nothing: {mac} is there", right)


def sysctl(node: ExecNode, words: Words) -> None:
    """``sysctl -w KEY=VALUE``; one that only reads does nothing."""
    writes = False
    while words:
        word = words.take()
        if word.startswith("-"):
            writes = writes or word == "--write" or "w" in word
            if word not in _LONG and not set(word) <= set("-wqeanNAX"):
                raise refusal(words.where, f"{shown(str(words))} reads settings from elsewhere", "sysctl -w KEY=VALUE")
        elif "=" in word:
            key, _, value = word.partition("=")
            write(node, key, value, words.where)
        elif writes:
            raise refusal(words.where, f"{shown(word)} in {shown(str(words))} has no value", "sysctl -w KEY=VALUE")


def write(node: ExecNode, key: str, value: str, where: Position) -> None:
    """One sysctl; raises LabError where it is unsupported."""
    key, value = key.strip().replace("/", "."), value.strip()
    text = next((values for form, values in SYSCTLS.items() if re.fullmatch(form, key)), None)
    allowed = (text or "").split()
    if text is None and (key.startswith("net.") or not key):
        what = f"the sysctl {shown(key)} may change the network, and is not understood"
        raise refusal(where, what, "one that hopcheck writes too (--plan shows them)")
    if text is None:
        node.findings.note(where, f"the sysctl {shown(key)} is left out", "it is no network's")
    elif allowed and value not in allowed:
        right = f"{key}={' or '.join(allowed)}"
        raise refusal(where, f"{shown(key)} is set to {shown(value)}", right)
    elif key in FORWARDING:
        node.forwarding[FORWARDING[key]] = (value == "1", where)
    elif key in (*HASH_POLICY, *LINKDOWN):
        node.routing[key] = (value, where)
    elif key.endswith(".disable_ipv6"):
        device = key.removeprefix("net.ipv6.conf.").removesuffix(".disable_ipv6")
        node.without_ipv6.pop(device, None)
        if value == "1":
            node.without_ipv6[device] = where


def ethtool(node: ExecNode, words: Words) -> None:
    """``ethtool -K`` decides whether a kernel computes a checksum early or late, which no header's field shows."""
    node.findings.note(words.where, "the offloads that ethtool sets are left out", "the kernel's own are kept")


PROGRAMS: Mapping[str, Callable[[ExecNode, Words], None]] = {
    "ip": ip,
    "bridge": bridge,
    "sysctl": sysctl,
    "ethtool": ethtool,
}

"""Evaluates nftables' rules for one packet at one hook, as ``nft -j list ruleset`` prints them (libnftables-json(5)).

Rules of iptables on nftables are among them; what their extensions want, only ``nft list ruleset`` prints. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from reports.diagnosis.filters.hits import Effect, Hit
from reports.diagnosis.filters.hooks import Hook
from reports.diagnosis.filters.packet import Packet
from reports.diagnosis.filters.values import Answer, equal, matches, names_of, value_of

Json: TypeAlias = Mapping[str, Any]
NETWORKS = {"ip": ("ipv4",), "ip6": ("ipv6",), "inet": ("ipv4", "ipv6"), "arp": ("arp",)}
DROPS = frozenset(("drop", "reject", "REJECT", "DROP"))
NATS = frozenset(("snat", "dnat", "masquerade", "redirect", "SNAT", "DNAT", "MASQUERADE", "REDIRECT", "NETMAP"))
REDIRECTS = frozenset(("fwd", "tproxy", "TPROXY"))
PASSED = frozenset(("counter", "log", "notrack", "comment", "set", "LOG", "CT", "NOTRACK", "TCPMSS", "NFLOG"))
"""Statements that leave the packet alone; TCPMSS changes TCP only."""
EXTENSIONS = {
    "conntrack": (r"ct state (!= )?(\S+)", {"ct": {"key": "state"}}),
    "state": (r"ct state (!= )?(\S+)", {"ct": {"key": "state"}}),
    "icmp": (r"icmp type (!= )?(\S+)", {"payload": {"protocol": "icmp", "field": "type"}}),
    "icmp6": (r"icmpv6 type (!= )?(\S+)", {"payload": {"protocol": "icmpv6", "field": "type"}}),
    "length": (r"meta length (!= )?(\S+)", {"meta": {"key": "length"}}),
    "udp": (r"udp dport (!= )?(\S+)", {"payload": {"protocol": "udp", "field": "dport"}}),
    "ttl": (r"ip ttl (!= |gt |lt )?(\S+)", {"payload": {"protocol": "ip", "field": "ttl"}}),
    "mark": (r"meta mark (!= )?(\S+)", {"meta": {"key": "mark"}}),
}
"""By iptables' match: how nft prints what it wants, and the same as nft's own expression."""
OPS = {"!= ": "!=", "gt ": ">", "lt ": "<"}
DEPTH_MAX = 16
"""NFT_JUMP_STACK_SIZE (net/netfilter/nf_tables.h)."""
HANDLE = re.compile(r"\s*(?P<words>.*?) # handle (?P<handle>\d+)$")
HEAD = re.compile(r"table (?P<family>\w+) (?P<table>\S+) \{")
CHAIN = re.compile(r"\s+chain (?P<chain>\S+) \{")
DEVICES = re.compile(r"\s+type filter hook \w+ devices? = ?(?P<many>\{.*?\})|.* hook \w+ device (?P<one>\S+)")


@dataclass(frozen=True)
class Ruleset:
    """The rules of one node: chains and rules in their order, sets by family, table and name, the rules' words."""

    chains: Sequence[Json] = ()
    rules: Mapping[tuple[str, str, str], Sequence[Json]] = field(default_factory=dict)
    sets: Mapping[tuple[str, str], Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    words: Mapping[tuple[str, str, int], str] = field(default_factory=dict)
    devices: Mapping[tuple[str, str, str], frozenset[str]] = field(default_factory=dict)
    """Of netdev's chains, which nft's JSON leaves out (seen with nft 1.0.6)."""

    @classmethod
    def of(cls, printed: Json, text: str) -> Ruleset:
        """Read both forms of ``nft list ruleset``."""
        rules: dict[tuple[str, str, str], list[Json]] = {}
        sets: dict[tuple[str, str], dict[str, Sequence[Any]]] = {}
        chains = []
        for kind, body in (next(iter(one.items())) for one in printed["nftables"]):
            if kind == "chain":
                chains.append(body)
            elif kind == "rule":
                rules.setdefault((body["family"], body["table"], body["chain"]), []).append(body)
            elif kind in ("set", "map"):
                sets.setdefault((body["family"], body["table"]), {})[body["name"]] = body.get("elem", [])
        words: dict[tuple[str, str, int], str] = {}
        devices: dict[tuple[str, str, str], frozenset[str]] = {}
        for *place, line in _placed(text):
            family, table, chain = place
            if found := HANDLE.match(line):
                words[family, table, int(found["handle"])] = found["words"]
            elif found := DEVICES.match(line):
                devices[family, table, chain] = frozenset(re.findall(r'[^\s{},"]+', found["many"] or found["one"]))
        return cls(chains, rules, sets, words, devices)

    def base_chains(self, hook: Hook) -> list[Json]:
        """Return the chains that a packet enters at a hook, in their order."""
        found = [chain for chain in self.chains if chain.get("hook") == hook.name and self._is_for(chain, hook)]
        return sorted(found, key=lambda chain: int(chain.get("prio", 0)))

    def _is_for(self, chain: Json, hook: Hook) -> bool:
        family = chain["family"]
        if hook.layer == "ip":
            return hook.packet.network in NETWORKS.get(family, ())
        if hook.layer == "device":
            return hook.device in self.devices.get((family, chain["table"], chain["name"]), ())
        return bool(family == hook.layer)


def _placed(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield each line with the family, table and chain that it is in."""
    family = table = chain = ""
    for line in text.splitlines():
        if head := HEAD.match(line):
            family, table, chain = head["family"], head["table"], ""
        elif found := CHAIN.match(line):
            chain = found["chain"]
        else:
            yield family, table, chain, line


class Verdict(NamedTuple):
    """The end of a rule: accept, drop, return, jump or goto with a chain, or ``next``; and whether that is sure."""

    what: str = "next"
    chain: str = ""
    sure: bool = True


def nft_hits(rules: Ruleset, hook: Hook) -> tuple[list[Hit], Packet]:
    """Return what the rules at a hook can do to a packet, and the packet with the mark that they give it."""
    hits: list[Hit] = []
    packet = hook.packet
    for chain in rules.base_chains(hook):
        run = Run(rules, chain, replace(hook, packet=packet))
        end, sure = run.through(chain["name"], True)
        if end == "" and chain.get("policy") == "drop":
            run.hits.append(run.hit("drop", f"chain {chain['name']}: policy drop", sure, policy=True))
            end = "drop"
        hits, packet = hits + run.hits, run.packet
        if end == "drop" and sure:
            break
    return hits, packet


class Run:
    """A packet's way through one base chain."""

    def __init__(self, rules: Ruleset, base: Json, hook: Hook) -> None:
        self._rules, self._base, self._hook, self.packet = rules, base, hook, hook.packet
        self._table = (base["family"], base["table"])
        self._sets = rules.sets.get(self._table, {})
        self._unknown = ""
        self.hits: list[Hit] = []

    def through(self, chain: str, sure: bool, depth: int = 0) -> tuple[str, bool]:
        """Return how the packet leaves a chain (accept, drop, or empty at its end), and whether that is sure."""
        for rule in self._rules.rules.get((*self._table, chain), ()):
            verdict = self._verdict(rule, sure)
            end, certain = verdict.what, sure and verdict.sure
            if end in ("jump", "goto") and depth < DEPTH_MAX:
                tail = end == "goto"
                before = len(self.hits)
                end, inner = self.through(verdict.chain, certain, depth + 1)
                certain = certain and inner
                sure = sure and (certain or (not end and len(self.hits) == before))
                end = end or ("return" if tail else "next")
            if end == "next":
                continue
            if certain:
                return ("" if end == "return" else end), True
            sure = False
        return "", sure

    def _verdict(self, rule: Json, sure: bool) -> Verdict:
        """Return the end of a rule for the packet; what it can do to the packet is added to the hits."""
        known = True
        for statement in rule.get("expr", ()):
            kind, body = next(iter(statement.items()))
            answer = self._answer(rule, kind, body)
            if answer is False:
                return Verdict(sure=True)
            if answer is None:
                known = False
                self._unknown = self._unknown or self._words_of(rule)
                continue
            done = self._done(rule, kind, body, sure and known)
            if done.what != "next":
                return done._replace(sure=known and done.sure)
        return Verdict()

    def _answer(self, rule: Json, kind: str, body: Any) -> Answer:
        """Return whether a statement lets the packet go on in its rule."""
        if kind == "match":
            return matches(body, self.packet, self._sets)
        if kind == "counter" and isinstance(body, dict):
            return body.get("packets") != 0
        if kind == "xt" and body and body.get("type") == "match":
            return self._extension(rule, str(body.get("name")))
        return None if kind in ("limit", "quota", "ct count", "connlimit", "xt") and not _is_target(body) else True

    def _extension(self, rule: Json, name: str) -> Answer:
        """Return whether the packet is what a match of iptables wants."""
        if name == "comment":
            return True
        pattern, left = EXTENSIONS.get(name, ("", {}))
        found = re.search(pattern, self._words_of(rule)) if pattern else None
        if found is None:
            return None
        right: Any = found[2].split(",")
        if re.fullmatch(r"\d+-\d+", found[2]):
            right = {"range": found[2].split("-")}
        right = right[0] if isinstance(right, list) and len(right) == 1 else right
        return matches({"left": left, "op": OPS.get(found[1] or "", "=="), "right": right}, self.packet, self._sets)

    def _done(self, rule: Json, kind: str, body: Any, sure: bool) -> Verdict:
        """Return what a statement that is no condition does."""
        kind = str(body["name"]) if kind == "xt" else kind
        if kind in DROPS:
            return self._ends(rule, "drop", "drop", sure)
        if kind in NATS:
            return self._ends(rule, "change", "accept", sure)
        if kind in REDIRECTS:
            return self._ends(rule, "redirect", "drop", sure)
        if kind == "queue":
            return self._ends(rule, "drop", "drop", False)
        if kind == "mangle":
            self._mangled(rule, body, sure)
        elif kind == "vmap":
            return self._mapped(rule, body, sure)
        elif kind in ("accept", "return"):
            return Verdict(kind)
        elif kind in ("jump", "goto"):
            return Verdict(kind, body["target"])
        elif kind not in PASSED:
            self._unknown = self._unknown or self._words_of(rule)
        return Verdict()

    def _ends(self, rule: Json, effect: Effect, end: str, sure: bool) -> Verdict:
        self.hits.append(self.hit(effect, self._words_of(rule), sure, rule))
        return Verdict(end, sure=sure)

    def _mangled(self, rule: Json, body: Json, sure: bool) -> None:
        """Note a header that a rule changes, or the mark that it gives."""
        if body["key"] == {"meta": {"key": "mark"}}:
            self.packet = replace(self.packet, mark=body["value"] if isinstance(body["value"], int) else None)
            self.hits.append(self.hit("mark", self._words_of(rule), sure, rule))
        elif "payload" in body["key"]:
            self.hits.append(self.hit("change", self._words_of(rule), sure, rule))

    def _mapped(self, rule: Json, body: Json, sure: bool) -> Verdict:
        """Return the verdict of the map's first element that fits."""
        data = body["data"]
        named = isinstance(data, str) and data.startswith("@")
        elements = self._sets.get(data[1:], ()) if named else data.get("set", ())
        value, names = value_of(body["key"], self.packet), names_of(body["key"])
        for wanted, verdict in elements:
            answer = equal(value, wanted, names, self._sets)
            kind, target = next(iter(verdict.items()))
            if answer is not False:
                done = self._done(rule, kind, target, sure and answer is True)
                if answer is True or done.what == "drop":
                    return done._replace(sure=done.sure and answer is True)
        return Verdict()

    def _words_of(self, rule: Json) -> str:
        handle = int(rule["handle"])
        return self._rules.words.get((*self._table, handle), f"rule with handle {handle}")

    def hit(self, effect: Effect, words: str, sure: bool, rule: Json | None = None, policy: bool = False) -> Hit:
        """Return something that a rule or a chain's policy can do."""
        family, table = self._table
        chain = rule["chain"] if rule else self._base["name"]
        place = f"{family} {table} {chain}"
        where = f"table {family} {table}, chain {chain}: {words}" if rule else f"table {family} {table}, {words}"
        undo = f"nft chain {place} '{{ policy accept; }}'" if policy else ""
        fix = f"nft delete rule {place} handle {rule['handle']}" if rule else undo
        where += f" # handle {rule['handle']}" if rule else ""
        unknown = "" if sure else self._unknown
        device = self._hook.device or None
        return Hit("nft", effect, where, f"nft -a list chain {place}", fix, sure, unknown, device)


def _is_target(body: object) -> Literal[True, False]:
    return isinstance(body, dict) and body.get("type") == "target"

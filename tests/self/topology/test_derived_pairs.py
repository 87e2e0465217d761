"""The pairs of a fabric that declares none are those that its model lets arrive."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.self.builders import reference, reference_text, vxlan_lab
from topology import derived_pairs
from topology.derived_pairs import with_derived_pairs
from topology.expected import check_pairs
from topology.formats.lab import load_lab_text
from topology.model import Fabric


def derived(fabric: Fabric) -> Fabric:
    """The fabric with derived pairs only."""
    return with_derived_pairs(replace(fabric, pairs=()))


def ends(fabric: Fabric) -> dict[frozenset[str], str]:
    """Pairs by their ends, and the kind."""
    return {frozenset({pair.source, pair.target}): pair.kind for pair in fabric.pairs}


@pytest.mark.parametrize("lab", [reference(), vxlan_lab()], ids=lambda lab: lab.name)
def test_what_a_lab_declares_is_derived(lab: Fabric) -> None:
    """Every pair that a lab declares comes out of its model with its kind, and every derived pair holds."""
    found = derived(lab)
    assert ends(lab).items() <= ends(found).items()
    assert list(check_pairs(found)) == []
    assert f"{len(found.pairs)} are derived" in found.notes[-1]


def test_pair_that_does_not_arrive_is_left_out_and_reported() -> None:
    """With a route missing, the pairs that need it are not derived, and the note says how many and why."""
    text = reference_text().replace("      - 30.0.0.0/24 dev gretun-cont\n", "")
    fabric = load_lab_text(text[: text.index("pairs:")])
    found = derived(fabric)
    assert set(ends(derived(reference()))) - set(ends(found)) == {
        frozenset({near, far}) for near in ("cs1", "cs2", "cs5") for far in ("cs3", "cs4")
    }
    assert "6 do not arrive, first" in found.notes[-1]
    assert "lc1: no route to 30.0.0." in found.notes[-1]


def test_only_so_many_pairs_are_tried_and_every_customer_is_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Very many customers are paired with neighbours first, up to a bound; the note has the full number."""
    monkeypatch.setattr(derived_pairs, "MAX_PAIRS", 40)
    count = 20
    text = (
        "lab: many\nnodes:\n  s:\n    role: switch\n    bridges: {br: ["
        + ", ".join(f"p{n}" for n in range(count))
        + "]}\n"
    )
    text += "".join(f"  c{n}: {{role: customer, addresses: {{e: 10.0.0.{n + 1}/24}}}}\n" for n in range(count))
    text += "links:\n" + "".join(f"  - [s:p{n}, c{n}:e]\n" for n in range(count))
    found = derived(load_lab_text(text))
    assert len(found.pairs) == 40
    assert {name for pair in found.pairs for name in (pair.source, pair.target)} == {f"c{n}" for n in range(count)}
    assert f"40 of {count * (count - 1) // 2} possible ones tried" in found.notes[-1]


@pytest.mark.parametrize("customers", [0, 1])
def test_fabric_without_two_customers_promises_nothing(customers: int) -> None:
    """Without two customers, no pair is made up, and the note says so."""
    text = "lab: few\nnodes:\n  l: {role: leaf}\n" + "  c: {role: customer, addresses: {e: 10.0.0.1/24}}\n" * customers
    found = derived(load_lab_text(text + "links: [[l:e, " + ("c:e]]" if customers else "l:f]]")))
    assert found.pairs == ()
    assert f"0 are derived between {customers} customers" in found.notes[-1]


ONE_WAY = """
lab: one-way
nodes:
  l1:
    role: leaf
    addresses: {up: 10.0.0.1/30, down: 10.1.0.254/24}
    gre: {t: {local: 10.0.0.1, remote: 10.0.0.2}}
    routes: [10.2.0.0/24 dev t]
  l2:
    role: leaf
    addresses: {up: 10.0.0.2/30, down: 10.2.0.254/24}
    gre: {t: {local: 10.0.0.2, remote: 10.0.0.1}}
    routes: [10.1.0.0/24 via 10.0.0.1]
  a: {role: customer, addresses: {e: 10.1.0.1/24}, routes: [default via 10.1.0.254]}
  b: {role: customer, addresses: {e: 10.2.0.1/24}, routes: [default via 10.2.0.254]}
links: [[l1:up, l2:up], [l1:down, a:e], [l2:down, b:e]]
"""


def test_pair_that_returns_in_another_kind_is_left_out_and_reported() -> None:
    """Two customers whose request is tunnelled and whose answer is not make no pair of one kind."""
    found = derived(load_lab_text(ONE_WAY))
    assert found.pairs == ()
    assert "a and b reach each other in two kinds" in found.notes[-1]


def test_addresses_of_two_versions_make_no_pair() -> None:
    """A customer with IPv4 and one with IPv6 cannot be paired."""
    text = "lab: two\nnodes:\n  a: {role: customer, addresses: {e: 10.0.0.1/24}}\n"
    text += "  b: {role: customer, addresses: {e: 'fd00::1/64'}}\nlinks: [[a:e, b:e]]\n"
    assert "two IP versions" in derived(load_lab_text(text)).notes[-1]

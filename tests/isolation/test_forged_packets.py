"""Forged VXLAN packets bring no frame to anybody, unless the lab declares that the fabric takes them.

Each is sent from the first node of each role that reaches the VTEP at all, customers included. A packet like the peer's
own follows the same way and is delivered: so a refusal is the VTEP's doing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.evidence import Finding
from topology.isolation.forgery import ForgeryKind, Target

pytestmark = pytest.mark.isolation
Forged = Callable[[Target, ForgeryKind], Finding]


def test_undeclared_vni_is_refused(vtep: Target, forged: Forged) -> None:
    """A packet with a VNI that nobody declares brings its frame to nobody, even in the name of the VTEP's peer."""
    assert forged(vtep, "undeclared-vni")


def test_packet_without_the_i_flag_is_refused(vtep: Target, forged: Forged) -> None:
    """A packet whose header says that its VNI is not valid brings its frame to nobody."""
    assert forged(vtep, "clear-i-flag")


def test_reserved_bit_is_treated_as_declared(vtep: Target, forged: Forged) -> None:
    """A packet with a reserved bit set is refused, or accepted where the lab says so (isolation: reserved-bits)."""
    assert forged(vtep, "reserved-bit")


def test_foreign_source_is_treated_as_declared(vtep: Target, forged: Forged) -> None:
    """A packet of a stranger to the VTEP is accepted, or refused where the lab says so (isolation: foreign-sources)."""
    assert forged(vtep, "foreign-source")


def test_other_tenants_vni_reaches_that_tenant_alone(vtep: Target, forged: Forged) -> None:
    """A packet with another tenant's VNI reaches that tenant alone, and only where foreign sources are accepted."""
    assert forged(vtep, "other-vni")

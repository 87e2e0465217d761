"""Forged packets of VXLAN and Geneve deliver no frame to any node, unless the lab declares them accepted.

Each is sent from the first node of each role that reaches the VTEP at all, customers included. A packet like the peer's
own follows the same way and is delivered: so a refusal is the VTEP's doing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.forgery import TREATED
from reports.evidence import Finding
from topology.isolation.forgery import ForgeryKind, Target

pytestmark = [pytest.mark.isolation, pytest.mark.check(TREATED)]
Forged = Callable[[Target, ForgeryKind], Finding]


def test_undeclared_vni_is_refused(vtep: Target, judged: Forged) -> None:
    """A packet with an undeclared VNI delivers its frame nowhere, even with the source address of the VTEP's peer."""
    assert judged(vtep, "undeclared-vni")


def test_packet_without_the_i_flag_is_refused(vxlan_vtep: Target, judged: Forged) -> None:
    """A packet without the I flag (its VNI is not valid) delivers its frame nowhere."""
    assert judged(vxlan_vtep, "clear-i-flag")


def test_reserved_bit_is_treated_as_declared(vxlan_vtep: Target, judged: Forged) -> None:
    """A packet with a reserved bit set is refused, or accepted if the lab says so (isolation: reserved-bits)."""
    assert judged(vxlan_vtep, "reserved-bit")


def test_foreign_source_is_treated_as_declared(vtep: Target, judged: Forged) -> None:
    """A packet from a foreign source is accepted by VXLAN unless the lab says refused (foreign-sources), by Geneve
    never.
    """
    assert judged(vtep, "foreign-source")


def test_other_tenants_vni_reaches_that_tenant_alone(tenants_vtep: Target, judged: Forged) -> None:
    """A packet with another tenant's VNI reaches that tenant alone, and only where its sender is accepted."""
    assert judged(tenants_vtep, "other-vni")


def test_unknown_protocol_is_refused(geneve_vtep: Target, judged: Forged) -> None:
    """A packet whose protocol type is not Ethernet delivers its frame nowhere."""
    assert judged(geneve_vtep, "unknown-protocol")


def test_unknown_critical_option_is_refused(geneve_vtep: Target, judged: Forged) -> None:
    """A packet with an unknown critical option delivers its frame nowhere."""
    assert judged(geneve_vtep, "critical-option")

"""Layer 2 domains (tenants) never see each other's frames, whatever addresses and MACs they use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.domains import ANSWERED, KEPT_APART
from reports.evidence import Finding
from topology.isolation.domains import FRAME_KINDS, Domain, FrameKind

pytestmark = pytest.mark.isolation


@pytest.mark.check(KEPT_APART)
@pytest.mark.parametrize("kind", FRAME_KINDS)
def test_frame_reaches_its_domain_and_nothing_else(
    domain: Domain, kind: FrameKind, judged: Callable[..., Finding]
) -> None:
    """A frame is seen unencapsulated at exactly the members of its domain that it is for, elsewhere only in its own
    tunnels.
    """
    assert judged(domain, kind)


@pytest.mark.check(ANSWERED)
def test_shared_address_is_answered_by_its_own_domain(twin_domain: Domain, judged: Callable[..., Finding]) -> None:
    """A request for an address that also exists in another domain is answered by the asker's own domain, unseen
    elsewhere.
    """
    assert judged(twin_domain)

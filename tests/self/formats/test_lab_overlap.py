"""The key ``isolation``: what it says, and how far tenants may overlap where it lets them."""

from __future__ import annotations

import pytest

from tests.self.builders import reference
from topology.errors import LabError
from topology.formats.lab import LABS, load_lab_text
from topology.model import Isolation

TENANTS = (LABS / "two-tenants.yaml").read_text()
ACCEPTED = "isolation:\n  overlap: accepted\n"


def problems(text: str) -> list[str]:
    """A lab's problems, each with its line."""
    with pytest.raises(LabError) as caught:
        load_lab_text(text, "mine.yaml")
    return [str(problem) for problem in caught.value.problems]


def changed(*edits: tuple[str, str]) -> str:
    """The lab of two tenants with something else in it."""
    text = TENANTS
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_a_lab_that_says_nothing_is_isolated_as_linux_is() -> None:
    """Without the key VXLAN takes foreign sources, refuses reserved bits, and no address is used twice."""
    assert reference().isolation == Isolation("accepted", "refused", "refused")


def test_what_the_lab_says_is_read() -> None:
    """Each of the three is set apart from the others."""
    assert load_lab_text(TENANTS).isolation == Isolation(overlap="accepted")
    more = "isolation: {foreign-sources: refused, reserved-bits: accepted, overlap: accepted}\n"
    assert load_lab_text(changed((ACCEPTED, more))).isolation == Isolation("refused", "accepted", "accepted")


def test_tenants_overlap_only_where_the_lab_says_so() -> None:
    """Without the key each shared MAC, address and subnet of the second tenant is refused at its line."""
    said = problems(changed((ACCEPTED, "")))
    assert sum("have one MAC" in problem for problem in said) == 3
    assert sum("is the address of red" in problem for problem in said) == 3
    assert all("blue" in TENANTS.splitlines()[int(problem.split(":")[1]) - 1] for problem in said)


def test_overlap_stops_at_the_segment() -> None:
    """Two customers of one tenant still may not have one address or one MAC."""
    (said,) = problems(changed(("red2: {role: customer, addresses: {eth0: 192.168.7.2/24}", RED2_AS_RED1)))
    assert "192.168.7.1 is the address of red1:eth0 already" in said
    (said,) = problems(changed(("blue3: {role: customer, " + BLUE3, "blue3: {role: customer, " + BLUE3_AS_BLUE2)))
    assert "blue3:eth0 and blue2:eth0 have one MAC" in said


RED2_AS_RED1 = "red2: {role: customer, addresses: {eth0: 192.168.7.1/24}"
BLUE3 = "addresses: {eth0: 192.168.7.3/24}, mac: {eth0: 02:00:00:00:07:03}"
BLUE3_AS_BLUE2 = "addresses: {eth0: 192.168.7.3/24}, mac: {eth0: 02:00:00:00:07:02}"


def test_overlap_stops_at_a_router() -> None:
    """A segment on which a leaf has an address belongs to one tenant: packets could be routed to either."""
    gateway = ("addresses: {l1_s1: 10.1.0.2/24}", "addresses: {l1_s1: 10.1.0.2/24, br-red: 192.168.7.254/24}")
    said = problems(changed(gateway))
    assert any("is the address of red1:eth0 already" in problem for problem in said)
    assert any("have one MAC" in problem for problem in said)


@pytest.mark.parametrize("subnet", ["10.1.0.0/16", "10.2.0.128/25"])
def test_tenants_do_not_overlap_with_the_underlay(subnet: str) -> None:
    """A tenant's subnet that holds the underlay's, or is in it, is refused with both named."""
    address = f"{subnet.split('/')[0][:-1]}9/{subnet.split('/')[1]}"
    tenant = [(f"red{n}: {{role: customer, addresses: {{eth0: 192.168.7.{n}/24}}", _red(n, address)) for n in (1, 2, 3)]
    said = problems(changed(*tenant))
    assert any("overlaps" in problem and "s1:s1_l" in problem for problem in said)


def _red(number: int, address: str) -> str:
    host, length = address.split("/")
    return f"red{number}: {{role: customer, addresses: {{eth0: {host[:-1]}{6 + number}/{length}}}"


def test_customer_is_in_a_subnet_once() -> None:
    """A customer of both tenants cannot have the subnet twice: it could not tell one from the other."""
    twice = (
        "blue3: {role: customer, addresses: {eth0: 192.168.7.3/24}, mac: {eth0: 02:00:00:00:07:03}}",
        "blue3: {role: customer, addresses: {eth0: 192.168.7.3/24, eth1: 192.168.7.9/24}}",
    )
    links = ("  - [l2:l2_blue3, blue3:eth0]", "  - [l2:l2_blue3, blue3:eth0]\n  - [l2:l2_red4, blue3:eth1]")
    (said,) = problems(changed(twice, links, ("[l2_red3, vx-red]", "[l2_red3, l2_red4, vx-red]")))
    assert "blue3:eth1 is in 192.168.7.0/24, and so is blue3:eth0 of the same node" in said


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("isolation: {overlap: acepted}\n", "unknown treatment 'acepted'; one of: accepted, refused"),
        ("isolation: {overlp: accepted}\n", "unknown key 'overlp'; did you mean 'overlap'?"),
        ("isolaton: {overlap: accepted}\n", "unknown key 'isolaton'; did you mean 'isolation'?"),
        ("isolation:\n", "an empty value is not a mapping"),
        ("isolation: accepted\n", "'accepted' is not a mapping"),
    ],
)
def test_a_misspelt_isolation_is_reported_alone(said: str, words: str) -> None:
    """The rest of the lab is not judged by what the key may have allowed."""
    (problem,) = problems(changed((ACCEPTED, said)))
    assert words in problem

"""A lab's needs of resources shared by all namespaces."""

from __future__ import annotations

from dataclasses import replace

from reports.checks.underlay import link_ends
from tests.self.builders import reference, vxlan_lab
from topology.expected import probes_of, reply_to
from topology.leafspine import leafspine
from topology.model import Fabric
from topology.packet import Probe
from topology.plan import NO_ROOM
from topology.room import adjacencies, entries, in_groups, room_for


def links(lab: Fabric) -> list[Probe]:
    """A probe for every link."""
    return [Probe(ends.source, ends.target, ends.src, ends.dst) for ends in link_ends(lab)]


def test_a_lab_without_pairs_needs_no_neighbours() -> None:
    """Without promised pairs no neighbour entry is needed."""
    bare = room_for(replace(vxlan_lab(), pairs=()))
    assert bare.neighbours == {}
    assert bare.namespaces == len(vxlan_lab().nodes)
    assert bare != NO_ROOM


def test_two_copies_need_twice_the_neighbours_and_namespaces() -> None:
    """A kernel shares its tables among the workers' fabrics; each has an agent, so files of its own."""
    one, two = room_for(reference()), room_for(reference(), copies=2)
    assert one.neighbours[4] > 0
    assert (two.neighbours[4], two.namespaces, two.files) == (2 * one.neighbours[4], 2 * one.namespaces, one.files)


def test_each_of_two_that_exchange_frames_knows_the_other() -> None:
    """In leafspine-64x16 these are the customers, their far ends or gateways, and the links that pairs take."""
    lab = leafspine("leafspine-64x16")
    assert room_for(lab).neighbours == {4: 2 * (64 + 64 + 64 * 4 + 1)}
    every = adjacencies(lab, (probe for pair in lab.pairs for probe in probes_of(lab, pair)))
    assert entries(every | adjacencies(lab, links(lab)))[4] == 2 * (64 + 64 + 64 * 16)


def test_groups_have_room_and_leave_no_node_out() -> None:
    """Every probe is in one group, in order, and the neighbours of a group's probes and answers have room."""
    lab = leafspine("leafspine-16x8")
    probes = links(lab)
    groups = list(in_groups(lab, probes, {4: 100}))
    assert [probe for group in groups for probe in group] == probes
    assert 3 <= len(groups) <= 5
    for group in groups:
        assert entries(adjacencies(lab, [*group, *map(reply_to, group)]))[4] <= 100
    assert [len(group) for group in in_groups(lab, probes, {4: 1000})] == [len(probes)]


def test_a_probe_that_alone_needs_more_goes_alone() -> None:
    """With no room at all each probe is a group of its own."""
    probes = links(vxlan_lab())
    assert [list(group) for group in in_groups(vxlan_lab(), probes, {4: 0})] == [[probe] for probe in probes]

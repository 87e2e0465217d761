"""A submission in Ansible is graded as one in shell is; its machine has an image of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixtures.instruments.grading.grader import Grader
from reports.grading.record import Row
from reports.grading.score import score
from tests.grading.kit import packed
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.recipe import Recipe, Step
from topology.formats.rubric import rubric_of_text
from topology.formats.submission import Packed, Submission

pytestmark = [
    pytest.mark.grading,
    pytest.mark.alone,
    pytest.mark.skipif(os.environ.get("HOPCHECK_SUBMISSIONS") != "all", reason="builds for minutes"),
]
ROWS = [Row(1, "CS1", "CS2", "Bridge")]
RECIPE = Recipe(steps=(Step("ansible-playbook build.yml -e csv={csv}", deadline=3600),), needs=("docker", "ansible"))
RUBRIC = "points: 10\nitems: [{id: bridge, points: 10, rows: Bridge, needs: [reaches, kind, both-ways]}]"
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: rows
      ansible.builtin.shell: "tr -d ' ' < {{ csv }} | grep -v '^$'"
      register: rows
    - name: a network for each row
      community.docker.docker_network: {name: "row{{ index }}"}
      loop: "{{ rows.stdout_lines }}"
      loop_control: {index_var: index}
    - name: customers
      docker_container:
        name: "{{ item[0].split(',')[item[1]] }}"
        image: ubuntu
        privileged: true
        networks: [{name: "row{{ rows.stdout_lines.index(item[0]) }}"}]
        networks_cli_compatible: true
      loop: "{{ rows.stdout_lines | product([0, 1]) | list }}"
    - name: forwarding
      command: sysctl -w net.ipv4.ip_forward=1
"""


def test_playbook_builds_and_is_graded() -> None:
    """Shell, command and the docker modules work in the machine, and the row that they build gets its points."""
    rubric = rubric_of_text(RUBRIC)
    handed_in = Packed(".tar.gz", packed({"build.yml": PLAYBOOK}))
    try:
        record = Grader().grade(Submission("one", Path("one")), handed_in, ROWS, RECIPE, rubric, "")
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    assert [step.exit for step in record.build] == [0], record.build
    assert score(record, rubric).low == 10, record.promises

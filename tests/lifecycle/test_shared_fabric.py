"""The shared fabric is the same for every test, whatever a test before it has done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun

pytestmark = pytest.mark.lifecycle

MEDDLER = '''
import pytest

def test_before(fabric):
    assert fabric.differences(fabric.names[0]) == ()

CHANGES = {
    "link": "ip link set dev {dev} down",
    "rule": "ip rule add from 192.0.2.0/24 lookup 100 pref 50",
    "qdisc": "tc qdisc add dev {dev} root tbf rate 1mbit burst 10k limit 20k",
    "filter": "tc qdisc add dev {dev} clsact && tc filter add dev {dev} ingress u32 match u32 0 0 flowid 1:1",
    "sysctl": "sysctl -w net.ipv4.ip_forward=$((1 - $(cat /proc/sys/net/ipv4/ip_forward)))",
    "fdb": "bridge fdb add 02:00:00:00:00:99 dev {dev} self",
    "neigh": "ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:99 dev {dev} nud permanent",
}

def change(fabric, command):
    node = fabric.names[0]
    device = fabric[node].devices[0].name
    assert fabric.run(node, "sh", "-c", command.format(dev=device)).code == 0

@pytest.mark.parametrize("kind", CHANGES)
def test_meddler(fabric, kind):
    """Changes one thing and says nothing."""
    change(fabric, CHANGES[kind])

def test_passer(fabric):
    """Leaves what a kernel could have learned."""
    change(fabric, "ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:99 dev {dev} nud stale")

def test_daemon(fabric):
    """Adds what a routing daemon would: a route, a rule, a neighbour, and takes the route back."""
    change(fabric, "ip route add 192.0.2.0/24 dev lo proto bgp && ip route add 198.51.100.0/24 dev lo proto ospf")
    change(fabric, "ip rule add from 192.0.2.0/24 lookup 100 pref 60 proto bgp && ip route del 192.0.2.0/24")
    change(fabric, "ip neigh replace 192.0.2.8 lladdr 02:00:00:00:00:99 dev {dev} nud noarp extern_learn")

def test_undoer(fabric):
    """Takes back what it does."""
    change(fabric, "ip rule add from 192.0.2.0/24 pref 50 && ip rule del pref 50")

def test_after(fabric):
    assert fabric.differences(fabric.names[0]) == ()

def test_breaker(fabric):
    """Ends the agent that all tests use."""
    fabric.kernel.agent.close()

def test_last(fabric):
    assert fabric.differences(fabric.names[0]) == ()
'''
KINDS = ("link", "rule", "qdisc", "filter", "sysctl", "fdb", "neigh")


def verdicts(run: SuiteRun) -> dict[str, str]:
    """Each test's verdict, by its name."""
    return {test["id"].split("::")[1]: test["verdict"] for test in run.results["tests"]}


def test_who_changes_the_shared_fabric_is_errored_and_it_is_restored(
    suite: Callable[..., SuiteRun], tmp_path: Path
) -> None:
    """A test that leaves anything of the fabric changed is errored, with what; the next finds the fabric as it was.

    When the fabric's agent dies, that test is errored and later ones are not proven, with that first cause.
    """
    module = tmp_path / "test_module.py"
    module.write_text(MEDDLER)
    done = suite("-p", "conftest", str(module))
    expected = dict.fromkeys(("test_before", "test_passer", "test_daemon", "test_undoer", "test_after"), "passed")
    expected |= {f"test_meddler[{kind}]": "errored" for kind in KINDS}
    assert verdicts(done) == expected | {"test_breaker": "errored", "test_last": "not proven"}, done.output
    messages = [test["message"] for test in done.with_verdict("errored")]
    assert all(f" - {kind} - expected " in message for kind, message in zip(KINDS, messages, strict=False)), messages
    (untried,) = done.with_verdict("not proven")
    assert "the fabric broke" in untried["message"]
    assert done.code == 6
    assert done.left == {}

"""What traces say of the kernel's functions."""

from __future__ import annotations

import pytest

from reports.perf.functions import Recording, effects, functions_table, ranking_table
from tests.self.reports.perf_runs import recording

SIZES = (200, 400, 800, 1600)
NOISE = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0)


def recordings(costs: dict[str, float], grows: str = "", falls: str = "") -> dict[int, list[Recording]]:
    """Recordings at every size; one function's time grows with it, another's falls."""
    powers = {grows: 1, falls: -1}
    return {
        size: [
            recording({name: ns * n * (size / 200) ** powers.get(name, 0) for name, ns in costs.items()}) for n in NOISE
        ]
        for size in SIZES
    }


def test_every_function_has_a_line_for_every_size() -> None:
    """Calls for each datagram and percentiles; the empty function is told, not listed."""
    found = recordings({"ip_rcv": 3000, "udp_rcv": 2000, "__do_sys_getpid": 900})
    table = functions_table("title", found, ("ip_gone",))
    assert [row[:4] for row in table.rows[:2]] == [("ip_rcv", "200", "1.00", "3000"), ("ip_rcv", "400", "1.00", "3000")]
    assert len(table.rows) == 2 * len(SIZES)
    assert "A function that does nothing takes 900 ns under the same tracer" in table.words[0]
    assert "ip_do_fragment runs at no size" in table.words[2]
    assert table.words[3] == "This kernel has no function ip_gone."


def test_pid_filters_count_is_told() -> None:
    """What a filter on the sender would have counted stands beside what there was."""
    found = {200: [recording({"ip_rcv": 3000}, {"ip_rcv": 8})]}
    assert (
        "Of 200 calls of ip_rcv, a pid filter on the sender (set_ftrace_pid) would have counted 8"
        in (functions_table("title", found, ()).words[1])
    )


def test_size_that_is_split_is_named() -> None:
    """The smallest size at which the kernel fragments is told."""
    found = {200: [recording({"ip_rcv": 1})], 1600: [recording({"ip_rcv": 1, "ip_do_fragment": 9})]}
    assert "ip_do_fragment runs from 1600 bytes of payload" in functions_table("title", found, ()).words[2]


def test_function_that_grows_with_the_size_comes_first() -> None:
    """Its rank correlation is certain; that of one whose time stays is not, but per byte it falls."""
    found = effects(recordings({"ip_rcv": 3000, "udp_sendmsg": 5000}, grows="udp_sendmsg"))
    assert [effect.name for effect in found] == ["udp_sendmsg", "ip_rcv"]
    assert found[0].per_packet.low > 0.5
    assert found[1].per_packet.low < 0 < found[1].per_packet.high
    assert found[1].per_byte.high < -0.5


def test_what_grows_and_what_falls_with_the_size_is_said() -> None:
    """Each is a sentence of its own, and whose time stays is in neither."""
    found = recordings({"ip_rcv": 3000, "udp_sendmsg": 5000, "udp_rcv": 7000}, grows="udp_sendmsg", falls="udp_rcv")
    assert ranking_table("title", found).words[:2] == (
        "With the size grows the time per packet of udp_sendmsg.",
        "With the size falls the time per packet of udp_rcv.",
    )


def test_function_that_runs_at_some_sizes_only_is_not_ranked() -> None:
    """What fragments has no time at sizes that are not split."""
    found = recordings({"ip_rcv": 3000})
    found[1600] = [recording({"ip_rcv": 3000, "ip_do_fragment": 9000}) for _ in NOISE]
    assert [effect.name for effect in effects(found)] == ["ip_rcv"]


@pytest.mark.parametrize(("factor", "holds"), [(0.5, "supported"), (1.0, "contradicted"), (0.58, "not decidable")])
def test_claim_of_the_reference_report_is_decided_by_the_interval(factor: float, holds: str) -> None:
    """Half as long is supported, as long contradicted, something between not decidable."""
    found = {size: [recording({"ip_rcv": 3000 * n}) for n in NOISE] for size in SIZES}
    found[800] = [recording({"ip_rcv": 3000 * n * factor}) for n in NOISE[::-1]]
    assert f'as at 400": {holds}; it takes' in ranking_table("title", found).words[-1]


def test_claim_needs_both_sizes() -> None:
    """Where 400 or 800 bytes were not measured nothing is said of it."""
    found = {size: [recording({"ip_rcv": 3000 * n}) for n in NOISE] for size in (200, 400)}
    assert not any("half as long" in words for words in ranking_table("title", found).words)

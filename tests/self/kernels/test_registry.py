from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.self.kernels import kinds
from tests.self.kernels.kinds import Fake
from topology.errors import AgentLost, KernelUnavailable, Misuse, UnknownName
from topology.kernels import registry
from topology.kernels.registry import Kernel, Wanted, checked_choice, kernel_class, start_kernel
from topology.plan import Room

NEEDS = ("veth", "gre")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is started but stand-ins."""
    known = {name: f"{kinds.__name__}:{name.title()}" for name in ("absent", "poor", "dying", "good")}
    monkeypatch.setattr(registry, "KERNELS", known)
    monkeypatch.setattr(registry, "AUTO", tuple(known))

    def missing(kernel: Kernel, needs: Iterable[str]) -> Mapping[str, str]:
        if kernel.kind == "dying":
            raise AgentLost("agent - it died")
        return {"gre": "unknown"} if kernel.kind == "poor" and "gre" in needs else {}

    monkeypatch.setattr(registry, "unknown", missing)
    monkeypatch.setattr(registry, "missing", missing)
    Fake.started.clear()
    yield
    Fake.started.clear()


def start(choice: str, *needs: str) -> Kernel:
    return start_kernel(choice, needs, lambda _: None)


def test_auto_takes_the_first_that_can_and_says_why_not_the_others() -> None:
    """The reasons of all that were tried before are in the header, and those that were started are closed."""
    kernel = start("auto", *NEEDS)
    assert kernel.kind == "good"
    assert "absent cannot: qemu is not here" in kernel.info.why
    assert "poor cannot: no link kind gre (as root: modprobe ip_gre)" in kernel.info.why
    assert "dying cannot: agent - it died" in kernel.info.why
    assert {fake.kind: fake.closed for fake in Fake.started} == {"poor": True, "dying": True, "good": False}


def test_auto_stops_at_the_first_that_can() -> None:
    """A lab without GRE is content with a kernel without GRE, and nothing else is started."""
    kernel = start("auto", "veth")
    assert (kernel.kind, [fake.kind for fake in Fake.started]) == ("poor", ["poor"])


def test_a_kernel_without_room_for_the_lab_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """If neighbour tables or open files do not suffice the next kernel is taken, and the header says so."""
    lacking = {"poor": ["gc_thresh3 - expected 2000 - seen 1024", "open files - expected 9 - seen 8"], "good": []}
    rooms = []

    def shortages(agent: object, room: Room, most: int | None) -> list[str]:
        rooms.append(room)
        return lacking[Fake.started[-1].kind]

    monkeypatch.setattr(registry, "shortages", shortages)
    monkeypatch.setattr(registry, "AUTO", ("poor", "good"))
    kernel = start_kernel("auto", ("veth",), lambda _: None, Wanted(room=Room(5)))
    assert kernel.kind == "good"
    assert "poor cannot: gc_thresh3 - expected 2000 - seen 1024; open files - expected 9 - seen 8" in kernel.info.why
    assert rooms == [Room(5), Room(5)]


def test_kinds_are_not_tried_where_a_fabric_is_up() -> None:
    """A restored fabric's kinds work on its kernel: they are not tried again before every run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fake, "holds_fabric", True)
        assert start("auto", *NEEDS).kind == "poor"


def test_a_chosen_kernel_was_asked_for() -> None:
    """A kernel that was named is taken because it was named."""
    assert str(start("good", *NEEDS).info) == "good (Linux 6.1, native): asked for"


@pytest.mark.parametrize("choice", ["absent", "poor", "dying"])
def test_a_chosen_kernel_that_cannot_is_not_replaced(choice: str) -> None:
    """A named kernel that cannot carry the lab is refused with its reason, and is closed."""
    with pytest.raises(KernelUnavailable, match=f"no usable kernel for this lab\n  {choice}: .+"):
        start(choice, *NEEDS)
    assert all(fake.closed for fake in Fake.started)


def test_no_kernel_at_all_tells_a_line_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """When none can, the message has one line for every kind."""
    monkeypatch.setattr(registry, "AUTO", ("absent", "poor", "dying"))
    with pytest.raises(KernelUnavailable) as caught:
        start("auto", *NEEDS)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == ["absent", "poor", "dying"]


def test_an_unknown_kernel_is_refused_with_the_known_ones() -> None:
    """A typing error lists what there is."""
    with pytest.raises(UnknownName, match="unknown kernel 'gust'; known: absent, auto, dying, good, poor"):
        start("gust")


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("auto", True),
        ("ssh://10.0.0.1", True),
        ("ssh://user@lab-1.example:2222", True),
        ("ssh://[fe80::1%eth0]:22", True),
        ("guest:x_8", True),
        ("ssh", False),
        ("ssh://", False),
        ("ssh://-oProxyCommand=x", False),
        ("ssh://host/path", False),
        ("guest:../x", False),
        ("here:x", False),
    ],
)
def test_place_of_a_kernel_is_checked(text: str, sound: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no kind with its place is refused before anything starts, with the forms that there are."""
    monkeypatch.undo()
    if sound:
        assert checked_choice(text) == text
        return
    with pytest.raises(Misuse, match=re.escape(f"{text!r}: expected one of auto, host, here, guest, guest:NAME, ssh:")):
        checked_choice(text)


def test_real_kernels_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name of the registry leads to a class of that kind."""
    monkeypatch.undo()
    names = (*registry.KERNELS, *(f"{name}:" for name in registry.PLACES))
    assert [kernel_class(name).kind for name in names] == [name.rstrip(":") for name in names]

"""Messages patched from templates are pyroute2's, byte for byte; where that cannot be known, pyroute2 encodes them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.builders import known_lab, reference
from tests.self.draws import draws
from tests.self.kernels.agents import Scripted
from topology.errors import NetlinkError, Position
from topology.kernels.link import Reply
from topology.kernels.netlink import CHUNKS_MAX, Netlink
from topology.kernels.rtnl.messages import NLMSG_ERROR, messages
from topology.kernels.rtnl.templates import SEQUENCE, SLOTS, Encode, Templates, by_pyroute2, make_template
from topology.leafspine import leafspine
from topology.model import Bridge, Device, Fabric, Geneve, Gre, Node, Port, Route, Subinterface, Vxlan
from topology.plan import NamespaceOf, Operation, make_plan
from topology.refs import PortRef

names = st.text("abz09_-.", min_size=1, max_size=15)
macs = st.none() | st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":"))
mtus = st.none() | st.integers(68, 65535)
versions = st.sampled_from((4, 6))


def addresses(version: int) -> st.SearchStrategy[Any]:
    return st.integers(0, (1 << (32 if version == 4 else 128)) - 1).map(
        lambda number: ip_address(number) if version == 4 else ip_address(number.to_bytes(16, "big"))
    )


@st.composite
def fabrics(draw: st.DrawFn) -> Fabric:
    """A link, and at one end one of everything that a plan can hold; nothing of it need make sense on a wire."""
    ends = draw(st.lists(names, min_size=2, max_size=2, unique=True))
    known = draw(st.lists(names, min_size=8, max_size=8, unique=True))
    version = draw(versions)
    address = addresses(version)

    def own(name: str) -> dict[str, Any]:
        interface = ip_interface(f"{draw(address)}/{draw(st.integers(0, 32 if version == 4 else 128))}")
        return {"node": ends[0], "name": name, "mtu": draw(mtus), "addresses": (interface,)}

    port, far = known[0], draw(names)
    tunnel = {"local": draw(address), "remote": draw(address)}
    devices: list[Device] = [
        Port(**own(port), mac=draw(macs), peer=PortRef(ends[1], far)),
        Vxlan(**own(known[1]), mac=draw(macs), vni=draw(st.integers(1, (1 << 24) - 1)), dev=port, **tunnel),
        Vxlan(**own(known[2]), vni=7, port=draw(st.integers(1, 65535)), **tunnel),
        Vxlan(
            **own(known[5]), vni=8, others=(draw(address), draw(address)), dev=draw(st.none() | st.just(port)), **tunnel
        ),
        Subinterface(**own(known[7]), mac=draw(macs), link=port, vid=draw(st.integers(1, 4094))),
        Geneve(**own(known[6]), mac=draw(macs), vni=draw(st.integers(1, (1 << 24) - 1)), **tunnel),
        Gre(
            **own(known[3]),
            key=draw(st.none() | st.integers(0, (1 << 32) - 1)),
            ttl=draw(st.none() | st.just(9)),
            **tunnel,
        ),
        Bridge(**own(known[4]), mac=draw(macs), members=(port, known[1])),
    ]
    prefix = ip_interface(f"{draw(address)}/{draw(st.integers(0, 32))}").network
    routes = (Route(prefix=prefix, via=draw(address), dev=port), Route(prefix=prefix, dev=known[3]))
    other = Port(node=ends[1], name=far, mac=draw(macs), mtu=draw(mtus), peer=PortRef(ends[0], port))
    near = Node(name=ends[0], role="leaf", devices=tuple(devices), routes=routes)
    return Fabric("made up", (near, Node(name=ends[1], role="spine", devices=(other,))), (), ())


def resolved(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as an agent's descriptors complete them."""
    known = {
        name: len(value.node) + 7 if isinstance(value, NamespaceOf) else value for name, value in arguments.items()
    }
    return {name: resolved(value) if isinstance(value, Mapping) else value for name, value in known.items()}


def operations(fabric: Fabric) -> Iterator[tuple[str, str, dict[str, Any]]]:
    return ((op.api, op.verb, resolved(op.arguments)) for phase in make_plan(fabric).phases for op in phase)


def unnumbered(data: bytes) -> bytes:
    message = bytearray(data)
    message[SEQUENCE] = bytes(4)
    return bytes(message)


@settings(max_examples=draws(1))
@given(st.lists(fabrics(), min_size=1, max_size=3))
def test_every_message_is_the_one_that_pyroute2_writes(made: list[Fabric]) -> None:
    """Each message of any plan is byte for byte pyroute2's, for all names, numbers and addresses."""
    templates = Templates()
    with by_pyroute2() as encode:
        wanted = [(each, unnumbered(encode(*each))) for fabric in made for each in operations(fabric)]
        for operation, message in wanted * 2:
            assert unnumbered(templates.encode(*operation, encode)) == message, operation


KNOWN = (reference(), *map(known_lab, ("geneve", "vlan-trunk")))


@pytest.mark.parametrize("lab", KNOWN, ids=lambda lab: lab.name)
def test_every_operation_of_a_lab_has_a_template(lab: Fabric) -> None:
    """Nothing that a fabric is built of is left to pyroute2 one message at a time."""
    with by_pyroute2() as encode:
        assert [operation for operation in operations(lab) if make_template(*operation, encode) is None] == []


class Counted:
    """An encoder that counts what it is asked."""

    def __init__(self, encode: Encode) -> None:
        self.encode, self.count = encode, 0

    def __call__(self, api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
        self.count += 1
        return self.encode(api, verb, arguments)


def test_a_large_fabric_asks_pyroute2_for_few_messages() -> None:
    """The number of messages that pyroute2 encodes is a matter of the shapes, not of the links."""
    templates = Templates()
    with by_pyroute2() as encode:
        counted = Counted(encode)
        for name in ("leafspine-8x4", "leafspine-9x9"):
            for operation in operations(leafspine(name)):
                templates.encode(*operation, counted)
    assert counted.count < 100


def plain(index: int, name: bytes = b"") -> bytes:
    """A message such as an honest encoder writes: header, index, name."""
    body = struct.pack("=I", index) + name
    return struct.pack("=IHHII", 16 + len(body), 16, 5, 99, 0) + body


MISLEADING: dict[str, Callable[[int, bytes], bytes]] = {
    "leaves the index out": lambda index, name: plain(7, name),
    "leaves the name out": lambda index, name: plain(index),
    "writes the index in another order": lambda index, name: plain(
        struct.unpack("!I", struct.pack("=I", index))[0], name
    ),
    "adds one": lambda index, name: plain(index + 1, name),
    "adds a checksum": lambda index, name: plain(index, name + bytes([sum(name) % 251])),
    "has one length for some": lambda index, name: plain(index, name + bytes(index % 2)),
    "lets the name change the index": lambda index, name: plain(index ^ name[0], name),
    "writes two messages": lambda index, name: plain(index, name) + plain(index, name),
}


@pytest.mark.parametrize("what", MISLEADING)
def test_an_encoder_that_is_not_understood_goes_on_encoding(what: str) -> None:
    """If values are not found as expected no template is made, and every message is the encoder's own."""

    def encode(api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
        return MISLEADING[what](arguments["index"], arguments["ifname"].encode())

    templates = Templates()
    assert make_template("link", "add", {"index": 5, "ifname": "eth"}, encode) is None
    for index in (5, 6, 7, 8):
        arguments = {"index": index, "ifname": f"et{index}"}
        assert templates.encode("link", "add", arguments, encode) == encode("link", "add", arguments)


def test_an_honest_encoder_is_understood() -> None:
    """The encoders above fail for what they do to a message that does have a template."""

    def encode(api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
        return plain(arguments["index"], arguments["ifname"].encode())

    template = make_template("link", "add", {"index": 5, "ifname": "eth"}, encode)
    assert template is not None
    assert template.patched([struct.pack("=I", 9), b"abc"]) == unnumbered(plain(9, b"abc"))


def test_a_made_up_value_may_be_refused() -> None:
    """An encoder that takes the real value only is asked for each message."""

    def encode(api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
        if arguments["index"] > 9:
            raise ValueError("no such index")
        return plain(arguments["index"])

    templates = Templates()
    written = [templates.encode("link", "set", {"index": index}, encode) for index in (1, 2, 3)]
    assert written == [plain(1), plain(2), plain(3)]


@pytest.mark.parametrize(
    ("name", "usual", "special"),
    [
        ("index", [5, 6, 7], [0, True, -1, 1 << 31]),
        ("gre_ikey", [5, 6, 7], [0, 1 << 32]),
        ("gateway", ["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["0.0.0.0", "::", "default", ""]),
        ("dst", ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"], ["0.0.0.0/8", "0.0.0.0/0", "::/8", "default"]),
        (
            "address",
            ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"],
            ["02:00", "02:0:0:0:0:01", "10.1"],
        ),
        ("ifname", ["eth", "lan", "wan"], ["", "é", "a b"]),
    ],
)
def test_what_is_special_to_pyroute2_is_left_to_it(name: str, usual: list[Any], special: list[Any]) -> None:
    """A template serves values like those it was made of; zero, nothing and other forms are each encoded anew."""

    def encode(api: str, verb: str, arguments: Mapping[str, Any]) -> bytes:
        value = arguments[name]
        found = (read[1] for form in SLOTS[name] if (read := form.read(value)) is not None)
        return repr(value).encode() if repr(value) in map(repr, special) else plain(1, next(found))

    templates = Templates()
    for value in usual:
        templates.encode("link", "add", {name: value}, encode)
    assert make_template("link", "add", {name: usual[0]}, encode) is not None
    encoded = [templates.encode("link", "add", {name: value}, encode) for value in [*special, *special, *special]]
    assert encoded == [repr(value).encode() for value in special] * 3


OPERATION = Operation("n", "link", "set", {"index": 1, "state": "up"}, "link set lo up")


def test_each_refusal_is_reported_of_its_own_operation() -> None:
    """Acknowledgements are matched by number, in whatever order: the refused operation is named with its line."""
    asked = [replace(OPERATION, command=f"number {n}", where=Position("lab", n)) for n in range(3)]

    def reply(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        codes = {sequence: 0 for _, _, sequence, _ in messages(body)}
        codes[1] = -17
        answers = [struct.pack("=IHHIIi16x", 36, NLMSG_ERROR, 0, number, 0, code) for number, code in codes.items()]
        return Reply({"sizes": [36 * len(answers)]}, b"".join(reversed(answers)))

    with pytest.raises(NetlinkError, match="lab:1:1: n - number 1 - refused: File exists"):
        Netlink(Scripted(reply)).apply(asked)


def test_a_large_plan_goes_in_several_requests() -> None:
    """However many operations there are, each is sent once, in order, in requests of bounded size."""
    sent: list[tuple[str, int]] = []

    def reply(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        numbers = [sequence for _, _, sequence, _ in messages(body)]
        sent.extend((node, size) for node, size, _ in fields["chunks"])
        answers = [struct.pack("=IHHIIi16x", 36, NLMSG_ERROR, 0, number, 0, 0) for number in numbers]
        sizes = [36 * (size // (len(body) // len(numbers))) for _, size, _ in fields["chunks"]]
        return Reply({"sizes": sizes}, b"".join(answers))

    agent, nodes = Scripted(reply), CHUNKS_MAX + 3
    Netlink(agent).apply([replace(OPERATION, node=f"n{n}") for n in range(nodes)])
    assert [len(fields["chunks"]) for _, fields in agent.asked] == [CHUNKS_MAX, 3]
    assert [node for node, _ in sent] == [f"n{n}" for n in range(nodes)]

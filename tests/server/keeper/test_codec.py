"""What goes between a worker and its keeper is just what the contract states, or nothing."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import Account, FailedLogin, Ipv6Lease, Lease, Standing, WeakSignIn
from sstpca.server.keeper.codec import MalformedMessage, codec_of, decoded, read, write

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NETWORKS_V4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: IPv4Network((pair[0], pair[1]), strict=False)
)
NETWORKS_V6 = st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
    lambda pair: IPv6Network((pair[0], pair[1]), strict=False)
)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    int: NUMBERS,
    str: TEXT,
    bytes: st.binary(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    IPv4Address: st.ip_addresses(v=4),
    IPv6Address: st.ip_addresses(v=6),
    IPv4Network: NETWORKS_V4,
    IPv6Network: NETWORKS_V6,
    WeakSignIn: st.sampled_from([WeakSignIn(number) for number in range(4)]),
}
WHOLE: dict[Any, dict[str, st.SearchStrategy[Any]]] = {
    Account: {"id": NUMBERS, "weak_sign_ins": VALUES[WeakSignIn]},
    Standing: {"delay": VALUES[float]},
    Ipv6Lease: {"dns": st.tuples(st.ip_addresses(v=6))},
    Lease: {
        "session": NUMBERS,
        "resolvers": st.tuples(st.ip_addresses(), st.ip_addresses()),
        "ipv6": st.none() | st.from_type(Ipv6Lease),
    },
    FailedLogin: {"at": VALUES[float], "user": TEXT, "count": NUMBERS},
}
for kind, some in WHOLE.items():
    st.register_type_strategy(kind, st.builds(kind, **some))
for kind, strategy in VALUES.items():
    st.register_type_strategy(kind, strategy)

TRAVELLING = [
    *VALUES,
    Account | None,
    Lease | None,
    Standing,
    FailedLogin,
    tuple[bytes, ...],
    tuple[int, str],
    dict[int, tuple[int, int]],
    dict[int, str],
    tuple[IPv4Network | IPv6Network, ...],
]

# what JSON can be, in the widest sense
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | VALUES[float] | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("hint", TRAVELLING, ids=str)
def test_a_value_arrives_as_it_was(hint: Any) -> None:
    codec = codec_of(hint)

    @given(st.from_type(hint))
    def arrives(value: object) -> None:
        [found] = read(write([codec.encode(value)]))
        assert decoded(codec, found) == value

    arrives()


@pytest.mark.parametrize("hint", TRAVELLING, ids=str)
def test_what_is_not_of_the_type_is_no_value(hint: Any) -> None:
    codec = codec_of(hint)

    @given(ANYTHING)
    def refused(found: object) -> None:
        try:
            value = decoded(codec, found)
        except MalformedMessage:
            return
        assert decoded(codec, json.loads(write(codec.encode(value)))) == value

    refused()


@given(st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_list_or_refused(text: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        assert isinstance(read(text), list)


@pytest.mark.parametrize(
    ("hint", "found"),
    [
        (int, True),
        (int, "5"),
        (int, 5.0),
        (int, 2**63),
        (bool, 1),
        (float, 1),
        (str, None),
        (str, "\ud800"),
        (bytes, "zz"),
        (bytes, "abc"),
        (IPv4Address, "0a630"),
        (IPv4Address, "10.99.0.1"),
        (IPv4Network, ["0a630001", 24]),
        (IPv4Network, ["0a630000", 33]),
        (WeakSignIn, 4),
        (WeakSignIn, True),
        (Standing, ["", 0.0, 0]),
        (Standing, [""]),
        (Standing, {"barred": "", "delay": 0.0}),
        (Account | None, [1, None]),
        (Account | None, [2, []]),
        (IPv4Address | IPv6Address, None),
        (dict[int, int], [[1, 2], [1, 3]]),
        (dict[int, int], [[1, 2, 3]]),
        (tuple[int, int], [1]),
    ],
)
def test_nothing_is_converted(hint: Any, found: object) -> None:
    with pytest.raises(MalformedMessage):
        decoded(codec_of(hint), found)


@pytest.mark.parametrize(
    "text", [b"", b"[", b"{}", b"5", b"[NaN]", b"[Infinity]", b"[\xff]", b"[" * 100_000]
)
def test_what_is_no_message(text: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read(text)


def test_a_type_that_does_not_travel_is_noticed_at_the_start() -> None:
    @dataclass
    class Open:
        anything: object

    for hint in (object, Open, list, set[int]):
        with pytest.raises(TypeError, match="does not travel"):
            codec_of(hint)
    assert decoded(codec_of(Sequence[int]), [1, 2]) == (1, 2)

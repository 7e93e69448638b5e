"""Every input that fuzzing has ever found worth keeping, once more; and random dialogues beside them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import keeping
from tests.fuzz.openings import OPENINGS
from tests.fuzz.script import NUMBERS, STEPS, play
from tests.fuzz.targets import CORPUS, TARGETS, kept

SEEDS = [*OPENINGS.values()]
WAYS = {
    "CHAP": "CHAP",
    "EAP-MSCHAPv2": "EAP-MSCHAPv2",
    "EAP-TLS": "EAP-TLS",
    "IPCP before the binding": "CHAP",
    "the binding before Success": "CHAP",
    "a binding with SHA-1": "CHAP",
    "the account is late": "CHAP",
    "a password typed again": "CHAP",
    "a password typed again in EAP": "EAP-MSCHAPv2",
    "an expired password": "CHAP",
    "an expired password in EAP": "EAP-MSCHAPv2",
}


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_kept(target: str) -> None:
    inputs = [*kept(target)]
    assert inputs, f"{CORPUS} has nothing of {target}"
    for data in inputs:
        TARGETS[target][0](data)


def test_nothing_else_is_kept() -> None:
    assert {path.stem for path in CORPUS.glob("*.txt")} == set(TARGETS)
    assert all(path.stat().st_size <= keeping.FILE_MOST for path in CORPUS.glob("*.txt"))


@pytest.mark.parametrize(("opening", "way"), WAYS.items())
def test_the_openings_reach_the_end_of_a_login(opening: str, way: str) -> None:
    """Fuzzing begins where a client has got to: up, by each way."""
    done = play(OPENINGS[opening])
    assert done.bound
    assert done.link.carries_ip
    assert done.link.way == way


def test_the_openings_reach_ipv6() -> None:
    assert play(OPENINGS["IPv6"]).link.carries_ipv6
    without = play(OPENINGS["IPv6 with no identifier"]).link
    assert without.carries_ipv6
    assert without.ipcp is None


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_a_dialogue_of_any_bytes(data: bytes) -> None:
    play(data)


@settings(max_examples=300, deadline=None)
@given(seed=st.sampled_from(SEEDS), number=st.integers(0, 2**32))
def test_a_dialogue_that_begins_well(seed: bytes, number: int) -> None:
    """A login of which some steps are changed, left out or put in."""
    chance, made = random.Random(number), bytearray(seed)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(made) + 1)
        made[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
    play(bytes(made))


def test_shorter_inputs_are_kept_first(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(keeping, "CORPUS", tmp_path)
    monkeypatch.setattr(keeping, "kept", lambda _: [])
    inputs = [b"\x00" * 40, b"\x10\x00\x00\x04", b"\x10\x00\x00\x05x", b"\x10\x00\x00\x05y"]
    assert keeping.keep("packet", inputs) == 2
    assert keeping.ways("packet", b"") == keeping.ways("packet", b"")


def test_every_step_is_in_the_script() -> None:
    assert len(set(STEPS)) == len(STEPS) < NUMBERS

"""A session's responders: each is given every packet, so often and no oftener."""

from ipaddress import IPv4Address

from sstpca.server.contracts import Lease
from sstpca.server.responders.answers import Answers
from sstpca.server.responders.known import Known

KNOWN = Known(Lease(1, IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1")), 1400)


def twice(packet: bytes, known: Known) -> list[bytes]:
    assert known == KNOWN
    return [packet + b"1", packet + b"2"]


def never(packet: bytes, known: Known) -> list[bytes]:
    return []


def answers() -> Answers:
    made = Answers((never, twice, never))
    made.know(KNOWN)
    return made


def test_each_responder_is_given_each_packet() -> None:
    assert answers().to([b"a", b"b"], 5.0) == [b"a1", b"a2", b"b1", b"b2"]


def test_who_knows_nothing_answers_nothing() -> None:
    assert Answers((twice,)).to([b"a"], 5.0) == []


def test_twenty_at_once_and_two_a_second_are_answered() -> None:
    made = answers()
    assert len(made.to([b"a"] * 100, 7.0)) == 2 * 20
    assert made.to([b"a"], 7.0) == []
    assert made.to([b"a"], 7.4) == []
    assert len(made.to([b"a"] * 100, 8.5)) == 2 * 3
    # not more after a long time, nor if the clock stands still
    assert len(made.to([b"a"] * 100, 9000.0)) == 2 * 20
    assert made.to([b"a"], 9000.0) == []


def test_a_flood_is_not_kept_from_an_answer_for_ever() -> None:
    made = answers()
    now, answered = 0.0, 0
    for _ in range(1000):
        now += 0.01
        answered += len(made.to([b"a"] * 8, now)) // 2
    assert 20 + 18 <= answered <= 20 + 20

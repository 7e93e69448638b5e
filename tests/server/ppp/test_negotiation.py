"""What LCP and the NCPs have in common: identifiers, validity, limits, and two ends that meet."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.ppp.automaton import AutomatonEvent, AutomatonState
from sstpca.server.ppp.effects import SendFrame
from sstpca.server.ppp.frames import DEFAULT_MRU, Code, Packet, decode, decode_packet
from sstpca.server.ppp.negotiation import (
    CALM,
    MAX_FAILURE,
    MAX_ROUNDS,
    GiveUp,
    LayerDown,
    LayerFinished,
    LayerUp,
    Negotiator,
    Output,
    Reply,
    verdict,
)
from sstpca.server.ppp.options import Option, Options, encode_options


class Number:
    """A policy: both ends want option 1 to be their number, and hear no option but 1.

    :param wished: the number that the other end must ask for.
    """

    name = "TEST"
    protocol = 0x80F1

    def __init__(self, own: int, wished: int, *, stubborn: bool = False) -> None:
        self.own = own
        self.wished = Option(1, bytes([wished]))
        self.stubborn = stubborn
        self.given: Options = ()

    def request(self) -> Options:
        return (Option(1, bytes([self.own])),)

    def judge(self, asked: Options) -> Reply:
        refused = tuple(option for option in asked if option.type != 1)
        wrong = any(option != self.wished for option in asked)
        return verdict(asked, refused, (self.wished,) if wrong else ())

    def granted(self, asked: Options) -> None:
        self.given = asked

    def naked(self, wanted: Options, rounds: int) -> str:
        if not self.stubborn:
            self.own = wanted[0].value[0]
        return "no way" if rounds == MAX_FAILURE else ""

    def rejected(self, refused: Options) -> str:
        return "not this"


def packets(outputs: list[Output]) -> list[Packet]:
    frames = [output.frame for output in outputs if isinstance(output, SendFrame)]
    return [decode_packet(decode(frame)[1]) for frame in frames]


def signals(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if not isinstance(output, SendFrame)]


@pytest.fixture
def asking() -> Negotiator:
    """A negotiator that has sent its Configure-Request, identifier 1, at time 0."""
    negotiator = Negotiator(Number(1, 1))
    negotiator.feed(AutomatonEvent.OPEN, 0)
    assert packets(negotiator.feed(AutomatonEvent.UP, 0)) == [
        Packet(Code.CONFIGURE_REQUEST, 1, b"\1\3\1")
    ]
    return negotiator


@pytest.fixture
def opened(asking: Negotiator) -> Negotiator:
    asking.receive(Packet(Code.CONFIGURE_REQUEST, 9, b"\1\3\1"), 0)
    assert asking.receive(Packet(Code.CONFIGURE_ACK, 1, b"\1\3\1"), 0) == [LayerUp()]
    return asking


def test_nothing_is_heard_before_the_lower_layer_is_up() -> None:
    negotiator = Negotiator(Number(1, 1))
    for code in range(20):
        assert negotiator.receive(Packet(code, 1, b"\1\3\1"), 0) == []
    assert (negotiator.state, negotiator.deadline) == (AutomatonState.INITIAL, None)


def test_a_retransmission_keeps_its_identifier(asking: Negotiator) -> None:
    assert packets(asking.tick(3)) == [Packet(Code.CONFIGURE_REQUEST, 1, b"\1\3\1")]


def test_a_request_after_a_nak_has_a_new_identifier(asking: Negotiator) -> None:
    again = packets(asking.receive(Packet(Code.CONFIGURE_NAK, 1, b"\1\3\5"), 1))
    assert again == [Packet(Code.CONFIGURE_REQUEST, 2, b"\1\3\5")]


def test_a_request_after_an_ack_has_a_new_identifier(asking: Negotiator) -> None:
    """RFC 1661 5.1: a valid reply was received, and the peer is silent since."""
    asking.receive(Packet(Code.CONFIGURE_ACK, 1, b"\1\3\1"), 1)
    assert [packet.id for packet in packets(asking.tick(3))] == [2]


@pytest.mark.parametrize(
    "packet",
    [
        Packet(Code.CONFIGURE_ACK, 2, b"\1\3\1"),
        Packet(Code.CONFIGURE_ACK, 1, b"\1\3\2"),
        Packet(Code.CONFIGURE_ACK, 1, b""),
        Packet(Code.CONFIGURE_NAK, 2, b"\1\3\5"),
        Packet(Code.CONFIGURE_NAK, 1, b"\1\4\5"),
        Packet(Code.CONFIGURE_REJECT, 1, b""),
        Packet(Code.CONFIGURE_REJECT, 1, b"\1\3\2"),
        Packet(Code.CONFIGURE_REJECT, 1, b"\2\3\1"),
        Packet(Code.CONFIGURE_REJECT, 0, b"\1\3\1"),
        Packet(Code.CONFIGURE_REQUEST, 0, b"\1\0"),
        Packet(Code.CODE_REJECT, 0, b""),
    ],
    ids=str,
)
def test_invalid_packets_are_dropped(asking: Negotiator, packet: Packet) -> None:
    assert asking.receive(packet, 1) == []
    assert (asking.state, asking.deadline) == (AutomatonState.REQ_SENT, 3)


def test_a_second_answer_is_dropped(opened: Negotiator) -> None:
    """A repeated Ack would otherwise bring the layer down (footnote x)."""
    assert opened.receive(Packet(Code.CONFIGURE_ACK, 1, b"\1\3\1"), 1) == []
    assert opened.receive(Packet(Code.CONFIGURE_NAK, 1, b"\1\3\5"), 1) == []
    assert opened.state is AutomatonState.OPENED


def test_a_reject_comes_before_a_nak(asking: Negotiator) -> None:
    asked = [Option(7), Option(1, b"\5"), Option(99, b"abc")]
    reply = asking.receive(Packet(Code.CONFIGURE_REQUEST, 4, encode_options(asked)), 0)
    refused = encode_options([Option(7), Option(99, b"abc")])
    assert packets(reply) == [Packet(Code.CONFIGURE_REJECT, 4, refused)]


def test_after_max_failure_a_nak_becomes_a_reject(asking: Negotiator) -> None:
    def answer(identifier: int) -> Packet:
        bad = Packet(Code.CONFIGURE_REQUEST, identifier, b"\1\3\5")
        (packet,) = packets(asking.receive(bad, 0))
        return packet

    for identifier in range(MAX_FAILURE):
        assert answer(identifier).code == Code.CONFIGURE_NAK
        # who asks the same again, as the line is slow, has not been told no once more
        assert answer(identifier).code == Code.CONFIGURE_NAK
    assert answer(9) == Packet(Code.CONFIGURE_REJECT, 9, b"\1\3\5")
    # an Ack starts the count again
    asking.receive(Packet(Code.CONFIGURE_REQUEST, 10, b"\1\3\1"), 0)
    assert answer(11).code == Code.CONFIGURE_NAK


@pytest.mark.parametrize("second", [1.0, 4.9, 9.9])
def test_a_request_that_comes_again_does_not_take_the_layer_down(
    opened: Negotiator, second: float
) -> None:
    """The peer's timer has run out before our Ack was there: RFC 1661 5.1 has it keep the identifier,
    and another negotiation have another."""
    again = Packet(Code.CONFIGURE_REQUEST, 9, b"\1\3\1")
    outputs = opened.receive(again, second)
    assert (packets(outputs), signals(outputs)) == ([Packet(Code.CONFIGURE_ACK, 9, again.data)], [])
    assert opened.state is AutomatonState.OPENED


@pytest.mark.parametrize(("identifier", "second"), [(10, 1.0), (9, 10.0)])
def test_another_negotiation_does(opened: Negotiator, identifier: int, second: float) -> None:
    """A peer that began anew much later may not know any more which identifiers it had."""
    outputs = opened.receive(Packet(Code.CONFIGURE_REQUEST, identifier, b"\1\3\1"), second)
    codes = [packet.code for packet in packets(outputs)]
    assert (codes, signals(outputs)) == (
        [Code.CONFIGURE_REQUEST, Code.CONFIGURE_ACK],
        [LayerDown()],
    )


def test_a_request_of_ours_that_came_too_early_is_repeated_once(asking: Negotiator) -> None:
    """Whoever asks us listens, so that no later one can be lost."""
    ours = Packet(Code.CONFIGURE_REQUEST, 1, b"\1\3\1")
    theirs = Packet(Code.CONFIGURE_REQUEST, 4, b"\1\3\1")
    assert packets(asking.repeat_request()) == [ours]
    asking.receive(theirs, 1)
    assert asking.repeat_request() == []


def test_what_is_repeated_waits_for_as_long_as_answers_take(asking: Negotiator) -> None:
    """RFC 1661 4.6: twice the round trip. The first is repeated too soon, no other is."""
    assert packets(asking.tick(3)) == [Packet(Code.CONFIGURE_REQUEST, 1, b"\1\3\1")]
    asking.receive(Packet(Code.CONFIGURE_NAK, 1, b"\1\3\5"), 4)
    assert asking.deadline == 4 + 2 * 4


def test_who_is_rejected_has_the_time_to_ask_for_less(asking: Negotiator) -> None:
    """It has acknowledged ours, and there is a round trip before its next request."""
    asking.receive(Packet(Code.CONFIGURE_ACK, 1, b"\1\3\1"), 2)
    asking.receive(Packet(Code.CONFIGURE_REQUEST, 1, b"\7\2"), 2.5)
    assert asking.deadline == 2.5 + 2 * 2


def test_a_policy_can_give_up() -> None:
    negotiator = Negotiator(Number(1, 1, stubborn=True))
    negotiator.feed(AutomatonEvent.OPEN, 0)
    negotiator.feed(AutomatonEvent.UP, 0)
    for identifier in range(1, MAX_FAILURE):
        nak = Packet(Code.CONFIGURE_NAK, identifier, b"\1\3\5")
        assert [packet.id for packet in packets(negotiator.receive(nak, 0))] == [identifier + 1]
    last = Packet(Code.CONFIGURE_NAK, MAX_FAILURE, b"\1\3\5")
    assert negotiator.receive(last, 0) == [GiveUp("no way")]
    assert negotiator.receive(last, 0) == []


def test_terminate_request(opened: Negotiator) -> None:
    outputs = opened.receive(Packet(Code.TERMINATE_REQUEST, 77, b"bye"), 0)
    assert packets(outputs) == [Packet(Code.TERMINATE_ACK, 77)]
    assert signals(outputs) == [LayerDown()]
    assert opened.tick(3) == [LayerFinished("the client closed TEST")]


def test_silence_is_the_end(asking: Negotiator) -> None:
    outputs: list[Output] = []
    while asking.deadline is not None:
        outputs = asking.tick(asking.deadline)
    assert outputs == [LayerFinished("the client does not answer TEST")]


@pytest.mark.parametrize("code", range(1, 8))
def test_code_reject_of_what_we_need(opened: Negotiator, code: int) -> None:
    rejected = bytes([code, 1, 0, 4])
    outputs = opened.receive(Packet(Code.CODE_REJECT, 3, rejected), 0)
    assert signals(outputs) == [LayerDown()]
    assert [packet.code for packet in packets(outputs)] == [Code.TERMINATE_REQUEST]
    acked = opened.receive(Packet(Code.TERMINATE_ACK, 0), 0)
    assert acked == [LayerFinished("the client rejects TEST")]


def test_code_reject_of_what_we_do_not_need(opened: Negotiator) -> None:
    assert opened.receive(Packet(Code.CODE_REJECT, 3, b"\x0c\1\0\4"), 0) == []
    assert opened.state is AutomatonState.OPENED


def test_an_unknown_code_is_rejected_under_new_identifiers(opened: Negotiator) -> None:
    for identifier in (2, 3):
        outputs = opened.receive(Packet(99, 5, b"xy"), 0)
        rejected = bytes([99, 5, 0, 6]) + b"xy"
        assert packets(outputs) == [Packet(Code.CODE_REJECT, identifier, rejected)]


def test_a_code_reject_fits_the_peer(opened: Negotiator) -> None:
    opened.mru = 100
    (packet,) = packets(opened.receive(Packet(99, 5, bytes(DEFAULT_MRU - 4)), 0))
    assert len(packet.data) == 96


def pump(one: Negotiator, other: Negotiator, loss: random.Random, share: float) -> float:
    """Let two ends talk over a line that loses a share of the frames; return when they are done."""
    now = 0.0
    queue = [
        (one, other, output)
        for output in one.feed(AutomatonEvent.OPEN, now) + one.feed(AutomatonEvent.UP, now)
    ]
    queue += [
        (other, one, out)
        for out in other.feed(AutomatonEvent.OPEN, now) + other.feed(AutomatonEvent.UP, now)
    ]
    while True:
        while queue:
            sender, receiver, output = queue.pop(0)
            if isinstance(output, SendFrame) and loss.random() >= share:
                packet = decode_packet(decode(output.frame)[1])
                queue += [(receiver, sender, out) for out in receiver.receive(packet, now)]
        timers = [end.deadline for end in (one, other) if end.deadline is not None]
        if not timers:
            return now
        now = min(timers)
        queue += [(one, other, out) for out in one.tick(now)]
        queue += [(other, one, out) for out in other.tick(now)]


@given(st.randoms(use_true_random=False), st.sampled_from([0.0, 0.1, 0.3]))
def test_two_ends_reach_opened_over_a_line_that_loses_frames(
    loss: random.Random, share: float
) -> None:
    one, other = Number(1, 20), Number(2, 10)
    ends = Negotiator(one), Negotiator(other)
    pump(*ends, loss, share)
    if all(end.state is AutomatonState.OPENED for end in ends):
        # and then both use what they were told to use
        assert (one.own, other.own) == (10, 20)
        assert (one.given, other.given) == ((Option(1, b"\x14"),), (Option(1, b"\x0a"),))
    else:
        assert share > 0, "without loss they must open"


def test_two_ends_nearly_always_open_although_a_third_is_lost() -> None:
    opened = 0
    for seed in range(200):
        ends = Negotiator(Number(1, 20)), Negotiator(Number(2, 10))
        pump(*ends, random.Random(seed), 0.3)
        opened += all(end.state is AutomatonState.OPENED for end in ends)
    assert opened >= 190


@pytest.mark.parametrize(
    "packet",
    [
        Packet(Code.CONFIGURE_REQUEST, 1, b"\x09\x02"),  # rejected, and asked for again
        Packet(Code.CONFIGURE_REQUEST, 1, b"\x01\x03\x07"),  # not what it must be
        Packet(Code.CONFIGURE_REQUEST, 1, b"\x01\x03\x01"),  # good, again and again
        Packet(Code.CONFIGURE_NAK, 77, b"\x01\x03\x07"),
    ],
)
def test_what_leads_nowhere_ends_by_count(asking: Negotiator, packet: Packet) -> None:
    answers = [asking.receive(packet, 1.0) for _ in range(MAX_ROUNDS)]
    assert not any(isinstance(output, GiveUp) for outputs in answers for output in outputs)
    assert asking.receive(packet, 1.0) == [GiveUp("the negotiation of TEST leads nowhere")]


def test_who_goes_on_after_that_is_told_that_it_is_closed(asking: Negotiator) -> None:
    """RFC 1661 4.1: RCR in Closed is answered by a Terminate-Ack, however often."""
    good = Packet(Code.CONFIGURE_REQUEST, 1, b"\x01\x03\x01")
    while asking.receive(good, 1.0) != [GiveUp("the negotiation of TEST leads nowhere")]:
        pass
    asking.feed(AutomatonEvent.CLOSE, 1.0)
    assert asking.receive(good, 1.0) == []
    asking.receive(Packet(Code.TERMINATE_ACK, 9), 1.0)
    assert asking.state is AutomatonState.CLOSED
    for _ in range(2 * MAX_ROUNDS):
        assert packets(asking.receive(good, 1.0)) == [Packet(Code.TERMINATE_ACK, 1)]


def test_who_negotiates_anew_now_and_then_may_do_so_for_ever(asking: Negotiator) -> None:
    good = Packet(Code.CONFIGURE_REQUEST, 1, b"\x01\x03\x01")
    for number in range(10 * MAX_ROUNDS):
        now = number * 2 * CALM / MAX_ROUNDS
        assert not any(isinstance(one, GiveUp) for one in asking.receive(good, now))

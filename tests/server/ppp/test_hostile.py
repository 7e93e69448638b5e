"""Whatever bytes come, in whatever phase: the link does not raise, does not flood, and ends."""

import pickle
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from sstpca.server.ppp.eap_tls import MESSAGE_MAX
from sstpca.server.ppp.effects import (
    Admit,
    Authenticated,
    Effect,
    Handshake,
    Handshaken,
    LinkDown,
    LookUp,
    NetworkDown,
    NetworkUp,
    SendFrame,
)
from sstpca.server.ppp.frames import Protocol
from tests.server.ppp.dialogue import (
    EAP_OPTIONS,
    LEASE,
    SERVER_OPTIONS,
    USER,
    connected,
    eap,
    eap_response,
    frame,
    networking,
    response,
)
from tests.server.ppp.phases import Begin, by_phase, over, without_address

MOST_FRAMES = 3  # in answer to one input
LONGEST_FRAME = 1504  # FF 03, protocol, and the default MRU

# packets that nearly make sense
protocols = st.sampled_from([*Protocol, 0x8057, 0x80FD, 0xC023, 0x0057])
option_types = st.sampled_from([1, 2, 3, 5, 7, 8, 13, 129, 130, 131])
option_values = st.sampled_from(
    ["", "0FFB", "C22381", "C227", "5EED5EED", "00000000", "0A63000A", "0A630001"]
).map(bytes.fromhex)
options = st.builds(lambda t, v: bytes([t, 2 + len(v)]) + v, option_types, option_values)
data = st.one_of(
    st.lists(options, max_size=4).map(b"".join),
    st.sampled_from([SERVER_OPTIONS, EAP_OPTIONS, bytes.fromhex("0306 0A630001")]),
    st.sampled_from(["01", "03 1A", "03 0D", "0D 00", "1A 03", "1A 04"]).map(bytes.fromhex),
    st.builds(lambda flags, rest: bytes([13, flags]) + rest, st.integers(0, 255), st.binary()),
    st.binary(max_size=60),
)
packets = st.builds(frame, protocols, st.integers(0, 14), st.integers(0, 4), data)
frames = st.one_of(
    packets,
    packets.map(lambda whole: whole[2:]),
    packets.flatmap(lambda whole: st.integers(0, len(whole)).map(lambda end: whole[:end])),
    st.sampled_from([response(1), response(1, password="guess"), response(2)]),
    st.sampled_from([eap(2, 1, "01"), eap(2, 2, "03 0D"), eap_response(2), eap(2, 3, "1A 03")]),
    st.builds(lambda identifier: eap(2, identifier, "0D 00"), st.integers(1, 8)),
    st.binary(max_size=40),
    st.binary(max_size=8).map(lambda some: some * 500),
)
# a frame, or so many seconds in which nothing comes
happenings = st.lists(st.one_of(frames, st.sampled_from([0.0, 0.5, 1.0, 3.0, 30.0])), max_size=25)
# what TLS says to whatever comes
answers = st.sampled_from(
    [
        Handshaken(),
        Handshaken(b"go on"),
        Handshaken(bytes(5000)),
        Handshaken(b"alert", refusal="no"),
        Handshaken(bytes(5000), refusal="no"),
        Handshaken(b"end", USER, bytes(64)),
    ]
)


class Driver:
    """Performs the effects as a session does, and watches what must always hold."""

    def __init__(self, begin: Begin, answer: Handshaken) -> None:
        self.link = begin()
        self.answer = answer
        self.now = 0.0
        self.is_up = begin is connected
        self.is_down = begin is over
        self.authenticated = begin in (networking, connected, without_address)
        self.answers: list[Callable[[], list[Effect]]] = []

    def step(self, happening: bytes | float) -> None:
        """Let a frame come, or time pass; then answer what the link asks."""
        if isinstance(happening, bytes):
            self.perform(self.link.receive(happening, self.now))
        else:
            self.now += happening
            self.perform(self.link.tick(self.now))
        while self.answers:
            self.perform(self.answers.pop()())

    def end(self) -> None:
        """Let the server stop, and time pass."""
        self.perform(self.link.terminate("enough", self.now))
        while (deadline := self.link.deadline) is not None:
            self.step(max(0.0, deadline - self.now))

    def perform(self, effects: list[Effect]) -> None:
        assert sum(isinstance(effect, SendFrame) for effect in effects) <= MOST_FRAMES
        for effect in effects:
            assert not self.is_down, f"{effect} after LinkDown"
            self.watch(effect)

    def watch(self, effect: Effect) -> None:
        match effect:
            case SendFrame(frame):
                assert frame.startswith(b"\xff\x03")
                assert len(frame) <= LONGEST_FRAME
            case LookUp():
                self.answers.append(lambda: self.link.account(USER, self.now))
            case Handshake(data):
                assert len(data) <= MESSAGE_MAX
                self.answers.append(lambda: self.link.handshaken(self.answer, self.now))
            case Admit():
                self.answers.append(lambda: self.link.leased(LEASE, self.now))
            case Authenticated():
                self.authenticated = True
            case NetworkUp():
                assert self.authenticated
                assert not self.is_up
                self.is_up = True
            case NetworkDown():
                assert self.is_up
                self.is_up = False
            case LinkDown():
                assert not self.is_up
                self.is_down = True


@by_phase
@settings(max_examples=150, deadline=None)
@given(happenings=happenings, answer=answers)
def test_whatever_comes(begin: Begin, happenings: list[bytes | float], answer: Handshaken) -> None:
    driver = Driver(begin, answer)
    for happening in happenings:
        driver.step(happening)
    driver.end()
    assert driver.is_down


@by_phase
def test_the_link_does_not_grow(begin: Begin) -> None:
    """Its state is as large after a thousand frames of a kind as after one."""
    kinds = [frame(protocol, code, 1, bytes(20)) for protocol in Protocol for code in range(15)]
    link = begin()
    for kind in kinds:
        link.receive(kind, 0)
    size = len(pickle.dumps(link))
    for _ in range(20):
        for kind in kinds:
            link.receive(kind, 0)
    assert len(pickle.dumps(link)) <= size + 8  # a counter may take another byte

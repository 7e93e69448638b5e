"""Who makes us wait as long as it can, at each stage behind the HTTP request, on a simulated clock.

However little by little something comes, and however busy a client looks: each stage has an end, which
docs/security.md states. TLS and the HTTP request are in tests/server/net/test_entrance.py.
"""

from collections import deque

import pytest

from sstpca.server.ppp.link import LINK_LIMIT, LOGIN_LIMIT
from sstpca.server.ppp.patience import ANSWER_LIMIT
from sstpca.server.sstp.call import BINDING, BINDING_MOST, NEGOTIATION
from tests.fuzz.layer_model import OPENED
from tests.support import eap, ppp
from tests.support.manner import EAP, MSCHAPV2
from tests.support.patient import Asked, Client, Pace
from tests.support.ppp import Code
from tests.support.simulation import CERTIFICATE, Simulation

ROUND_TRIP = 0.02
#: The end of PPP and of the call itself: each of them takes a client that says nothing seconds.
GOODBYE = 10.0


class Dawdler(Client):
    """It never hangs up; from some point on it sends one byte at a time.

    :ivar slow: whether what it writes goes out so.
    :ivar since: when that began.
    """

    every = 2.0  # seconds from byte to byte
    slow_from = "never"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.slow = False
        self.since = 0.0
        self._bytes: deque[int] = deque()
        self._next: float | None = None

    def _quit(self, why: str) -> None:
        self.gave_up = why

    def receive(self, data: bytes, now: float) -> list[bytes]:
        return self._slowly(super().receive(data, now), now)

    def tick(self, now: float) -> list[bytes]:
        return self._slowly(super().tick(now), now)

    @property
    def stage(self) -> str:
        if self.key:
            return "binding"
        if self.lcp.state == OPENED:
            return "login"
        return "link" if self._nonce else "call"

    def _slowly(self, writes: list[bytes], now: float) -> list[bytes]:
        if not self.slow and self.stage == self.slow_from:
            self.slow, self.since = True, now
        if self.slow:
            for data in writes:
                self._bytes.extend(data)
            writes = []
            if self._bytes and (self._next is None or now >= self._next):
                writes, self._next = [bytes([self._bytes.popleft()])], now + self.every
        if self._bytes and self._next is not None:
            self.deadline = min(self._next, self.deadline or self._next)
        return writes


def dawdle(client: Dawdler) -> Simulation:
    done = Simulation(client, ROUND_TRIP).run(2000.0)
    assert done.ended
    assert done.up is None
    return done


@pytest.mark.parametrize(
    ("stage", "most", "why"),
    [
        ("call", NEGOTIATION, "no Call-Connect-Request in 60 seconds"),
        ("link", LINK_LIMIT, "the client does not answer LCP"),
        ("login", ANSWER_LIMIT, "the client does not answer the Challenge"),
        ("binding", BINDING, "no Call-Connected after the login"),
    ],
)
@pytest.mark.parametrize("every", [5.0, 30.0])
def test_byte_by_byte(stage: str, most: float, why: str, every: float) -> None:
    client = Dawdler(Pace(), CERTIFICATE, MSCHAPV2)
    client.slow_from, client.every = stage, every
    # its packets are long enough to last
    client.wanted = {5: b"\1\2\3\4"}
    client.user = b"a" * 200
    done = dawdle(client)
    assert client.slow
    assert done.ended == why
    assert done.ended_at - client.since < most + GOODBYE


class Naysayer(Dawdler):
    """It answers each Configure-Request of ours by a Nak, and asks for what it cannot have."""

    def _link(self, code: int, identifier: int, body: bytes, now: float) -> None:
        if code == Code.REQUEST:
            self._say([ppp.frame(ppp.LCP, ppp.packet(Code.NAK, identifier, b"\x01\x04\x01\x00"))])
            again = ppp.packet(Code.REQUEST, identifier + 1, b"\x0d\x03\x06")
            self._timers.append((now + 2.5, lambda _: self._say([ppp.frame(ppp.LCP, again)])))


def test_lcp_that_never_converges() -> None:
    done = dawdle(Naysayer(Pace(), CERTIFICATE, MSCHAPV2))
    assert "LCP" in done.ended
    assert done.ended_at < LINK_LIMIT + GOODBYE


@pytest.mark.parametrize(
    ("asked", "login", "why"),
    [
        (Asked.CHALLENGE, MSCHAPV2, "the client does not answer the Challenge"),
        (Asked.IDENTITY, EAP, "the client does not answer EAP"),
        (Asked.METHOD, EAP, "the client does not answer EAP"),
    ],
)
def test_a_login_that_never_answers_while_lcp_is_lively(
    asked: Asked, login: bytes, why: str
) -> None:
    method = eap.Password("alice", "x") if login == EAP else None
    client = Chatty(Pace(types=1000.0, asked=asked), CERTIFICATE, login, method)
    done = dawdle(client)
    assert done.ended == why
    assert done.ended_at < ANSWER_LIMIT + GOODBYE


class Chatty(Dawdler):
    """It sends an Echo-Request of LCP every four seconds, once LCP is open."""

    def _link(self, code: int, identifier: int, body: bytes, now: float) -> None:
        before = self.lcp.state
        super()._link(code, identifier, body, now)
        if self.lcp.state == OPENED != before:
            self._chat(now)

    def _chat(self, now: float) -> None:
        self._say([ppp.frame(ppp.LCP, ppp.packet(Code.ECHO, 1, bytes(4)))])
        self._timers.append((now + 4.0, self._chat))


class Silent(Chatty):
    """It logs in well, and sends no Call-Connected."""

    def _bind(self) -> None:
        pass


def test_call_connected_withheld_by_who_goes_on_talking() -> None:
    done = dawdle(Silent(Pace(), CERTIFICATE, MSCHAPV2))
    assert done.ended == "no Call-Connected after the login"
    assert BINDING < done.ended_at < BINDING_MOST + GOODBYE


class Fragments(Dawdler):
    """EAP-TLS in fragments that have no end (RFC 5216 2.1.5), one just before we would give up."""

    wait = ANSWER_LIMIT - 10.0

    def _eap(self, code: int, identifier: int, body: bytes, now: float) -> None:
        if code == eap.REQUEST:
            known = body[0] == eap.IDENTITY
            data = b"\x01alice" if known else bytes([eap.TLS, 0x40]) + bytes(20)
            if not known and body[0] != eap.TLS:
                data = bytes([eap.NAK, eap.TLS])
            frame = ppp.frame(ppp.EAP, ppp.packet(eap.RESPONSE, identifier, data))
            self._timers.append((now + self.wait, lambda _: self._say([frame])))


@pytest.mark.parametrize("wait", [Fragments.wait, 1.0])
def test_fragments_of_eap_without_end(wait: float) -> None:
    client = Fragments(Pace(), CERTIFICATE, EAP)
    client.wait = wait
    done = dawdle(client)
    assert done.ended_at < LOGIN_LIMIT + GOODBYE


def test_all_stages_together() -> None:
    """What docs/security.md says of a stranger that uses up each of them."""
    assert NEGOTIATION + LINK_LIMIT + LOGIN_LIMIT + BINDING_MOST == 390.0

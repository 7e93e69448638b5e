"""What was heard of another login gets nobody in, and what leads nowhere ends and leaves nothing."""

import os
from collections.abc import Callable

import pytest

from tests.support import eap, mschap, ppp
from tests.support.client import Client
from tests.support.faults import ClientError, Closed, Disconnected, LoginRefused, Terminated
from tests.support.server import PASSWORDS, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


class Recorder(Client):
    """Says in CHAP what was recorded, if anything was, and records what it says.

    :ivar said: the answer to the Challenge: what login it is, its identifier and its value.
    """

    said: tuple[int, bytes] | None = None

    def _respond(self) -> mschap.Login:
        if self.said is None:
            login = super()._respond()
            assert self.heard.challenge is not None
            self.said = self.heard.challenge[0], login.response
            return login
        assert self.heard.challenge is not None
        identifier, challenge = self.heard.challenge
        body = bytes((49,)) + self.said[1] + self.user
        self.send_frame(ppp.frame(ppp.CHAP, ppp.packet(2, identifier, body)))
        return mschap.Login(self.user, self.password, challenge, os.urandom(16))


def connection(vpn: Vpn) -> Recorder:
    client = vpn.client()
    client.__class__ = Recorder
    assert isinstance(client, Recorder)
    return client


def test_a_recorded_response_gets_nobody_in(vpn: Vpn) -> None:
    with connection(vpn) as first:
        first.login()
        first.ping(vpn.network.host)
        said = first.said
        first.hang_up()
    with connection(vpn) as second:
        second.said = said
        second.open()
        with pytest.raises(LoginRefused) as refused:
            second.authenticate()
        assert refused.value.code == 691
    wait_for(vpn.idle, "the end of the session")


def test_a_challenge_that_comes_back_is_not_answered(vpn: Vpn) -> None:
    """Who waits for the server's own answer to it, to show it to the server, waits in vain."""
    with vpn.client() as client:
        client.open()
        client._negotiate(client.lcp)
        client._until(lambda: client.heard.challenge is not None, "CHAP Challenge")
        assert client.heard.challenge is not None
        identifier, challenge = client.heard.challenge
        client.heard.verdict = None
        for number in (identifier, identifier + 1, 77):
            body = bytes((16,)) + challenge + b"vpn"
            client.send_frame(ppp.frame(ppp.CHAP, ppp.packet(1, number, body)))
        client.listen(0.5)
        assert client.heard.verdict is None
        assert client._respond().response  # and goes on as if nothing had been said
        client._until(lambda: client.heard.verdict is not None, "CHAP Success")
        assert client.heard.verdict is not None
        assert client.heard.verdict[0] == 3
    wait_for(vpn.idle, "the end of the session")


class Endless(eap.Certificate):
    """EAP-TLS whose pieces do not end."""

    piece: Callable[[], bytes]

    def respond(self, data: bytes) -> bytes:
        return self.piece()


@pytest.mark.parametrize(
    "piece",
    [
        b"\x40x",
        b"\x40" + bytes(1300),
        b"\xc0\0\0\x7f\xff" + bytes(1300),
        b"\xc0\0\0\0\1" + bytes(9),
    ],
    ids=["small", "large", "of a length", "of a length that lies"],
)
def test_pieces_without_end(vpn: Vpn, piece: bytes) -> None:
    method = Endless("alice", b"", vpn.home.authority("alice"))
    method.piece = lambda: piece
    failed = "login failed for 'alice': "  # and why: how the call ended is another line
    before = vpn.server.said(failed)
    with vpn.client(method=method) as client:
        client.open()
        with pytest.raises(ClientError) as ended:
            client.authenticate()
        assert isinstance(ended.value, eap.CertificateRejected | Terminated | Disconnected | Closed)
    vpn.server.says(failed, before + 1)
    wait_for(vpn.idle, "the end of the session")
    with vpn.client(method=eap.Password("alice", PASSWORDS["alice"])).login() as client:
        client.ping(vpn.network.host)
        client.hang_up()
    wait_for(vpn.idle, "the end of the session")

"""Logins over lines that are slow, and change: by a client as the RFCs have it, on a simulated clock.

Each end has its own timers. Where they are shorter than the line, everything comes twice, and late.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from sstpca.server.net.eap_handshake import Contexts, EapHandshake
from tests.server.test_clients import Smartcards
from tests.support import eap, ppp, sstp
from tests.support.handshake import certificate_of
from tests.support.issuer import CLIENT, SERVER, Issuer
from tests.support.manner import EAP, MSCHAPV2
from tests.support.patient import Asked, Client, Meanwhile, Pace
from tests.support.ppp import Code
from tests.support.simulation import CERTIFICATE, PASSWORD, Simulation

# a minute of somebody who types, and forty turns of the slowest line
LONGEST = 300.0


def line(first: float, *changes: tuple[float, float]) -> Callable[[float], float]:
    """Return half a round trip by the time: ``first``, and another from each time on."""

    def delay(now: float) -> float:
        return [first, *(trip for at, trip in changes if at <= now)][-1] / 2

    return delay


def log_in(
    pace: Pace, login: bytes, delay: Callable[[float], float], **more: Any
) -> tuple[Client, Simulation]:
    """Return what came of it, and check what the server said."""
    method = eap.Password("alice", PASSWORD) if login == EAP else None
    client = Client(pace, CERTIFICATE, login, method)
    simulation = Simulation(client, delay=delay, **more).run(LONGEST)
    every_repetition_is_right(simulation.sent)
    return client, simulation


def packets(sent: list[bytes]) -> list[tuple[int, int, int, bytes]]:
    """Return protocol, code, identifier and data of the PPP packets that the server sent."""
    found = []
    for data in sent:
        buffer = bytearray(data)
        while buffer[:1] == b"\x10" and (packet := sstp.cut(buffer)) is not None:
            message = sstp.decode(packet)
            if isinstance(message, sstp.Data):
                protocol, payload = ppp.unframe(message.frame)
                found.append((protocol, *ppp.unpack(payload)))
    return found


def every_repetition_is_right(sent: list[bytes]) -> None:
    """What may stay, stays, and what must change, changes; and none comes without end."""
    found = packets(sent)
    challenges = [
        (ident, data[1:17])
        for protocol, code, ident, data in found
        if (protocol, code) == (ppp.CHAP, 1)
    ]
    # RFC 1994 4.1: identifier and value, each time that one is sent
    assert len({ident for ident, _ in challenges}) == len(challenges)
    assert len({value for _, value in challenges}) == len(challenges)
    for protocol, code in ((ppp.EAP, 1), (ppp.LCP, 1), (ppp.IPCP, 1)):
        asked = [(ident, data) for p, c, ident, data in found if (p, c) == (protocol, code)]
        # RFC 3748 4.1, RFC 1661 5.1: the same identifier for the same, and another for another
        assert len(set(asked)) == len({ident for ident, _ in asked})
        assert all(asked.count(one) <= 10 for one in asked)
    for code in (Code.PROTOCOL_REJECT, Code.CODE_REJECT):
        rejects = [ident for protocol, c, ident, _ in found if (protocol, c) == (ppp.LCP, code)]
        assert len(set(rejects)) == len(rejects)  # RFC 1661 5.6, 5.7
    # RFC 3748 4.2: Success is not repeated
    assert sum((protocol, code) == (ppp.EAP, 3) for protocol, code, *_ in found) <= 1


trips = st.one_of(st.sampled_from([0.0, 0.02, 0.3, 1.0, 2.9, 3.1, 5.0]), st.floats(0.0, 5.0))
lines = st.builds(
    line, trips, st.tuples(st.floats(0, 60), trips), st.tuples(st.floats(0, 120), trips)
)
paces = st.builds(
    Pace,
    restart=st.floats(2.0, 10.0),
    deaf=st.sampled_from([0.0, 0.02, 0.2, 0.9]),
    types=st.floats(0.0, 60.0),
    asked=st.sampled_from(Asked),
    meanwhile=st.sampled_from(Meanwhile),
    remembers=st.booleans(),
    again=st.one_of(st.none(), st.floats(2.0, 10.0)),
    twice=st.booleans(),
    binds_late=st.booleans(),
)


@pytest.mark.parametrize("login", [MSCHAPV2, EAP])
@given(pace=paces, delay=lines, store=st.sampled_from([0.0, 0.1, 3.0]))
@settings(max_examples=150, deadline=None)
def test_every_login_over_every_line_succeeds(
    login: bytes, pace: Pace, delay: Callable[[float], float], store: float
) -> None:
    client, done = log_in(pace, login, delay, store=store)
    assert done.connected, (client.gave_up, done.ended, done.notes)
    assert not done.ended


@pytest.mark.parametrize("asked", [Asked.CHALLENGE, Asked.IDENTITY, Asked.METHOD])
@pytest.mark.parametrize("round_trip", [0.02, 5.0])
@pytest.mark.parametrize("meanwhile", Meanwhile)
def test_a_person_may_take_a_minute(asked: Asked, round_trip: float, meanwhile: Meanwhile) -> None:
    login = MSCHAPV2 if asked is Asked.CHALLENGE else EAP
    pace = Pace(types=60.0, asked=asked, meanwhile=meanwhile)
    client, done = log_in(pace, login, line(round_trip))
    assert done.connected, (client.gave_up, done.ended)


@pytest.mark.parametrize("asked", [Asked.CHALLENGE, Asked.IDENTITY, Asked.METHOD])
def test_nobody_may_type_for_ever(asked: Asked) -> None:
    login = MSCHAPV2 if asked is Asked.CHALLENGE else EAP
    client, done = log_in(Pace(types=1000.0, asked=asked), login, line(0.02))
    assert client.gave_up == "the server ended PPP"
    assert done.ended == (
        "the client does not answer the Challenge"
        if asked is Asked.CHALLENGE
        else "the client does not answer EAP"
    )
    assert done.now < 100


class Restless(Client):
    """It negotiates LCP anew at each question of the login."""

    def _chap(self, code: int, identifier: int, body: bytes, now: float) -> None:
        self._say(self.lcp.renew(now))


@pytest.mark.parametrize("round_trip", [0.02, 1.0, 5.0])
def test_a_login_that_never_converges_ends(round_trip: float) -> None:
    client = Restless(Pace(), CERTIFICATE, MSCHAPV2)
    done = Simulation(client, round_trip).run(1000.0)
    assert client.gave_up == "the server ended PPP"
    assert done.ended == "the client did not log in in time"
    assert done.now < 270
    assert len(packets(done.sent)) < 20_000


@pytest.mark.parametrize("round_trip", [0.02, 5.0])
def test_a_card_with_a_pin(tmp_path: Path, round_trip: float) -> None:
    """EAP-TLS takes most round trips; before the client's part of the handshake somebody types."""
    issuer = Issuer.make()
    path = tmp_path / "server.pem"
    path.write_bytes(issuer.issue("vpn.example.com", SERVER).pem)
    mine = issuer.issue("alice", CLIENT)
    method = eap.Certificate("alice@x", mine.pem, issuer.pem, newest=SSL.TLS1_2_VERSION, piece=1024)
    client = Client(Pace(types=60.0, asked=Asked.METHOD), CERTIFICATE, EAP, method)
    shake = EapHandshake(Contexts(), certificate_of(path), Smartcards(issuer.own.der)).receive
    done = Simulation(client, round_trip, shake=shake).run(LONGEST)
    every_repetition_is_right(done.sent)
    assert done.connected, (client.gave_up, done.ended, done.notes)

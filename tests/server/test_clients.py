"""Clients of other people, as their sources have them, against the session: how long each login takes.

Counted in round trips and timers, on a simulated clock; see tests/support/script.py.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from sstpca.names import login_names
from sstpca.server.contracts import Account, Lease
from sstpca.server.net.eap_handshake import Contexts, EapHandshake
from sstpca.server.ppp.judging import Changed, Judgement
from sstpca.server.ppp.proofs import PasswordChange, Proof
from tests.support import eap, ppp, sstp
from tests.support.handshake import certificate_of
from tests.support.issuer import CLIENT, SERVER, Issuer
from tests.support.manner import ADDRESS, DNS1, DNS2, MAGIC, MRU
from tests.support.peers import (
    ANDROID,
    CSHARP,
    DART,
    GO,
    IOS,
    MAC,
    PPPD,
    ROUTEROS,
    WINDOWS,
)
from tests.support.script import EAP_LOGIN, PAP_LOGIN, Habits, Script
from tests.support.simulation import ALICE, CERTIFICATE, LEASE, PASSWORD, Simulation

ROUND_TRIPS = (0.0, 0.002, 0.02, 0.08, 1.0, 5.0)
# the server does not wait longer for the client's first LCP packet; with a request of its own in time,
# a login over a slow line is shorter, if the client's first request is good
FIRST_WAIT = 2.0
LOGIN_DELAY = 0.05  # the server lets a client enter the login

# Round trips until the server lets packets through. Three and a half until LCP is open: HTTP, SSTP,
# and LCP; one for each request of ours that the client rejects. One for the login, two for IPCP, one
# for each request of the client that we reject there, one for a binding that comes last.
LOGINS = {
    "Windows 10": (WINDOWS, 7.5),
    "pppd, sctg sstp-client, Keenetic": (PPPD, 6.5),
    "Open SSTP Client": (ANDROID, 7.5),
    "sstp_client (Dart)": (DART, 7.5),
    "mac-os-sstp-client": (MAC, 7.5),
    "SSTP-Client-iOS": (IOS, 7.5),
    "sstp-proxy (Go)": (GO, 6.5),
    "TqkLibrary (C#)": (CSHARP, 6.5),
    "RouterOS": (ROUTEROS, 6.5),
}


def simulate(habits: Habits, round_trip: float = 0.02, **more: Any) -> tuple[Script, Simulation]:
    client = Script(habits, certificate=CERTIFICATE)
    return client, Simulation(client, round_trip, **more).run()


def with_dns(count: int) -> Lease:
    return dataclasses.replace(LEASE, dns=LEASE.dns[:count])


@pytest.mark.parametrize(
    ("name", "round_trip"),
    [
        (name, round_trip)
        for (name, (habits, _)), round_trip in itertools.product(LOGINS.items(), ROUND_TRIPS)
        if habits.restart is None or round_trip < habits.restart
    ],
)
def test_a_login_takes_round_trips_and_no_timer(name: str, round_trip: float) -> None:
    habits, trips = LOGINS[name]
    client, done = simulate(habits, round_trip)
    assert done.connected, (client.gave_up, done.ended)
    # the client's own pause before IPCP; that before the login is within ours
    early = max(0.0, round_trip - FIRST_WAIT) if name == "SSTP-Client-iOS" else 0.0
    assert done.up == pytest.approx(trips * round_trip + LOGIN_DELAY + habits.enters - early)
    assert client.challenges == 1
    assert ppp.CHAP not in client.lost


@pytest.mark.parametrize(("habits", "works"), [(WINDOWS, True), (PPPD, True), (ANDROID, False)])
def test_a_client_whose_timer_is_shorter_than_the_line(habits: Habits, works: bool) -> None:
    """It asks again before the answer can be there: under the same identifier, or for ever."""
    client, done = simulate(habits, 5.0)
    assert done.connected == works, (client.gave_up, done.ended)
    assert works or client.gave_up == "LCP took too long"


@pytest.mark.parametrize("interface", [0.0, 0.3])
def test_an_interface_that_takes_its_time_loses_no_packet(interface: float) -> None:
    """A packet right behind the last word of the client, whatever that was."""
    for habits in (WINDOWS, MAC):
        client, done = simulate(dataclasses.replace(habits, eager=True), interface=interface)
        assert done.connected
        assert done.delivered == client.sent_packets == 1


@pytest.mark.parametrize("enters", [0.0, 0.04, 0.2, 0.9])
@pytest.mark.parametrize("round_trip", [0.0, 0.0001, 0.02])
def test_a_client_that_is_slow_to_listen_waits_a_second_at_most(
    enters: float, round_trip: float
) -> None:
    """What comes before it listens is lost: the Challenge, our IPCP request. Its limit is 3 s."""
    client, done = simulate(dataclasses.replace(ANDROID, enters=enters), round_trip)
    assert done.connected, client.gave_up
    missed = enters > LOGIN_DELAY + round_trip / 2
    assert (ppp.CHAP in client.lost) == missed
    assert (ppp.IPCP in client.lost) == (enters > 0)
    waited = LOGIN_DELAY + missed * 1.0 + enters
    assert done.up == pytest.approx(7.5 * round_trip + waited)


def test_one_dns_server_is_given_for_both() -> None:
    for habits in (WINDOWS, IOS, GO, CSHARP):
        client, done = simulate(habits, lease=with_dns(1))
        assert done.connected, client.gave_up
        only = LEASE.dns[0].packed
        assert (client.ipcp.options[DNS1], client.ipcp.options[DNS2]) == (only, only)


@pytest.mark.parametrize("habits", [MAC, IOS])
def test_ipcp_first_gets_an_address_and_no_packet_before_the_binding(habits: Habits) -> None:
    never = dataclasses.replace(habits, binds=None, eager=True)
    client, done = simulate(never)
    assert client.up is not None
    assert client.ipcp.options[ADDRESS] == LEASE.address.packed
    assert (done.up, done.delivered) == (None, 0)
    assert done.ended == "no Call-Connected after the login"
    # the last it says is its packet, and an Abort takes a round trip
    assert done.now == pytest.approx(client.up + 10 + 1.5 * 0.02, abs=0.1)


def test_clients_that_can_only_pap_are_told_apart() -> None:
    """edgetunnel, which says all in one write; SSToPer."""
    edgetunnel = Habits(lcp={MRU: b"\x05\xdc"}, login=PAP_LOGIN, binds=None, one_write=True)
    for habits in (edgetunnel, dataclasses.replace(edgetunnel, one_write=False)):
        client, done = simulate(habits)
        assert client.gave_up == "the server ended PPP"
        assert done.ended == "the client refuses MS-CHAPv2 and EAP, and wants PAP"


def test_a_client_that_gives_up_first_is_told_apart_too() -> None:
    pap = Habits(login=PAP_LOGIN, patience=0.03, quits=None)
    client, done = simulate(pap)
    assert client.gave_up == "LCP took too long"
    assert done.ended == (
        "the client closed the connection (the client refuses MS-CHAPv2 and EAP, and wants PAP)"
    )


def test_frames_without_address_and_control_are_understood() -> None:
    """sstp-rust sends them; ours have FF 03 all the same."""
    client, done = simulate(Habits(bare=True))
    assert done.connected, client.gave_up


def test_a_client_that_rejects_what_it_does_not_want() -> None:
    """sstp-proxy, if set to EAP: a Reject of the login is the end, not a round."""
    _, done = simulate(dataclasses.replace(GO, login=EAP_LOGIN))
    assert done.ended == "the client refuses MS-CHAPv2 and EAP"


@pytest.mark.parametrize("round_trip", [0.0, 0.002, 0.02, 0.08, 1.0, 5.0])
def test_eap_by_password(round_trip: float) -> None:
    """Open SSTP Client with EAP-MSCHAPv2; Windows."""
    habits = Habits(lcp={MAGIC: b""}, login=EAP_LOGIN, restart=None, enters=0.02)
    method = eap.Password("alice", PASSWORD)
    done = Simulation(Script(habits, certificate=CERTIFICATE, method=method), round_trip).run()
    assert done.connected
    # a round more for the Nak of the login, and three of EAP for one of CHAP
    early = max(0.0, round_trip - FIRST_WAIT)
    assert done.up == pytest.approx(9.5 * round_trip + LOGIN_DELAY + habits.enters - early)


@pytest.mark.parametrize("last", [sstp.Kind.ABORT, sstp.Kind.DISCONNECT, None])
@pytest.mark.parametrize("reason", ["killed by the administrator", "the server stops"])
def test_the_reason_that_came_first_stays(last: sstp.Kind | None, reason: str) -> None:
    """Clients that send their last word and close at once."""
    client = Script(dataclasses.replace(ANDROID, quits=last), certificate=CERTIFICATE)
    simulation = Simulation(client)
    simulation.order(reason, at=5.0)
    assert simulation.run().ended == reason
    assert not any("abort" in note for note in simulation.notes)


def test_no_free_address_is_the_reason() -> None:
    habits = dataclasses.replace(ANDROID, patience=1.0)
    client, done = simulate(habits, lease=None)
    assert client.gave_up == "IPCP took too long"
    assert done.ended == "no address is free"


def test_a_refused_login_is_the_reason() -> None:
    client, done = simulate(ANDROID, account=None)
    assert "E=691" in client.gave_up
    assert done.ended == "login failed for 'alice'"


def test_ipv6_that_is_rejected_is_the_reason() -> None:
    """Enable IPv6 in Open SSTP Client: our Protocol-Reject ends everything."""
    client, done = simulate(dataclasses.replace(ANDROID, insists_on_ipv6=True))
    assert client.gave_up == "the server sent LCP 8"
    assert done.ended == (
        "the client aborted the call: no status given (it asks for IPv6 (IPV6CP), which there is not)"
    )


@pytest.mark.parametrize(
    ("name", "hashes_domain"),
    [
        ("alice", False),
        ("OFFICE\\alice", False),
        ("OFFICE\\alice", True),
        ("alice ", False),
        ("OFFICE\\alice ", True),
        (" Alice\u00a0", False),
        ("a\\b\\alice", True),
        ("alice@office.example.com", False),
    ],
)
@pytest.mark.parametrize("login", [b"\xc2\x23\x81", EAP_LOGIN])
def test_names_as_people_type_them(name: str, hashes_domain: bool, login: bytes) -> None:
    """They are looked up as they were sent, by one rule; the hash is over the client's bytes."""
    method = eap.Password(name, PASSWORD, hashes_domain=hashes_domain)
    habits = dataclasses.replace(PPPD, login=login, hashes_domain=hashes_domain)
    client = Script(habits, user=name, certificate=CERTIFICATE, method=method)
    done = Simulation(client).run()
    assert done.connected, client.gave_up
    assert done.asked == [name]
    assert login_names(name)[-1].casefold() == "alice"


def test_a_wrong_password_is_said_to_be_wrong_in_either_form() -> None:
    for hashes_domain in (False, True):
        habits = dataclasses.replace(ANDROID, hashes_domain=hashes_domain)
        client = Script(habits, user="OFFICE\\alice", password="x", certificate=CERTIFICATE)
        done = Simulation(client).run()
        assert "login failed for 'alice': the password is wrong" in done.notes


def test_a_rejected_option_asked_for_again_for_ever_ends_by_count() -> None:
    """TqkLibrary; the others give the option up, or never come up by themselves."""
    client, done = simulate(CSHARP, lease=with_dns(0))
    assert done.ended == "the negotiation of IPCP leads nowhere"
    assert client.requests < 60
    assert simulate(GO, lease=with_dns(0))[1].connected
    _, ios = simulate(IOS, lease=with_dns(0))
    assert ios.ended == "no Call-Connected after the login"


class Smartcards:
    """A directory that knows everybody who has a certificate."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def log_in(self, name: str, source: str, proof: Proof) -> Judgement:
        raise AssertionError("there is no password")

    def change_password(self, account: Account, wish: PasswordChange) -> Changed:
        raise AssertionError("nobody changes a password")

    def by_certificate(self, der: bytes) -> Account:
        return ALICE

    def client_roots(self) -> tuple[bytes, ...]:
        return (self._root,)


def test_eap_tls_in_pieces(tmp_path: Path) -> None:
    """sstp-smartcard-macos: TLS 1.2, pieces of 1024 bytes, the length on the first alone."""
    issuer = Issuer.make()
    path = tmp_path / "server.pem"
    path.write_bytes(issuer.issue("vpn.example.com", SERVER).pem)
    shown, mine = certificate_of(path), issuer.issue("alice", CLIENT)
    habits = Habits(lcp={MAGIC: b""}, login=EAP_LOGIN, restart=None)

    def up(round_trip: float) -> float:
        method = eap.Certificate(
            "alice@x", mine.pem, issuer.pem, newest=SSL.TLS1_2_VERSION, piece=1024
        )
        client = Script(habits, certificate=CERTIFICATE, method=method)
        shake = EapHandshake(Contexts(), shown, Smartcards(issuer.own.der)).receive
        done = Simulation(client, round_trip, shake=shake).run()
        assert done.connected, (client.gave_up, done.ended, done.notes)
        assert done.up is not None
        return done.up - LOGIN_DELAY

    trips = up(0.02) / 0.02
    assert trips == pytest.approx(round(trips * 2) / 2)
    assert 9.5 < trips < 20
    for round_trip in (0.0, 0.002, 0.08, 1.0):
        assert up(round_trip) == pytest.approx(trips * round_trip)
    assert up(5.0) == pytest.approx(trips * 5.0 - (5.0 - FIRST_WAIT))

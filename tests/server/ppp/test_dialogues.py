"""Whole logins, byte by byte, as known clients lead them."""

from sstpca.server.contracts import Account
from sstpca.server.ppp.effects import (
    Admit,
    Authenticated,
    Effect,
    Identified,
    LookUp,
    NetworkUp,
    SendFrame,
)
from tests.server.ppp.dialogue import CHALLENGE, HLAK, LEASE, MAGIC, USER, Link, response
from tests.support.judging import secrets_of


def send(text: str) -> SendFrame:
    """Return the effect of sending these bytes, in hex."""
    return SendFrame(bytes.fromhex(text))


def hear(link: Link, text: str, now: float = 0) -> list[Effect]:
    """Return what follows from receiving these bytes, in hex."""
    return link.receive(bytes.fromhex(text), now)


def a_link() -> Link:
    return Link(challenge=CHALLENGE, magic=MAGIC, server_name="vpn")


OUR_REQUEST = send("FF03 C021 0101000F 0506 5EED5EED 0305 C22381")
OUR_CHALLENGE = send("FF03 C223 01010018 10 5B5D7C7D7B3F2F3E3C2C602132262628 76706E")
OUR_SUCCESS = send(
    "FF03 C223 03010038" + b"S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Welcome".hex()
)
OUR_IPCP_REQUEST = send("FF03 8021 0101000A 0306 0A630001")


def log_in(link: Link, now: float = 0) -> None:
    """Answer the Challenge as user "User" of RFC 2759 9.2."""
    assert link.receive(response(1), now) == [LookUp("User")]
    assert link.account(USER, now) == [Admit(USER, "MS-CHAPv2")]
    assert link.leased(LEASE, now) == [OUR_SUCCESS, Authenticated((HLAK,)), OUR_IPCP_REQUEST]


def challenged(link: Link, now: float = 0) -> None:
    """LCP has been open for a moment: the Challenge comes."""
    assert link.tick(now + 0.05) == [OUR_CHALLENGE]


def test_windows_10() -> None:
    """The order of packets in the Windows 10 session log of the VyOS documentation."""
    link = a_link()
    # nothing at once after CONNECT_ACK: it would cost 3 s
    assert link.start(0) == []
    # MRU 4091, Magic-Number, two compressions, callback
    assert hear(link, "FF03 C021 01000015 0104 0FFB 0506 2A3B4C5D 0702 0802 0D03 06", 0.1) == [
        OUR_REQUEST,
        send("FF03 C021 0400000B 0702 0802 0D03 06"),
    ]
    assert hear(link, "FF03 C021 0201000F 0506 5EED5EED 0305 C22381", 0.2) == []
    assert hear(link, "FF03 C021 0101000E 0104 0FFB 0506 2A3B4C5D", 0.3) == [
        send("FF03 C021 0201000E 0104 0FFB 0506 2A3B4C5D"),
    ]
    challenged(link, 0.3)
    # Identification, in the middle of the login
    version = "FF03 C021 0C020012 2A3B4C5D 4D5352415356352E3230"
    assert hear(link, version, 0.4) == [Identified("MSRASV5.20")]
    assert hear(link, "FF03 C021 0C03001A 2A3B4C5D" + b"MSRAS-0-LAPTOP".hex() + "0000 0000") == [
        Identified("MSRAS-0-LAPTOP")
    ]
    assert hear(link, "FF03 C021 0C040018 2A3B4C5D 8CAAA48B58AAE34A9A8F3C33FE8F6A7D") == []
    # too early, so not rejected: that would be for good
    ipv6cp = "FF03 8057 0105000E 010A 2C5A3B4C5D6E7F80"
    ccp = "FF03 80FD 0106000A 1206 01000040"
    assert hear(link, ipv6cp, 0.4) == hear(link, ccp, 0.4) == []
    log_in(link, 0.5)
    # the protocols we do not have
    assert hear(link, ipv6cp, 0.6) == [
        send("FF03 C021 08020014 8057 0105000E 010A 2C5A3B4C5D6E7F80")
    ]
    assert hear(link, ccp, 0.6) == [send("FF03 C021 08030010 80FD 0106000A 1206 01000040")]
    # address, DNS, WINS, DNS, WINS
    assert hear(
        link,
        "FF03 8021 01070022 030600000000 810600000000 820600000000 830600000000 840600000000",
        0.7,
    ) == [OUR_IPCP_REQUEST, send("FF03 8021 04070010 820600000000 840600000000")]
    assert hear(link, "FF03 8021 0201000A 0306 0A630001", 0.7) == []
    assert hear(link, "FF03 8021 01080016 030600000000 810600000000 830600000000", 0.8) == [
        send("FF03 8021 03080016 0306 0A63000A 8106 0A630035 8306 0A630036")
    ]
    assert hear(link, "FF03 8021 01090016 0306 0A63000A 8106 0A630035 8306 0A630036", 0.9) == [
        send("FF03 8021 02090016 0306 0A63000A 8106 0A630035 8306 0A630036"),
        NetworkUp(1400),
    ]
    assert link.deadline is None


def test_windows_10_slow_to_start() -> None:
    """The request after two seconds is ignored; the client's first packet brings another."""
    link = a_link()
    link.start(0)
    assert link.tick(2) == [OUR_REQUEST]
    assert hear(link, "FF03 C021 0100000A 0506 2A3B4C5D", 2.2) == [
        OUR_REQUEST,
        send("FF03 C021 0200000A 0506 2A3B4C5D"),
    ]
    assert hear(link, "FF03 C021 0201000F 0506 5EED5EED 0305 C22381", 2.3) == []
    challenged(link, 2.3)


def test_open_sstp_client() -> None:
    """It rejects the Magic-Number, and must see no Code- or Protocol-Reject."""
    link = a_link()
    link.start(0)
    assert hear(link, "FF03 C021 01010008 0104 05DC") == [
        OUR_REQUEST,
        send("FF03 C021 02010008 0104 05DC"),
    ]
    assert hear(link, "FF03 C021 0401000A 0506 5EED5EED") == [
        send("FF03 C021 01020009 0305 C22381")
    ]
    assert hear(link, "FF03 C021 02020009 0305 C22381") == []
    challenged(link)
    log_in(link)
    # it did not listen to IPCP yet when ours came
    assert hear(link, "FF03 8021 01020010 030600000000 810600000000") == [
        OUR_IPCP_REQUEST,
        send("FF03 8021 03020010 0306 0A63000A 8106 0A630035"),
    ]
    assert hear(link, "FF03 8021 0201000A 0306 0A630001") == []
    assert hear(link, "FF03 8021 01030010 0306 0A63000A 8106 0A630035") == [
        send("FF03 8021 02030010 0306 0A63000A 8106 0A630035"),
        NetworkUp(1400),
    ]
    # it asks for an echo when idle
    assert hear(link, "FF03 C021 0904000C 00000000 4142 4344") == [
        send("FF03 C021 0A04000C 00000000 4142 4344")
    ]


def test_pppd() -> None:
    """As sstpc runs it: async map and compressions; CCP first; VJ compression in IPCP."""
    link = a_link()
    link.start(0)
    assert hear(link, "FF03 C021 01010014 0206 00000000 0506 2A3B4C5D 0702 0802") == [
        OUR_REQUEST,
        send("FF03 C021 0401000E 0206 00000000 0702 0802"),
    ]
    assert hear(link, "FF03 C021 0201000F 0506 5EED5EED 0305 C22381") == []
    assert hear(link, "FF03 C021 0102000A 0506 2A3B4C5D") == [
        send("FF03 C021 0202000A 0506 2A3B4C5D"),
    ]
    challenged(link)
    # it tests the link as soon as LCP is open
    assert hear(link, "FF03 C021 09000008 2A3B4C5D") == [send("FF03 C021 0A000008 5EED5EED")]
    log_in(link)
    assert hear(link, "FF03 80FD 0101000F 1A04 7800 1804 7800 1503 2F") == [
        send("FF03 C021 08020015 80FD 0101000F 1A04 7800 1804 7800 1503 2F")
    ]
    # without FF 03 this time, which pppd may do
    assert hear(link, "8021 0101001C 0206002D0F01 030600000000 810600000000 830600000000") == [
        OUR_IPCP_REQUEST,
        send("FF03 8021 0401000A 0206002D0F01"),
    ]
    assert hear(link, "FF03 8021 0201000A 0306 0A630001") == []
    assert hear(link, "FF03 8021 01020016 030600000000 810600000000 830600000000") == [
        send("FF03 8021 03020016 0306 0A63000A 8106 0A630035 8306 0A630036")
    ]
    assert hear(link, "FF03 8021 01030016 0306 0A63000A 8106 0A630035 8306 0A630036") == [
        send("FF03 8021 02030016 0306 0A63000A 8106 0A630035 8306 0A630036"),
        NetworkUp(1400),
    ]


def test_a_client_that_asks_for_nothing() -> None:
    """An empty Configure-Request is acknowledged: some clients send nothing but that."""
    link = a_link()
    link.start(0)
    assert hear(link, "FF03 C021 01010004") == [OUR_REQUEST, send("FF03 C021 02010004")]
    assert hear(link, "FF03 C021 0201000F 0506 5EED5EED 0305 C22381") == []
    challenged(link)


def test_another_password_gives_another_key() -> None:
    other = Account(8, "User", enabled=True)
    link = a_link()
    link.start(0)
    hear(link, "FF03 C021 01010004")
    hear(link, "FF03 C021 0201000F 0506 5EED5EED 0305 C22381")
    challenged(link)
    link.receive(response(1, password="other"), 0)
    assert link.account(other, 0, secrets=secrets_of("other")) == [Admit(other, "MS-CHAPv2")]
    success, authenticated, _ = link.leased(LEASE, 0)
    assert success != OUR_SUCCESS
    assert isinstance(authenticated, Authenticated)
    assert authenticated.hlaks != (HLAK,)

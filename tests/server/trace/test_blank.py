"""What a trace leaves out: whatever would help to find a password, in whichever form it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.ppp.frames import Packet, Protocol, encode, encode_packet
from sstpca.server.sstp.wire import Attribute, AttributeId, Control, Data, MessageType
from sstpca.server.sstp.wire import encode as encode_sstp
from sstpca.server.trace.blank import blanked

SECRET = bytes(range(0x41, 0x41 + 24)) * 3


def frame(protocol: int, information: bytes) -> bytes:
    return encode_sstp(Data(encode(protocol, information)))


def packet(protocol: int, code: int, data: bytes) -> bytes:
    return frame(protocol, encode_packet(Packet(code, 7, data)))


def shown(packet: bytes, *, whole: bool = False) -> bytes:
    """Return what is left, which is one packet as long as it says, unless IP is cut."""
    made, size = blanked(packet, whole=whole)
    assert made[:2] == packet[:2]
    assert len(made) <= size == int.from_bytes(made[2:4]) & 0xFFF
    return made


CHAP_RESPONSE = bytes([49]) + SECRET[:49] + b"alice"
PAP = b"\x05alice" + bytes([len(SECRET)]) + SECRET
PROOF = b"S=" + SECRET[:20].hex().upper().encode()
SECRETS = {
    "chap response": packet(Protocol.CHAP, 2, CHAP_RESPONSE),
    "chap md5": packet(Protocol.CHAP, 2, bytes([16]) + SECRET[:16] + b"alice"),
    "a value that is longer than it says": packet(Protocol.CHAP, 2, bytes([200]) + SECRET),
    "chap change password": packet(Protocol.CHAP, 7, SECRET),
    "pap": packet(Protocol.PAP, 1, PAP),
    "pap without a name": packet(Protocol.PAP, 1, b"\xff" + SECRET),
    "eap response": packet(
        Protocol.EAP, 2, bytes([26, 2, 7, 0, 59]) + bytes([49]) + SECRET[:49] + b"alice"
    ),
    "eap change password": packet(Protocol.EAP, 2, bytes([26, 7, 7, 0, 5]) + SECRET),
    "eap-tls": packet(Protocol.EAP, 2, bytes([13, 0x80, 0, 0, 0, 72]) + SECRET),
    "eap-tls, a piece": packet(Protocol.EAP, 1, bytes([13, 0]) + SECRET),
    "eap-md5": packet(Protocol.EAP, 2, bytes([4, 16]) + SECRET),
    "an unknown login": frame(0xC027, SECRET),
    "what is no packet": frame(Protocol.CHAP, b"\x02\x07\xff\xff" + SECRET),
    "what is too short": frame(Protocol.PAP, SECRET[:3]),
    "behind the end": frame(Protocol.CHAP, b"\x01\x07\x00\x05\x00" + SECRET),
    "what LCP gives back": packet(Protocol.LCP, 8, b"\xc0\x23" + PAP),
    "a code that LCP gives back": packet(Protocol.LCP, 7, SECRET),
    "no protocol": encode_sstp(Data(b"\xff\x03")),
    "the MAC": encode_sstp(
        Control(
            MessageType.CALL_CONNECTED,
            (Attribute(AttributeId.CRYPTO_BINDING, bytes(68) + SECRET[:32]),),
        )
    ),
    "a binding of another size": encode_sstp(
        Control(
            MessageType.CALL_CONNECTED,
            (Attribute(AttributeId.CRYPTO_BINDING, bytes(68) + SECRET),),
        )
    ),
    "what a status gives back": encode_sstp(
        Control(
            MessageType.CALL_ABORT, (Attribute(AttributeId.STATUS_INFO, bytes(8) + SECRET[:40]),)
        )
    ),
    "a control packet that is none": b"\x10\x01\x00" + bytes([4 + len(SECRET)]) + SECRET,
}


def leaks(made: bytes) -> bool:
    return any(SECRET[at : at + 4] in made for at in range(len(SECRET) - 3))


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_left(name: str) -> None:
    made = shown(SECRETS[name], whole=True)
    assert not leaks(made), made


@pytest.mark.parametrize("of", ["chap", "eap"])
def test_the_proof_of_the_server_is_left_out_and_its_words_are_not(of: str) -> None:
    message = PROOF + b" M=Welcome"
    if of == "chap":
        made = shown(packet(Protocol.CHAP, 3, message))
    else:
        made = shown(packet(Protocol.EAP, 1, bytes([26, 3, 7, 0, 60]) + message))
    assert made.endswith(b"S=" + b"0" * 40 + b" M=Welcome")


def test_the_length_of_a_pap_password_does_not_show() -> None:
    short = packet(Protocol.PAP, 1, b"\x05alice\x01x")
    assert shown(short) == shown(SECRETS["pap"])
    assert shown(short).endswith(b"\x05alice\x08********")


@pytest.mark.parametrize(
    "kept",
    [
        packet(Protocol.CHAP, 1, bytes([16]) + bytes(range(16)) + b"vpn"),
        packet(Protocol.CHAP, 4, b"E=691 R=1 C=00 V=3 M=Access denied"),
        packet(Protocol.EAP, 2, b"\x01alice"),
        packet(Protocol.EAP, 2, b"\x03\x0d"),
        packet(Protocol.LCP, 1, bytes.fromhex("0104057c0305c22381")),
        packet(Protocol.LCP, 12, b"\0\0\0\0MSRAS-0-PC"),
        packet(Protocol.LCP, 8, b"\x80\x57" + bytes(10)),
        packet(Protocol.IPCP, 1, bytes.fromhex("030600000000")),
        frame(Protocol.EAP, bytes.fromhex("03070004")),
        encode_sstp(Control(MessageType.ECHO_REQUEST)),
    ],
)
def test_what_is_no_secret_stays(kept: bytes) -> None:
    assert shown(kept) == kept


def test_who_logs_in_stays() -> None:
    assert shown(SECRETS["chap response"]).endswith(bytes([49]) + bytes(49) + b"alice")


IP = bytes.fromhex("4500005400000000400600000a63000a0a630001")
TCP = bytes.fromhex("c35001bb00000001000000005002ffff00000000")


@pytest.mark.parametrize(
    ("packet_", "headers"),
    [
        (IP + TCP, 40),
        (IP[:9] + b"\x11" + IP[10:] + TCP, 28),
        (IP[:9] + b"\x01" + IP[10:] + TCP, 28),
        (IP[:9] + b"\x2f" + IP[10:] + TCP, 20),
        (IP[:6] + b"\x00\x10" + IP[8:] + TCP, 20),
        (b"\x60\x00\x00\x00\x00\x50\x11\x40" + bytes(32) + TCP, 48),
    ],
)
def test_of_ip_the_headers_are_left_unless_all_is_wanted(packet_: bytes, headers: int) -> None:
    protocol = Protocol.IPV6 if packet_[0] >> 4 == 6 else Protocol.IPV4
    sent = frame(protocol, packet_ + SECRET)
    made, size = blanked(sent)
    assert made == sent[: 8 + headers]
    assert size == len(sent)
    assert blanked(sent, whole=True) == (sent, len(sent))


@given(st.binary(max_size=80), st.booleans(), st.sampled_from([*Protocol, 0xC027, 0x0000]))
def test_nothing_makes_it_fail(data: bytes, whole: bool, protocol: int) -> None:
    shown(frame(protocol, data), whole=whole)
    shown(encode_sstp(Data(data)), whole=whole)
    size = 4 + len(data)
    shown(b"\x10\x01" + size.to_bytes(2) + data)

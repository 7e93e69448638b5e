"""How the clients that matter behave where they differ: options, identifications, TLS."""

import os
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support import ppp

# LCP options (RFC 1661 6, RFC 1570 2.3)
MRU, ASYNCMAP, AUTH, MAGIC, PCOMP, ACCOMP, CALLBACK = 1, 2, 3, 5, 7, 8, 13
# IPCP options (RFC 1332 3, RFC 1877 1)
VJ, ADDRESS, DNS1, WINS1, DNS2, WINS2 = 2, 3, 129, 130, 131, 132
NOWHERE = bytes(4)
MSCHAPV2 = b"\xc2\x23\x81"
EAP = b"\xc2\x27"
PAP = b"\xc0\x23"
CHAP_MD5 = b"\xc2\x23\x05"


@dataclass(frozen=True, slots=True)
class Manner:
    """How one kind of client behaves.

    :param correlation: its SSTPCORRELATIONID header; ``%s`` is the GUID.
    :param lcp: options of its first LCP request; the magic number is filled in.
    :param ipcp: options of its first IPCP request, all asking to be told.
    :param others: requests of further network protocols, by protocol number.
    :param identifications: LCP Identifications sent once LCP is open.
    :param tls: the newest TLS version it speaks.
    :param suites: its cipher suites of TLS 1.2, in OpenSSL's words; empty: those of the library.
    :param deaf: seconds after Call-Connect-ACK in which it ignores PPP frames.
    """

    correlation: str
    lcp: Mapping[int, bytes]
    ipcp: Mapping[int, bytes]
    others: Mapping[int, Mapping[int, bytes]]
    identifications: tuple[bytes, ...] = ()
    tls: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    suites: str = ""
    deaf: float = 0.0


WINDOWS = Manner(
    correlation="{%s}",
    lcp={
        MRU: struct.pack("!H", 4091),
        MAGIC: b"",
        PCOMP: b"",
        ACCOMP: b"",
        CALLBACK: b"\x06",
    },
    ipcp=dict.fromkeys((ADDRESS, DNS1, WINS1, DNS2, WINS2), NOWHERE),
    others={ppp.CCP: {18: b"\x01\x00\x00\x01"}, ppp.IPV6CP: {1: bytes.fromhex("0123456789abcdef")}},
    identifications=(b"MSRASV5.20", b"MSRAS-0-TEST", os.urandom(16)),
    tls=ssl.TLSVersion.TLSv1_2,
    deaf=0.1,
)
"""Windows 10: MRU 4091, options every server rejects, CCP and IPV6CP beside IPCP, TLS 1.2."""

SSTPC = Manner(
    correlation="%s",
    lcp={ASYNCMAP: bytes(4), MAGIC: b"", PCOMP: b"", ACCOMP: b""},
    ipcp={VJ: b"\x00\x2d\x0f\x01", **dict.fromkeys((ADDRESS, DNS1, DNS2), NOWHERE)},
    others={ppp.IPV6CP: {1: bytes.fromhex("fedcba9876543210")}},
)
"""sstpc 1.0.18 with pppd: no braces, asyncmap, VJ compression, TLS 1.3."""

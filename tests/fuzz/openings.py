"""Dialogues written by hand, from which fuzzing goes on: logins by each way, and what may follow."""

from tests.fuzz.script import STEPS
from tests.support.sstp import Kind

_NUMBERS = {step.__name__: number for number, step in enumerate(STEPS)}


def steps(*parts: str | int | bytes) -> bytes:
    """Return an input: names of steps, each followed by the bytes that it reads."""
    return b"".join(
        bytes((_NUMBERS[part],))
        if isinstance(part, str)
        else part
        if isinstance(part, bytes)
        else bytes((part,))
        for part in parts
    )


def _message(kind: Kind) -> bytes:
    return steps("control", kind, 0, 1)


_LCP = steps("request", "configure", 4, "acknowledge", 0, "wait", 0)
_LCP_FOR_EAP = steps("request", "configure", 4, "acknowledge", 4, "acknowledge", 0, "wait", 0)
_IPCP = steps("acknowledge", 1, "configure", 1)
_BIND = steps("bind", 0)
CHAP = _LCP + steps("respond", 0)
EAP_MSCHAPV2 = _LCP_FOR_EAP + steps("respond_in_eap", 0) * 3
EAP_TLS = (
    _LCP_FOR_EAP
    + steps("answers", 0, 4, "respond_in_eap", 0, "respond_in_eap", 6)
    + steps("respond_in_eap", 0, 5, b"hello", "respond_in_eap", 0, 0)
)
UP = CHAP + _BIND + _IPCP

OPENINGS: dict[str, bytes] = {
    "CHAP": UP,
    "EAP-MSCHAPv2": EAP_MSCHAPV2 + _BIND + _IPCP,
    "EAP-TLS": EAP_TLS + _BIND + _IPCP,
    "IPCP before the binding": CHAP + _IPCP + _BIND,
    "the binding before Success": _LCP
    + steps("answers", 132, 0, "respond", 0, "bind", 0, "answer", "answer", "answer")
    + _IPCP,
    "an IP packet": UP + steps("bare", 20, b"\x21\x45" + bytes(18)),
    "an order to end": UP + steps("order", 255),
    "the client ends the call": UP + _message(Kind.DISCONNECT),
    "the client aborts": UP + _message(Kind.ABORT),
    "the client ends PPP": UP + steps("packet", 0, 5, 9, 0, 0),
    "an echo in the tunnel, and in the link": UP
    + _message(Kind.ECHO_REQUEST)
    + steps("packet", 0, 9, 9, 4, b"abcd", 0),
    "silence": UP + steps("wait", 6, "wait", 6, "wait", 6),
    "a wrong password": _LCP + steps("respond", 4, "wait", 1, "wait", 2),
    "a wrong binding": CHAP + steps("bind", 2, 60, 1),
    "a binding with SHA-1": CHAP + steps("bind", 1) + _IPCP,
    "a second request": _LCP + steps("request"),
    "requests that are none": steps("control", 1, 1, 1, 1, 2, b"\0\2") * 4,
    "a message that is none": steps("request", "control", 1, 0, 8, 9),
    "another address": CHAP + _BIND + steps("acknowledge", 1, "configure", 3, "configure", 5),
    "an address of its own": CHAP
    + _BIND
    + steps("acknowledge", 1, "packet", 3, 1, 7, 6, b"\x03\x06\x0a\0\0\1", 0),
    "LCP anew before the login": _LCP + steps("configure", 12, "acknowledge", 0, "wait", 0),
    "LCP anew after the login": UP + steps("configure", 12, "acknowledge", 0),
    "CCP in the middle of the login": _LCP + steps("packet", 5, 1, 1, 0, 0),
    "CCP and IPv6 in their time": UP + steps("packet", 5, 1, 1, 0, 0, "packet", 4, 1, 1, 0, 0),
    "a Challenge comes back": _LCP + steps("reflect", 0, "respond", 0),
    "a Response once more": CHAP + steps("replay", 0, 0),
    "TLS without end": _LCP_FOR_EAP
    + steps("respond_in_eap", 0, "respond_in_eap", 6)
    + steps("respond_in_eap", 0x47, 200, bytes(200)) * 20,
    "the account is late": _LCP
    + steps("answers", 132, 0, "respond", 0, "wait", 3, "answer", "answer")
    + _BIND
    + _IPCP
    + steps("answer"),
    "no address is free": _LCP + steps("answers", 12, 0, "respond", 0, "bind", 0, "configure", 1),
    "a password typed again": _LCP + steps("respond", 4, "wait", 1, "respond", 0) + _BIND + _IPCP,
    "wrong again and again": _LCP + steps("respond", 4, "wait", 1) * 7,
    "a password typed again in EAP": _LCP_FOR_EAP
    + steps("respond_in_eap", 0, "respond_in_eap", 32, "wait", 1, "respond_in_eap", 0)
    + steps("respond_in_eap", 0)
    + _BIND
    + _IPCP,
    "an expired password": _LCP
    + steps("answers", 4, 1, "respond", 0, "wait", 1, "change", 0)
    + _BIND
    + _IPCP,
    "an expired password in EAP": _LCP_FOR_EAP
    + steps("answers", 4, 1, "respond_in_eap", 0, "respond_in_eap", 0, "wait", 1)
    + steps("respond_in_eap", 4, "respond_in_eap", 0)
    + _BIND
    + _IPCP,
    "another password that is refused": _LCP
    + steps("answers", 4, 0, "respond", 0, "wait", 1, "change", 0, "wait", 1),
    "another password without the old one": _LCP
    + steps("answers", 4, 1, "respond", 0, "wait", 1, "change", 4, "wait", 1),
    "IPv6": _LCP
    + steps("answers", 24, 0, "respond", 0)
    + _BIND
    + _IPCP
    + steps("configure", 128, "acknowledge", 64, "bare", 20, b"\x57\x60" + bytes(18)),
    "IPv6 with no identifier": _LCP
    + steps("answers", 24, 0, "respond", 0, "bind", 0)
    + steps("configure", 130, "configure", 132, "configure", 134, "acknowledge", 68)
    + steps("packet", 0, 8, 1, 2, b"\x80\x21", 0, "configure", 128, "acknowledge", 64),
    "IPv4 ends before IPv6": _LCP
    + steps("answers", 24, 0, "respond", 0, "bind", 0, "acknowledge", 1, "configure", 1)
    + steps("configure", 128, "acknowledge", 64, "packet", 3, 5, 9, 0, 0, "wait", 3)
    + steps("configure", 1, "packet", 4, 5, 9, 0, 0, "wait", 3, "configure", 128),
    "IPCP without end": CHAP + _BIND + _IPCP + steps("packet", 3, 2, 9, 0, 0) * 45,
    "IPCP without end, and IPv6": _LCP
    + steps("answers", 24, 0, "respond", 0, "bind", 0, "acknowledge", 1, "configure", 1)
    + steps("configure", 128, "acknowledge", 64)
    + steps("packet", 3, 2, 9, 0, 0) * 45,
    "a disabled account": _LCP + steps("answers", 3, 0, "respond", 0),
}
"""By what they are about."""

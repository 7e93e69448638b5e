"""A link in each of its phases, all at time 0."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from sstpca.server.contracts import WeakSignIn
from sstpca.server.ppp.effects import Handshaken
from sstpca.server.ppp.frames import Code, Protocol
from tests.server.ppp.dialogue import (
    CHALLENGE,
    EARLIER,
    MAGIC,
    PASSWORD,
    PEER_CHALLENGE,
    USER,
    Link,
    admitted,
    authenticating,
    challenging,
    chap,
    connected,
    eap,
    eap_response,
    frame,
    identifying,
    lcp,
    networking,
    new_link,
    response,
    sent,
    starting_tls,
)
from tests.support import mschap

Begin = Callable[[], Link]
EXPIRED = replace(USER, password_expired=True)


def started() -> Link:
    link = new_link()
    link.start(0)
    return link


def asked() -> Link:
    link = started()
    link.receive(lcp(Code.CONFIGURE_REQUEST, 1), 0)
    return link


def looking() -> Link:
    link = authenticating()
    link.receive(response(1), 0)
    return link


def refusing() -> Link:
    link = looking()
    link.account(None, 0)
    return link


def retrying() -> Link:
    link = refusing()
    link.tick(0.5)
    return link


def refused() -> Link:
    link = looking()
    link.account(replace(USER, enabled=False), 0)
    link.tick(0.5)
    return link


def expired() -> Link:
    link = looking()
    link.account(EXPIRED, 0)
    link.tick(0.5)
    return link


def changing() -> Link:
    link = looking()
    link.account(EXPIRED, 0)
    ((_, failure),) = sent(link.tick(0.5))
    challenge = bytes.fromhex(re.findall(rb"C=(\S+)", failure.data)[0].decode())
    login = mschap.Login(b"User", "another one", challenge, PEER_CHALLENGE)
    change = mschap.Change(PASSWORD, "another one", login)
    assert link.receive(chap(7, 2, change.data), 0)
    return link


def shaking() -> Link:
    link = starting_tls()
    link.receive(eap(2, 3, b"\x0d\0hello"), 0)
    return link


def sending() -> Link:
    link = shaking()
    link.handshaken(Handshaken(bytes(3000), USER, bytes(64)), 0)
    return link


def proving() -> Link:
    link = challenging()
    link.receive(eap_response(2), 0)
    link.account(USER, 0)
    return link


def refused_by_eap() -> Link:
    link = shaking()
    link.handshaken(Handshaken(b"alert", refusal="no"), 0)
    return link


def waiting_for_pap() -> Link:
    return weakly("0304C023")


def looking_by_pap() -> Link:
    link = waiting_for_pap()
    link.receive(frame(Protocol.PAP, 1, 1, b"\x04User\x0aclientPass"), 0)
    return link


def challenging_by_md5() -> Link:
    link = weakly("0305C22305")
    link.tick(0)
    return link


def weakly(option: str) -> Link:
    """Return a link whose client wants another login than it is asked for, and may have it."""
    weak = WeakSignIn.PAP | WeakSignIn.CHAP_MD5
    link = Link(challenge=CHALLENGE, magic=MAGIC, server_name="vpn", weak=weak)
    link.start(EARLIER)
    ((_, ours), _) = sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 1), EARLIER))
    ((_, again),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, ours.id, option), EARLIER))
    link.receive(lcp(Code.CONFIGURE_ACK, again.id, again.data), EARLIER)
    return link


def without_address() -> Link:
    return networking(None)


def ending() -> Link:
    link = connected()
    link.terminate("enough", 0)
    return link


def over() -> Link:
    link = ending()
    link.receive(lcp(Code.TERMINATE_ACK, 2), 0)
    return link


PHASES: list[Begin] = [
    new_link,
    started,
    asked,
    authenticating,
    looking,
    admitted,
    refusing,
    retrying,
    expired,
    changing,
    refused,
    waiting_for_pap,
    looking_by_pap,
    challenging_by_md5,
    identifying,
    starting_tls,
    shaking,
    sending,
    challenging,
    proving,
    refused_by_eap,
    networking,
    without_address,
    connected,
    ending,
    over,
]
by_phase = pytest.mark.parametrize("begin", PHASES, ids=lambda begin: begin.__name__)

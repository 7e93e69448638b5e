"""A link in each of its phases, all at time 0."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from sstpca.server.ppp.effects import Handshaken
from sstpca.server.ppp.frames import Code
from sstpca.server.ppp.link import Link
from tests.server.ppp.dialogue import (
    PASSWORD,
    PEER_CHALLENGE,
    USER,
    admitted,
    authenticating,
    challenging,
    chap,
    connected,
    eap,
    eap_response,
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

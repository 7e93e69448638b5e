"""A link in each of its phases, all at time 0."""

from collections.abc import Callable

import pytest

from sstpca.server.ppp.effects import Handshaken
from sstpca.server.ppp.frames import Code
from sstpca.server.ppp.link import Link
from tests.server.ppp.dialogue import (
    USER,
    admitted,
    authenticating,
    challenging,
    connected,
    eap,
    eap_response,
    identifying,
    lcp,
    networking,
    new_link,
    response,
    starting_tls,
)

Begin = Callable[[], Link]


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


def refused() -> Link:
    link = refusing()
    link.tick(0.5)
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

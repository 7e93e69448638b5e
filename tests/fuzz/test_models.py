"""The models are worth something: each of these mistakes in the server is noticed."""

from collections.abc import Callable
from typing import Any

import pytest

from sstpca.server import session
from sstpca.server.ppp import chap, eap_mschapv2, ipcp, link, negotiation, password
from sstpca.server.ppp.effects import Admit, NetworkUp
from sstpca.server.ppp.frames import Code
from sstpca.server.ppp.negotiation import Reply
from sstpca.server.ppp.verdict import Right
from sstpca.server.sstp import call, states
from sstpca.server.sstp.states import CallEvent, CallState
from tests.fuzz.call_model import Wrong
from tests.fuzz.openings import OPENINGS
from tests.fuzz.script import play

Patch = pytest.MonkeyPatch
MISTAKES: dict[str, Callable[[Patch], object]] = {}


def mistake(make: Callable[[Patch], object]) -> Callable[[Patch], object]:
    MISTAKES[make.__name__] = make
    return make


@mistake
def a_binding_that_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(call, "verify", lambda *_, **__: None)


@mistake
def any_password_is_right(patch: Patch) -> None:
    judge = password.Exchange.judge

    def always(self: Any, judgement: Any, now: float) -> Any:
        verdict = judge(self, judgement, now)
        account = judgement.account
        right = Right(account, b"S=0 M=", bytes(32)) if account is not None else verdict
        return right if not isinstance(verdict, Right) else verdict

    patch.setattr(password.Exchange, "judge", always)


@mistake
def success_in_eap_before_the_client_believes_us(patch: Patch) -> None:
    judged = eap_mschapv2.MsChapV2.judged

    def at_once(self: Any, judgement: Any, now: float) -> Any:
        done = judged(self, judgement, now)
        account = judgement.account
        return [Admit(account, "EAP")] if account is not None else done

    patch.setattr(eap_mschapv2.MsChapV2, "judged", at_once)


@mistake
def the_same_challenge_again(patch: Patch) -> None:
    patch.setattr(password.Exchange, "challenge", lambda self: _set(self, bytes(16)))


def _set(exchange: Any, value: bytes) -> bytes:
    exchange._challenge = value
    return bytes([16]) + value + b"vpn"


@mistake
def ip_flows_without_ipcp(patch: Patch) -> None:
    raised = session.Session._raise

    def early(self: Any) -> Any:
        self._network = NetworkUp(1400)
        return raised(self)

    patch.setattr(session.Session, "_raise", early)


@mistake
def an_address_of_the_clients_own(patch: Patch) -> None:
    def granted(self: Any, asked: Any) -> None:
        self.address_taken = True

    patch.setattr(ipcp.IpcpPolicy, "judge", lambda _, asked: Reply(Code.CONFIGURE_ACK, asked))
    patch.setattr(ipcp.IpcpPolicy, "granted", granted)


@mistake
def an_ack_under_another_identifier(patch: Patch) -> None:
    respond = negotiation.Negotiator.respond

    def other(self: Any, packet: Any, code: Any, data: bytes) -> Any:
        return respond(self, type(packet)(packet.code, (packet.id + 1) % 256), code, data)

    patch.setattr(negotiation.Negotiator, "respond", other)


@mistake
def no_protocol_reject_in_its_time(patch: Patch) -> None:
    """RFC 1661 3.4: rejected during the login, a protocol would be dead for good."""
    receive = link.Link.receive

    def rejecting(self: Any, frame: bytes, now: float) -> Any:
        if self._phase is link.Phase.AUTHENTICATE and frame[2:4] == b"\x80\xfd":
            return [self._lcp.protocol_reject(0x80FD, frame[4:])[0]]
        return receive(self, frame, now)

    patch.setattr(link.Link, "receive", rejecting)


@mistake
def a_request_out_of_place_is_answered(patch: Patch) -> None:
    patch.setitem(
        states.TRANSITIONS,
        (CallEvent.CALL_CONNECT_REQUEST, CallState.SERVER_CALL_CONNECTED_PENDING),
        "answer",
    )


@mistake
def a_disconnect_without_an_answer(patch: Patch) -> None:
    for state in (CallState.SERVER_CALL_CONNECTED_PENDING, CallState.SERVER_CALL_CONNECTED):
        patch.setitem(states.TRANSITIONS, (CallEvent.CALL_DISCONNECT, state), "-")


@mistake
def a_silent_client_is_kept(patch: Patch) -> None:
    patch.setattr(call, "HELLO", 1000.0)


@mistake
def a_success_for_whom_nobody_asked(patch: Patch) -> None:
    def receive(self: Any, packet: Any, now: float) -> Any:
        return self.succeed() if packet.code == 2 else []

    patch.setattr(chap.Chap, "receive", receive)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(name: str, monkeypatch: Patch) -> None:
    MISTAKES[name](monkeypatch)
    noticed = 0
    for data in OPENINGS.values():
        try:
            play(data)
        except (Wrong, ValueError):
            noticed += 1
    assert noticed

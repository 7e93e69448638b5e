"""Call and link together: IP flows exactly while the binding holds and IPCP is open."""

from ipaddress import IPv4Address
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server import effects
from sstpca.server.contracts import Account, Lease
from sstpca.server.ppp import effects as ppp
from sstpca.server.ppp.judging import Judgement
from sstpca.server.ppp.link import Link
from sstpca.server.session import Session
from sstpca.server.sstp import effects as sstp
from sstpca.server.sstp.call import Call

LEASE = Lease(1, IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1"))
PACKET = b"\x45" + bytes(19)
IP_FRAME = b"\xff\x03\x00\x21" + PACKET


class Scripted:
    """A call or a link that does what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.carries = True
        self.reason = self.ending = ""
        self.left = False
        self.login_until: float | None = None
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, list[Any]] = {}

    def __getattr__(self, name: str) -> Any:
        def method(*arguments: Any) -> list[Any]:
            if name == "difficulty":
                return []
            self.asked.append((name, *arguments))
            return self.answers.pop(name, [])

        return method


@pytest.fixture
def call() -> Scripted:
    return Scripted()


@pytest.fixture
def link() -> Scripted:
    return Scripted()


def promised(call: Scripted, link: Scripted) -> Session:
    """Return a session that waits for its binding."""
    session = Session(cast("Call", call), cast("Link", link))
    session.leased(LEASE, 0.0)
    link.asked.clear()
    return session


@pytest.fixture
def session(call: Scripted, link: Scripted) -> Session:
    return promised(call, link)


def from_call(session: Session, call: Scripted, *wanted: Any) -> list[effects.Effect]:
    call.answers["receive"] = list(wanted)
    return session.receive(b"", 1.0)


def from_link(session: Session, link: Scripted, *wanted: Any) -> list[effects.Effect]:
    link.answers["judged"] = list(wanted)
    return session.judged(Judgement(Account(1, "alice", True), None), 1.0)


def test_up_needs_both(session: Session, call: Scripted, link: Scripted) -> None:
    assert from_link(session, link, ppp.NetworkUp(1400)) == []
    assert from_call(session, call, sstp.Frame(IP_FRAME)) == []
    assert from_call(session, call, sstp.Bound()) == [effects.Bind()]
    assert from_call(session, call, sstp.Frame(IP_FRAME)) == []
    assert session.bound() == [effects.Up(1400)]
    assert from_call(session, call, sstp.Frame(IP_FRAME)) == [effects.Deliver(PACKET)]
    assert from_link(session, link, ppp.NetworkDown()) == [effects.Down()]
    assert from_call(session, call, sstp.Frame(IP_FRAME)) == []
    assert from_link(session, link, ppp.NetworkUp(1000)) == [effects.Up(1000)]


def test_binding_first(session: Session, call: Scripted, link: Scripted) -> None:
    assert from_call(session, call, sstp.Bound()) == [effects.Bind()]
    assert session.bound() == []
    assert from_link(session, link, ppp.NetworkUp(1400)) == [effects.Up(1400)]


def test_the_key_goes_to_the_call(session: Session, call: Scripted, link: Scripted) -> None:
    call.answers["keyed"] = [sstp.Bound()]
    done = from_link(session, link, ppp.Authenticated((bytes(32),)), ppp.NetworkUp(1400))
    assert ("keyed", (bytes(32),), 1.0) in call.asked
    assert done == [effects.Bind()]


def test_a_binding_without_a_lease_is_for_nothing(call: Scripted, link: Scripted) -> None:
    session = Session(cast("Call", call), cast("Link", link))
    session.leased(None, 0.0)
    assert from_call(session, call, sstp.Bound()) == []


@pytest.mark.parametrize("ends", ["call", "link"])
def test_what_comes_after_the_end_raises_nothing(
    session: Session, call: Scripted, link: Scripted, ends: str
) -> None:
    """The interface takes its time to make."""
    from_link(session, link, ppp.NetworkUp(1400))
    from_call(session, call, sstp.Bound())
    if ends == "call":
        call.carries = False
    else:
        from_link(session, link, ppp.NetworkDown(), ppp.LinkDown("enough"))
    assert session.bound() == []
    assert not session.up


def test_frames_reach_the_link_and_come_back_in_packets(
    session: Session, call: Scripted, link: Scripted
) -> None:
    link.answers["receive"] = [ppp.SendFrame(b"\xff\x03\xc0\x21\x01")]
    frame = b"\xff\x03\xc0\x21\x00"
    assert from_call(session, call, sstp.Frame(frame)) == [
        effects.Send(b"\x10\x00\x00\x09\xff\x03\xc0\x21\x01")
    ]
    assert link.asked == [("receive", frame, 1.0)]


def test_the_end_of_the_link_ends_the_call_with_its_reason(
    session: Session, call: Scripted, link: Scripted
) -> None:
    from_call(session, call, sstp.Bound())
    session.bound()
    from_link(session, link, ppp.NetworkUp(1400))
    call.answers["disconnect"] = [effects.Send(b"bye")]
    assert from_link(session, link, ppp.LinkDown("enough")) == [
        effects.Down(),
        effects.Send(b"bye"),
    ]
    assert from_call(session, call, sstp.Close("the call")) == [effects.Close("enough")]
    assert from_call(session, call, sstp.Frame(IP_FRAME), sstp.Bound()) == []


def test_a_try_that_failed_is_not_why_a_session_ends(
    session: Session, call: Scripted, link: Scripted
) -> None:
    """Who has typed the password again, and is in, leaves for reasons of their own."""
    link.ending = "login failed for 'alice'"
    assert from_link(session, link, ppp.SendFrame(b"\xff\x03\xc2\x23\x04"))
    link.ending = ""
    from_link(session, link, ppp.Authenticated((bytes(32),)))
    assert from_call(session, call, sstp.Close("the client left")) == [
        effects.Close("the client left")
    ]


def test_a_call_that_ends_carries_nothing(session: Session, call: Scripted, link: Scripted) -> None:
    from_call(session, call, sstp.Bound())
    session.bound()
    from_link(session, link, ppp.NetworkUp(1400))
    call.carries = False
    assert from_call(session, call, sstp.Send(b"ack")) == [effects.Down(), effects.Send(b"ack")]
    assert from_link(session, link, ppp.SendFrame(b"\xff\x03\xc0\x21\x01")) == []
    assert not session.up


def test_the_earliest_deadline_counts(session: Session, call: Scripted, link: Scripted) -> None:
    assert session.deadline is None
    call.deadline, link.deadline = 7.0, 3.0
    assert session.deadline == 3.0
    session.tick(5.0)
    assert [name for name, *_ in call.asked + link.asked] == ["tick"]
    assert link.asked == [("tick", 5.0)]


def test_the_call_waits_for_as_long_as_the_login_may_take(
    session: Session, call: Scripted, link: Scripted
) -> None:
    from_link(session, link)
    assert call.asked == []
    link.login_until = 240.0
    from_link(session, link)
    assert call.asked == [("allow", 240.0)]


happenings = st.sampled_from(
    [sstp.Bound(), "given", sstp.Frame(IP_FRAME), ppp.NetworkUp(1400), ppp.NetworkDown()]
)


@given(st.lists(happenings, max_size=20))
def test_no_packet_without_both(script: list[Any]) -> None:
    call, link = Scripted(), Scripted()
    session = promised(call, link)
    bound = given = network = up = False
    for step in script:
        if step == "given" and not bound:
            continue
        if step == "given":
            given, result = True, session.bound()
        elif isinstance(step, sstp.Bound | sstp.Frame):
            result = from_call(session, call, step)
        else:
            result = from_link(session, link, step)
        bound |= isinstance(step, sstp.Bound)
        network = (network or isinstance(step, ppp.NetworkUp)) and not isinstance(
            step, ppp.NetworkDown
        )
        assert (effects.Deliver(PACKET) in result) == (
            isinstance(step, sstp.Frame) and given and network
        )
        up = (up or effects.Up(1400) in result) and effects.Down() not in result
        assert up == (given and network) == session.up

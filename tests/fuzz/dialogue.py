"""A whole session, by whatever bytes say: a client that is right, wrong, late, or hostile.

The bytes of an input are read as steps. Some steps are what a client would do, with right values;
most may be bent. The real session answers, and the two models say whether it may.
"""

import dataclasses
import functools
import pickle
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from sstpca.server import effects
from sstpca.server.contracts import Account, Ipv6Lease, Lease
from sstpca.server.ppp.effects import Handshaken
from sstpca.server.ppp.judging import change
from sstpca.server.ppp.link import Link
from sstpca.server.ppp.proofs import PasswordChange
from sstpca.server.session import Session
from sstpca.server.sstp.binding import CertificateHashes
from sstpca.server.sstp.call import Call
from tests.fuzz.call_model import CARRYING, CallModel, Fault, Message, State, Wrong, read
from tests.fuzz.link_model import LinkModel, Person, unframe
from tests.support.judging import judge, secrets_of
from tests.support.sstp import Kind

CERTIFICATE = b"the server's certificate"
NONCE = bytes(range(32))
ALICE = Person("alice", "Wonderland-1865", bytes((10, 99, 0, 10)))
ACCOUNT = Account(7, ALICE.name, enabled=True)
LEASE = Lease(
    1, IPv4Address(ALICE.address), IPv4Address("10.99.0.1"), (IPv4Address("198.18.1.53"),)
)
#: Seconds until a session is over with a client that has fallen silent, whatever it did before.
SILENCE_MOST = 400.0
#: Bytes that a session may keep of a client: half of a TLS message in EAP, and what is small.
MEMORY_MOST = 48 * 1024
_TICKS_MOST = 200
_SECRETS = secrets_of(ALICE.password)
_ACCOUNTS = (
    ACCOUNT,
    ACCOUNT,
    None,
    dataclasses.replace(ACCOUNT, enabled=False),
    dataclasses.replace(ACCOUNT, password_expired=True),
    dataclasses.replace(ACCOUNT, certificate_only=True),
)
_KEY = bytes(range(64))
_SHAKES = (
    Handshaken(),
    Handshaken(b"go on"),
    Handshaken(bytes(3000)),
    Handshaken(b"alert", refusal="it is none"),
    Handshaken(b"done", ACCOUNT, _KEY),
    Handshaken(bytes(5000), ACCOUNT, _KEY),
)
_IPV4, _IPV6_PROTOCOL = 0x0021, 0x0057
_IPV6 = Ipv6Lease(IPv6Network("2001:db8:1::/64"), IPv6Address("fe80::1"))


@dataclasses.dataclass
class Answers:
    """How the driver answers what the session asks, as numbers of an input."""

    account: int = 0
    shake: int = 0
    lease: int = 0
    late: bool = False


class Dialogue:
    """The server's end, performed as its connection does, and watched."""

    def __init__(self) -> None:
        self.certificate = CERTIFICATE
        self.now = 1000.0
        self.answers = Answers()
        self.call = CallModel(CERTIFICATE)
        self.link = LinkModel(ALICE)
        self.sent: list[bytes] = []  # what the server has said last, whole packets
        self.frames: list[bytes] = []  # all its frames
        self.up: effects.Up | None = None
        self.bound = self.closed = False
        self.admitted = 0
        self._questions: list[Callable[[], None]] = []
        self._session = Session(
            Call(nonce=NONCE, certificates=(CertificateHashes.of(CERTIFICATE),)),
            Link(challenge=bytes(range(16)), magic=0x5EED5EED, server_name="vpn.example.com"),
        )
        self._other(self._session.begin(self.now), "the beginning")

    @property
    def nonce(self) -> bytes:
        """What the server wants the binding to have."""
        return self.call.nonce

    # What happens

    def receive(self, packet: bytes) -> None:
        """A whole packet of the client comes.

        :raises Wrong: if the server does what it may not.
        """
        if self.closed:
            return
        carrying = self.call.state in CARRYING
        done = self._session.receive(packet, self.now)
        messages, frames = self._sent(done)
        self.call.packet(packet, messages)
        found = read(packet)
        if isinstance(found, bytes) and carrying:
            self._delivered(found, done)
            self.link.frame(found, frames)
        else:
            self.link.tick(frames)
        self.link.begun = self.call.nonce != b""
        self._perform(done, by_itself=False)
        self._answer()

    def wait(self, seconds: float) -> None:
        """Let time pass, as far as the next timer of the server."""
        if self.closed:
            return
        due = self._session.deadline
        self.now = (
            self.now + seconds if due is None else min(self.now + seconds, max(due, self.now))
        )
        self._other(self._session.tick(self.now), "the time")
        self._answer()

    def order(self) -> None:
        """The administrator ends the session."""
        if not self.closed:
            self._other(self._session.terminate("enough", self.now), "an order")

    def answer(self) -> None:
        """Answer the oldest question that waits."""
        if self._questions:
            self._questions.pop(0)()

    def end(self) -> None:
        """The client falls silent.

        :raises Wrong: if the session does not end, or keeps what it has no right to.
        """
        while self._questions:
            self.answer()
        if (size := len(pickle.dumps(self._session))) > MEMORY_MOST:
            raise Wrong(f"a session of {size} bytes")
        began = self.now
        for _ in range(_TICKS_MOST):
            due = self._session.deadline
            if self.closed or due is None:
                break
            self.now = max(self.now, due)
            self._other(self._session.tick(self.now), "the silence")
            self._answer()
        if not self.closed or self.now - began > SILENCE_MOST:
            raise Wrong(f"no end {self.now - began:.0f} s after the last word: {self.call.state}")
        if self.up:
            raise Wrong("closed, and IP may still flow")

    # What the session wants

    def _other(self, done: list[effects.Effect], what: str) -> None:
        """What comes of anything but a packet."""
        messages, frames = self._sent(done)
        self.call.other(messages, what)
        self.link.tick(frames)
        self._perform(done, by_itself=what in ("the time", "the silence"))

    def _sent(self, done: list[effects.Effect]) -> tuple[list[Message], list[bytes]]:
        """Return what is sent: messages of SSTP, and frames."""
        messages: list[Message] = []
        frames: list[bytes] = []
        self.sent = [effect.packet for effect in done if isinstance(effect, effects.Send)]
        for packet in self.sent:
            if isinstance(found := read(packet, 9), Fault) or packet[1] & 0xFE:
                raise Wrong(f"the server sent {packet.hex()}")
            if isinstance(found, bytes):
                frames.append(found)
            elif isinstance(found, tuple):
                messages.append(found)
        self.frames += frames
        return messages, frames

    def _perform(self, done: list[effects.Effect], *, by_itself: bool) -> None:
        for effect in done:
            if self.closed:
                raise Wrong(f"{effect} after the end")
            match effect:
                case effects.LookUp() as question:
                    self.link.looked_up()
                    self._questions.append(functools.partial(self._account, question))
                case effects.ChangePassword(account, wish):
                    if (password := wish.opened(_SECRETS)) is not None:
                        self.link.changes(password)
                    self._questions.append(functools.partial(self._changed, account, wish))
                case effects.Handshake():
                    self._questions.append(self._shake)
                case effects.Admit(account):
                    self._admit(account)
                case effects.Bind():
                    self._bind()
                case effects.Up():
                    self._raised(effect)
                case effects.Down():
                    self._lowered()
                case effects.Close():
                    self.call.closed(by_itself=by_itself)
                    self.closed = True
                case _:
                    pass

    def _answer(self) -> None:
        if not self.answers.late:
            while self._questions:
                self.answer()

    def _account(self, question: effects.LookUp) -> None:
        account = _ACCOUNTS[self.answers.account % len(_ACCOUNTS)]
        if not self.closed:
            judgement = judge(question, account, _SECRETS)
            self._other(self._session.judged(judgement, self.now), "the account")

    def _changed(self, account: Account, wish: PasswordChange) -> None:
        refusal = "" if self.answers.shake % 4 else "it is too short"
        changed = change(wish, _SECRETS, lambda _: refusal)
        if not self.closed:
            self._other(self._session.changed(account, changed, self.now), "the change")

    def _shake(self) -> None:
        answer = _SHAKES[self.answers.shake % len(_SHAKES)]
        if answer.account is not None:
            self.link.shaken(answer.key)
        if not self.closed:
            self._other(self._session.handshaken(answer, self.now), "TLS")

    def _admit(self, account: Account) -> None:
        if not self.link.proven or account.name != ALICE.name or not account.enabled:
            raise Wrong(f"{account} is to be let in, and has proven nothing")
        self.admitted += 1
        if self.admitted > 1:
            raise Wrong("a second lease for one session")
        self._questions.append(self._lease)

    def _lease(self) -> None:
        if self.closed:
            return
        given, ipv6 = self.answers.lease % 4 != 3, self.answers.lease % 4 == 2
        lease = dataclasses.replace(LEASE, ipv6=_IPV6 if ipv6 else None)
        done = self._session.leased(lease if given else None, self.now)
        messages, frames = self._sent(done)
        before = self.link.succeeded
        # a Call-Connected that has waited for the key may be a bad one: then nothing is carried
        given = given and Kind.ABORT not in dict(messages)
        self.link.leased(frames, given=given, ipv6=ipv6)
        if self.link.succeeded and not before:
            self.call.keyed(self.link.keys, messages)
        else:
            self.call.other(messages, "the lease")
        self._perform(done, by_itself=False)

    def _bind(self) -> None:
        if self.call.state is not State.UP or not self.link.succeeded or self.bound:
            raise Wrong("a session is to be given to whom nothing binds it")
        self.bound = True
        self._questions.append(self._give)

    def _give(self) -> None:
        if not self.closed:
            self._other(self._session.bound(), "the interface")

    def _raised(self, up: effects.Up) -> None:
        if not self.bound or self.call.state is not State.UP or self.up == up:
            raise Wrong("IP may flow before the binding holds, or for no reason")
        self.link.passes(ipv4=up.ipv4)
        if (up.ipv4, bool(up.ipv6)) != (self.link.carries_ip, self.link.carries_ipv6):
            raise Wrong(f"{up}, and neither IPCP nor IPV6CP says so")
        self.up = up

    def _lowered(self) -> None:
        if self.up is None:
            raise Wrong("IP is stopped that did not flow")
        self.up = None

    def _delivered(self, frame: bytes, done: list[effects.Effect]) -> None:
        """A packet goes on to the network if the session is up, and only then."""
        count = sum(isinstance(effect, effects.Deliver) for effect in done)
        protocol, packet = unframe(frame) or (0, b"")
        version = packet[0] >> 4 if packet else 0
        ipv4, ipv6 = (self.up.ipv4, bool(self.up.ipv6)) if self.up else (False, False)
        if count != ((protocol, version, True) in ((_IPV4, 4, ipv4), (_IPV6_PROTOCOL, 6, ipv6))):
            raise Wrong(f"{count} packets went on, of {frame[:24].hex()}")

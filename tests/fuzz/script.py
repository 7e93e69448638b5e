"""Steps of a client, read from the bytes of an input."""

import hashlib
import struct
import typing
from collections.abc import Callable

from tests.fuzz import link_model
from tests.fuzz.dialogue import ALICE, Answers, Dialogue
from tests.fuzz.layer_model import Packet
from tests.support import eap, mschap, ppp, sstp
from tests.support.ppp import Code
from tests.support.sstp import Kind

STEPS_MOST = 60
_PROTOCOLS = (ppp.LCP, ppp.CHAP, ppp.EAP, ppp.IPCP, ppp.IPV6CP, ppp.CCP, 0xC023, 0x0021, 0x0057)
_WAITS = (0.05, 0.5, 1.0, 3.0, 10.0, 31.0, 60.0, 300.0)
_OPTIONS = {
    ppp.LCP: (b"", b"\x01\x04\x05\xdc", b"\x05\x06\1\2\3\4", b"\x07\x02\x08\x02\x0d\x03\x06"),
    ppp.IPCP: (
        b"\x03\x06" + ALICE.address,
        b"\x03\x06\0\0\0\0\x81\x06\0\0\0\0\x83\x06\0\0\0\0",
        b"\x02\x06\0\x2d\x0f\1\x82\x06\0\0\0\0",
        b"",
    ),
    ppp.IPV6CP: (b"\x01\x0a" + bytes(range(8)), b"\x01\x0a" + bytes(8), b"", b"\x02\x04\0\1"),
}
_LOGINS = (
    b"\x03\x04\xc2\x27",
    b"\x03\x05\xc2\x23\x81",
    b"\x03\x04\xc0\x23",
    b"\x03\x05\xc2\x23\x05",
)
_PEER = bytes(range(16, 32))


class Input:
    """The bytes of an input, from the first to the last; zeros behind it."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._data)

    def byte(self) -> int:
        """Take one byte."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def some(self) -> bytes:
        """Take as many bytes as the next one says."""
        size = self.byte()
        found = self._data[self._at : self._at + size]
        self._at += size
        return found


class Server(typing.Protocol):
    """Who a client speaks to: a :class:`.dialogue.Dialogue`, or a real server.

    :ivar frames: all that it has sent.
    :ivar certificate: DER, as the client has seen it.
    """

    frames: list[bytes]
    certificate: bytes
    answers: Answers

    @property
    def nonce(self) -> bytes:
        """What it wants the binding to have; empty as long as it has not said so."""

    def receive(self, packet: bytes) -> None:
        """Take a whole packet."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def answer(self) -> None:
        """Go on with what waits."""

    def order(self) -> None:
        """End the session."""


class Client:
    """What a client remembers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.own: list[bytes] = []  # its packets
        self._key = bytes(32)

    def send(self, packet: bytes) -> None:
        """Send whole packets."""
        self.own.append(packet)
        self.server.receive(packet)

    def frame(self, protocol: int, information: bytes) -> None:
        """Send a frame; one that is too large for a packet is cut."""
        self.send(sstp.Data(ppp.frame(protocol, information)[:4091]).encode())

    def asked(self, protocol: int, *codes: int) -> Packet | None:
        """Return the server's last request, Challenge or Request of this protocol.

        :param codes: what else is looked for; a request alone has 1.
        """
        for frame in reversed(self.server.frames):
            found, information = ppp.unframe(frame)
            if found == protocol and information[0] in (codes or (Code.REQUEST,)):
                return Packet(*ppp.unpack(information))
        return None

    def control(self, given: Input) -> None:
        """A message of SSTP, with whatever attributes."""
        kind, count = given.byte(), given.byte() % 12
        claimed = count if given.byte() % 8 else given.byte()
        body = b""
        for _ in range(count):
            number, value = given.byte(), given.some()
            body += struct.pack("!BBH", 0, number % 8, 4 + len(value)) + value
        head = struct.pack("!HH", kind % 12 if kind < 240 else kind, claimed)
        self.send(_whole(1, head + body))

    def request(self, _: Input) -> None:
        """A good Call-Connect-Request."""
        self.send(sstp.Control(Kind.CONNECT_REQUEST, {sstp.Attribute.PROTOCOL: sstp.PPP}).encode())

    def bytes_(self, given: Input) -> None:
        """A packet of whatever bytes; its length may lie."""
        content = given.some()
        self.send(content if given.byte() % 4 == 0 else _whole(given.byte(), content[:4000]))

    def acknowledge(self, given: Input) -> None:
        """Agree to what the server asked last, or refuse it."""
        how = given.byte()
        protocol = ppp.IPV6CP if how & 64 else _PROTOCOLS[how % 2 * 3]
        asked = self.asked(protocol)
        if asked is not None:
            code = (Code.ACK, Code.ACK, Code.NAK, Code.REJECT)[how // 2 % 4]
            data = _LOGINS[how // 8 % 4] if code == Code.NAK else asked.data
            data = data[how // 32 % 2 * 6 :] if code == Code.REJECT else data
            self.frame(protocol, ppp.packet(code, asked.id, data))

    def configure(self, given: Input) -> None:
        """Ask for options."""
        how = given.byte()
        protocol = ppp.IPV6CP if how & 128 else (ppp.LCP, ppp.IPCP)[how % 2]
        data = _OPTIONS[protocol][how // 2 % 4]
        self.frame(protocol, ppp.packet(Code.REQUEST, how // 8 % 16, data))

    def respond(self, given: Input) -> None:
        """Answer the Challenge in CHAP, or that of a Failure, rightly or wrongly."""
        (identifier, challenge), how = self._challenge(), given.byte()
        value = self._response(challenge, how, given)
        self.frame(ppp.CHAP, ppp.packet(2, identifier, value))

    def change(self, given: Input) -> None:
        """Take another password in place of one that has expired: RFC 2759 7."""
        (identifier, challenge), how = self._challenge(), given.byte()
        self.frame(ppp.CHAP, ppp.packet(7, identifier, self._changed(challenge, how)))

    def _challenge(self) -> tuple[int, bytes]:
        """Return identifier and challenge for the next Response in CHAP."""
        asked = self.asked(ppp.CHAP, 1, 4) or Packet(1, 0, bytes(17))
        if asked.code == 1:
            return asked.id, asked.data[1 : 1 + asked.data[0]]
        return asked.id + 1, link_model.challenge_in(asked.data) or bytes(16)

    def _changed(self, challenge: bytes, how: int) -> bytes:
        new = ("Cheshire-1865", "", "\u00fc" * 256)[how % 3]
        login = mschap.Login(b"alice", new, challenge[:16].ljust(16), _PEER)
        self._key = login.key
        old = ALICE.password if how & 4 == 0 else "guess"
        data = bytearray(mschap.Change(old, new, login, _same).data)
        if how & 8:
            data[how * 2] ^= 1
        return bytes(data)

    def _response(self, challenge: bytes, how: int, given: Input) -> bytes:
        name = (b"alice", b"alice", b"OFFICE\\alice", given.some() if how % 4 == 3 else b"")[
            how % 4
        ]
        password = ALICE.password if how & 4 == 0 else "guess"
        peer = bytes((how,)) * 16 if how & 8 else _PEER
        login = mschap.Login(name, password, challenge[:16].ljust(16), peer)
        self._key = login.key
        return bytes((49,)) + login.response + name

    def _again(self, challenge: bytes, how: int) -> bytes:
        return self._response(challenge, how, Input(b""))

    def respond_in_eap(self, given: Input) -> None:
        """Answer the Request of EAP."""
        asked, how = self.asked(ppp.EAP), given.byte()
        if asked is None or not asked.data:
            return
        type_, data = asked.data[0], asked.data[1:]
        if type_ == eap.IDENTITY:
            answer = bytes((type_,)) + (b"alice" if how % 2 == 0 else given.some())
        elif how % 8 == 7:
            answer = bytes((eap.NAK,)) + given.some()
        elif how % 8 == 6:
            answer = bytes((eap.NAK, eap.TLS))
        elif type_ == eap.MSCHAPV2 and data[:1] == b"\1":
            value = self._response(data[5:21], how // 8, given)
            head = struct.pack("!BBH", 2, data[1], 4 + len(value) + (how % 8 == 5))
            answer = bytes((type_,)) + head + value
        elif type_ == eap.MSCHAPV2 and data[:1] == b"\4" and how % 8 < 5:
            challenge = link_model.challenge_in(data[4:]) or bytes(16)
            changes = how % 8 == 4
            value = (self._changed if changes else self._again)(challenge, how // 8)
            head = struct.pack("!BBH", 7 if changes else 2, data[1] + how % 2, 4 + len(value))
            answer = bytes((type_,)) + head + value
        elif type_ == eap.MSCHAPV2:
            answer = bytes((type_,)) + data[:1]
        else:
            # a piece of TLS: flags, and if it has one a length that may lie
            self._key = bytes(range(32))
            answer = bytes((type_, how & 0xE0)) + given.some() * (1 + how % 8 * 5)
        self.frame(ppp.EAP, ppp.packet(eap.RESPONSE, asked.id, answer[:1496]))

    def bind(self, given: Input) -> None:
        """Call-Connected, whole or with a byte changed."""
        how = given.byte()
        digest = ("sha256", "sha1")[how & 1]
        nonce = self.server.nonce or bytes(32)
        seen = hashlib.new(digest, self.server.certificate).digest().ljust(32, b"\0")
        head = bytes((0, 0, 0, 2 - (how & 1))) + nonce + seen
        blank = sstp.Control(Kind.CONNECTED, {sstp.Attribute.BINDING: head + bytes(32)}).encode()
        mac = mschap.compound_mac(self._key, blank, digest).ljust(32, b"\0")
        packet = bytearray(blank[:80] + mac)
        if how & 2:
            packet[8 + given.byte() % 104] ^= given.byte() or 1
        self.send(bytes(packet))

    def packet(self, given: Input) -> None:
        """A frame of any protocol, with any code."""
        protocol = _PROTOCOLS[given.byte() % len(_PROTOCOLS)]
        code, identifier = given.byte(), given.byte()
        data = given.some() * (1 + given.byte() % 8)
        self.frame(protocol, ppp.packet(code % 16 if code < 250 else code, identifier, data))

    def bare(self, given: Input) -> None:
        """A frame of any bytes, perhaps without its head."""
        self.send(sstp.Data(given.some()).encode())

    def replay(self, given: Input) -> None:
        """One of its own packets once more, perhaps with a byte changed."""
        at, how = given.byte(), given.byte()
        if self.own:
            packet = bytearray(self.own[-1 - at % len(self.own)])
            if how % 2 and len(packet) > 4:
                packet[4 + given.byte() % (len(packet) - 4)] ^= given.byte() or 1
            self.send(bytes(packet))

    def reflect(self, given: Input) -> None:
        """What the server has said, back to it."""
        at = given.byte()
        if self.server.frames:
            frame = self.server.frames[-1 - at % len(self.server.frames)]
            self.send(sstp.Data(frame).encode())

    def wait(self, given: Input) -> None:
        """Nothing, for a while."""
        self.server.wait(_WAITS[given.byte() % len(_WAITS)])

    def answers(self, given: Input) -> None:
        """Change what is answered to the server's questions, or let them wait."""
        how = given.byte()
        mine = self.server.answers
        mine.account, mine.lease, mine.late = how, how // 4, how >= 128
        mine.shake = given.byte()

    def answer(self, _: Input) -> None:
        """Let a question be answered that waits."""
        self.server.answer()

    def order(self, given: Input) -> None:
        """The administrator ends the session; not every time, or there would be little else."""
        if given.byte() >= 200:
            self.server.order()


def _same(size: int) -> bytes:
    """Return what stands for random bytes: an input has to do the same each time."""
    return bytes(size)


def _whole(kind: int, body: bytes) -> bytes:
    """Return a packet whose length is right."""
    return struct.pack("!BBH", 0x10, kind & 1, 4 + len(body)) + body


_Step = Callable[[Client, Input], None]
#: By the number that stands for each in an input.
STEPS: tuple[_Step, ...] = (
    Client.request,
    Client.configure,
    Client.acknowledge,
    Client.respond,
    Client.respond_in_eap,
    Client.bind,
    Client.wait,
    Client.answers,
    Client.answer,
    Client.control,
    Client.packet,
    Client.bare,
    Client.bytes_,
    Client.replay,
    Client.reflect,
    Client.order,
    Client.change,
)
#: More numbers than steps, so that another step changes nothing in the inputs there are.
NUMBERS = 32


def speak(data: bytes, server: Server) -> None:
    """Have a client say to a server what the bytes of an input say."""
    given, client = Input(data), Client(server)
    for _ in range(STEPS_MOST):
        if given.over:
            return
        number = given.byte() % NUMBERS
        (STEPS[number] if number < len(STEPS) else Client.packet)(client, given)


def play(data: bytes) -> Dialogue:
    """Have a dialogue with the models, to its end.

    :raises Wrong: if the server did what the models do not allow.
    """
    dialogue = Dialogue()
    speak(data, dialogue)
    dialogue.end()
    return dialogue

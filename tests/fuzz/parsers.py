"""The server's parsers: whatever bytes come, nothing but their own exception, and never two answers.

Where there is a second reading of the same bytes (the test client's, the bytes in other pieces, the
other data plane), both must say the same.
"""

import contextlib
import re
import struct

from sstpca.server.contracts import UNHINDERED
from sstpca.server.dataplane.inbound import SCRATCH, Inbound
from sstpca.server.net.hello import ClientHello, Group, HelloError, HelloReader
from sstpca.server.ppp import frames
from sstpca.server.ppp.eap_tls import MESSAGE_MAX, Tls, encode_pieces
from sstpca.server.ppp.effects import Handshake, Handshaken
from sstpca.server.ppp.judging import judge
from sstpca.server.ppp.options import OptionError, decode_options, encode_options
from sstpca.server.ppp.password import Exchange
from sstpca.server.sstp import preamble, wire
from sstpca.server.sstp.binding import CertificateHashes, verify
from sstpca.server.sstp.connect_request import refused_attributes
from tests.fuzz import call_model, layer_model, link_model
from tests.support import engines, mschap, sstp
from tests.support.flows import SERVER, SOURCE
from tests.support.transparency import read_all, tunnel

_DATE = "Thu, 09 Nov 2006 00:51:09 GMT"
_ANSWER = re.compile(rb"HTTP/1\.1 [2-5][0-9][0-9] [ -~]+\r\n([A-Za-z-]+: [ -~]+\r\n)+\r\n")
_scratch = memoryview(bytearray(SCRATCH))


def _halves(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what the first two bytes cut the rest into, and the rest."""
    rest = data[2:]
    at = int.from_bytes(data[:2], "big") % (len(rest) + 1)
    return rest[:at], rest[at:], rest


def request(data: bytes) -> None:
    """The HTTP request: RFC 9112."""
    one, other, whole = _halves(data)
    at_once = preamble.Preamble().feed(whole)
    reader = preamble.Preamble()
    first = reader.feed(one)
    in_two = reader.feed(other) if first is None else first
    if first is None:
        assert at_once == in_two
    elif at_once is not None:
        assert (first.kind, first.headers) == (at_once.kind, at_once.headers)
    if at_once is not None:
        assert _ANSWER.match(preamble.refusal(at_once, _DATE))
        assert at_once.is_sstp <= (b"SSTP_DUPLEX_POST" in whole)


def packet(data: bytes) -> None:
    """A packet of SSTP: [MS-SSTP] 2.2. Both models read it alike."""
    found = call_model.read(data)
    try:
        decoded = wire.decode(data)
    except wire.WireError as error:
        expected = call_model.Fault.MALFORMED if error.status else call_model.Fault.BROKEN
        assert found is expected
        return
    match decoded:
        case wire.Data(frame):
            assert found == frame
        case wire.Control(type_, attributes):
            assert (sstp.Kind(type_), [(one.id, one.value) for one in attributes]) == found or (
                found is call_model.Fault.NOT_IN_THIS_MESSAGE
            )
            for one in refused_attributes(attributes):
                assert 8 <= len(one.value) <= 8 + wire.MAX_ECHOED_VALUE
    assert len(wire.encode(decoded)) == len(data)


def binding(data: bytes) -> None:
    """A Call-Connected: right is the one, whatever is changed in it ([MS-SSTP] 3.2.5.2)."""
    certificates = (CertificateHashes.of(b"certificate"),)
    head = b"\0\0\0\2" + bytes(range(32)) + certificates[0].sha256
    blank = sstp.Control(sstp.Kind.CONNECTED, {sstp.Attribute.BINDING: head + bytes(32)}).encode()
    right = blank[:80] + mschap.compound_mac(bytes(32), blank, "sha256")
    bent = bytearray(right)
    for at, value in zip(data[::2], data[1::2], strict=False):
        bent[at % len(bent)] ^= value
    size = len(right) - (data[-1] % 3 if len(data) % 2 else 0)
    given = {"hlaks": (bytes(32),), "nonce": bytes(range(32)), "certificates": certificates}
    fault = verify(bytes(bent[:size]), **given)  # type: ignore[arg-type]
    # reserved bits and the header, which are read elsewhere; the MAC is over them
    assert (fault is None) == (bent[:size] == right)


def frame(data: bytes) -> None:
    """A PPP frame, the packet in it, and its options: RFC 1661 2, 5, 6."""
    found = link_model.unframe(data)
    try:
        assert frames.decode(data) == found
    except frames.FrameError:
        assert found is None
        return
    information = found[1] if found else b""
    known = layer_model.unpack(information)
    try:
        decoded = frames.decode_packet(information)
    except frames.FrameError:
        assert known is None
        return
    assert known == (decoded.code, decoded.id, decoded.data)
    assert information.startswith(frames.encode_packet(decoded))
    options = layer_model.options(decoded.data)
    try:
        assert encode_options(decode_options(decoded.data)) == decoded.data
        assert options is not None
    except OptionError:
        assert options is None


def response(data: bytes) -> None:
    """A Response of MS-CHAPv2: RFC 2759 4. Nobody gets in by chance."""
    exchange = Exchange(bytes(16), "vpn")
    exchange.challenge()
    asked = exchange.take(1, data, 0.0)
    if asked is not None:
        assert asked.name.isprintable() or "\ufffd" in asked.name or asked.name
        nobody = judge(asked.proof, None, lambda _: UNHINDERED)
        assert nobody.against is not None
        exchange.judge(nobody, 0.1)
        assert len(exchange.user) <= 200


def pieces(data: bytes) -> None:
    """TLS in pieces, of whatever length they claim: RFC 5216 2.1.5, 3.1."""
    method = Tls("alice", 1000)
    method.begin(1)
    sent, at = 0, 0
    while at < len(data):
        size = data[at] * (1 + data[at] % 8)
        piece = data[at + 1 : at + 1 + size]
        at += 1 + size
        sent += len(piece)
        for output in method.receive(piece, 0.0):
            if isinstance(output, Handshake):
                assert len(output.data) <= min(MESSAGE_MAX, sent)
                method.handshaken(Handshaken(bytes(2500)))
    message = data[:MESSAGE_MAX]
    made = encode_pieces(message, 100)
    assert all(len(one) <= 105 for one in made)
    assert b"".join(one[5 if one[0] & 0x80 else 1 :] for one in made) == message


def hello(data: bytes) -> None:
    """The ClientHello: RFC 8446 4.1.2. In two parts it says the same."""
    one, other, whole = _halves(data)

    def read(*parts: bytes) -> ClientHello | str | None:
        reader = HelloReader()
        found: ClientHello | None = None
        try:
            for part in parts:
                found = found or reader.feed(part)
        except HelloError as error:
            return type(error).__name__
        return found

    at_once = read(whole)
    in_two = read(one, other)
    assert at_once == in_two or isinstance(read(one), ClientHello | str)
    if isinstance(at_once, ClientHello):
        with contextlib.suppress(HelloError):
            assert at_once.choose(Group) in Group


def stream(data: bytes) -> None:
    """The stream of packets, cut anywhere: [MS-SSTP] 3.1.5.1."""
    one, other, whole = _halves(data)

    def cut(*parts: bytes) -> tuple[list[bytes], bool]:
        inbound, found = Inbound(_scratch), []
        try:
            for part in parts:
                found += inbound.push(part)
        except wire.WireError:
            return found, False
        return found, True

    packets, goes_on = cut(whole)
    in_two, also = cut(one, other)
    assert goes_on == also
    # what came in the same turn as the end of the stream is lost with it
    assert packets == in_two or not goes_on
    assert whole.startswith(b"".join(packets))
    assert all(len(packet) == wire.packet_size(packet, 0) for packet in packets)


def forwarding(data: bytes) -> None:
    """IP packets for the TUN: only whole ones, from the client's own address, and by both planes."""
    offload, source, rest = data[:1], data[1:2], data[2:]
    made = b"".join(
        struct.pack("!HHHH", 0x1000, 8 + len(part), 0xFF03, 0x21) + part
        for part in rest.split(b"\xfe\xfe")
        if 20 <= len(part) <= 4000
    )
    whole = made if offload and offload[0] & 0x80 else rest
    number = (source or b"\1")[0]
    own = SOURCE if number % 4 else None
    server, multicast = ((None, False), (SERVER, False), (SERVER, True))[number // 4 % 3]
    behind = (b"", b"\xc0\xa8\x32\x00\xff\xff\xff\x00")[number // 12 % 2]
    results = []
    for engine in (engines.PYTHON, *_compiled()):
        with tunnel() as (tun, far):
            view = memoryview(bytearray(whole))
            offloaded = (offload or b"\0")[0] % 4
            done = engine.forward(
                view, 0, len(whole), own, tun, offloaded, server, multicast, behind
            )
            written = read_all(far)
        assert sum(map(len, written)) <= len(whole) + 10 * len(written)
        results.append((done, written))
    assert all(one == results[0] for one in results)


def cutting(data: bytes) -> None:
    """What the TUN gives, cut for the client; the same by both planes."""
    size, limit, message = data[:1] or b"\0", data[1:2] or b"\0", data[2:]
    results = []
    for engine in (engines.PYTHON, *_compiled()):
        room = bytearray(size[0] * 100)
        ends, following = engine.cut(message, 0, memoryview(room), limit[0] * 64)
        results.append((ends, following, bytes(room[: ends[-1] if ends else 0])))
    assert all(one == results[0] for one in results)


def _compiled() -> tuple[engines.Engine, ...]:
    """The compiled data plane, if this installation has it."""
    try:
        from sstpca.server.dataplane import _segments
    except ImportError:
        return ()
    return (engines.Engine(_segments.forward, _segments.cut, _segments.pull),)

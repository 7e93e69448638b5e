"""Records of TLS 1.2 that a client makes by itself, as legal and illegal as they can be: OpenSSL by Python's
ssl says what is right, and what is compiled, which has its own records, does the same.
"""

import random
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.server.dataplane.openssl import Context, PythonContext, TlsEnd
from sstpca.server.net.offer import SUITES as OFFERED
from tests.support import engines
from tests.support.records import check_both_ways, damaged, deliver, in_disorder, twice
from tests.support.records_1_2 import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    CONTENT,
    HANDSHAKE,
    HELLO,
    SUITES,
    USUAL,
    Reader,
    Writer,
    shake,
)

_LARGEST = 16384
_BUFFER = memoryview(bytearray(400_000))

# RFC 5246 7.2: levels, and descriptions
WARNING, FATAL = 1, 2
CLOSE, UNEXPECTED, BAD_MAC, OVERFLOW, HANDSHAKE_FAILURE = 0, 10, 20, 22, 40
ILLEGAL, DECODE, VERSION, INTERNAL, CANCELED, NO_RENEGOTIATION = 47, 50, 70, 80, 90, 100


@pytest.fixture
def compiled(identity: Path) -> Context:
    return engines.compiled_tls()(str(identity), OFFERED, "X25519", ssl.TLSVersion.TLSv1_2)


class Seen(NamedTuple):
    """What came of some records: the content; the alerts that the client gets; whether TLS goes on."""

    content: bytes
    alerts: tuple[tuple[int, int], ...] = ()
    alive: bool = True


def seen(server: TlsEnd, reader: Reader, data: bytes) -> Seen:
    """Let the server have ``data``, and read all that it holds."""
    server.feed(data)
    end, alive = server.read_all(_BUFFER, 0)
    alerts = [(text[0], text[1]) for kind, text in reader.read(server.output()) if kind == ALERT]
    return Seen(bytes(_BUFFER[:end]), tuple(alerts), alive)


def refused(content: bytes, *alerts: int) -> Seen:
    return Seen(content, tuple((FATAL, one) for one in alerts), alive=False)


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_both_ways(context: Context, suite: str) -> None:
    server = context.begin()
    writer, reader, _ = shake(server, suite)
    check_both_ways(server, writer, reader)
    server.shut()
    assert reader.read(server.output()) == [(ALERT, bytes([WARNING, CLOSE]))]
    with pytest.raises(ssl.SSLError, match="shutdown"):
        server.write(b"afterwards")
    first = int.from_bytes(reader.explicit[0]) if reader.explicit[0] else 0
    expected = [((first + at) % 2**64).to_bytes(8) for at in range(len(reader.explicit))]
    assert reader.explicit == (expected if reader.salted else [b""] * len(reader.explicit))


def _of_another_kind(writer: Writer) -> bytes:
    record = bytearray(writer.content(bytes([WARNING, CLOSE])))
    record[0] = ALERT
    return bytes(record)


def _alerts(*alerts: tuple[int, int]) -> Callable[[Writer], bytes]:
    return lambda w: b"".join(w.record(bytes(one), ALERT) for one in alerts) + w.content(b"more")


def _hello(writer: Writer, size: int) -> bytes:
    message = b"\1" + size.to_bytes(3) + bytes(size)
    pieces = [message[at : at + _LARGEST] for at in range(0, len(message), _LARGEST)]
    records = [writer.record(piece, HANDSHAKE) for piece in pieces]
    return b"".join(records) + writer.content(b"and yet")


TOLD = ((WARNING, NO_RENEGOTIATION),)

CASES: dict[str, tuple[Callable[[Writer], bytes], Seen]] = {
    "nothing": (lambda w: w.content(b"") + w.content(b"more"), Seen(b"more")),
    "too much": (lambda w: w.content(bytes(_LARGEST + 1)), refused(b"", OVERFLOW)),
    "too long": (
        lambda w: w.content(b"one") + b"\x17\x03\x03\x48\x01",
        refused(b"one", OVERFLOW),
    ),
    "damaged": (damaged, refused(b"", BAD_MAC)),
    "damaged content": (lambda w: damaged(w, 13), refused(b"", BAD_MAC)),
    "twice": (twice, refused(b"once", BAD_MAC)),
    "in disorder": (in_disorder, refused(b"", BAD_MAC)),
    "of another kind than it was": (_of_another_kind, refused(b"", BAD_MAC)),
    "of no kind": (lambda w: w.record(b"text", 99), refused(b"", UNEXPECTED)),
    "a change of ciphers": (
        lambda w: w.record(b"\1", CHANGE_CIPHER_SPEC),
        refused(b"", UNEXPECTED),
    ),
    "a goodbye": (
        lambda w: w.content(b"bye") + w.record(bytes([WARNING, CLOSE]), ALERT) + w.content(b"lost"),
        Seen(b"bye", alive=False),
    ),
    "a goodbye, fatal": (lambda w: w.record(bytes([FATAL, CLOSE]), ALERT), refused(b"")),
    "a warning": (_alerts((WARNING, CANCELED)), Seen(b"more")),
    "a warning of something fatal": (_alerts((WARNING, BAD_MAC)), Seen(b"more")),
    "four warnings": (_alerts(*[(WARNING, CANCELED)] * 4), Seen(b"more")),
    "five warnings": (_alerts(*[(WARNING, CANCELED)] * 5), refused(b"", UNEXPECTED)),
    "warnings between content": (
        lambda w: _alerts(*[(WARNING, 90)] * 4)(w) + _alerts(*[(WARNING, 90)] * 4)(w),
        Seen(b"moremore"),
    ),
    "nothing between warnings": (
        lambda w: (
            b"".join(w.record(bytes([WARNING, 90]), ALERT) + w.content(b"") for _ in range(5))
            + w.content(b"lost")
        ),
        refused(b"", UNEXPECTED),
    ),
    "an answer that nobody asked for": (
        _alerts((WARNING, NO_RENEGOTIATION)),
        refused(b"", HANDSHAKE_FAILURE),
    ),
    "an alert": (_alerts((FATAL, BAD_MAC)), refused(b"")),
    "an alert of no level": (_alerts((3, BAD_MAC)), refused(b"", ILLEGAL)),
    "half an alert": (lambda w: w.record(bytes([1]), ALERT), refused(b"", UNEXPECTED)),
    "two alerts": (lambda w: w.record(bytes([1, 90] * 2), ALERT), refused(b"", UNEXPECTED)),
    "a ClientHello": (
        lambda w: w.record(HELLO, HANDSHAKE) + w.content(b"and yet"),
        Seen(b"and yet", TOLD),
    ),
    "a ClientHello in pieces": (
        lambda w: (
            b"".join(w.record(HELLO[at : at + 3], HANDSHAKE) for at in range(0, len(HELLO), 3))
            + w.content(b"and yet")
        ),
        Seen(b"and yet", TOLD),
    ),
    "a ClientHello of nothing": (
        lambda w: w.record(b"\1\0\0\0", HANDSHAKE) + w.content(b"and yet"),
        Seen(b"and yet", TOLD),
    ),
    "the largest ClientHello": (lambda w: _hello(w, 131396), Seen(b"and yet", TOLD)),
    "a ClientHello that is too large": (lambda w: _hello(w, 131397), refused(b"", ILLEGAL)),
    "another message": (
        lambda w: w.record(b"\x14\0\0\x0c" + bytes(12), HANDSHAKE),
        refused(b"", UNEXPECTED),
    ),
}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("case", CASES)
def test_what_clients_may_and_may_not(context: Context, suite: str, case: str) -> None:
    make, expected = CASES[case]
    server = context.begin()
    writer, reader, _ = shake(server, suite)
    assert seen(server, reader, make(writer)) == expected
    if not expected.alive:
        # nothing comes after that, and nothing is said twice
        assert seen(server, reader, writer.content(b"more")) == Seen(b"", alive=False)


def test_many_client_hellos(context: Context) -> None:
    """Each is told that nothing is negotiated anew, or all of a turn are, together; few enough are taken."""
    server = context.begin()
    writer, reader, _ = shake(server)
    few = b"".join(writer.record(HELLO * 2, HANDSHAKE) for _ in range(50))
    found = seen(server, reader, few + writer.content(b"text"))
    assert (found.content, found.alive) == (b"text", True)
    assert 1 <= len(found.alerts) <= 100 and set(found.alerts) == set(TOLD)
    many = b"".join(writer.record(HELLO * 2, HANDSHAKE) for _ in range(150))
    if not isinstance(context, PythonContext):
        assert seen(server, reader, many) == refused(b"", UNEXPECTED)


def test_something_between_the_pieces_of_a_client_hello(compiled: Context) -> None:
    """RFC 5246 6.2.1 forbids it; OpenSSL takes content there."""
    for kind, between in ((CONTENT, b"between"), (ALERT, bytes([WARNING, CANCELED]))):
        server = compiled.begin()
        writer, reader, _ = shake(server)
        data = writer.record(HELLO[:9], HANDSHAKE) + writer.record(between, kind)
        assert seen(server, reader, data) == refused(b"", UNEXPECTED)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("size", range(25))
def test_a_record_that_can_hold_nothing(context: Context, suite: str, size: int) -> None:
    server = context.begin()
    _, reader, _ = shake(server, suite)
    found = seen(server, reader, b"\x17\x03\x03\0" + bytes([size]) + bytes(size))
    assert (found.content, found.alive) == (b"", False)
    assert {alert for _, alert in found.alerts} <= {BAD_MAC, DECODE, UNEXPECTED, INTERNAL}


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0304, 0x0203])
def test_another_version(context: Context, version: int) -> None:
    server = context.begin()
    writer, reader, _ = shake(server)
    found = seen(server, reader, writer.record(b"text", CONTENT, version))
    assert (found.content, found.alive) == (b"", False)
    assert {alert for _, alert in found.alerts} <= {VERSION, DECODE}


def test_an_alert_is_named(context: Context) -> None:
    server = context.begin()
    writer, _, _ = shake(server)
    server.feed(writer.record(bytes([FATAL, 42]), ALERT))
    with pytest.raises(ssl.SSLError) as error:
        server.read(_BUFFER)
    assert error.value.reason == "SSLV3_ALERT_BAD_CERTIFICATE"


def test_a_handshake_may_end_by_reading(context: Context) -> None:
    """OpenSSL has counted the records that were read; nobody may begin anew."""
    server = context.begin()
    writer, reader, _ = shake(server, step=lambda: server.read(_BUFFER) is not None)
    server.write(b"ours")
    assert server.handshake()
    server.write(b"and ours")
    assert reader.read(server.output()) == [(CONTENT, b"ours"), (CONTENT, b"and ours")]
    for text in (b"first", b"second"):
        assert seen(server, reader, writer.content(text)) == Seen(text)


FINISHED: dict[str, Callable[[Writer, bytes], bytes]] = {
    "in one": lambda w, finished: w.record(finished, HANDSHAKE),
    "in pieces": lambda w, finished: (
        w.record(finished[:5], HANDSHAKE) + w.record(finished[5:], HANDSHAKE)
    ),
}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("told", FINISHED)
def test_however_a_finished_is_told(context: Context, suite: str, told: str) -> None:
    """Records are counted from the ChangeCipherSpec on (RFC 5246 6.1)."""
    counted: list[Writer] = []

    def tell(writer: Writer, finished: bytes) -> bytes:
        counted.append(writer)
        return FINISHED[told](writer, finished)

    server = context.begin()
    _, reader, _ = shake(server, suite, tell=tell)
    assert seen(server, reader, counted[-1].content(b"text")) == Seen(b"text")
    server.write(b"ours")
    assert reader.read(server.output()) == [(CONTENT, b"ours")]


def test_who_broke_off_is_forgotten_at_once(context: Context) -> None:
    server = context.begin()
    writer, reader, client = shake(server)
    seen(server, reader, damaged(writer))
    _, _, other = shake(context.begin(), before=client)
    assert other.master_key() != client.master_key()


def test_content_behind_the_finished(context: Context) -> None:
    """A client need not wait for our Finished with what it has to say."""
    server = context.begin()
    writer, reader, _ = shake(server)
    server.feed(writer.content(b"first") + writer.content(b"second"))
    assert server.handshake()
    assert seen(server, reader, b"") == Seen(b"firstsecond")


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("end", "remembered"),
    [
        ("our goodbye", True),
        ("both goodbyes", True),
        ("the client's goodbye", False),
        ("nothing", False),
        ("a damaged record", False),
        ("an alert", False),
        ("damage after our goodbye", None),
    ],
)
def test_what_is_resumed(context: Context, suite: str, end: str, remembered: bool | None) -> None:
    """RFC 5246 7.2: who has ended in order; and no nonce comes twice."""
    if (
        remembered is None
    ):  # OpenSSL cannot say any more that it was broken off, and forgets that it was
        remembered = isinstance(context, PythonContext)
    server = context.begin()
    writer, reader, client = shake(server, suite)
    match end:
        case "our goodbye":
            server.shut()
        case "the client's goodbye":
            seen(server, reader, writer.record(bytes([WARNING, CLOSE]), ALERT))
        case "both goodbyes":
            seen(server, reader, writer.record(bytes([WARNING, CLOSE]), ALERT))
            server.shut()
        case "a damaged record":
            seen(server, reader, damaged(writer))
        case "an alert":
            seen(server, reader, writer.record(bytes([FATAL, BAD_MAC]), ALERT))
        case "damage after our goodbye":
            server.shut()
            seen(server, reader, damaged(writer))
    del server
    again = context.begin()
    writer, reader, same = shake(again, suite, before=client)
    assert (same.master_key() == client.master_key()) == remembered
    assert seen(again, reader, writer.content(b"text")) == Seen(b"text")
    again.write(b"ours")
    assert reader.read(again.output()) == [(CONTENT, b"ours")]
    if reader.salted:
        first, second = (int.from_bytes(one) for one in reader.explicit)
        assert second == (first + 1) % 2**64


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), suite=st.sampled_from([USUAL, *SUITES]))
def test_any_records_in_any_pieces_and_buffers(context: Context, seed: int, suite: str) -> None:
    chance = random.Random(seed)
    server = context.begin()
    writer, reader, _ = shake(server, suite)
    records, expected = b"", b""
    for _ in range(chance.randrange(20)):
        text = chance.randbytes(chance.choice((0, 1, 48, 1400, 1400, _LARGEST)))
        records += writer.content(text)
        expected += text
        if chance.random() < 0.1:
            records += writer.record(HELLO, HANDSHAKE)
    answers: list[tuple[int, bytes]] = []

    def between() -> None:
        server.write(b"between")
        answers.extend(reader.read(server.output()))

    assert deliver(server, records, chance, between) == expected
    assert {text for kind, text in answers if kind == CONTENT} <= {b"between"}

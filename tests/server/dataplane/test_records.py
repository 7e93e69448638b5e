"""Records of TLS 1.3 that a client makes by itself, as legal and illegal as they can be: OpenSSL by Python's
ssl says what is right, and what is compiled, which has its own records, does the same.
"""

import random
import socket
import ssl
import subprocess
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.server.dataplane.openssl import Context, PythonContext, TlsEnd
from tests.support.records import (
    ALERT,
    CONTENT,
    HANDSHAKE,
    SUITES,
    UPDATE,
    UPDATE_BOTH,
    USUAL,
    Reader,
    Writer,
    check_both_ways,
    damaged,
    deliver,
    in_disorder,
    shake,
    twice,
)
from tests.support.requirements import require
from tests.support.waiting import PATIENCE

_LARGEST = 16384
_BUFFER = memoryview(bytearray(400_000))

# RFC 8446 6: descriptions of alerts
CLOSE, UNEXPECTED, BAD_MAC, OVERFLOW = 0, 10, 20, 22
ILLEGAL, DECODE, VERSION, CANCELED = 47, 50, 70, 90


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


class Seen(NamedTuple):
    """What came of some records: the content; the alert that the client gets, if any; whether TLS goes on."""

    content: bytes
    alert: int | None = None
    alive: bool = True


def seen(server: TlsEnd, reader: Reader, data: bytes) -> Seen:
    """Let the server have ``data``, and read all that it holds."""
    server.feed(data)
    end, alive = server.read_all(_BUFFER, 0)
    alerts = [text[1] for kind, text in reader.read(server.output()) if kind == ALERT]
    return Seen(bytes(_BUFFER[:end]), alerts[0] if alerts else None, alive)


def test_the_vectors() -> None:
    """RFC 8448 3: what a client sends with its first secret."""
    secret = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
    writer = Writer(bytes.fromhex(secret), "TLS_AES_128_GCM_SHA256")
    assert writer.content(bytes(range(50))) == bytes.fromhex(
        "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b"
        "62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"
    )


def test_each_suite_both_ways(context: Context, suite: str) -> None:
    server = context.begin()
    writer, reader = shake(server, suite)
    check_both_ways(server, writer, reader)
    assert seen(server, reader, writer.update(UPDATE_BOTH) + writer.content(b"new keys")) == Seen(
        b"new keys"
    )
    server.write(b"new ones of ours")
    assert reader.read(server.output())[-1] == (CONTENT, b"new ones of ours")
    server.shut()
    assert reader.read(server.output()) == [(ALERT, bytes([1, CLOSE]))]
    with pytest.raises(ssl.SSLError, match="shutdown"):
        server.write(b"afterwards")


def _in_pieces(writer: Writer) -> bytes:
    made = b"".join(writer.record(UPDATE[at : at + 1], HANDSHAKE) for at in range(5))
    writer.next_keys()
    return made + writer.content(b"after it")


def _cut_short(writer: Writer) -> bytes:
    return writer.record(UPDATE[:3], HANDSHAKE) + writer.content(b"in between")


CASES: dict[str, tuple[Callable[[Writer], bytes], Seen]] = {
    "padding": (lambda w: w.record(b"text\0", CONTENT, padding=300), Seen(b"text\0")),
    "padding to the limit": (
        lambda w: w.record(b"text", CONTENT, padding=_LARGEST - 4),
        Seen(b"text"),
    ),
    "nothing": (lambda w: w.content(b"") + w.content(b"more"), Seen(b"more")),
    "nothing but padding": (
        lambda w: w.record(b"", CONTENT, padding=9) + w.content(b"more"),
        Seen(b"more"),
    ),
    "too much": (lambda w: w.content(bytes(_LARGEST + 1)), Seen(b"", OVERFLOW, alive=False)),
    "too long": (
        lambda w: w.content(b"one") + b"\x17\x03\x03\x41\x01",
        Seen(b"one", OVERFLOW, alive=False),
    ),
    "zeros alone": (lambda w: w.encrypted(bytes(5)), Seen(b"", UNEXPECTED, alive=False)),
    "damaged": (damaged, Seen(b"", BAD_MAC, alive=False)),
    "twice": (twice, Seen(b"once", BAD_MAC, alive=False)),
    "in disorder": (in_disorder, Seen(b"", BAD_MAC, alive=False)),
    "of no kind": (lambda w: w.record(b"text", 99), Seen(b"", UNEXPECTED, alive=False)),
    "in the clear": (
        lambda w: w.content(b"text") + b"\x15\x03\x03\x00\x02\x01\x00",
        Seen(b"text", UNEXPECTED, alive=False),
    ),
    "a new ClientHello": (
        lambda w: w.encrypted(b"\1\0\0\0\x16", HANDSHAKE),
        Seen(b"", UNEXPECTED, alive=False),
    ),
    "a goodbye": (
        lambda w: w.content(b"bye") + w.record(bytes([1, CLOSE]), ALERT) + w.content(b"lost"),
        Seen(b"bye", alive=False),
    ),
    "a goodbye, fatal": (lambda w: w.record(bytes([2, CLOSE]), ALERT), Seen(b"", alive=False)),
    "canceled": (
        lambda w: w.record(bytes([1, CANCELED]), ALERT) + w.content(b"and yet"),
        Seen(b"and yet"),
    ),
    "an alert": (lambda w: w.record(bytes([2, BAD_MAC]), ALERT), Seen(b"", alive=False)),
    "half an alert": (lambda w: w.record(bytes([1]), ALERT), Seen(b"", UNEXPECTED, alive=False)),
    "an alert of nothing": (
        lambda w: w.record(b"", ALERT),
        Seen(b"", UNEXPECTED, alive=False),
    ),
    "a KeyUpdate in pieces": (_in_pieces, Seen(b"after it")),
    "a KeyUpdate cut short": (_cut_short, Seen(b"", UNEXPECTED, alive=False)),
    "a KeyUpdate of neither kind": (
        lambda w: w.update(UPDATE[:4] + b"\2"),
        Seen(b"", ILLEGAL, alive=False),
    ),
    "a KeyUpdate and more": (
        lambda w: w.update(UPDATE + UPDATE[:2]),
        Seen(b"", UNEXPECTED, alive=False),
    ),
    "a KeyUpdate of nothing": (
        lambda w: w.record(b"", HANDSHAKE),
        Seen(b"", UNEXPECTED, alive=False),
    ),
    "another message": (
        lambda w: w.record(b"\x14\0\0\x04text", HANDSHAKE),
        Seen(b"", UNEXPECTED, alive=False),
    ),
    "old keys after a KeyUpdate": (
        lambda w: w.record(UPDATE, HANDSHAKE) + w.content(b"lost"),
        Seen(b"", BAD_MAC, alive=False),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_clients_may_and_may_not(context: Context, case: str) -> None:
    make, expected = CASES[case]
    server = context.begin()
    writer, reader = shake(server)
    assert seen(server, reader, make(writer)) == expected
    if expected.alert is not None or not expected.alive:
        # nothing comes after that, and nothing is said twice
        assert seen(server, reader, writer.content(b"more")) == Seen(b"", alive=False)


def test_padding_beyond_the_limit(context: Context) -> None:
    """RFC 8446 5.4 forbids it; OpenSSL 3.0 does not mind."""
    server = context.begin()
    writer, reader = shake(server)
    found = seen(server, reader, writer.record(b"text", CONTENT, padding=_LARGEST - 3))
    refused = Seen(b"", OVERFLOW, alive=False)
    assert found in ((refused, Seen(b"text")) if isinstance(context, PythonContext) else (refused,))


@pytest.mark.parametrize("size", range(17))
def test_a_record_that_can_hold_nothing(context: Context, size: int) -> None:
    server = context.begin()
    _, reader = shake(server)
    found = seen(server, reader, b"\x17\x03\x03\0" + bytes([size]) + bytes(size))
    assert (found.content, found.alive) == (b"", False)
    assert found.alert in {BAD_MAC, DECODE, UNEXPECTED}


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0304, 0x0203])
def test_another_version(context: Context, version: int) -> None:
    server = context.begin()
    writer, reader = shake(server)
    found = seen(server, reader, writer.encrypted(b"text\x17", version=version))
    assert (found.content, found.alive) == (b"", False)
    assert found.alert in {VERSION, DECODE}


def test_a_broken_end_says_why_each_time(context: Context) -> None:
    server = context.begin()
    writer, _ = shake(server)
    server.feed(damaged(writer))
    with pytest.raises(ssl.SSLError) as error:
        server.read(_BUFFER)
    assert error.value.reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    with pytest.raises(ssl.SSLError):
        server.read(_BUFFER)


def test_an_alert_is_named(context: Context) -> None:
    server = context.begin()
    writer, _ = shake(server)
    server.feed(writer.record(bytes([2, 42]), ALERT))
    with pytest.raises(ssl.SSLError) as error:
        server.read(_BUFFER)
    assert error.value.reason == "SSLV3_ALERT_BAD_CERTIFICATE"


def test_many_requests_have_an_answer(context: Context) -> None:
    """RFC 8446 4.6.3: one, or several; and from then on the next keys."""
    server = context.begin()
    writer, reader = shake(server)
    server.feed(b"".join(writer.update(UPDATE_BOTH) for _ in range(50)))
    assert server.read_all(_BUFFER, 0) == (0, True)
    server.write(b"after it")
    *answers, last = reader.read(server.output())
    assert last == (CONTENT, b"after it")
    assert 1 <= len(answers) <= 50
    assert set(answers) == {(HANDSHAKE, UPDATE)}


def test_a_flood_of_key_updates_is_cut_off(context: Context) -> None:
    """What is compiled takes so many in a turn, so that a turn has its bounds; nobody sends two."""
    server = context.begin()
    writer, reader = shake(server)
    few = b"".join(writer.update() for _ in range(256))
    assert seen(server, reader, few + writer.content(b"text")) == Seen(b"text")
    many = b"".join(writer.update() for _ in range(257))
    if isinstance(context, PythonContext):
        assert seen(server, reader, many) == Seen(b"")
    else:
        assert seen(server, reader, many) == Seen(b"", UNEXPECTED, alive=False)


def test_a_handshake_may_end_by_reading(context: Context) -> None:
    """OpenSSL has counted the records that were read; nobody may begin anew."""
    server = context.begin()
    writer, reader = shake(server, step=lambda: server.read(_BUFFER) is not None)
    server.write(b"ours")
    assert server.handshake()
    server.write(b"and ours")
    assert reader.read(server.output()) == [(CONTENT, b"ours"), (CONTENT, b"and ours")]
    for text in (b"first", b"second"):
        assert seen(server, reader, writer.content(text)) == Seen(text)


@pytest.mark.parametrize("size", [512, 4096])
def test_a_client_that_takes_small_records_alone(context: Context, size: int) -> None:
    """RFC 6066 4; there is no library for Python that asks for it."""
    require("openssl", root=False)
    command = ("openssl", "s_client", "-quiet", "-tls1_3", "-maxfraglen", str(size), "-connect")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with subprocess.Popen(
            (*command, address),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as client:
            listening.settimeout(PATIENCE)
            plain, _ = listening.accept()
            with plain:
                plain.settimeout(PATIENCE)
                server = context.begin()
                done = False
                while not done:
                    server.feed(plain.recv(70_000))
                    done = server.handshake()
                    plain.sendall(server.output())
                server.write(bytes(20_000))
                server.shut()
                plain.sendall(server.output())
                told, _ = client.communicate(timeout=PATIENCE)
    assert told == bytes(20_000)


def test_after_its_goodbye_a_client_may_listen(context: Context) -> None:
    server = context.begin()
    writer, reader = shake(server)
    assert seen(server, reader, writer.record(bytes([1, CLOSE]), ALERT)) == Seen(b"", alive=False)
    server.write(b"still there")
    assert reader.read(server.output()) == [(CONTENT, b"still there")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), suite=st.sampled_from([USUAL, *SUITES]))
def test_any_records_in_any_pieces_and_buffers(context: Context, seed: int, suite: str) -> None:
    chance = random.Random(seed)
    server = context.begin()
    writer, reader = shake(server, suite)
    records, expected = b"", b""
    for _ in range(chance.randrange(20)):
        text = chance.randbytes(chance.choice((0, 1, 48, 1400, 1400, _LARGEST)))
        padding = chance.choice((0, 0, 0, 7)) if len(text) < _LARGEST else 0
        records += writer.record(text, CONTENT, padding=padding)
        expected += text
        if chance.random() < 0.1:
            records += writer.update(chance.choice((UPDATE, UPDATE_BOTH)))
    answers: list[tuple[int, bytes]] = []

    def between() -> None:
        server.write(b"between")
        answers.extend(reader.read(server.output()))

    assert deliver(server, records, chance, between) == expected
    assert {text for kind, text in answers if kind == CONTENT} <= {b"between"}

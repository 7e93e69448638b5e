"""Servers that are wrong in ways of their own: one clear line each, in bounded time, and never a traceback."""

import contextlib
import functools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sstpca.cli import main
from sstpca.doctor import revocation
from sstpca.doctor.dialogue import Target
from sstpca.lint.probe import probe
from tests.support import forge
from tests.support.shown import NAME, ROOT, leaf, loaded
from tests.support.sstp_server import Behaviour, SstpServer

#: Of a step, in these tests.
SHORT = 0.5

Talk = Callable[[socket.socket], None]
Doctor = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


class Rough:
    """A server that does with each connection what it is told to."""

    def __init__(self, talk: Talk, context: ssl.SSLContext | None = None) -> None:
        self._talk, self._context = talk, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run)]
        self._threads[0].start()

    def stop(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(plain,)))
            self._threads[-1].start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            plain.settimeout(5)
            if self._context is None:
                self._talk(plain)
                return
            with self._context.wrap_socket(plain, server_side=True) as tls:
                tls.recv(4096)
                self._talk(tls)


@pytest.fixture
def rough() -> Iterator[Callable[..., int]]:
    """Start one; return its port."""
    with contextlib.ExitStack() as stack:

        def start(talk: Talk, context: ssl.SSLContext | None = None) -> int:
            server = Rough(talk, context)
            stack.callback(server.stop)
            return server.port

        yield start


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Look at a server: the exit status, and the checks that did not pass, by name."""
    monkeypatch.setattr("sstpca.vpn.examining._TIMEOUT", SHORT)
    monkeypatch.setattr("sstpca.vpn.linting.probe", functools.partial(probe, timeout=SHORT))
    monkeypatch.setattr("sstpca.vpn.examining.Target", functools.partial(Target, timeout=SHORT))
    authority = tmp_path / "ca.crt"
    authority.write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))

    def look(server: str | int, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
        place = f"127.0.0.1:{server}" if isinstance(server, int) else server
        home = ("--home", str(tmp_path / "nowhere"))
        how = ("--name", NAME, "--ca", str(authority), *options)
        result = CliRunner().invoke(main, [*home, "doctor", place, "--json", *how])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        found = json.loads(result.stdout)["checks"]
        assert all("\n" not in one["found"] and one["found"].isprintable() for one in found)
        assert all(len(one["found"]) < 400 for one in found)
        bad = [one for one in found if one["verdict"] != "pass"]
        return result.exit_code, {one["check"]: one for one in bad}

    return look


def dribble(talk: socket.socket) -> None:
    for _ in range(100):
        talk.sendall(b"H")
        time.sleep(0.1)


def silent(talk: socket.socket) -> None:
    talk.recv(4096)
    talk.recv(4096)


def flood(talk: socket.socket) -> None:
    for _ in range(64):
        talk.sendall(b"x" * 65_536)


def half_closed(talk: socket.socket) -> None:
    talk.shutdown(socket.SHUT_WR)
    talk.recv(4096)


def alert(talk: socket.socket) -> None:
    talk.recv(4096)
    talk.sendall(bytes.fromhex("15 0303 0002 02 70"))  # RFC 6066 3: unrecognized_name
    talk.recv(4096)


def proxy(talk: socket.socket) -> None:
    talk.recv(4096)
    talk.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\r\n")


@pytest.mark.parametrize(
    ("talk", "code", "words"),
    [
        (silent, "0x8007274C", "then does not answer as TLS does"),
        (dribble, "0x80090326", "neither TLS 1.2 nor TLS 1.3"),
        (flood, "0x80090326", "neither TLS 1.2 nor TLS 1.3"),
        (half_closed, "0x80072746", "closes the connection as soon as TLS begins"),
        (alert, "0x80090326", "with the alert 'unrecognized name'"),
        (proxy, "0x80090326", "is a web server without TLS"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_no_tls(
    doctor: Doctor, rough: Callable[..., int], talk: Talk, code: str, words: str
) -> None:
    status, bad = doctor(rough(talk))
    assert status == 2
    (one,) = bad.values()
    assert (one["check"], one["code"]) == ("tls", code)
    assert words in one["found"]


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (dribble, "does not answer within"),
        (silent, "does not answer within"),
        (flood, "which is no HTTP"),
        (half_closed, "answers nothing"),
        (lambda talk: talk.sendall(b"HTTP/1.1 \xb2\xb2\xb2 x\r\n\r\n"), "which is no HTTP"),
        (
            lambda talk: talk.sendall(b"HTTP/1.1 200 \x1b[2J\x07\r\n\r\n"),
            "without the Content-Length",
        ),
        (
            lambda talk: talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"),
            "with a web page",
        ),
        (lambda talk: talk.sendall(b"A: b\r\n" * 5000), "which is no HTTP"),
    ],
)
def test_no_http(doctor: Doctor, rough: Callable[..., int], talk: Talk, words: str) -> None:
    status, bad = doctor(rough(talk, loaded(leaf())))
    assert status == 2
    assert words in bad["http"]["found"]
    assert bad["http"]["code"] is not None


def test_a_hundred_names(doctor: Doctor) -> None:
    names = [x509.DNSName(f"host-{number}.example.org") for number in range(100)]
    many = leaf(x509.SubjectAlternativeName(names))
    with SstpServer(loaded(many), many.public_bytes(Encoding.DER)) as server:
        status, bad = doctor(server.port)
    assert (status, bad["certificate"]["code"]) == (2, "0x800B010F")


def test_a_key_that_windows_does_not_take(doctor: Doctor, tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    wanted = forge.server_extensions([x509.DNSName(NAME)])
    made = forge.make(NAME, key.public_key(), ROOT, wanted)
    pem = tmp_path / "ed25519.pem"
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(own + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with SstpServer(context, made.public_bytes(Encoding.DER)) as server:
        status, bad = doctor(server.port)
    assert status == 2
    assert (bad["certificate"]["code"], "Ed25519" in bad["certificate"]["found"]) == (
        "0x80090326",
        True,
    )


def test_a_server_that_shows_no_certificate(doctor: Doctor, rough: Callable[..., int]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ADH:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    status, bad = doctor(rough(silent, context))
    assert (status, bad["tls"]["code"]) == (2, "0x80090326")
    assert "handshake failure" in bad["tls"]["found"]


def test_a_list_that_dribbles(
    doctor: Doctor, rough: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "_WHOLE", 2)
    point = f"http://127.0.0.1:{rough(dribble)}/ca.crl"
    name = x509.UniformResourceIdentifier(point)
    listed = leaf(x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)]))
    with SstpServer(loaded(listed), listed.public_bytes(Encoding.DER)) as server:
        status, bad = doctor(server.port)
    assert (status, bad["revocation"]["code"]) == (2, "0x80092013")
    assert "it takes too long" in bad["revocation"]["found"]


def test_many_places_to_ask(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    places = [
        x509.DistributionPoint(
            [x509.UniformResourceIdentifier(f"http://127.0.0.1:{port}/{number}")], None, None, None
        )
        for number in range(50)
    ]
    listed = leaf(x509.CRLDistributionPoints(places))
    with SstpServer(loaded(listed), listed.public_bytes(Encoding.DER)) as server:
        status, bad = doctor(server.port)
    assert status == 2
    assert bad["revocation"]["found"] == "42 more places of the certificates were not asked"


def test_the_end_of_a_call(doctor: Doctor) -> None:
    """A server that takes HTTP, and then speaks something else."""
    shown = leaf()
    answer = b"HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\n\r\n" + b"\xff" * 500
    behaviour = Behaviour(answer=answer)
    with SstpServer(loaded(shown), shown.public_bytes(Encoding.DER), behaviour) as server:
        status, bad = doctor(server.port)
    assert (status, bad["sstp"]["code"]) == (2, "628")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("vpn.example.com:0", "is not a port"),
        ("[::1]:0", "is not a port"),
        ("https://vpn.example.com/", "leave out https://"),
        ("vpn.example.com/path", "is not a host name"),
        ("", "is not a host name"),
        ("a b", "is not a host name"),
        ("-x.example.com", "has no option"),
        ("[::1", "is not"),
        ("1.2.3.4.5", "is neither"),
        ("x" * 300 + ".example.com", "is not a host name"),
        ("vpn.example.com\x1b[2J", "is not a host name"),
    ],
)
def test_what_is_no_server(tmp_path: Path, server: str, words: str) -> None:
    result = CliRunner().invoke(main, ["--home", str(tmp_path / "nowhere"), "doctor", server])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert words in result.stderr, result.stderr
    assert result.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize("server", ["[::1]:1", "::1", "m\u00fcnchen.invalid", "VPN.Invalid."])
def test_servers_in_other_forms(doctor: Doctor, server: str) -> None:
    status, bad = doctor(server)
    assert status == 2
    assert next(iter(bad.values()))["code"] in ("0x8007274D", "0x8007274C", "0x80072EE7")

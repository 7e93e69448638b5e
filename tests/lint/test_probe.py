"""What a probe sees of servers that are as they should be, and of others."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest

from sstpca.authority.authority import Authority, load_ca_certificate
from sstpca.authority.identity import load_server_certificate
from sstpca.home import Home
from sstpca.lint import probe as module
from sstpca.lint.probe import Hello, Probe, check_server, probe
from sstpca.names import parse_hosts
from sstpca.server.net.tls import load_chain
from sstpca.x509.certificates import certificate_to_der, certificate_to_pem
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.support.forge import NOW
from tests.support.tls import ANSWER, Server, server_context
from tests.support.waiting import PATIENCE

NAME = "vpn.example.com"


@pytest.fixture
def home(usual_home: Home) -> Home:
    """With RSA, TLS 1.2 has more suites to tell of."""
    return usual_home


@pytest.fixture
def serve(home: Home) -> Iterator[Callable[..., Server]]:
    """Start a server with the home's certificate: ``serve(setting=..., answer=...)``."""
    with contextlib.ExitStack() as stack:

        def start(
            setting: Callable[[ssl.SSLContext], None] | None = None,
            answer: bytes = ANSWER,
            tls: bool = True,
        ) -> Server:
            context = server_context()
            context.load_cert_chain(home.server_identity)
            if setting is not None:
                setting(context)
            server = Server(context if tls else None, answer)
            stack.callback(server.stop)
            return server

        yield start


def look(port: int) -> Probe:
    return probe("127.0.0.1", port, NAME, timeout=PATIENCE)


def told(seen: Probe) -> list[tuple[str, str, str | None]]:
    return [
        (one.check, one.severity.value, None if one.windows is None else one.windows.code)
        for one in check_server(seen)
    ]


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


NO_PFS = ("tls-no-pfs", "note", None)
#: RSA exchanges keys, without forward secrecy
WEAKER = ("tls-weaker", "note", None)


def test_a_good_server(serve: Callable[..., Server], home: Home) -> None:
    server = serve()
    seen = look(server.port)
    assert told(seen) == [NO_PFS]
    assert seen.whole
    (leaf,) = seen.chain
    assert ssl.DER_cert_to_PEM_cert(leaf) in home.server_identity.read_text() + "\n"
    assert (seen.suites[Hello.TLS13] or "").startswith("TLS_")
    assert set(server.names) == {NAME}


def test_the_whole_chain_is_seen(serve: Callable[..., Server], home: Home) -> None:
    ca = certificate_to_pem(load_ca_certificate(home))
    home.server_identity.write_bytes(home.server_identity.read_bytes() + ca)
    seen = look(serve().port)
    assert len(seen.chain) == 2
    assert ssl.DER_cert_to_PEM_cert(seen.chain[1]) == ca.decode()


def test_each_certificate_is_seen(serve: Callable[..., Server], usual_home: Home) -> None:
    """A server with one for each kind of key: TLS 1.3 is shown what OpenSSL prefers."""
    made = Authority.load(usual_home, None).issue_server(parse_hosts([NAME]), KeyType.ECDSA, NOW)

    def both(context: ssl.SSLContext) -> None:
        load_chain(context, identity_to_pem(made.key, (made.certificate,)))

    seen = look(serve(both).port)
    (other,) = seen.others
    shown = {one[0] for one in (seen.chain, other)}
    assert shown == {
        certificate_to_der(one) for one in (load_server_certificate(usual_home), made.certificate)
    }
    assert told(seen) == [NO_PFS]


def only_13(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def only_12(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def only_gcm(context: ssl.SSLContext) -> None:
    context.set_ciphers("ECDHE+AESGCM")


def with_rsa(context: ssl.SSLContext) -> None:
    context.set_ciphers("ECDHE+AES:kRSA+AES")


def rather_rsa(context: ssl.SSLContext) -> None:
    """As SoftEther VPN comes: AES128-SHA before all others."""
    context.set_ciphers("kRSA+AES:ECDHE+AES")
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE


def with_alien_suites(context: ssl.SSLContext) -> None:
    only_12(context)
    context.set_ciphers("ECDHE+CHACHA20")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (only_13, [("tls-1.2", "error", "0x80090326"), ("others-unseen", "note", None)]),
        (only_12, [("tls-1.3", "note", None), NO_PFS]),
        (only_gcm, [("tls-old", "warning", "0x80090326"), NO_PFS]),
        (with_rsa, [WEAKER]),
        (rather_rsa, [("tls-weaker", "warning", None)]),
        (with_alien_suites, [("tls", "error", "0x80090326")]),
    ],
)
def test_versions_and_suites(
    serve: Callable[..., Server],
    setting: Callable[[ssl.SSLContext], None],
    expected: list[tuple[str, str, str | None]],
) -> None:
    assert told(look(serve(setting).port)) == expected


def test_a_server_without_tls(serve: Callable[..., Server]) -> None:
    seen = look(serve(answer=b"SSH-2.0-x\r\n", tls=False).port)
    assert told(seen) == [("tls", "error", "0x80090326")]
    assert seen.chain == ()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        look(port)


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        (TimeoutError(), "0x8007274C", "does not answer as TLS does"),
        (ConnectionResetError(104, "reset"), "0x80072746", "closes the connection"),
        (ssl.SSLEOFError(8, "EOF"), "0x80072746", "closes the connection"),
        (alert("TLSV1_UNRECOGNIZED_NAME"), "0x80090326", "'unrecognized name'"),
        (alert("SSLV3_ALERT_HANDSHAKE_FAILURE"), "0x80090326", "'handshake failure'"),
        (alert("WRONG_VERSION_NUMBER"), "0x80090326", "neither TLS 1.2 nor TLS 1.3"),
    ],
)
def test_why_there_is_no_tls(refusal: OSError, code: str, words: str) -> None:
    seen = Probe(suites=dict.fromkeys(Hello), refusal=refusal)
    (one,) = check_server(seen)
    assert told(seen) == [("tls", "error", code)]
    assert words in one.found


def test_a_python_that_shows_only_the_leaf(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = serve(with_rsa).port
    whole = look(port).chain
    monkeypatch.setattr(module, "_sent", lambda connection: None)
    seen = look(port)
    assert seen.chain == whole[:1]
    assert told(seen) == [WEAKER, ("chain-unseen", "note", None)]

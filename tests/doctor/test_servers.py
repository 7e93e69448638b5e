"""A server that is as it should be, and a broken one for each check."""

import contextlib
import json
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from sstpca.cli import main
from sstpca.client.sign_in import Credentials
from sstpca.doctor import reaching, tunnel
from sstpca.doctor.dialogue import Target, check_dialogue
from sstpca.server.contracts import WeakSignIn
from sstpca.vpn.examining import Check, Verdict, examine
from tests.support import forge
from tests.support.forge import DAY, NOW
from tests.support.shown import NAME, ROOT, leaf, loaded
from tests.support.sstp_server import ALICE, PASSWORD, Behaviour, SstpServer
from tests.support.tls import Server
from tests.support.waiting import PATIENCE

Serve = Callable[..., SstpServer]
Look = Callable[..., dict[str, Check]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server: ``serve(certificate, behaviour=..., setting=..., chain=...)``."""
    with contextlib.ExitStack() as stack:

        def start(
            certificate: x509.Certificate | None = None,
            behaviour: Behaviour | None = None,
            setting: Callable[[ssl.SSLContext], None] | None = None,
            chain: tuple[x509.Certificate, ...] = (),
        ) -> SstpServer:
            shown = leaf() if certificate is None else certificate
            context = loaded(shown, *chain)
            if setting is not None:
                setting(context)
            server = SstpServer(context, shown.public_bytes(Encoding.DER), behaviour)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Look at a port of this machine: the checks by name, the worst of each."""
    monkeypatch.setattr(tunnel, "_SECONDS", 0.2)
    monkeypatch.setattr(tunnel, "_WAIT", 0.3)
    authority = tmp_path / "ca.crt"
    authority.write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))

    def checks(
        port: int, user: str = "", password: str = PASSWORD, host: str = "127.0.0.1"
    ) -> dict[str, Check]:
        credentials = Credentials(user, password) if user else None
        found: dict[str, Check] = {}
        for one in examine(
            tmp_path / "nowhere",
            f"{host}:{port}",
            name=NAME,
            ca_file=authority,
            credentials=credentials,
        ):
            if one.name not in found or one.verdict > found[one.name].verdict:
                found[one.name] = one
        return found

    return checks


def code(check: Check) -> str | None:
    return None if check.windows is None else check.windows.code


def only_failure(checks: dict[str, Check]) -> Check:
    (failure,) = [one for one in checks.values() if one.verdict is Verdict.FAIL]
    return failure


def test_a_good_server(serve: Serve, look: Look) -> None:
    checks = look(serve().port, user="alice")
    assert {name: one.verdict for name, one in checks.items()} == dict.fromkeys(
        (
            *("dns", "tcp", "tls", "certificate", "revocation", "http", "clock", "sstp", "logins"),
            *("login", "binding", "address", "dhcp", "echo", "mtu", "throughput", "names"),
        ),
        Verdict.PASS,
    )
    assert checks["mtu"].found == "packets of 1400 bytes pass both ways"
    assert checks["logins"].found == "users may log in by MS-CHAPv2, EAP"
    assert checks["sstp"].found == "the server takes calls, and binds them by SHA-256 or SHA-1"


def test_nobody_logs_in_unless_told(serve: Serve, look: Look) -> None:
    assert not {"login", "address"} & set(look(serve().port))


def test_a_name_that_is_nowhere(look: Look) -> None:
    failure = only_failure(look(443, host="nowhere.invalid"))
    assert (failure.name, code(failure)) == ("dns", "0x80072EE7")


def test_a_refused_port(look: Look) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    failure = only_failure(look(port))
    assert (failure.name, code(failure)) == ("tcp", "0x8007274D")


def test_a_black_hole() -> None:
    came = reaching.check_port("192.0.2.1", 443, TimeoutError("timed out"), others=False)
    assert (came.verdict, code(came)) == (Verdict.FAIL, "0x8007274C")


def test_a_port_that_drops_what_comes(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel drops the SYN of who comes when nobody takes those who wait (listen(2))."""
    monkeypatch.setattr("sstpca.vpn.examining._TIMEOUT", 0.3)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        failure = only_failure(look(full.getsockname()[1]))
    assert (failure.name, code(failure)) == ("tcp", "0x8007274C")


def test_one_of_two_addresses_is_dead() -> None:
    came = reaching.check_port("2001:db8::1", 443, TimeoutError("timed out"), others=True)
    assert came.verdict is Verdict.WARN
    assert "tries the next address" in came.found


class Banner:
    """A server that speaks first, and no TLS."""

    def __init__(self, banner: bytes) -> None:
        self._banner = banner
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(PATIENCE)
                connection.sendall(self._banner)
                connection.recv(4096)


def test_ssh_on_the_port(look: Look) -> None:
    server = Banner(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n")
    try:
        failure = only_failure(look(server.port))
    finally:
        server.stop()
    assert (failure.name, code(failure)) == ("tls", "0x80090326")
    assert "an SSH server" in failure.found


def test_plain_http_on_the_port(look: Look) -> None:
    with Server(None, b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        failure = only_failure(look(server.port))
    assert (failure.name, code(failure)) == ("tls", "0x80090326")
    assert "a web server without TLS" in failure.found


def test_a_server_that_never_answers_the_request(serve: Serve) -> None:
    """As SoftEther VPN of Debian 12."""
    target = Target("127.0.0.1", serve(behaviour=Behaviour(silent=True)).port, NAME, timeout=0.5)
    (failure,) = check_dialogue(target, [])
    assert (failure.name, failure.verdict, code(failure)) == ("http", Verdict.FAIL, "0x8007274C")
    assert failure.found.startswith("asked for SSTP, the server does not answer within")


def test_a_server_that_takes_one_connection(serve: Serve) -> None:
    """What the first one has shown is said; the others only ask for other ways to log in."""
    target = Target("127.0.0.1", serve(behaviour=Behaviour(patience=1)).port, NAME)
    checks = {one.name: one for one in check_dialogue(target, [])}
    assert {one.verdict for one in checks.values()} == {Verdict.PASS}
    assert checks["logins"].found == "users may log in by MS-CHAPv2"


def test_a_server_that_says_an_address_where_nobody_is(serve: Serve, look: Look) -> None:
    """As SoftEther VPN: its DHCP server has the right one."""
    behaviour = Behaviour(outside=IPv4Address("1.0.0.1"))
    checks = look(serve(behaviour=behaviour).port, user="alice")
    assert checks["echo"].found.startswith("10.99.0.1 answers after")
    assert checks["mtu"].found == "packets of 1400 bytes pass both ways"


def only_10(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1


def test_tls_10_alone(serve: Serve, look: Look) -> None:
    failure = only_failure(look(serve(setting=only_10).port))
    assert (failure.name, code(failure)) == ("tls", "0x80090326")
    assert "speaks TLS 1.0 and 1.1 alone" in failure.found


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        (lambda: leaf(begin=NOW - 40 * DAY, end=NOW - DAY), "0x800B0101"),
        (lambda: leaf(begin=NOW + DAY), "0x800B0101"),
        (lambda: leaf(name="another.example.com"), "0x800B010F"),
        (lambda: leaf(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])), "0x800B0110"),
    ],
    ids=["expired", "wrong-clock", "wrong-name", "no-eku"],
)
def test_certificates(
    serve: Serve, look: Look, certificate: Callable[[], x509.Certificate], expected: str
) -> None:
    checks = look(serve(certificate()).port, user="alice")
    failure = only_failure(checks)
    assert (failure.name, code(failure)) == ("certificate", expected)
    assert checks["login"].found == "nobody logs in where Windows would not connect"


def test_the_issuer_is_missing(serve: Serve, look: Look) -> None:
    between = forge.authority("Between", ec.generate_private_key(ec.SECP256R1()), ROOT)
    failure = only_failure(look(serve(leaf(issuer=between)).port))
    assert (failure.name, code(failure)) == ("certificate", "0x800B010A")
    whole = look(serve(leaf(issuer=between), chain=(between.certificate,)).port)
    assert whole["certificate"].verdict is Verdict.PASS


def test_a_chain_out_of_order(serve: Serve, look: Look) -> None:
    between = forge.authority("Between", ec.generate_private_key(ec.SECP256R1()), ROOT)
    chain = (ROOT.certificate, between.certificate)
    checks = look(serve(leaf(issuer=between), chain=chain).port)
    assert checks["certificate"].verdict is Verdict.WARN
    assert "the chain is not in order" in checks["certificate"].found


def test_an_authority_that_nobody_trusts(serve: Serve, look: Look) -> None:
    other = forge.authority("Other", ec.generate_private_key(ec.SECP256R1()))
    failure = only_failure(look(serve(leaf(issuer=other), chain=(other.certificate,)).port))
    assert (failure.name, code(failure)) == ("certificate", "0x800B0109")


class Lists:
    """A web server with one revocation list."""

    def __init__(self) -> None:
        content = self.content = bytearray()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(bytes(content))

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/ca.crl"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def respond(self, certificate: x509.Certificate, status: ocsp.OCSPCertStatus) -> None:
        """Be a responder (RFC 6960) that says this of a certificate."""
        now = datetime.now(UTC)
        revoked = now if status is ocsp.OCSPCertStatus.REVOKED else None
        builder = ocsp.OCSPResponseBuilder().add_response(
            certificate, ROOT.certificate, hashes.SHA1(), status, now, None, revoked, None
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, ROOT.certificate)
        self.content[:] = builder.sign(ROOT.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def publish(
        self, *revoked: int, ends: datetime | None = None, signer: forge.Issuer = ROOT
    ) -> None:
        now = datetime.now(UTC)
        ends = ends or now + timedelta(days=7)
        builder = x509.CertificateRevocationListBuilder(
            ROOT.certificate.subject, min(now, ends) - timedelta(days=8), ends
        )
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder(serial, now - timedelta(days=1))
            builder = builder.add_revoked_certificate(entry.build())
        self.content[:] = builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def lists() -> Iterator[Lists]:
    made = Lists()
    yield made
    made.stop()


def with_list(url: str) -> x509.Certificate:
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return leaf(x509.CRLDistributionPoints([point]))


def test_a_revocation_list(serve: Serve, look: Look, lists: Lists) -> None:
    certificate = with_list(lists.url)
    port = serve(certificate).port
    lists.publish()
    assert look(port)["revocation"].verdict is Verdict.PASS
    lists.publish(certificate.serial_number)
    assert code(only_failure(look(port))) == "0x800B010C"
    lists.publish(ends=datetime.now(UTC) - timedelta(days=1))
    assert code(only_failure(look(port))) == "0x80092013"


def test_a_revocation_list_of_somebody_else(serve: Serve, look: Look, lists: Lists) -> None:
    lists.publish(signer=forge.authority("Root", ec.generate_private_key(ec.SECP256R1())))
    failure = only_failure(look(serve(with_list(lists.url)).port))
    assert (failure.name, code(failure)) == ("revocation", "0x80092012")


def test_a_responder(serve: Serve, look: Look, lists: Lists) -> None:
    place = x509.AccessDescription(
        AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(lists.url)
    )
    certificate = leaf(x509.AuthorityInformationAccess([place]))
    port = serve(certificate).port
    lists.respond(certificate, ocsp.OCSPCertStatus.GOOD)
    assert look(port)["revocation"].verdict is Verdict.PASS
    assert look(port)["revocation"].found.startswith("the responder ")
    lists.respond(certificate, ocsp.OCSPCertStatus.REVOKED)
    assert code(only_failure(look(port))) == "0x800B010C"
    lists.content[:] = b"none of OCSP"
    assert code(only_failure(look(port))) == "0x80092013"
    lists.stop()
    assert code(only_failure(look(port))) == "0x80092013"


def test_a_dead_revocation_list(serve: Serve, look: Look, lists: Lists) -> None:
    port = serve(with_list(lists.url)).port
    lists.stop()
    failure = only_failure(look(port))
    assert (failure.name, code(failure)) == ("revocation", "0x80092013")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "302"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "a proxy in between"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "takes nobody now"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.0"),
        (b"\x01\x02\x03\r\n\r\n", "no HTTP"),
    ],
)
def test_another_web_site(serve: Serve, look: Look, answer: bytes, words: str) -> None:
    failure = only_failure(look(serve(behaviour=Behaviour(answer=answer)).port))
    assert failure.name == "http"
    assert code(failure) in ("0x80070040", "0x800704D4")
    assert words in failure.found


def test_the_clock_of_the_server(serve: Serve, look: Look) -> None:
    checks = look(serve(behaviour=Behaviour(clock=-7300)).port)
    assert checks["clock"].found == "the server's clock is 2 hours behind this machine's"
    assert checks["clock"].verdict is Verdict.WARN


def test_sha_1_alone(serve: Serve, look: Look) -> None:
    checks = look(serve(behaviour=Behaviour(mask=1)).port)
    assert checks["sstp"].found == "the server takes calls, and binds them by SHA-1"
    assert checks["sstp"].verdict is Verdict.WARN


def test_weaker_logins_are_named(serve: Serve, look: Look) -> None:
    checks = look(serve(behaviour=Behaviour(weak=WeakSignIn.PAP)).port)
    assert checks["logins"].verdict is Verdict.WARN
    assert "MS-CHAPv2, EAP, PAP;" in checks["logins"].found


def test_the_wrong_password(serve: Serve, look: Look) -> None:
    failure = only_failure(look(serve().port, user="alice", password="another one"))
    assert (failure.name, code(failure)) == ("login", "691")


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (replace(ALICE, enabled=False), "647"),
        (replace(ALICE, password_expired=True), "648"),
        (replace(ALICE, in_hours=False), "646"),
        (replace(ALICE, ended=True), "708"),
    ],
)
def test_what_is_wrong_with_an_account(
    serve: Serve, look: Look, account: Any, expected: str
) -> None:
    failure = only_failure(look(serve(behaviour=Behaviour(account=account)).port, user="alice"))
    assert (failure.name, code(failure)) == ("login", expected)


def test_an_exhausted_pool(serve: Serve, look: Look) -> None:
    failure = only_failure(look(serve(behaviour=Behaviour(lease=None)).port, user="alice"))
    assert (failure.name, code(failure)) == ("address", "720")


def test_tls_is_opened_in_between(serve: Serve, look: Look) -> None:
    own = leaf(serial=77).public_bytes(Encoding.DER)
    failure = only_failure(look(serve(behaviour=Behaviour(certificate=own)).port, user="alice"))
    assert failure.name == "binding"
    assert "crypto binding" in "".join(map(str, failure.remedy))


def test_an_mtu_hole(serve: Serve, look: Look) -> None:
    failure = only_failure(look(serve(behaviour=Behaviour(largest=1211)).port, user="alice"))
    assert failure.name == "mtu"
    assert failure.found == "packets of more than 1211 bytes vanish, though the tunnel says 1400"


def test_a_server_that_answers_no_pings(serve: Serve, look: Look) -> None:
    checks = look(serve(behaviour=Behaviour(echoes=False)).port, user="alice")
    assert "MTU and throughput were not tried" in checks["echo"].found


def test_a_dns_server_that_is_silent(serve: Serve, look: Look) -> None:
    checks = look(serve(behaviour=Behaviour(names=False)).port, user="alice")
    assert checks["names"].verdict is Verdict.WARN


def test_the_command(serve: Serve, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    port = serve(leaf(begin=NOW - 40 * DAY, end=NOW - DAY)).port
    options = ["doctor", f"127.0.0.1:{port}", "--name", NAME, "--ca", str(authority)]
    shown = CliRunner().invoke(main, ["--home", str(tmp_path / "nowhere"), *options])
    assert shown.exit_code == Verdict.FAIL
    words = " ".join(shown.stdout.split())
    assert "Windows: 0x800B0101 (-2146762495) A required certificate" in words
    assert max(map(len, shown.stdout.splitlines())) <= 80
    said = CliRunner().invoke(main, ["--home", str(tmp_path / "nowhere"), *options, "--json"])
    assert said.exit_code == Verdict.FAIL
    found = json.loads(said.stdout)
    assert found["verdict"] == "fail"
    (failure,) = [one for one in found["checks"] if one["verdict"] == "fail"]
    assert failure["decimal"] == -2146762495


@pytest.mark.parametrize("variable", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: dict[str, str]) -> None:
    """On a terminal, unless there are to be none (https://no-color.org)."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    arguments = ["--home", str(tmp_path / "nowhere"), "doctor", "nowhere.invalid"]
    shown = CliRunner().invoke(main, arguments, color=True)
    assert ("\x1b[31mfail\x1b[0m" in shown.stdout) is not bool(variable)
    assert "\x1b" not in CliRunner().invoke(main, arguments).stdout


def test_a_port_that_is_none(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["doctor", "vpn.example.com:99999"])
    assert shown.exit_code == 2
    assert "is not a port" in shown.stderr

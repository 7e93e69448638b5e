"""sstpca cert lint and cert check."""

import json
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sstpca.cli import main
from sstpca.home import Home
from sstpca.pki.authority import Authority
from sstpca.pki.certificates import certificate_to_pem
from sstpca.pki.identity import identity_to_pem, load_server_certificate
from sstpca.pki.keys import KeyType
from tests.pki.test_lint import HOSTS
from tests.support.forge import (
    HOST,
    NOW,
    Issuer,
    authority,
    changed,
    make,
    server_extensions,
    usage,
)
from tests.support.tls import Server, server_context

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]


@pytest.fixture
def home(usual_home: Home) -> Home:
    """With RSA, TLS 1.2 has more suites to tell of."""
    return usual_home


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return authority("another", ec.generate_private_key(ec.SECP256R1()))


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(map(certificate_to_pem, certificates))


def found(result: Result) -> set[tuple[str, str]]:
    """Return (check, severity) of a run with --json."""
    return {(one["check"], one["severity"]) for one in json.loads(result.stdout)["findings"]}


def test_the_homes_own_certificate_is_clean(home: Home, run: Run) -> None:
    result = run("cert", "lint")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Windows has nothing to object to." in result.stdout
    assert str(home.server_identity) in result.stdout
    shown = json.loads(run("cert", "lint", "--json").stdout)
    assert shown["findings"] == []
    assert shown["failed"] is False
    assert shown["dialled"] == [HOST]
    assert shown["subject"] == f"CN={HOST}"
    assert len(shown["path"]) == 2
    assert shown["server"] is None


def test_an_error_in_words_and_columns(home: Home, run: Run) -> None:
    home.settings.write_text(
        home.settings.read_text().replace('"vpn.example.com"]', '"other.example.com"]')
    )
    result = run("cert", "lint")
    assert result.exit_code == 1
    assert result.stderr == ""
    assert (
        "error    0x800B010F  the server certificate is not for other.example.com, but\n"
        "                     for 'vpn.example.com'\n"
        "                     Windows: The certificate's CN name does not match the\n"
        "                     passed value.\n"
        "                     fix: "
    ) in result.stdout
    assert result.stdout.endswith("\n1 error\n")
    assert max(map(len, result.stdout.splitlines())) <= 80 + len(str(home.root))


def test_files_of_one_chain_in_any_form_and_order(tmp_path: Path, run: Run, issuer: Issuer) -> None:
    middle = authority("middle", issuer.key, issuer)
    leaf = make(HOST, issuer.key.public_key(), middle, server_extensions())
    (tmp_path / "chain.pem").write_bytes(pem(middle.certificate))
    (tmp_path / "leaf.cer").write_bytes(leaf.public_bytes(Encoding.DER))
    (tmp_path / "root.pem").write_bytes(pem(issuer.certificate))
    files = [str(tmp_path / "chain.pem"), str(tmp_path / "leaf.cer")]
    result = run(
        "cert", "lint", *files, "--name", HOST, "--ca", str(tmp_path / "root.pem"), "--json"
    )
    assert (result.exit_code, found(result)) == (0, set())
    # this home's authority did not issue it
    result = run("cert", "lint", *files, "--json")
    assert result.exit_code == 1
    assert found(result) == {("issuer", "error"), ("no-name", "note")}
    code = next(one["code"] for one in json.loads(result.stdout)["findings"])
    assert code == "0x800B010A"


def test_a_warning_is_no_failure(tmp_path: Path, run: Run, issuer: Issuer) -> None:
    extensions = changed(server_extensions(), usage("key_encipherment"))
    leaf = make(HOST, issuer.key.public_key(), issuer, extensions, end=NOW + timedelta(900))
    (tmp_path / "leaf.pem").write_bytes(pem(leaf))
    (tmp_path / "root.der").write_bytes(issuer.certificate.public_bytes(Encoding.DER))
    options = ("--name", HOST, "--ca", str(tmp_path / "root.der"))
    result = run("cert", "lint", str(tmp_path / "leaf.pem"), *options)
    assert result.exit_code == 0
    assert result.stdout.endswith("\n2 warnings\n")


def test_no_home_is_needed_for_a_file(tmp_path: Path, issuer: Issuer) -> None:
    (tmp_path / "leaf.pem").write_bytes(
        pem(make(HOST, issuer.key.public_key(), issuer, server_extensions()))
    )
    nowhere = ["--home", str(tmp_path / "none"), "cert", "lint"]
    leaf = str(tmp_path / "leaf.pem")
    result = CliRunner().invoke(main, [*nowhere, leaf, "--name", HOST, "--json"])
    assert (result.exit_code, found(result)) == (0, {("issuer", "warning")})
    result = CliRunner().invoke(main, nowhere)
    assert result.exit_code == 1
    assert "no sstpca home" in result.stderr


def test_a_file_that_is_cut_off(tmp_path: Path, run: Run, refused: Refused) -> None:
    (tmp_path / "x").write_bytes(b"# mine\n-----BEGIN CERTIFICATE-----\n")
    said = refused(run("cert", "lint", str(tmp_path / "x")), 1)
    assert said.endswith("x cannot be read: block 1 (CERTIFICATE, line 2) has no END line")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\0" * 99])
def test_files_that_are_no_certificate(tmp_path: Path, run: Run, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    result = run("cert", "lint", str(tmp_path / "x"), "--json")
    assert result.exit_code == 1
    assert found(result) <= {("unreadable", "error"), ("nothing", "error")}
    assert len(found(result)) == 1


def test_what_cannot_be_looked_at(tmp_path: Path, run: Run, refused: Refused) -> None:
    missing = str(tmp_path / "missing")
    assert "No such file" in refused(run("cert", "lint", missing), 1)
    assert "No such file" in refused(run("cert", "lint", "--ca", missing), 1)
    (tmp_path / "huge").write_bytes(b"x" * (2 << 20))
    assert "too long" in refused(run("cert", "lint", str(tmp_path / "huge")), 1)
    (tmp_path / "x").write_bytes(b"x")
    assert "no certificate" in refused(run("cert", "lint", "--ca", str(tmp_path / "x")), 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("x.pem", "--connect", "a.example"), "exclude each other"),
        (("--connect", "a.example:99999"), "is not a port"),
        (("--connect", "https://a.example"), "is not a port"),
        (("--name", "a b"), "is not a host name"),
    ],
)
def test_usage(run: Run, refused: Refused, arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in refused(run("cert", "lint", *arguments), 2)


def test_a_key_that_does_not_fit(home: Home, run: Run, issuer: Issuer) -> None:
    leaf = load_server_certificate(home)
    home.server_identity.write_bytes(identity_to_pem(issuer.key, (leaf,)))
    result = run("cert", "lint", "--json")
    assert (result.exit_code, found(result)) == (1, {("key", "error")})
    home.server_identity.write_bytes(certificate_to_pem(leaf))
    result = run("cert", "lint", "--json")
    assert (result.exit_code, found(result)) == (1, {("key", "error")})


def context(home: Home) -> ssl.SSLContext:
    made = server_context()
    made.load_cert_chain(home.server_identity)
    return made


def test_a_running_server(home: Home, run: Run) -> None:
    with Server(context(home)) as server:
        place = f"127.0.0.1:{server.port}"
        result = run("cert", "lint", "--connect", place, "--name", HOST)
        assert result.exit_code == 0
        assert "TLS        ECDHE-RSA-AES256-GCM-SHA384\n           TLS_AES" in result.stdout
        assert result.stdout.endswith("\n1 note\n")
        assert max(map(len, result.stdout.splitlines())) <= 80
        result = run("cert", "lint", "--connect", place, "--json")
    assert result.exit_code == 1
    assert found(result) == {("name", "error"), ("tls-no-pfs", "note")}
    server_part: dict[str, Any] = json.loads(result.stdout)["server"]
    assert server_part["sent"] == 1
    assert server_part["status"].startswith("HTTP/1.1 401")
    assert set(server_part["suites"]) == {"tls12", "tls13", "old", "no_pfs"}


def test_a_server_that_shows_another_certificate(home: Home, run: Run) -> None:
    """It does not take the new one, or something in between decrypts TLS."""
    before = context(home)
    renewed = Authority.load(home, None).issue_server(HOSTS, KeyType.ECDSA, NOW)
    home.server_identity.write_bytes(identity_to_pem(renewed.key, (renewed.certificate,)))
    with Server(before) as server:
        place = f"127.0.0.1:{server.port}"
        result = run("cert", "lint", "--connect", place, "--name", HOST, "--json")
    assert result.exit_code == 0
    assert ("other-certificate", "warning") in found(result)


def test_no_server(run: Run) -> None:
    with Server(None) as server:
        port = server.port
    result = run("cert", "lint", "--connect", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "0x8007274D" in result.stdout
    result = run("cert", "lint", "--connect", f"127.0.0.1:{port}", "--json")
    assert found(result) == {("connect", "error")}


def test_check(home: Home, run: Run) -> None:
    result = run("cert", "check")
    assert (result.exit_code, result.stdout) == (0, "all certificates are in order\n")
    assert json.loads(run("cert", "check", "--json").stdout) == []
    result = run("cert", "check", "--days", "400")
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()[1:]
    assert line.startswith("due  server  ends on ")
    assert line.endswith(" days: sstpca cert renew server")
    (shown,) = json.loads(run("cert", "check", "--days", "400", "--json").stdout)
    assert shown["name"] == "server"
    assert shown["urgency"] == "due"
    assert shown["not_after"].endswith("Z")


def test_check_names_what_is_wrong(home: Home, run: Run, refused: Refused) -> None:
    home.server_identity.write_bytes(certificate_to_pem(load_server_certificate(home)))
    result = run("cert", "check")
    assert result.exit_code == 1
    assert "wrong  server" in result.stdout
    home.ca_certificate.unlink()
    assert "ca.crt" in refused(run("cert", "check"), 1)

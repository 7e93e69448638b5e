"""sstpca cert lint and cert check."""

import json
import re
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sstpca.authority.authority import Authority
from sstpca.authority.identity import load_server_certificate
from sstpca.cli import main
from sstpca.home import Home
from sstpca.vpn import linting
from sstpca.x509.certificates import certificate_to_der, certificate_to_pem
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.lint.test_checks import HOSTS
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
from tests.support.sstp_server import SstpServer
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


def shown_by(home: Home) -> SstpServer:
    """Return a running SSTP server with the certificate that the home has now."""
    leaf = load_server_certificate(home)
    return SstpServer(context(home), certificate_to_der(leaf))


def test_a_running_server(home: Home, run: Run) -> None:
    """It is told as ``sstpca doctor`` tells it; for machines, in the form that it always had."""
    with shown_by(home) as server:
        place = f"127.0.0.1:{server.port}"
        result = run("cert", "lint", "--connect", place, "--name", HOST)
        assert result.exit_code == 0
        # how long it took to get there differs
        same = [re.sub(r"\d+ ms", "", one) for one in (result.stdout, doctor(run, place))]
        assert same[0] == same[1]
        result = run("cert", "lint", "--connect", place, "--json")
    assert result.exit_code == 1
    assert found(result) == {("name", "error"), ("tls-no-pfs", "note")}
    value = json.loads(result.stdout)
    assert (value["source"], value["failed"]) == (place, True)
    server_part: dict[str, Any] = value["server"]
    assert server_part["sent"] == 1
    assert server_part["status"].startswith("HTTP/1.1 200")
    assert set(server_part["suites"]) == {"tls12", "tls13", "old", "no_pfs"}


def doctor(run: Run, place: str) -> str:
    return run("doctor", place, "--name", HOST).stdout


def test_a_server_that_is_none_of_sstp(home: Home, run: Run) -> None:
    """Any answer by HTTP would do once; a web site is no VPN server, as Windows has it."""
    with Server(context(home)) as server:
        place = f"127.0.0.1:{server.port}"
        result = run("cert", "lint", "--connect", place, "--name", HOST, "--json")
    assert result.exit_code == 1
    assert ("http", "error") in found(result)


def test_a_server_that_shows_another_certificate(home: Home, run: Run) -> None:
    """It does not take the new one, or something in between decrypts TLS."""
    with shown_by(home) as server:
        renewed = Authority.load(home, None).issue_server(HOSTS, KeyType.ECDSA, NOW)
        home.server_identity.write_bytes(identity_to_pem(renewed.key, (renewed.certificate,)))
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


class Later(datetime):
    """More than a year after, less than ten."""

    DAYS = 400

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(days=cls.DAYS)


class MuchLater(Later):
    DAYS = 4000


def ways(result: Result) -> dict[str, str]:
    """Return what to do about ends, by what has ended or will."""
    assert result.stdout.startswith("{"), result.output
    return {
        re.split(r" (expired|ends) on ", one["found"])[0]: one["fix"]
        for one in json.loads(result.stdout)["findings"]
        if one["check"] in ("expired", "ends-soon")
    }


def test_an_end_names_the_command_that_mends_it(
    home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (("user", "o'neil"), ("user", "eve"), ("server", "eu.vpn.example.com")):
        assert run("cert", "issue", *words, "--key-type", "ecdsa").exit_code == 0
    old = {one: home.pair(one).read_bytes() for one in ("eve", "server")}
    run("cert", "rekey", "eve")
    replaced = home.root / "replaced.pem"
    replaced.write_bytes(old["eve"])
    program = f"sstpca --home {home.root}"
    clock = "; if it is not that late, correct this machine's clock"

    monkeypatch.setattr(linting, "datetime", Later)
    own = ways(run("cert", "lint", "--json"))
    assert own == {"the server certificate": f"{program} cert renew server{clock}"}
    # on one line, to be copied
    assert f"{program} cert renew server;" in run("cert", "lint").stdout
    for path, way in (
        (home.pair("o'neil"), "cert renew 'o'\"'\"'neil'"),
        (home.pair("eu.vpn.example.com"), "cert renew eu.vpn.example.com"),
        (home.server_identity, "cert renew server"),
    ):
        found = ways(run("cert", "lint", str(path), "--json"))
        assert found == {"the certificate": f"{program} {way}{clock}"}
    (found_again,) = ways(run("cert", "lint", str(replaced), "--json")).values()
    assert found_again.startswith(f"a newer one has taken its place: {program} cert export eve")
    run("cert", "revoke", "eve", "--yes")
    (revoked,) = ways(run("cert", "lint", str(home.pair("eve")), "--json")).values()
    assert "cert rekey eve" in revoked

    monkeypatch.setattr(linting, "datetime", MuchLater)
    (authority_way,) = (
        way for what, way in ways(run("cert", "lint", "--json")).items() if "VPN CA" in what
    )
    assert authority_way.startswith(f"make a next authority: {program} ca rollover begin")


def test_the_end_of_anothers_certificate_names_no_renewal_of_ours(
    home: Home, run: Run, tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = make(HOST, key.public_key(), issuer, server_extensions())
    (tmp_path / "leaf.pem").write_bytes(pem(leaf))
    monkeypatch.setattr(linting, "datetime", MuchLater)
    (way,) = ways(run("cert", "lint", str(tmp_path / "leaf.pem"), "--json")).values()
    assert way.startswith("put a new one in its place")


@pytest.mark.parametrize("days", ["1", "2", "7"])
def test_a_short_life_is_not_over_at_once(home: Home, run: Run, days: str) -> None:
    for kind, name in (("server", "server"), ("user", "alice")):
        words = ("cert", "issue", kind, name, "--replace", "--days", days)
        assert run(*words).exit_code == 0
        assert "valid" in run("cert", "show", name).stdout.splitlines()[2]
    assert ways(run("cert", "lint", "--json")) == {}
    assert run("cert", "check").exit_code == 0

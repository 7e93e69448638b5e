"""A second certificate of the server, with the other kind of key, on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sstpca.authority.authority import Authority
from sstpca.authority.identity import load_identities
from sstpca.cli import main
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.server.config import Config
from sstpca.server.net.tls import CertificateFiles
from sstpca.serving import server
from sstpca.x509.certificates import digest
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.support.forge import NOW

Refused = Callable[[Result, int], str]


def run(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments])


def done(home: Home, *arguments: str) -> Result:
    result = run(home, *arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def both(usual_home: Home) -> Home:
    result = done(usual_home, "cert", "issue", "server", "server/ecdsa")
    assert result.stdout.splitlines() == [str(usual_home.server_ecdsa_identity)]
    assert "a running server shows it to new connections in a moment" in result.stderr
    return usual_home


def test_it_is_shown_listed_exported_and_checked(both: Home, tmp_path: Path) -> None:
    shown = done(both, "cert", "show").stdout
    assert f"Server ({both.server_identity})" in shown
    assert f"Server ({both.server_ecdsa_identity})" in shown
    assert {*json.loads(done(both, "cert", "show", "--json").stdout)} == {
        *("authority", "server", "server/ecdsa")
    }
    listed = json.loads(done(both, "cert", "list", "--json").stdout)
    assert [one["name"] for one in listed] == ["authority", "server", "server/ecdsa"]
    path = tmp_path / "chain.pem"
    done(both, "cert", "export", "server/ecdsa", "--format", "chain", "--output", str(path))
    assert path.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert "all certificates are in order" in done(both, "cert", "check").stdout
    assert run(both, "cert", "check", "--days", "500").stdout.count("cert renew server") == 2


def test_both_are_looked_at(both: Home) -> None:
    text = done(both, "cert", "lint").stdout
    assert text.count("Windows has nothing to object to.") == 2
    found = json.loads(done(both, "cert", "lint", "--json").stdout)
    assert found["source"] == str(both.server_identity)
    (beside,) = found["beside"]
    assert beside["source"] == str(both.server_ecdsa_identity)
    both.server_ecdsa_identity.write_bytes(both.server_identity.read_bytes())
    result = run(both, "cert", "lint", "--json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)["beside"][0]["findings"]
    assert (finding["check"], finding["severity"]) == ("beside", "error")


def test_the_server_is_given_both(
    both: Home, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs: list[Config] = []
    monkeypatch.setattr(server, "run_server", lambda config, _backend: configs.append(config))
    done(both, "serve")
    (config,) = configs
    files = CertificateFiles(config.identities, config.read_identities, config.tls)
    shown = [one.hashes.sha256.hex() for one in files.certificates.each]
    assert shown == [digest(one.certificate) for one in reversed(load_identities(both))]
    # it may go, and come back, while the server runs
    content = both.server_ecdsa_identity.read_bytes()
    both.server_ecdsa_identity.unlink()
    assert files.reload()
    assert [one.hashes.sha256.hex() for one in files.certificates.each] == shown[1:]
    both.server_ecdsa_identity.write_bytes(content)
    assert files.reload()
    assert len(files.certificates.each) == 2
    both.server_ecdsa_identity.write_bytes(content[:-100])
    assert str(both.server_ecdsa_identity) in refused(run(both, "serve"), 1)


def test_it_is_taken_away_by_revoking_it(both: Home) -> None:
    result = done(both, "cert", "revoke", "server/ecdsa", "--yes")
    assert not both.server_ecdsa_identity.exists()
    assert "its file is removed" in result.stderr
    assert "for a new pair: sstpca" in result.stderr
    done(both, "cert", "rekey", "server/ecdsa")
    assert len(load_identities(both)) == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("cert", "issue", "server", "server/ecdsa"), "there is a certificate called"),
        (
            ("cert", "issue", "server", "server/ecdsa", "--key-type", "rsa"),
            "server/ecdsa has an ECDSA key",
        ),
        (("cert", "rekey", "server", "--key-type", "ecdsa"), "an ECDSA key already"),
        (("cert", "issue", "server", "server/rsa"), "'server/rsa'"),
        (("cert", "issue", "user", "server/ecdsa"), "'server/ecdsa'"),
        (("user", "add", "server/ecdsa", "--generate"), "'server/ecdsa'"),
    ],
)
def test_what_cannot_be(both: Home, refused: Refused, arguments: tuple[str, ...], why: str) -> None:
    before = [one.certificate for one in load_identities(both)]
    result = run(both, *arguments)
    assert why in refused(result, result.exit_code)
    assert result.exit_code in (1, 2)
    assert [one.certificate for one in load_identities(both)] == before


def test_one_made_elsewhere_goes_beside(usual_home: Home, tmp_path: Path) -> None:
    home, hosts = usual_home, parse_hosts(["vpn.example.com"])
    made = Authority.load(home, None).issue_server(hosts, KeyType.ECDSA, NOW)
    path = tmp_path / "ecdsa.pem"
    path.write_bytes(identity_to_pem(made.key, (made.certificate,)))
    result = done(home, "cert", "import", str(path), "--beside", "--yes")
    assert result.stdout.splitlines() == [str(home.server_ecdsa_identity)]
    assert [digest(one.certificate) for one in load_identities(home)][1] == digest(made.certificate)


def test_a_backup_has_it(both: Home, tmp_path: Path) -> None:
    secret, target = tmp_path / "secret", tmp_path / "backup"
    secret.write_text("a passphrase of some length")
    done(both, "ca", "backup", str(target), "--passphrase-file", str(secret))
    new = Home(tmp_path / "new")
    done(new, "ca", "restore", str(target), "--passphrase-file", str(secret))
    restored = [one.certificate for one in load_identities(new)]
    assert restored == [one.certificate for one in load_identities(both)]


def test_bundles_are_the_same(both: Home) -> None:
    done(both, "user", "add", "alice", "--generate")
    done(both, "bundle", "alice", "--for", "routeros", "--for", "windows")
    assert "is not RSA" not in done(both, "bundle", "alice", "--for", "routeros").stderr


def test_a_rollover_says_where_both_are(both: Home) -> None:
    done(both, "ca", "rollover", "begin", "--no-passphrase")
    result = done(both, "ca", "rollover", "finish", "--force")
    assert result.stdout.splitlines() == [
        str(both.ca_certificate),
        str(both.server_identity),
        str(both.server_ecdsa_identity),
    ]
    assert result.stderr.count("cert import") == 2

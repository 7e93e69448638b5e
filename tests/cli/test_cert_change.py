"""sstpca cert issue, renew, rekey, revoke, list, calendar; sstpca ca show and crl."""

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from sstpca.authority import issuing
from sstpca.authority.authority import Authority
from sstpca.cli import main
from sstpca.cli.cert_change import RUNNING
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.x509.certificates import Certificate
from sstpca.x509.keys import key_from_pem, key_to_pem
from sstpca.x509.pair import Pair

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]


def names_of(run: Run, *options: str) -> list[tuple[str, str]]:
    listed = json.loads(run("cert", "list", "--json", *options).stdout)
    return [(one["name"], one["state"]) for one in listed]


def content(home: Home) -> dict[str, bytes]:
    found = [path for path in home.root.rglob("*") if path.is_file()]
    # the database is compared by what it says
    files = {path.name: path.read_bytes() for path in found if "sstpca.db" not in path.name}
    connection = sqlite3.connect(home.database)
    rows = connection.execute("SELECT * FROM certificates").fetchall()
    connection.close()
    return files | {"rows": repr(rows).encode()}


def test_a_life(home: Home, run: Run) -> None:
    issued = run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    assert issued.stdout == f"{home.pair('alice')}\n"
    assert issued.stderr.startswith("certificate 'alice' issued, until ")
    renewed = run("cert", "renew", "alice")
    assert renewed.stdout == f"{home.pair('alice')}\n"
    assert "'alice' renewed" in renewed.stderr
    assert RUNNING not in renewed.stderr
    rekeyed = run("cert", "rekey", "alice")
    assert "made anew" in rekeyed.stderr
    assert " cert revoke " in rekeyed.stderr
    revoked = run("cert", "revoke", "alice", "--yes", "--reason", "KEYcompromise")
    assert revoked.exit_code == 0
    assert f"for a new pair: sstpca --home {home.root} cert rekey alice" in revoked.stderr
    assert names_of(run) == [("alice", "revoked"), ("authority", "valid"), ("server", "valid")]
    assert names_of(run, "--all")[:3] == [
        ("alice", "revoked"),
        ("alice", "replaced"),
        ("alice", "replaced"),
    ]
    table = run("cert", "list").stdout.splitlines()
    assert table[0].split() == ["NAME", "PROFILE", "STATE", "ENDS", "DAYS", "SERIAL", "BY"]
    assert table[1].split()[:3] == ["alice", "user", "revoked"]
    assert len(table) == 4
    assert max(map(len, table)) <= 80
    for line in table[1:]:
        assert run("cert", "show", line.split()[-2]).stdout.split()[0] == line.split()[0]


def test_one_certificate_in_full(home: Home, run: Run, refused: Refused) -> None:
    run("cert", "issue", "user", "alice", "--upn", "a@corp.example", "--key-type", "ecdsa-p384")
    shown = run("cert", "show", "alice").stdout
    for text in (
        f"alice ({home.pair('alice')})",
        "state    valid",
        "asked by ",
        "names    UPN a@corp.example",
        "key      ECDSA secp384r1",
        "usages   digitalSignature, clientAuth",
    ):
        assert text in shown
    entry = json.loads(run("cert", "show", "alice", "--json").stdout)
    assert entry["names"] == ["UPN a@corp.example"]
    assert run("cert", "show", entry["sha256"][:12]).stdout == shown
    assert run("cert", "show", entry["serial"]).stdout == shown
    home.pair("alice").unlink()
    assert "alice.pem is missing" in run("cert", "show", "alice").stdout
    run("cert", "rekey", "alice")
    assert "replaced" in run("cert", "show", entry["serial"]).stdout
    run("cert", "revoke", entry["serial"], "--yes")
    assert "revoked" in run("cert", "show", entry["serial"]).stdout
    assert "authority (" in run("cert", "show", "authority").stdout
    assert "no certificate with" in refused(run("cert", "show", "bob"), 1)


def test_a_server(home: Home, run: Run, refused: Refused) -> None:
    done = run(
        "cert", "issue", "server", "router", "--dns", "vpn.example.com",
        "--dns", "*.vpn.example.com", "--key-type", "ecdsa", "--days", "90",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    leaf = x509.load_pem_x509_certificates(home.pair("router").read_bytes())[0]
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["vpn.example.com", "*.vpn.example.com"]
    before = content(home)
    for arguments, code, complaint in (
        (["x", "--dns", "other.example.com"], 2, "0x800B0114"),
        (["x", "--ip", "192.0.2.1"], 2, "0x800B0114"),
        (["x", "--dns", "*.vpn.example.com"], 2, "only wildcards"),
        (["x", "--dns", "vpn.example.com", "--cdp", "https://x/"], 2, "revocation list"),
        (["router", "--dns", "vpn.example.com"], 2, "already"),
        (["server"], 2, "already"),
        (["authority", "--dns", "vpn.example.com"], 2, "this home's own"),
    ):
        result = run("cert", "issue", "server", *arguments)
        assert result.exit_code == code
        assert complaint in result.stderr
        assert content(home) == before
    assert run("cert", "issue", "server", "x", "--dns", "a.b", "--days", "398").exit_code == 2


def test_the_cost_of_a_revocation_list_is_said(home: Home, run: Run) -> None:
    url = "http://pki.example.com/ca.crl"
    done = run("cert", "issue", "user", "alice", "--key-type", "ecdsa", "--cdp", url)
    assert "0x80092013" in done.stderr
    leaf = x509.load_pem_x509_certificates(home.pair("alice").read_bytes())[0]
    assert Certificate.of(leaf).list_url == url


def test_renewing_the_server_says_what_a_running_one_does(home: Home, run: Run) -> None:
    done = run("cert", "renew", "server")
    assert done.stdout == f"{home.server_identity}\n"
    assert RUNNING in done.stderr


def test_a_timer(home: Home, run: Run, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = run("cert", "renew", "--due", "30d")
    assert (idle.exit_code, idle.stdout) == (0, "")
    assert idle.stderr == "nothing to do: no certificate ends within 30d\n"
    run("cert", "issue", "user", "--from", "-", "--key-type", "ecdsa", stdin="alice\nbob\n")
    home.pair("bob").unlink()
    done = run("cert", "renew", "--due", "60w")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [str(home.pair("alice")), str(home.server_identity)]
    assert "warning: the pair 'bob'" in done.stderr
    assert "error: 1 of 3 certificates could not be renewed" in done.stderr
    for wrong in ("30", "0d", "d", "-1d", "30h", "12345d"):
        assert "is no time" in refused(run("cert", "renew", "--due", wrong), 2)
    assert "either" in refused(run("cert", "renew"), 2)
    assert "either" in refused(run("cert", "renew", "alice", "--due", "1d"), 2)


def test_revoking_asks_first(home: Home, run: Run, refused: Refused, terminal: None) -> None:
    before = content(home)
    declined = run("cert", "revoke", "server", stdin="n\n")
    assert declined.exit_code == 0
    assert "clients go on believing it" in declined.stderr
    assert "nothing was changed" in declined.stderr
    assert content(home) == before
    run("cert", "revoke", "server", "--reason", "superseded", stdin="y\n")
    assert names_of(run) == [("authority", "valid"), ("server", "revoked")]
    assert "revoked already" in refused(run("cert", "revoke", "server", "--yes"), 1)
    assert "cannot revoke itself" in refused(run("cert", "revoke", "authority", "--yes"), 2)


def test_revoking_without_anybody_to_ask(run: Run, refused: Refused) -> None:
    run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    assert "no terminal" in refused(run("cert", "revoke", "alice"), 2)
    assert ("alice", "valid") in names_of(run)


def test_many_users(home: Home, run: Run, refused: Refused, tmp_path: Path) -> None:
    names = [f"user{number}" for number in range(30)]
    source = tmp_path / "names.txt"
    source.write_text("\ufeff" + "\r\n".join(names) + "\r\n\r\n")
    arguments = ("cert", "issue", "user", "--from", str(source), "--key-type", "ecdsa")
    done = run(*arguments)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [str(home.pair(name)) for name in names]
    assert done.stderr == "30 certificates issued\n"
    before = content(home)
    again = run(*arguments)
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr == "30 had one already\n0 certificates issued\n"
    for lines, complaint in (
        ("zoe\na/b\n", "cannot be a user name"),
        ("zoe\nyan\nZOE\n", "twice"),
        ("\n\n", "no names"),
        (b"\xff", "not valid UTF-8"),
        (b"\xff\xfe", "no names"),
    ):
        result = run("cert", "issue", "user", "--from", "-", stdin=lines)
        assert complaint in refused(result, 2)
    assert content(home) == before
    assert "either" in refused(run("cert", "issue", "user"), 2)
    assert "either" in refused(run("cert", "issue", "user", "x", "--from", "-"), 2)
    assert "--upn" in refused(run("cert", "issue", "user", "--from", "-", "--upn", "a@b"), 2)


def test_a_bar_on_a_terminal_only(home: Home) -> None:
    names = "\n".join(f"user{number}" for number in range(30))
    arguments = ["--home", str(home.root), "cert", "issue", "user", "--from", "-"]
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "sstpca", *arguments, "--key-type", "ecdsa"],
        input=names.encode(),
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm"},
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "30/30" in shown
    assert "30 certificates issued" in shown
    assert len(done.stdout.splitlines()) == 30


@pytest.fixture
def locked(home: Home) -> Home:
    """The home, with a passphrase on the authority's key."""
    authority = Authority.load(home, None)
    home.ca_key.write_bytes(key_to_pem(authority.key, b"open sesame"))
    return home


def test_passphrases(
    locked: Home,
    run: Run,
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issue = ("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    before = content(locked)
    assert "no terminal" in refused(run(*issue), 2)
    file = tmp_path / "passphrase"
    file.write_text("wrong\n")
    assert "does not open" in refused(run(*issue, "--passphrase-file", str(file)), 1)
    assert "cannot read the passphrase file" in refused(
        run(*issue, "--passphrase-file", str(tmp_path / "none")), 1
    )
    assert content(locked) == before
    file.write_text("open sesame\n")
    assert run(*issue, "--passphrase-file", str(file)).exit_code == 0
    monkeypatch.setenv("SSTPCA_CA_PASSPHRASE", "open sesame")
    # one passphrase for all
    assert run("cert", "renew", "alice", "server").exit_code == 0
    assert run("ca", "crl").exit_code == 0
    # nothing to sign, nothing to open
    monkeypatch.delenv("SSTPCA_CA_PASSPHRASE")
    assert run("cert", "renew", "--due", "1d").exit_code == 0
    assert "private key  encrypted" in run("ca", "show").stdout


def test_a_passphrase_is_asked_for_once(locked: Home, run: Run, terminal: None) -> None:
    done = run("cert", "renew", "server", stdin="open sesame\n")
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("Passphrase") == 1


def test_a_key_of_another_authority(home: Home, run: Run, refused: Refused) -> None:
    other = Authority.make(parse_hosts(["vpn.example.com"]), datetime.now(UTC))
    home.ca_key.write_bytes(key_to_pem(other.key))
    before = content(home)
    for command in (("issue", "user", "alice"), ("renew", "server"), ("rekey", "server")):
        assert "does not belong to the certificate" in refused(run("cert", *command), 1)
    assert "does not belong" in refused(run("ca", "crl"), 1)
    assert content(home) == before


def test_a_key_that_is_not_here(home: Home, run: Run, refused: Refused) -> None:
    home.ca_key.unlink()
    assert "ca.key is missing" in refused(run("cert", "renew", "server"), 1)
    assert "private key  not here" in run("ca", "show").stdout


def test_a_home_that_cannot_be_written(
    open_home: Home, as_nobody: Callable[[], None], run: Run, refused: Refused
) -> None:
    before = {path.name: path.read_bytes() for path in open_home.root.iterdir()}
    as_nobody()
    for command in (
        ("cert", "issue", "user", "alice", "--key-type", "ecdsa"),
        ("cert", "renew", "server"),
        ("cert", "rekey", "server", "--key-type", "ecdsa"),
        ("cert", "revoke", "server", "--yes"),
        ("ca", "crl"),
    ):
        result = CliRunner().invoke(main, ["--home", str(open_home.root), *command])
        assert refused(result, 1).endswith("it is not yours to write")
    assert {path.name: path.read_bytes() for path in open_home.root.iterdir()} == before


def test_the_authority(home: Home, run: Run) -> None:
    run("cert", "renew", "server")
    shown = run("ca", "show").stdout
    assert "permitted    DNS vpn.example.com" in shown
    assert f"private key  NOT encrypted ({home.ca_key})" in shown
    assert "issued       1 replaced, 1 valid" in shown
    facts = json.loads(run("ca", "show", "--json").stdout)
    assert facts["issued"] == {"replaced": 1, "valid": 1}
    assert facts["permitted"] == ["DNS vpn.example.com"]


def test_a_revocation_list(home: Home, run: Run, tmp_path: Path) -> None:
    run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    assert "crl" not in run("cert", "revoke", "alice", "--yes").stderr
    done = run("ca", "crl", "--days", "7")
    assert done.stdout.splitlines() == [str(home.root / "ca.crl"), str(home.root / "ca.crl.pem")]
    assert done.stderr.startswith("1 revoked; make the next one before ")
    run("cert", "issue", "user", "bob", "--key-type", "ecdsa")
    assert " ca crl, which makes" in run("cert", "revoke", "bob", "--yes").stderr
    assert run("ca", "crl", "--output", str(tmp_path)).exit_code == 0
    assert len(list(x509.load_der_x509_crl((tmp_path / "ca.crl").read_bytes()))) == 2


def test_a_calendar(home: Home, run: Run, tmp_path: Path, refused: Refused) -> None:
    run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    output = tmp_path / "certificates.ics"
    done = run("cert", "calendar", "--output", str(output))
    assert (done.stdout, done.stderr) == (f"{output}\n", "3 events\n")
    text = output.read_bytes()
    assert text.count(b"BEGIN:VEVENT\r\n") == 3
    assert run("cert", "calendar").stdout_bytes == text
    run("cert", "revoke", "alice", "--yes")
    assert run("cert", "calendar").stdout_bytes.count(b"BEGIN:VEVENT\r\n") == 2
    nowhere = str(tmp_path / "no" / "x.ics")
    assert "No such file" in refused(run("cert", "calendar", "--output", nowhere), 1)


def test_the_end_of_the_authority_is_said(
    home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Authority.load(home, None).certificate.not_valid_after_utc
    renew: Callable[..., Iterator[Pair]] = issuing.renew

    def late(*arguments: object, **keywords: object) -> Iterator[Pair]:
        return renew(*arguments[:-1], end - timedelta(days=9), **keywords)

    monkeypatch.setattr(issuing, "renew", late)
    assert f"the authority ends on {end:%Y-%m-%d}" in run("cert", "renew", "server").stderr


def test_an_older_home_works_at_once(home: Home, run: Run) -> None:
    connection = sqlite3.connect(home.database)
    connection.executescript("DROP TABLE certificates; UPDATE schema SET version = 1;")
    connection.close()
    assert names_of(run) == [("authority", "valid"), ("server", "valid")]


def test_a_copied_home_is_a_home(home: Home, run: Run, tmp_path: Path) -> None:
    run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    copy = Path(shutil.copytree(home.root, tmp_path / "copy"))
    done = run("--home", str(copy), "cert", "renew", "alice")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{copy / 'certificates' / 'alice.pem'}\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_encrypted_key_that_notepad_saved(
    home: Home, run: Run, tmp_path: Path, encoding: str
) -> None:
    key = key_from_pem(home.ca_key.read_bytes(), home.ca_key)
    home.ca_key.write_bytes(key_to_pem(key, b"correct horse").decode().encode(encoding))
    (tmp_path / "passphrase").write_text("correct horse")
    words = ("cert", "issue", "user", "alice", "--key-type", "ecdsa", "--passphrase-file")
    done = run(*words, str(tmp_path / "passphrase"))
    assert done.exit_code == 0, done.output
    assert "encrypted" in run("ca", "show").stdout
    (tmp_path / "passphrase").write_text("another horse")
    assert (
        "does not open"
        in run("cert", "renew", "alice", *words[-1:], str(tmp_path / "passphrase")).stderr
    )

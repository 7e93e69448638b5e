"""The report for whoever helps: what is in it, and what never is."""

import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.ppp.mschapv2 import nt_hash
from sstpca.store import Store, failures, users
from sstpca.store.failures import Failure
from sstpca.vpn.standins import Standins, without_secrets

Run = Callable[..., Result]

PASSWORD = "Tr0ub4dor-and-3"
TYPED_AS_NAME = "hunter2-hunter2"
PASSPHRASE = "a passphrase of the backup"
COMMENT = "comment-with-a-secret"


@pytest.fixture
def planted(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a secret into every place that there is; return them."""
    store = Store.open(home.database)
    for name in ("alice", "bob"):
        users.add(store, Sealer.load(home), name, PASSWORD)
    at = time.time()
    failures.add(
        store,
        [
            Failure(at, "alice", "203.0.113.9:5000", "Windows", "the password is wrong"),
            Failure(at, TYPED_AS_NAME, "[2001:db8::9]:5001", "", "there is no such user", 3),
        ],
    )
    store.close()
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE)
    text = home.settings.read_text()
    text = text.replace('passphrase_file = ""', f'passphrase_file = "{file}"')
    home.settings.write_text(f"# {COMMENT}\n{text}")
    home.untold("alice").write_text(PASSWORD)
    (home.root / f"{PASSWORD}.txt").write_text(PASSWORD)
    monkeypatch.setenv("SSTPCA_CA_PASSPHRASE", PASSPHRASE)
    log = [
        ("alice", "", f"session 7 alice 203.0.113.9:5000: up, password={PASSWORD} and more"),
        ("", TYPED_AS_NAME, f"198.51.100.7:99: login failed for '{TYPED_AS_NAME}': no such user"),
    ]
    lines = "\n".join(
        f'{{"__REALTIME_TIMESTAMP":"1796000000000000","MESSAGE":"{text}",'
        f'"SSTPCA_USER":"{user}","SSTPCA_CLAIMED":"{claimed}"}}'
        for user, claimed, text in log
    )
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'E'\n{lines}\nE\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    keys = [
        line
        for path in (home.ca_key, home.server_identity)
        for line in re.findall(r"^[A-Za-z0-9+/=]{40,}$", path.read_text(), re.MULTILINE)[:3]
    ]
    hashed = nt_hash(PASSWORD)
    return [
        *(PASSWORD, TYPED_AS_NAME, PASSPHRASE, COMMENT, home.database_key.read_text().strip()),
        *(hashed.hex(), hashed.hex().upper(), *keys, "PRIVATE KEY"),
    ]


@pytest.mark.parametrize("options", [(), ("--with-names",)])
def test_no_secret_is_in_it(
    run: Run, planted: list[str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = tmp_path / "report.txt"
    result = run("doctor", "--report", str(path), *options)
    assert result.exit_code == 0, result.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert len(planted) > 8
    for secret in planted:
        assert secret not in text
        assert secret not in result.output
    titles = re.findall(r"^== (.*)", text, re.MULTILINE)
    assert titles == [
        *("Versions", "Settings", "Certificates", "Access profiles", "Users", "Who may read what"),
        *("Checks of this machine", "State", "Failed logins", "Log"),
    ]
    assert "cannot be told" not in text
    assert "[server] port = 443" in text
    assert "-rw------- " in text
    assert "nobody-1 from " in text


def test_names_and_addresses_have_stand_ins(run: Run, planted: list[str], tmp_path: Path) -> None:
    run("doctor", "--report", str(tmp_path / "hidden.txt"))
    hidden = (tmp_path / "hidden.txt").read_text()
    assert not re.search("alice|203.0.113|198.51.100|2001:db8", hidden)
    (address,) = re.findall(r"session 7 user-1 (address-\d):5000: up, password\(hidden\)", hidden)
    assert f"user-1 from {address} port 5000 by Windows: the password is wrong" in hidden
    assert re.search("nobody-1 from address-. port 5001 by no name: there is no such user", hidden)
    assert re.search("address-.:99: login failed for 'nobody-1': no such user", hidden)
    assert "pools 10.99.0.10-10.99.0.250" in hidden, "the VPN's own addresses stay"
    run("doctor", "--report", str(tmp_path / "named.txt"), "--with-names")
    named = (tmp_path / "named.txt").read_text()
    assert "alice from 203.0.113.9 port 5000" in named
    assert "personal data" in named


@pytest.mark.parametrize(
    "line",
    [f'port = "{PASSWORD}"', f"port = {PASSWORD}", PASSWORD, f'"{PASSWORD}" = 1', "port = ["],
)
def test_settings_that_cannot_be_read_are_not_quoted(
    run: Run, home: Home, tmp_path: Path, line: str
) -> None:
    text = home.settings.read_text()
    home.settings.write_text(text.replace("port = 443", line))
    path = tmp_path / "report.txt"
    assert run("doctor", "--report", str(path)).exit_code == 0
    text = path.read_text()
    assert "fail  settings: " in text
    assert PASSWORD not in text


def test_nothing_is_overwritten(run: Run, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("mine")
    result = run("doctor", "--report", str(path))
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert "--force" not in result.stderr
    assert path.read_text() == "mine"
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "elsewhere.txt")
    assert run("doctor", "--report", str(link)).exit_code == 1
    assert not (tmp_path / "elsewhere.txt").exists()
    for place in ("-", str(tmp_path), str(tmp_path / "no folder" / "r.txt")):
        result = run("doctor", "--report", place)
        assert result.exit_code in (1, 2)
        assert result.stderr.startswith("error: ")
    assert {one.name for one in tmp_path.iterdir()} == {"home", "report.txt", "link.txt"}


def test_it_has_the_checks_of_a_server_as_well(run: Run, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    assert run("doctor", "nowhere.invalid", "--report", str(path)).exit_code == 0
    text = path.read_text()
    assert "== Checks of nowhere.invalid" in text
    assert "Windows: 0x80072EE7 (-2147012889)" in text


def test_names_that_are_words_or_have_signs() -> None:
    hide = Standins(["alice", "Ann Lee", "bob@office"], keeps_names=False)
    text = "Alice, ann lee and bob@office; alices.db is a file. alice."
    assert hide.names(text) == "user-1, user-2 and user-3; alices.db is a file. user-1."
    assert hide.names("/x/new-password-alice.txt alice.pem") == (
        "/x/new-password-user-1.txt user-1.pem"
    )
    assert hide.addresses("12:30:45 ::1 fe80::1 1.2.3.4 999.1.1.1") == (
        "12:30:45 ::1 address-1 address-2 999.1.1.1"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=abc rest", "password(hidden) rest"),
        ("Passphrase: abc", "Passphrase(hidden)"),
        ("https://user:pw@host/x", "https://(hidden)@host/x"),
        ("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nrest", "(hidden)\nrest"),
        ("hash 0123456789abcdef0123456789ABCDEF.", "hash (hidden)."),
        ("the password is wrong", "the password is wrong"),
    ],
)
def test_what_looks_like_a_secret(text: str, expected: str) -> None:
    assert without_secrets(text) == expected

"""``sstpca bundle``."""

import re
from pathlib import Path

import pytest

from sstpca import users
from sstpca.home import Home
from sstpca.pki.authority import load_ca_certificate
from sstpca.pki.certificates import sha256_fingerprint
from sstpca.secrets import Sealer
from sstpca.store import Store
from tests.conftest import Run

PASSWORD = "correct horse battery"


@pytest.fixture
def alice(store: Store, sealer: Sealer) -> str:
    users.add(store, sealer, "alice", PASSWORD)
    return "alice"


def test_the_zip_is_the_result_and_the_rest_is_talk(run: Run, home: Home, alice: str) -> None:
    result = run("bundle", alice)
    assert result.exit_code == 0
    assert result.stdout == f"{home.bundles / 'alice.zip'}\n"
    assert sha256_fingerprint(load_ca_certificate(home)) in result.stderr
    assert "password" in result.stderr
    assert (home.bundles / "alice" / "install.cmd").is_file()


def test_the_name_is_the_one_of_the_database(run: Run, home: Home, alice: str) -> None:
    assert run("bundle", alice.upper()).stdout == f"{home.bundles / 'alice.zip'}\n"


def test_no_password_and_no_key_is_in_a_bundle(run: Run, home: Home, alice: str) -> None:
    run("bundle", alice)
    for path in (home.bundles / "alice").iterdir():
        content = path.read_bytes()
        assert PASSWORD.encode() not in content
        assert b"PRIVATE KEY" not in content


def test_several_users_and_another_folder(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer, tmp_path: Path
) -> None:
    users.add(store, sealer, "bob", PASSWORD)
    result = run("bundle", alice, "bob", "--output", str(tmp_path / "there"))
    assert result.stdout.splitlines() == [
        str(tmp_path / "there" / "alice.zip"),
        str(tmp_path / "there" / "bob.zip"),
    ]
    assert not home.bundles.exists()


def test_an_unknown_user_is_an_error_before_anything_is_made(
    run: Run, home: Home, alice: str
) -> None:
    result = run("bundle", alice, "mallory")
    assert result.exit_code == 1
    assert re.match(r"error: .*'mallory'", result.stderr)
    assert result.stdout == ""
    assert not home.bundles.exists()


def test_a_host_that_the_certificate_lacks_is_an_error(run: Run, home: Home, alice: str) -> None:
    text = home.settings.read_text()
    home.settings.write_text(text.replace('"vpn.example.com"', '"other.example.com"', 1))
    result = run("bundle", alice)
    assert result.exit_code == 1
    assert "0x800B010F" in result.stderr
    assert not home.bundles.exists()


def test_a_connection_that_windows_refuses_is_an_error(run: Run, home: Home, alice: str) -> None:
    text = re.sub(r"(?m)^connection = .*$", 'connection = "a/b"', home.settings.read_text())
    home.settings.write_text(text)
    result = run("bundle", alice)
    assert result.exit_code == 2
    assert "cannot be the name of a connection" in result.stderr


def test_a_disabled_user_is_mentioned(run: Run, alice: str, store: Store) -> None:
    users.set_enabled(store, [alice], False)
    result = run("bundle", alice)
    assert result.exit_code == 0
    assert "warning: 'alice' is disabled" in result.stderr

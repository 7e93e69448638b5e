"""sstpca server routeros."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.hashes import SHA256

from sstpca.authority.identity import load_server_certificate
from sstpca.cli import ask
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.ppp.mschapv2 import nt_hash
from sstpca.store import Store, logins, users

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]

STEM = "sstpca-vpn-example-com"
FILES = {
    *("server.rsc", "users.rsc", "server-undo.rsc"),
    *(f"{STEM}-server.crt", f"{STEM}-server.key", f"{STEM}-ca.crt"),
}


@pytest.fixture
def home(usual_home: Home) -> Home:
    """RouterOS wants RSA."""
    return usual_home


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder, where what has no name of its own is written."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def people(store: Store, sealer: Sealer) -> None:
    for name in ("alice", "bob", "carol"):
        users.add(store, sealer, name, f"the password of {name}")
    users.set_enabled(store, ["carol"], False)


def hashes(store: Store, sealer: Sealer) -> list[bytes]:
    found = [logins.login(store, sealer, name) for name in ("alice", "bob", "carol")]
    return [one.nt_hash for one in found if one is not None]


@pytest.mark.usefixtures("people")
def test_a_folder_for_the_router(
    home: Home, run: Run, store: Store, sealer: Sealer, elsewhere: Path
) -> None:
    before = hashes(store, sealer)
    result = run("server", "routeros")
    assert (result.exit_code, result.stdout) == (0, "routeros-server\n"), result.output
    folder = elsewhere / "routeros-server"
    assert {path.name for path in folder.iterdir()} == FILES
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for secret in (f"{STEM}-server.key", "users.rsc"):
        assert stat.S_IMODE((folder / secret).stat().st_mode) == 0o600
    script = (folder / "users.rsc").read_text()
    assert '"alice"' in script
    assert "carol" not in script  # is disabled
    fingerprint = load_server_certificate(home).fingerprint
    assert fingerprint(SHA256()).hex() in (folder / "server.rsc").read_text()
    assert hashes(store, sealer) == before
    assert "write the users' passwords into users.rsc" in result.stderr


@pytest.mark.usefixtures("people")
def test_new_passwords_are_printed_and_count_here_as_well(
    run: Run, store: Store, sealer: Sealer, elsewhere: Path
) -> None:
    before = hashes(store, sealer)
    result = run("server", "routeros", "--new-passwords", "--yes", "--output", "r")
    assert result.exit_code == 0, result.output
    path, _, *rows = result.stdout.splitlines()
    passwords = dict(row.split() for row in rows)
    assert (path, list(passwords)) == ("r", ["alice", "bob"])
    script = (elsewhere / "r" / "users.rsc").read_text()
    assert all(password in script for password in passwords.values())
    after = hashes(store, sealer)
    assert after[:2] == [nt_hash(password) for password in passwords.values()]
    assert after[2] == before[2]


@pytest.mark.usefixtures("people")
def test_nobody_loses_a_password_by_accident(
    run: Run,
    store: Store,
    sealer: Sealer,
    elsewhere: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = hashes(store, sealer)
    monkeypatch.setattr(ask, "interactive", lambda: True)
    result = run("server", "routeros", "--new-passwords", stdin="n\n")
    assert result.exit_code != 0
    assert "nothing was changed" in result.stderr
    (elsewhere / "r").write_text("mine")
    arguments = ("server", "routeros", "--new-passwords", "--yes", "--output", "r")
    assert "exists already" in refused(run(*arguments), 1)
    assert (elsewhere / "r").read_text() == "mine"
    assert hashes(store, sealer) == before


def test_without_users_there_is_nothing_to_write(
    run: Run, elsewhere: Path, refused: Refused
) -> None:
    assert "no users" in refused(run("server", "routeros"), 1)
    assert list(elsewhere.iterdir()) == []

"""sstpca status: one screen, and what needs attention."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from ipaddress import IPv4Address

import pytest
from click.testing import Result

from sstpca import __version__
from sstpca.authority import backup_folder
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, FailedLogin
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, profiles, users
from tests.conftest import Run

Refused = Callable[[Result, int], str]


def rows(text: str) -> dict[str, str]:
    """Return what stands behind each label."""
    lines = text.split("\n\n")[0].splitlines()[1:]
    return {line[:14].strip(): line[14:] for line in lines}


def test_a_new_home(run: Run) -> None:
    result = run("status")
    assert result.exit_code == 0
    found = rows(result.stdout)
    assert found["server"].startswith("does not run; sstpca --home ")
    assert found["sessions"] == "0 now, 0 begun in the last 24 hours"
    assert found["addresses"] == "default: 0 of 241 in use (0 %)"
    assert found["locked out"] == "none"
    assert found["backup"].startswith("none is known of")
    assert " days left, until 20" in found["certificate"]
    assert result.stdout.endswith("\n\nnothing needs attention\n")


def test_a_server_that_runs(run: Run, home: Home) -> None:
    store, backend = Store.open(home.database), StoreBackend(home)
    user = users.add(store, Sealer.load(home), "alice", "correct horse")
    about = {"pid": 4711, "started": time.time() - 7200, "version": __version__, "workers": 1}
    where = {"listen": ["0.0.0.0", "::"], "port": 443}
    with home.serving(about | where), backend.join(os.getpid()) as (directory, sessions):
        account = Account(user.id, user.name, True)
        lease = sessions.promise(account, peer="203.0.113.9:1", client="x")
        assert lease is not None
        assert sessions.bind(lease.session, "sstp1") == ""
        sessions.failed([FailedLogin(time.time(), "", "203.0.113.9", "", "9 more", 9)])
        for _ in range(10):
            directory.attempt("alice", "203.0.113.9", right=False)
        result = run("status")
        machine = json.loads(run("status", "--json").stdout)
    found = rows(result.stdout)
    assert result.exit_code == 0, result.stdout
    assert found["server"].startswith("runs since ")
    assert "(2 hours), sstpca" in found["server"]
    assert found["server"].endswith("1 of 1 workers, TCP 443 of 0.0.0.0 and ::")
    assert found["sessions"] == "1 now, 1 begun in the last 24 hours"
    assert found["failed logins"].startswith("9 in the last 24 hours; sstpca")
    assert found["locked out"].startswith("1; sstpca")
    assert (machine["server"]["pid"], machine["sessions"], machine["attention"]) == (4711, 1, [])
    assert machine["pools"]["default"] == {"addresses": 241, "used": 1}


def test_what_needs_attention(run: Run, home: Home) -> None:
    store = Store.open(home.database)
    user = users.add(store, Sealer.load(home), "alice", "correct horse")
    first = IPv4Address("10.99.0.10")
    profiles.change(store, "default", pools=((first, first),))
    home.last_backup.write_text(json.dumps({"file": "/b", "made": time.time() - 9 * 86_400}))
    assert backup_folder.last(home) is not None
    about = {"pid": 1, "version": "0.0.1", "workers": 2}
    with home.serving(about), StoreBackend(home).join(os.getpid()) as (_, sessions):
        account = Account(user.id, user.name, True)
        assert sessions.promise(account, peer="x", client="") is not None
        home.server_identity.unlink()
        result = run("status")
        machine = json.loads(run("status", "--json").stdout)
    assert result.exit_code == 1
    said = [(one["urgency"], one["what"]) for one in machine["attention"]]
    assert [urgency for urgency, _ in said] == ["wrong"] * 3 + ["due"] * 2
    words = " ".join(what for _, what in said)
    for what in (
        "server.pem is missing",
        "of 2 workers, 1 have been heard of lately",
        "of the 1 addresses of 'default', 1 are in use",
        "the server that runs is sstpca 0.0.1",
        "the last backup was made 9 days ago",
    ):
        assert what in words
    for one in machine["attention"]:
        assert one["fix"]
        assert f"\n{one['urgency']}: " in result.stdout
        assert f"\n  {one['fix']}\n" in result.stdout


def test_a_note_of_a_server_that_is_none(run: Run, home: Home) -> None:
    """A killed one leaves its note; and whatever is in it, the screen is there."""
    (home.root / "serve.lock").write_text('{"pid": 7, "started": 1.0}')
    assert rows(run("status").stdout)["server"].startswith("does not run")
    for text in ("", "[]", "{", '{"pid": [], "started": "x", "listen": 7, "port": "x"}'):
        with home.serving():
            (home.root / "serve.lock").write_text(text)
            assert rows(run("status").stdout)["server"] == "runs"


def test_no_database(run: Run, home: Home, refused: Refused) -> None:
    home.database.unlink()
    assert refused(run("status"), 1).endswith("is missing")


def test_a_database_of_somebody_else(run: Run, home: Home, refused: Refused) -> None:
    home.database.unlink()
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("CREATE TABLE x (y)")
    assert "is not a database of sstpca" in refused(run("status"), 1)


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("NO_COLOR", False)])
def test_a_terminal_of_80_columns(home: Home, variable: str, coloured: bool) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"} | (
        {variable: "1"} if variable else {}
    )
    command = [sys.executable, "-P", "-m", "sstpca", "--home", str(home.root), "status"]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    said = b""
    while True:
        try:
            piece = os.read(leader, 65_536)
        except OSError:  # how a terminal says that nobody writes any more
            break
        said += piece
    os.close(leader)
    assert process.wait() == 0
    assert (b"\x1b[32m" in said) is coloured
    assert (b"\x1b" in said) is coloured
    lines = said.decode().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    # the head has the home's path, which may be long
    assert max(map(len, lines[1:])) <= 80

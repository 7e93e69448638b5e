"""sstpca service, and serve --check."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sstpca.home import Home
from sstpca.server.net.presence import present
from sstpca.serving import checks
from sstpca.serving.server import table_of
from tests.conftest import Run
from tests.support.steps import tree

Refused = Callable[[Result, int], str]


@pytest.fixture
def free(home: Home) -> int:
    """A port that is nobody's, and that of the home."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    text = home.settings.read_text().replace("port = 443", f"port = {port}")
    home.settings.write_text(text.replace('["0.0.0.0", "::"]', '["127.0.0.1"]'))
    return port


def found(result: Result) -> dict[str, dict[str, str]]:
    return {one["check"]: one for one in json.loads(result.stdout)}


@pytest.mark.parametrize("kind", ["systemd", "sysvinit"])
def test_a_dry_run_shows_everything_and_writes_nothing(home: Home, run: Run, kind: str) -> None:
    if os.geteuid():
        pytest.skip("needs root (a home of root's)")
    before = tree(home.root)
    result = run("service", "install", "--dry-run", "--init", kind)
    assert result.exit_code == 0, result.stderr
    assert str(home.root) in result.stdout
    assert "cert renew --due 30d" in result.stdout.replace('"', "")
    assert "ca backup" in result.stdout.replace('"', "")
    assert "nothing was changed" in result.stderr
    after = tree(home.root)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() <= {"sstpca.db-shm", "sstpca.db-wal"}


def test_a_key_with_a_passphrase_is_spoken_of(home: Home, run: Run) -> None:
    if os.geteuid():
        pytest.skip("needs root (a home of root's)")
    result = run("service", "install", "--dry-run")
    assert "passphrase of ca.key" not in result.stderr
    home.ca_key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    result = run("service", "install", "--dry-run")
    assert "warning: the renewal timer does not know the passphrase of ca.key" in result.stderr


def test_nothing_is_written_where_it_would_not_start(
    home: Home, run: Run, free: int, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    if os.geteuid():
        pytest.skip("needs root (to install a service)")
    monkeypatch.setattr(checks, "_TUN", home.root / "none")
    assert "the server would not start: " in refused(run("service", "install"), 1)
    with present(table_of(home)):
        line = refused(run("service", "install"), 1)
    assert line == f"a server runs for the home {home.root} already, and not as this service"
    assert not (home.root / "backup.passphrase").exists()


def test_only_root_installs(run: Run, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("sstpca.disk.guard._owners", lambda: {0, 1000, os.getuid()})
    assert "is root's to install" in refused(run("service", "install"), 1)
    assert "is root's to install" in refused(run("service", "uninstall"), 1)


def test_a_socket_is_systemds(run: Run, refused: Refused) -> None:
    words = ("service", "install", "--socket", "--init", "sysvinit")
    assert refused(run(*words), 2) == "--socket is for systemd"


def test_status_where_nothing_is_installed(run: Run) -> None:
    if os.geteuid():
        pytest.skip("needs root (a home of root's)")
    result = run("service", "status", "--init", "sysvinit", "--json")
    assert result.exit_code == 3
    parts = json.loads(result.stdout)
    assert [part["part"] for part in parts] == ["server", "renewal", "backup"]
    assert not any(part["installed"] or part["running"] for part in parts)
    assert run("service", "status", "--init", "sysvinit").stdout.count("not installed") == 3


def test_check_changes_nothing(home: Home, run: Run, free: int) -> None:
    before = tree(home.root)
    result = run("serve", "--check", "--json")
    said = found(result)
    assert said["settings"]["state"] == said["certificate"]["state"] == "good"
    assert said["database"]["state"] == said["database key"]["state"] == "good"
    assert said[f"127.0.0.1 port {free}"] == {
        "check": f"127.0.0.1 port {free}",
        "state": "good",
        "found": "it is free",
        "remedy": "",
    }
    assert tree(home.root) == before
    wrong = any(one["state"] == "wrong" for one in said.values())
    assert result.exit_code == int(wrong)
    assert run("serve", "--check").stdout.startswith("CHECK ")


def test_check_tells_our_own_server_from_others(home: Home, run: Run, free: int) -> None:
    name = f"127.0.0.1 port {free}"
    with socket.create_server(("127.0.0.1", free)):
        taken = run("serve", "--check", "--json")
        assert taken.exit_code == 1
        assert found(taken)[name]["state"] == "wrong"
        assert f"(process {os.getpid()}) listens there" in found(taken)[name]["found"]
        assert "stop that program" in found(taken)[name]["remedy"]
        with present(table_of(home)):
            ours = found(run("serve", "--check", "--json"))
            assert ours[name]["found"] == "this home's own server listens there"
            assert ours["server"]["found"] == "one runs for this home"


def test_check_goes_on_after_what_is_wrong(home: Home, run: Run, free: int) -> None:
    home.server_identity.unlink()
    home.database.write_bytes(b"nothing of ours")
    home.database_key.unlink()
    result = run("serve", "--check", "--json")
    said = found(result)
    assert result.exit_code == 1
    wrong = {name for name, one in said.items() if one["state"] == "wrong"}
    assert {"certificate", "database", "database key"} <= wrong
    assert said["certificate"]["remedy"].endswith("cert rekey server")
    home.settings.write_text("[server]\nprot = 1\n")
    said = found(run("serve", "--check", "--json"))
    assert said["settings"]["state"] == "wrong"
    assert not any("port" in name for name in said)


def test_check_without_what_a_server_needs(
    run: Run, free: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checks, "_TUN", tmp_path / "none")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    off = tmp_path / "off"
    off.write_text("0\n")
    monkeypatch.setattr(checks, "_FORWARDING", off)
    monkeypatch.setattr(checks, "_SWITCHES", tmp_path / "read-only")
    said = found(run("serve", "--check", "--json"))
    for name in ("TUN", "nft", "forwarding"):
        assert said[name]["state"] == "wrong", name
        assert said[name]["remedy"]


def test_json_is_for_the_check(run: Run, refused: Refused) -> None:
    assert "--json is for --check" in refused(run("serve", "--json"), 2)

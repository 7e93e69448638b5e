"""Backups in a folder: dated, so many kept, and nothing lost when one cannot be made."""

import errno
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca import settings
from sstpca.authority import backup_folder, sealed
from sstpca.authority.backup import restore
from sstpca.authority.backup_folder import Kept, LastBackup, add, last
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.store import Store
from tests.conftest import Run

PASSPHRASE = b"correct horse"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SCRYPT_N", 1 << 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "below" / "backups"


def save(home: Home, folder: Path, keep: int) -> Kept:
    store = Store.open(home.database)
    try:
        said = settings.load(home.settings)
        return add(home, store, folder, PASSPHRASE, keep=keep, settings=said)
    finally:
        store.close()


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_each_can_be_restored_and_the_last_ones_stay(
    home: Home, folder: Path, tmp_path: Path
) -> None:
    made = []
    for number in range(5):
        (home.root / "note").write_text(f"as of backup {number}")
        made.append(save(home, folder, keep=3))
        again = tmp_path / f"again{number}"
        restore(made[-1].path, again, PASSPHRASE)
        assert (again / "note").read_text() == f"as of backup {number}"
        assert not (again / "last-backup.json").exists()
    assert names(folder) == [one.path.name for one in made[2:]]
    assert [one.removed for one in made] == [(), (), (), (made[0].path,), (made[1].path,)]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.path.stat().st_mode) for one in made[2:]} == {0o600}
    # the first of them has the time in its name, those of the same second the next ones
    assert made[0].path.name.startswith(f"vpn.example.com-{datetime.now(UTC):%Y-%m-}")


def test_what_is_no_whole_backup_of_ours_is_neither_counted_nor_removed(
    home: Home, folder: Path
) -> None:
    save(home, folder, keep=9)
    others = {
        "vpn.example.com-2020-01-01T00-00-00Z.backup": b"",
        "vpn.example.com-2020-01-02T00-00-00Z.backup": sealed.MAGIC,
        "other.example.com-2020-01-01T00-00-00Z.backup": sealed.MAGIC + bytes(200),
        "vpn.example.com-2020-01-01.backup": sealed.MAGIC + bytes(200),
        "thesis.odt": b"thesis",
    }
    for name, content in others.items():
        (folder / name).write_bytes(content)
    (folder / "vpn.example.com-2020-01-03T00-00-00Z.backup").symlink_to(folder / "thesis.odt")
    (folder / "vpn.example.com-2020-01-04T00-00-00Z.backup").mkdir()
    kept = save(home, folder, keep=1)
    assert len(kept.removed) == 1
    assert set(others) <= set(names(folder))
    assert len(names(folder)) == len(others) + 3


def test_a_clock_that_was_put_back_costs_no_new_backup(home: Home, folder: Path) -> None:
    save(home, folder, keep=2)
    future = folder / "vpn.example.com-2999-01-01T00-00-00Z.backup"
    future.write_bytes(sealed.MAGIC + bytes(200))
    kept = save(home, folder, keep=1)
    assert kept.path.exists()
    assert names(folder) == [kept.path.name]


def test_what_a_killed_run_left_goes(home: Home, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in (".vpn.example.com-2026-11-30T12-05-.abcd_12x", ".vpn.example.com-notes.abcdefgh"):
        (folder / name).write_bytes(b"half")
    kept = save(home, folder, keep=2)
    assert names(folder) == [".vpn.example.com-notes.abcdefgh", kept.path.name]


def test_a_full_disk_leaves_the_older_ones_alone(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(home, folder, keep=1)
    before, noted = names(folder), last(home)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sealed.Sealing, "write", full)
    with pytest.raises(SstpcaError, match=r"cannot write .*: No space left on device"):
        save(home, folder, keep=1)
    assert (names(folder), last(home)) == (before, noted)


def test_one_that_cannot_be_read_back_does_not_count(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(home, folder, keep=1)
    before, seal = names(folder), sealed.Sealing.seal

    def broken(sealing: Any) -> None:
        seal(sealing)
        sealing._file.seek(-1, os.SEEK_END)
        sealing._file.write(b"?")

    monkeypatch.setattr(sealed.Sealing, "seal", broken)
    with pytest.raises(SstpcaError, match="damaged"):
        save(home, folder, keep=1)
    assert names(folder) == before


def test_when_the_last_one_was_made(home: Home, folder: Path) -> None:
    assert last(home) is None
    kept = save(home, folder, keep=1)
    found = last(home)
    assert isinstance(found, LastBackup)
    assert found.path == kept.path
    assert abs(found.made - kept.path.stat().st_mtime) < 60
    for damaged in (b"", b"[]", b"{}", b'{"file": "x", "made": null}', b"\xff"):
        home.last_backup.write_bytes(damaged)
        assert last(home) is None


def test_the_command_as_the_timer_runs_it(home: Home, run: Run, folder: Path) -> None:
    text = home.settings.read_text()
    for key, value in (("folder", folder), ("passphrase_file", "secret.txt")):
        text = text.replace(f'{key} = ""', f"{key} = {json.dumps(str(value))}")
    home.settings.write_text(text.replace("keep = 14", "keep = 2"))
    secret = home.root / "secret.txt"
    missing = run("ca", "backup")
    assert missing.exit_code == 1
    assert f"there is no {secret} with a passphrase" in missing.stderr
    secret.write_text("correct horse\n")
    secret.chmod(0o640)
    refused = run("ca", "backup")
    assert "other users may read" in refused.stderr
    assert "chmod 600" in refused.stderr
    assert not folder.exists()
    secret.chmod(0o600)
    first, second, third = (run("ca", "backup") for _ in range(3))
    assert (first.exit_code, second.exit_code, third.exit_code) == (0, 0, 0), third.stderr
    assert "removed the oldest: vpn.example.com-" in third.stderr
    assert len(names(folder)) == 2


def test_the_command_with_a_folder(home: Home, run: Run, folder: Path, tmp_path: Path) -> None:
    given = ("--passphrase-file", str(tmp_path / "secret"))
    (tmp_path / "secret").write_text("correct horse")
    assert run("ca", "backup", str(folder), "--keep", "1", *given).exit_code == 0
    again = run("ca", "backup", str(folder), *given)
    assert again.exit_code == 2
    assert again.stderr.splitlines()[0] == f"error: {folder} is a folder"
    assert run("ca", "backup", "--force").exit_code == 2
    (tmp_path / "file").touch()
    wrong = run("ca", "backup", str(tmp_path / "file"), "--keep", "1", *given)
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (1, 1)
    assert f"cannot make the folder {tmp_path / 'file'}: File exists" in wrong.stderr


def test_by_default_each_home_has_a_folder_of_its_own(home: Home) -> None:
    said = settings.load(home.settings)
    assert backup_folder.folder_of(home, said) == Path("/var/backups/sstpca") / home.label


@given(st.lists(st.text(st.sampled_from("a-_ /é%"), min_size=1), min_size=2, unique=True))
def test_labels_tell_homes_apart(paths: list[str]) -> None:
    homes = {Path("/srv", path.strip("/") or "x").resolve() for path in paths}
    labels = {Home(one).label for one in homes}
    assert len(labels) == len(homes)
    for one in labels:
        assert one.replace("-", "").replace("_", "").isalnum()
        assert one.isascii()
        assert len(one) < 140


def test_labels_of_plain_paths_are_plain() -> None:
    assert Home(Path("/srv/vpn")).label == "srv-vpn"
    assert Home(Path("/srv/my vpn")).label.startswith("srv-my-vpn-")

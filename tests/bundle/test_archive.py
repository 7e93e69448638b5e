import io
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sstpca.bundle import archive, build
from sstpca.errors import SstpcaError
from sstpca.home import Home, write_file
from sstpca.profiles import AccessProfile
from sstpca.settings import Settings
from tests.bundle.samples import user_named
from tests.support.requirements import require

OLD = {"install.ps1": b"old", "install.cmd": b"old", "ca-old.cer": b"old"}
NEW = {"install.ps1": b"new", "install.cmd": b"new", "ca-new.cer": b"new"}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def test_folder_and_zip_have_the_files(tmp_path: Path) -> None:
    made = archive.write(tmp_path / "bundles", "alice", NEW)
    assert made == tmp_path / "bundles" / "alice.zip"
    assert unzipped(made) == NEW
    assert content(tmp_path / "bundles" / "alice") == NEW


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    made = archive.write(tmp_path / "bundles", "alice", NEW)
    for path in (tmp_path / "bundles", tmp_path / "bundles" / "alice"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (made, *(tmp_path / "bundles" / "alice").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_entries_of_the_zip_are_plain_files_of_their_owner() -> None:
    with zipfile.ZipFile(io.BytesIO(archive.zipped(NEW))) as opened:
        entries = opened.infolist()
    assert [entry.filename for entry in entries] == sorted(NEW)
    for entry in entries:
        assert entry.external_attr >> 16 == stat.S_IFREG | 0o600
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_the_same_files_give_the_same_zip() -> None:
    backwards = dict(reversed(NEW.items()))
    assert archive.zipped(NEW) == archive.zipped(backwards)


def test_info_zip_finds_no_error(tmp_path: Path) -> None:
    require("unzip", root=False)
    made = archive.write(tmp_path, "alice", NEW)
    done = subprocess.run(["unzip", "-tqq", made], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to replace a folder."""
    if request.param == "two renames":
        monkeypatch.setattr(archive, "_exchange", lambda one, other: False)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_a_new_bundle_takes_the_place_of_the_old(tmp_path: Path) -> None:
    archive.write(tmp_path, "alice", OLD)
    made = archive.write(tmp_path, "alice", NEW)
    assert content(tmp_path / "alice") == NEW
    assert unzipped(made) == NEW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice", "alice.zip"]


def test_the_exchange_is_there_where_tests_run(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "of one").touch()
    assert archive._exchange(one, other)
    assert [path.name for path in other.iterdir()] == ["of one"]


def test_a_run_that_dies_leaves_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.write(tmp_path, "alice", OLD)
    real = write_file
    for deadly in range(1, len(NEW) + 2):
        writes = 0

        def dying(*arguments: Any, last: int = deadly) -> None:
            nonlocal writes
            writes += 1
            if writes == last:
                raise KeyboardInterrupt
            real(*arguments)

        monkeypatch.setattr("sstpca.bundle.archive.write_file", dying)
        with pytest.raises(KeyboardInterrupt):
            archive.write(tmp_path, "alice", NEW)
        # the zip is written last, when the folder is new
        assert content(tmp_path / "alice") == (OLD if deadly <= len(NEW) else NEW)
        assert unzipped(tmp_path / "alice.zip") == OLD
    monkeypatch.setattr("sstpca.bundle.archive.write_file", real)
    archive.write(tmp_path, "alice", NEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice", "alice.zip"]


def test_a_folder_that_is_no_bundle_stays(tmp_path: Path) -> None:
    mine = tmp_path / "alice" / "thesis.odt"
    mine.parent.mkdir()
    mine.write_bytes(b"years of work")
    with pytest.raises(SstpcaError, match="is not a bundle"):
        archive.write(tmp_path, "alice", NEW)
    (tmp_path / "alice" / "install.ps1").touch()
    with pytest.raises(SstpcaError, match="is not a bundle"):
        archive.write(tmp_path, "alice", NEW)
    assert mine.read_bytes() == b"years of work"
    assert not (tmp_path / "alice.zip").exists()


def test_a_zip_that_is_no_bundle_stays(tmp_path: Path) -> None:
    (tmp_path / "alice.zip").write_bytes(b"photographs")
    with pytest.raises(SstpcaError, match="is not a bundle"):
        archive.write(tmp_path, "alice", NEW)
    assert (tmp_path / "alice.zip").read_bytes() == b"photographs"
    assert not (tmp_path / "alice").exists()


@pytest.mark.parametrize("name", ["alice", "alice.zip"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    archive.write(elsewhere, "alice", OLD)
    here = tmp_path / "here"
    here.mkdir()
    (here / name).symlink_to(elsewhere / name)
    with pytest.raises(SstpcaError, match="is not a bundle"):
        archive.write(here, "alice", NEW)
    assert content(elsewhere / "alice") == OLD


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SstpcaError, match="cannot write bundles in"):
        archive.write(tmp_path / "file", "alice", NEW)


def test_build_makes_it_all(
    tmp_path: Path, settings: Settings, profile: AccessProfile, authority: Any
) -> None:
    home = Home(tmp_path)
    made = build(home, settings, user_named("Zo\u00eb O'Hara"), profile, authority)
    assert made == home.bundles / "Zo\u00eb O'Hara.zip"
    first = made.read_bytes()
    assert set(unzipped(made)) == {
        *("install.cmd", "install.ps1", "uninstall.cmd", "uninstall.ps1", "index.html"),
        "ca-vpn-example-com-VPN-authority.cer",
    }
    build(home, settings, user_named("Zo\u00eb O'Hara"), profile, authority)
    assert made.read_bytes() == first

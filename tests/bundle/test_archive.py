import io
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sstpca.bundle import archive
from sstpca.errors import SstpcaError
from tests.support.requirements import require

SUM = "0" * 64


def listed(**files: bytes) -> dict[str, bytes]:
    """Return ``files`` with their list, as bundles have it."""
    return files | {"SHA256SUMS": "".join(f"{SUM}  {name}\n" for name in files).encode()}


OLD = listed(**{"install.ps1": b"old", "install.cmd": b"old", "ca-old.cer": b"old"})
NEW = listed(**{"install.ps1": b"new", "install.cmd": b"new", "linux/peer": b"new"})


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


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
    found = [tmp_path / "bundles", *(tmp_path / "bundles").rglob("*")]
    assert made in found
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


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


@pytest.mark.parametrize("deadly", [1, 2])
def test_a_run_that_dies_leaves_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deadly: int
) -> None:
    """The zip is written last, when the folder is new."""
    archive.write(tmp_path, "alice", OLD)
    with monkeypatch.context() as patch:
        patch.setattr(archive, ("write_files", "write_file")[deadly - 1], _dying)
        with pytest.raises(KeyboardInterrupt):
            archive.write(tmp_path, "alice", NEW)
    assert content(tmp_path / "alice") == (OLD if deadly == 1 else NEW)
    assert unzipped(tmp_path / "alice.zip") == OLD
    archive.write(tmp_path, "alice", NEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice", "alice.zip"]


def _dying(*_arguments: Any) -> None:
    raise KeyboardInterrupt


BEFORE = {"install.ps1", "install.cmd", "uninstall.ps1", "uninstall.cmd", "index.html", "ca.cer"}


def test_a_bundle_from_before_the_list_is_one(tmp_path: Path) -> None:
    (tmp_path / "alice").mkdir()
    for name in BEFORE:
        (tmp_path / "alice" / name).touch()
    (tmp_path / "alice.zip").write_bytes(archive.zipped(dict.fromkeys(BEFORE, b"")))
    archive.write(tmp_path, "alice", NEW)
    assert content(tmp_path / "alice") == NEW


def test_a_folder_that_is_no_bundle_stays(tmp_path: Path) -> None:
    mine = tmp_path / "alice" / "thesis.odt"
    mine.parent.mkdir()
    mine.write_bytes(b"years of work")
    with pytest.raises(SstpcaError, match="is not a bundle"):
        archive.write(tmp_path, "alice", NEW)
    (tmp_path / "alice" / "SHA256SUMS").touch()
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

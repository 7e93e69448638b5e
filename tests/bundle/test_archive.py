import errno
import io
import stat
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sstpca.bundle import archive
from sstpca.disk import folders, sync
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
    made = archive.write(tmp_path / "bundles", "alice", NEW).path
    assert made == tmp_path / "bundles" / "alice.zip"
    assert unzipped(made) == NEW
    assert content(tmp_path / "bundles" / "alice") == NEW


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    made = archive.write(tmp_path / "bundles", "alice", NEW).path
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


@pytest.mark.parametrize("command", [("unzip", "-tqq"), ("7z", "t", "-bso0", "-bsp0")])
def test_other_programs_find_no_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    require(command[0], root=False)
    made = archive.write(tmp_path, "alice", NEW).path
    done = subprocess.run([*command, made], check=False, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("command", [("unzip", "-q", "-d"), ("7z", "x", "-bso0", "-bsp0", "-o")])
def test_other_programs_get_the_files_out(tmp_path: Path, command: tuple[str, ...]) -> None:
    require(command[0], root=False)
    made = archive.write(tmp_path, "alice", NEW).path
    out = tmp_path / "out"
    *options, where = command
    target = [f"{where}{out}"] if where == "-o" else [where, str(out)]
    arguments = [*options, *target, str(made)] if where == "-o" else [*options, str(made), *target]
    subprocess.run(arguments, check=True)
    assert content(out) == NEW


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to replace a folder."""
    if request.param == "two renames":
        monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_a_new_bundle_takes_the_place_of_the_old(tmp_path: Path) -> None:
    archive.write(tmp_path, "alice", OLD)
    made = archive.write(tmp_path, "alice", NEW).path
    assert content(tmp_path / "alice") == NEW
    assert unzipped(made) == NEW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice", "alice.zip"]


@pytest.mark.parametrize(
    "deadly", ["folders.create", "sync.everything", "folders.put_in_place", "sync.names"]
)
def test_a_run_that_dies_leaves_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deadly: str
) -> None:
    archive.write(tmp_path, "alice", OLD)
    with monkeypatch.context() as patch:
        patch.setattr(f"sstpca.disk.{deadly}", _dying)
        with pytest.raises(KeyboardInterrupt):
            archive.write(tmp_path, "alice", NEW)
    left = NEW if deadly == "sync.names" else OLD
    assert content(tmp_path / "alice") == left
    assert unzipped(tmp_path / "alice.zip") == left
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice", "alice.zip"]


def _dying(*_arguments: Any) -> None:
    raise KeyboardInterrupt


def test_what_a_killed_run_has_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".sstpca-bundle-x" / "alice"
    left.mkdir(parents=True)
    archive.write(tmp_path, "bob", NEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bob", "bob.zip"]


@pytest.mark.usefixtures("way")
def test_some_are_put_in_place_together(tmp_path: Path) -> None:
    """Whatever their names are: in the folder of one batch they must not meet."""
    names = ["a", "a-old", "b"]
    for name in names:
        archive.write(tmp_path, name, OLD)
    with archive.holding(tmp_path), archive.writing(tmp_path) as batch:
        for name in names:
            batch.add(name, NEW)
        assert content(tmp_path / "a") == OLD
        written = batch.put_in_place()
    assert list(written) == names
    for name in names:
        assert content(tmp_path / name) == NEW
        assert written[name].sha256 == sha256((tmp_path / f"{name}.zip").read_bytes()).hexdigest()
    assert len(list(tmp_path.iterdir())) == 2 * len(names)


def test_one_that_is_refused_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "alice.zip").write_bytes(b"photographs")
    with archive.holding(tmp_path), archive.writing(tmp_path) as batch:
        with pytest.raises(SstpcaError, match="is not a bundle"):
            batch.add("alice", NEW)
        batch.add("bob", NEW)
        assert list(batch.put_in_place()) == ["bob"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice.zip", "bob", "bob.zip"]


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sync, "everything", full)
    with pytest.raises(SstpcaError, match="No space left on device"):
        archive.write(tmp_path, "alice", NEW)
    assert list(tmp_path.iterdir()) == []


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


def of_a_later_version() -> bytes:
    """A zip that says it takes version 9.9 of the format to read it."""
    content = bytearray(archive.zipped(NEW))
    content[content.index(b"PK\1\2") + 6] = 99
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"photographs", id="no-zip"),
        pytest.param(archive.zipped(NEW)[:-30], id="half"),
        pytest.param(of_a_later_version(), id="later"),
        pytest.param(archive.zipped({"photographs": b""}), id="other"),
    ],
)
def test_a_zip_that_is_no_bundle_stays(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "alice.zip").write_bytes(content)
    with pytest.raises(SstpcaError, match="is not a bundle"):
        archive.write(tmp_path, "alice", NEW)
    assert (tmp_path / "alice.zip").read_bytes() == content
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

"""Folders: made beside their place, and swapped into it."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sstpca.disk import folders
from sstpca.disk.folders import write_new_folder
from sstpca.errors import SstpcaError
from tests.support.steps import STEPS_MAX, failing_at, tree

FOLDER = {"a.crt": (b"certificate", 0o644), "a.key": (b"key", 0o600)}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(params=["exchange", "three renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to replace a folder."""
    if request.param == "three renames":
        monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    return str(request.param)


def test_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "new"
    write_new_folder(target, FOLDER)
    assert tree(target) == {"a.crt": b"certificate", "a.key": b"key"}
    assert [mode_of(path) for path in (target, target / "a.crt", target / "a.key")] == [
        0o700,
        0o644,
        0o600,
    ]
    with pytest.raises(SstpcaError, match="exists already"):
        write_new_folder(target, FOLDER)


def test_force_replaces_a_folder_of_the_same_files_only(tmp_path: Path) -> None:
    target = tmp_path / "there"
    write_new_folder(target, FOLDER)
    write_new_folder(target, FOLDER | {"a.key": (b"new", 0o600)}, force=True)
    assert tree(tmp_path) == {"there": None, "there/a.crt": b"certificate", "there/a.key": b"new"}
    (target / "mine").write_text("mine")
    with pytest.raises(SstpcaError, match="has other files in it"):
        write_new_folder(target, FOLDER, force=True)
    assert (target / "mine").read_text() == "mine"
    assert (target / "a.key").read_text() == "new"


def test_force_does_not_replace_a_file_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(SstpcaError, match="cannot write"):
        write_new_folder(tmp_path / "there", FOLDER, force=True)
    assert tree(tmp_path) == {"there": b"mine"}


def test_a_folder_that_cannot_be_swapped_stays(tmp_path: Path) -> None:
    target = tmp_path / "there"
    write_new_folder(target, FOLDER)
    before = tree(tmp_path)
    for number in range(STEPS_MAX):
        with failing_at(number, full):
            try:
                write_new_folder(target, FOLDER, force=True)
            except SstpcaError:
                assert tree(tmp_path) == before
            else:
                break
    assert tree(tmp_path) == before


def test_the_exchange_is_there_where_tests_run(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "of one").touch()
    assert folders.exchange(one, other)
    assert [path.name for path in other.iterdir()] == ["of one"]


@pytest.mark.usefixtures("way")
def test_what_was_in_the_place_has_the_other_name(tmp_path: Path) -> None:
    for name in ("made", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of {name}").touch()
    folders.put_in_place(tmp_path / "made", tmp_path / "place")
    assert tree(tmp_path).keys() == {"made", "made/of place", "place", "place/of made"}


def test_one_aside_is_gone_in_the_end_and_free_for_nobody_before(tmp_path: Path) -> None:
    with folders.aside(tmp_path, ".x-") as made:
        assert mode_of(made) == 0o700
        assert not list(folders.left(tmp_path, ".x-"))
        (made / "file").touch()
    assert tree(tmp_path) == {}


LEAVE = """
import os, pathlib, sys
from sstpca.disk import folders
with folders.aside(pathlib.Path(sys.argv[1]), ".x-"):
    os._exit(0)
"""


def test_what_a_killed_run_left_is_found(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVE, str(tmp_path)], check=True)
    (tmp_path / ".x-file").touch()
    (tmp_path / ".x-link").symlink_to(tmp_path)
    (tmp_path / ".y-other").mkdir()
    (found,) = folders.left(tmp_path, ".x-")
    assert found.name.startswith(".x-")
    assert found.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes a folder of another user")
def test_a_folder_of_somebody_else_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / ".x-theirs").mkdir()
    os.chown(tmp_path / ".x-theirs", 12345, 12345)
    assert not list(folders.left(tmp_path, ".x-"))


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    folders.remove(tmp_path / "none")
    (tmp_path / "link").symlink_to(tmp_path)
    folders.remove(tmp_path / "link")
    (tmp_path / "folder" / "in it").mkdir(parents=True)
    folders.remove(tmp_path / "folder")
    assert tree(tmp_path) == {}
    (tmp_path / "file").touch()
    with pytest.raises(SstpcaError, match="cannot remove"):
        folders.remove(tmp_path / "file" / "below")


def test_a_folder_that_is_there_or_not(tmp_path: Path) -> None:
    for _ in range(2):
        folders.make_folder(tmp_path / "new")
        assert mode_of(tmp_path / "new") == 0o700
    with pytest.raises(SstpcaError, match="cannot make the folder"):
        folders.make_folder(tmp_path / "none" / "new")

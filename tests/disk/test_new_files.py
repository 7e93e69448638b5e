"""Files for others: whole or not at all, and never over one that is there."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sstpca.disk import new_files
from sstpca.disk.new_files import write_new, write_new_folder
from sstpca.errors import SstpcaError
from tests.support.steps import STEPS_MAX, failing_at, tree

FOLDER = {"a.crt": (b"certificate", 0o644), "a.key": (b"key", 0o600)}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_new_file(tmp_path: Path, mode: int) -> None:
    write_new(tmp_path / "new", b"content", mode)
    assert tree(tmp_path) == {"new": b"content"}
    assert mode_of(tmp_path / "new") == mode


@pytest.mark.parametrize("kind", ["file", "dangling link", "folder"])
def test_what_is_there_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    match kind:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SstpcaError, match="exists already") as caught:
        write_new(path, b"content", 0o600)
    assert "--force" in caught.value.hint
    assert [one.name for one in tmp_path.iterdir()] == ["there"]


def test_force_replaces_the_file_and_not_what_a_link_points_to(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    write_new(tmp_path / "link", b"content", 0o600, force=True)
    assert tree(tmp_path) == {"link": b"content", "mine": b"mine"}


def test_a_file_that_appears_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_files, "refuse_existing", lambda _path, force: None)
    (tmp_path / "there").write_text("mine")
    with pytest.raises(SstpcaError, match="exists already"):
        write_new(tmp_path / "there", b"content", 0o600)
    assert tree(tmp_path) == {"there": b"mine"}


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_new(tmp_path / "new", b"content", 0o600)
    with pytest.raises(SstpcaError, match="exists already"):
        write_new(tmp_path / "new", b"other", 0o600)
    assert tree(tmp_path) == {"new": b"content"}


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SstpcaError, match=r"cannot write .*none/new: No such file"):
        write_new(tmp_path / "none" / "new", b"content", 0o600)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_new(path, b"content", 0o644),
        lambda path: write_new_folder(path, FOLDER),
    ],
)
def test_a_failure_anywhere_leaves_nothing(tmp_path: Path, write: Callable[[Path], None]) -> None:
    failures, target = 0, tmp_path
    for number in range(STEPS_MAX):
        target = tmp_path / str(number) / "new"
        target.parent.mkdir()
        with failing_at(number, full) as steps:
            try:
                write(target)
            except SstpcaError as error:
                failures += 1
                assert "No space left" in str(error)
                assert tree(target.parent) == {}
            else:
                assert target.exists()
        if len(steps) <= number:
            break
    assert failures > 1
    assert [path.name for path in target.parent.iterdir()] == ["new"]


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


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

"""Files: whole or not at all, and new ones never over one that is there."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sstpca.disk import writing
from sstpca.disk.folders import write_new_folder
from sstpca.disk.writing import write_file, write_new
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
    monkeypatch.setattr(writing, "refuse_existing", lambda _path, force: None)
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
        lambda path: write_file(path, b"content", 0o644),
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

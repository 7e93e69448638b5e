"""Files that count together: old or new after any kill, never neither, and recovered any time."""

import contextlib
import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.disk import staged
from sstpca.disk.staged import Change, Move, pending, recover, recovering, stage, to_place
from sstpca.disk.writing import File
from sstpca.errors import SstpcaError
from tests.support.steps import STEPS_MAX, failing_at, in_a_child, kill_me, tree

NAMES = ("a", "b", "c")
Content = dict[str, bytes]


@dataclass
class Record:
    """What says which content counts, as a database does: one file, exchanged in one step."""

    path: Path
    commits: list[int] = field(default_factory=list)

    def commit(self, number: int) -> None:
        waiting = self.path.with_suffix(".next")
        waiting.write_text(str(number))
        waiting.rename(self.path)

    def number(self) -> int:
        return int(self.path.read_text()) if self.path.exists() else 0


@dataclass
class Room:
    """A folder whose files change together, each time to the content of the next number."""

    root: Path
    record: Record

    @classmethod
    def make(cls, root: Path) -> "Room":
        (root / "files").mkdir(parents=True)
        room = cls(root / "files", Record(root / "record"))
        for name, content in room.content(0).items():
            (room.root / name).write_bytes(content)
        return room

    @staticmethod
    def content(number: int) -> Content:
        return {name: f"{name}{number}".encode() for name in NAMES}

    def change(self) -> Change:
        moves = tuple(Move(pending(self.root / name), self.root / name) for name in NAMES)

        def is_recorded() -> bool:
            found = moves[-1].waiting
            wanted = self.content(self.record.number())[NAMES[-1]]
            return found.exists() and found.read_bytes() == wanted

        return Change(is_recorded, moves)

    def recover(self) -> None:
        recover(self.change())

    def write(self, number: int) -> None:
        """What a command does; the files that others read are looked at between all steps."""
        self.recover()
        stage([File(self.root / name, it, 0o600) for name, it in self.content(number).items()])
        self.record.commit(number)
        self.recover()

    def assert_whole(self) -> None:
        """Exactly the content that is recorded, and nothing else but temporary files."""
        found = tree(self.root)
        temporary = {name for name in found if name.startswith("..")}
        for name in temporary:
            (self.root / name).unlink()
        found = {name: it for name, it in found.items() if name not in temporary}
        assert found == self.content(self.record.number())


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def killed(action: Callable[[], None], at: int) -> bool:
    """Return whether ``action`` was killed at its step of that number, and not at its end."""

    def child() -> None:
        with failing_at(at, kill_me):
            action()

    return in_a_child(child) == -signal.SIGKILL


@given(kills=st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=8))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_killed_at_any_steps_it_is_old_or_new(
    tmp_path_factory: pytest.TempPathFactory, kills: list[tuple[bool, int]]
) -> None:
    """Also when who recovers is killed, as often as it happens; in the end all goes on.

    :param kills: whether to write, or only to recover, and at which step that is killed.
    """
    room = Room.make(tmp_path_factory.mktemp("room"))
    for number, (writes, at) in enumerate(kills, 1):
        before = room.record.number()
        killed(partial(room.write, number) if writes else room.recover, at)
        assert room.record.number() in ((before, number) if writes else (before,))
        for name in NAMES:
            # a reader finds each of them at any time, old or new
            allowed = {room.content(n)[name] for n in range(number + 1)}
            assert (room.root / name).read_bytes() in allowed
    room.recover()
    room.assert_whole()
    room.write(100)
    assert room.record.number() == 100
    room.assert_whole()


def test_killed_at_each_step_once(tmp_path: Path) -> None:
    for at in range(STEPS_MAX):
        room = Room.make(tmp_path / str(at))
        was_killed = killed(partial(room.write, 1), at)
        room.recover()
        room.assert_whole()
        after = tree(room.root)
        room.recover()
        assert tree(room.root) == after, "once more is no more"
        if not was_killed:
            assert room.record.number() == 1
            break
    assert at > 8


def test_refused_before_it_is_recorded_nothing_has_changed(tmp_path: Path) -> None:
    for at in range(STEPS_MAX):
        room = Room.make(tmp_path / str(at))
        with (
            failing_at(at, full) as steps,
            contextlib.suppress(SstpcaError, OSError),
            recovering(room.recover),
        ):
            stage([File(room.root / name, it, 0o600) for name, it in room.content(1).items()])
            room.record.commit(1)
        # where the disk refused to undo it as well, the next command does
        room.recover()
        assert tree(room.root) == room.content(room.record.number())
        if len(steps) <= at:
            assert room.record.number() == 1
            break
    assert at > 8


def test_all_of_the_new_files_are_gone_or_all_stay(tmp_path: Path) -> None:
    """Where nothing was before, as in a home that is being made: the last file counts."""
    made = tuple(tmp_path / name for name in NAMES)
    trace = tmp_path / "unfinished"
    change = Change(made[-1].exists, new=made, trace=trace)
    trace.touch()
    made[0].touch()
    recover(change)
    assert tree(tmp_path) == {}
    for path in (trace, *made):
        path.touch()
    for _ in range(2):
        recover(change)
        assert tree(tmp_path) == dict.fromkeys(NAMES, b"")


def test_what_is_not_decided_waits(tmp_path: Path) -> None:
    waiting, trace = tmp_path / "waiting", tmp_path / "trace"
    for path in (waiting, trace):
        path.touch()
    recover(Change(lambda: None, (Move(waiting, tmp_path / "place"),), trace=trace))
    assert tree(tmp_path).keys() == {"waiting", "trace"}


def test_nobody_is_asked_where_nothing_is_left(tmp_path: Path) -> None:
    recover(Change(lambda: pytest.fail("asked"), (Move(tmp_path / "a", tmp_path / "b"),)))


def test_the_last_is_undone_first_and_placed_last(tmp_path: Path) -> None:
    """It tells how far this was, as a certificate does whose key is nothing without it."""
    room = Room.make(tmp_path)
    stage([File(room.root / name, it, 0o600) for name, it in room.content(1).items()])
    assert killed(room.recover, 1)
    left = sorted(path.name for path in room.root.iterdir() if path.name.startswith("."))
    assert left == [".a.new", ".b.new"]
    recover(room.change())
    room.assert_whole()


def test_the_first_error_is_the_one_that_is_said(tmp_path: Path) -> None:
    def refuse() -> None:
        raise SstpcaError("cannot undo it")

    with pytest.raises(SstpcaError, match="cannot do it"), recovering(refuse):
        raise SstpcaError("cannot do it")
    with pytest.raises(SstpcaError, match="cannot undo it"), recovering(refuse):
        pass


def test_pending_names(tmp_path: Path) -> None:
    """Homes have them: a run of an earlier release that was killed left them."""
    assert pending(tmp_path / "server.pem").name == ".server.pem.new"
    waiting = tmp_path / ".server.pem.new"
    assert to_place(waiting) == (waiting, tmp_path / "server.pem")
    for name in ("server.pem", "server.pem.new", ".server.pem.abcd", ".gitignore"):
        assert to_place(tmp_path / name) is None


def test_secret_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    fsync = os.fsync

    def look(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    old = os.umask(0)
    try:
        stage([File(tmp_path / "a", b"secret", 0o600), File(tmp_path / "b", b"public", 0o644)])
    finally:
        os.umask(old)
    assert modes[:2] == [0o600, 0o644]
    assert tree(tmp_path) == {".a.new": b"secret", ".b.new": b"public"}
    assert staged.pending(tmp_path / "a").stat().st_mode & 0o777 == 0o600

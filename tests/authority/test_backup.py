"""A backup has the whole home in it, and a restore makes it again, or changes nothing."""

import errno
import io
import os
import signal
import socket
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.authority import backup, sealed
from sstpca.authority.authority import Authority
from sstpca.authority.backup import Summary, back_up, restore
from sstpca.authority.identity import load_identity
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, certificates, users
from tests.support.steps import STEPS_MAX, failing_at, in_a_child, kill_me, tree
from tests.support.waiting import PATIENCE

PASSPHRASE = b"correct horse"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SCRYPT_N", 1 << 4)


@pytest.fixture
def home(quick_home: Home) -> Home:
    """A home with a user, a bundle, and a pair of its own."""
    store = Store.open(quick_home.database)
    users.add(store, Sealer.load(quick_home), "alice", "password1")
    store.close()
    (quick_home.bundles / "älice").mkdir(parents=True)
    (quick_home.bundles / "älice" / "index.html").write_text("hello")
    quick_home.certificates.mkdir(mode=0o700)
    (quick_home.certificates / "server.pem.old").write_bytes(b"old")
    (quick_home.certificates / "server.pem.old").chmod(0o600)
    return quick_home


def save(home: Home, target: Path, *, force: bool = False) -> Summary:
    store = Store.open(home.database)
    try:
        return back_up(home, store, target, PASSPHRASE, force=force)
    finally:
        store.close()


@pytest.fixture
def saved(home: Home, tmp_path: Path) -> Path:
    save(home, tmp_path / "saved")
    return tmp_path / "saved"


def modes(root: Path) -> dict[str, int]:
    return {
        str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")
    }


def rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def without_database(root: Path) -> dict[str, bytes | None]:
    names = [Home(root).database.name + end for end in ("", "-wal", "-shm")]
    return {name: content for name, content in tree(root).items() if name not in names}


def assert_same(home: Home, root: Path) -> None:
    assert without_database(root) == without_database(home.root)
    assert rows(root / "sstpca.db") == rows(home.database)
    database = (home.database.name + "-wal", home.database.name + "-shm")
    wanted = {name: mode for name, mode in modes(home.root).items() if name not in database}
    found = {name: mode for name, mode in modes(root).items() if name not in database}
    assert found == wanted
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_there_and_back(home: Home, saved: Path, tmp_path: Path) -> None:
    root = tmp_path / "deep" / "new"
    restored = restore(saved, root, PASSPHRASE)
    assert_same(home, root)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    # what the VPN does with it, it can do with the new one
    new = Home.open(root)
    assert load_identity(new).own
    Authority.load(new, None)
    store = Store.open(new.database)
    try:
        row = users.get(store, "alice")
        assert row.name == "alice"
        assert certificates.current(store, "server").sha256
    finally:
        store.close()
    assert restored.files == len([one for one in tree(home.root).values() if one]) - sum(
        (home.root / f"sstpca.db-{end}").exists() for end in ("wal", "shm")
    )


def test_times_are_kept(home: Home, tmp_path: Path) -> None:
    os.utime(home.settings, (1_000_000_000, 1_000_000_000))
    save(home, tmp_path / "saved")
    restore(tmp_path / "saved", tmp_path / "new", PASSPHRASE)
    assert (tmp_path / "new" / "settings.toml").stat().st_mtime == 1_000_000_000


def test_nothing_of_it_can_be_read_without_the_passphrase(home: Home, saved: Path) -> None:
    content = saved.read_bytes()
    for word in (b"settings", b"PRIVATE KEY", b"vpn.example.com", b"SQLite", b"ustar"):
        assert word not in content
    with pytest.raises(SstpcaError, match="the passphrase does not open"):
        restore(saved, home.root.parent / "new", b"wrong")
    assert not (home.root.parent / "new").exists()


def test_into_an_empty_folder(home: Home, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o755)
    restore(saved, tmp_path / "empty", PASSPHRASE)
    assert_same(home, tmp_path / "empty")


def test_into_a_mount_point(
    home: Home, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's volume cannot be renamed over."""
    root = tmp_path / "volume"
    root.mkdir(mode=0o700)
    monkeypatch.setattr(Path, "is_mount", lambda path: path == root)
    renamed: list[str] = []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        assert target != root
        renamed.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    restore(saved, root, PASSPHRASE)
    assert_same(home, root)
    # with it, the home exists
    assert renamed[-1] == "settings.toml"


def test_over_a_home_nothing_is_restored(home: Home, saved: Path) -> None:
    before = tree(home.root)
    with pytest.raises(SstpcaError, match=r"has '.*' in it; nothing was restored"):
        restore(saved, home.root, PASSPHRASE)
    with pytest.raises(SstpcaError, match="is not a folder"):
        restore(saved, saved, PASSPHRASE)
    assert tree(home.root) == before


def test_what_is_left_out(home: Home, tmp_path: Path) -> None:
    (home.root / "serve.lock").touch()
    with socket.socket(socket.AF_UNIX) as running:
        running.bind(str(home.root / "control.sock"))
    (home.root / ".ca.key.abcdefgh").write_text("half a key")
    (home.root / "link").symlink_to(home.bundles)
    (home.root / "dangling").symlink_to("nowhere")
    os.mkfifo(home.root / "fifo")
    (home.root / "elsewhere.crt").symlink_to(home.ca_certificate)
    save(home, home.root / "first.backup")
    made = save(home, tmp_path / "saved")
    assert sorted(path.name for path in made.skipped) == ["dangling", "fifo", "link"]
    restore(tmp_path / "saved", tmp_path / "new", PASSPHRASE)
    found = {path.name for path in (tmp_path / "new").iterdir()}
    assert found == {
        "bundles",
        "ca.crt",
        "ca.key",
        "certificates",
        "database.key",
        "elsewhere.crt",
        "server.pem",
        "settings.toml",
        "sstpca.db",
    }
    assert not (tmp_path / "new" / "elsewhere.crt").is_symlink()


def test_of_what_a_killed_command_left_the_finished_part_is_saved(
    home: Home, tmp_path: Path
) -> None:
    """A pending pair that is recorded would lose its key otherwise."""
    pending = home.root / ".server.pem.new"
    home.server_identity.rename(pending)
    save(home, tmp_path / "saved")
    restore(tmp_path / "saved", tmp_path / "new", PASSPHRASE)
    assert load_identity(Home(tmp_path / "new")).own


def test_the_database_is_copied_as_it_is_at_one_moment(
    home: Home, store: Store, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executescript("CREATE TABLE a (x); CREATE TABLE b (x);")
    stop = threading.Event()
    started = threading.Event()

    def write() -> None:
        with closing(
            sqlite3.connect(home.database, isolation_level=None, timeout=PATIENCE)
        ) as connection:
            number = 0
            while not stop.is_set():
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO a VALUES (?)", (number,))
                connection.execute("INSERT INTO b VALUES (?)", (number,))
                connection.execute("COMMIT")
                number += 1
                started.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(PATIENCE)
        copies = [store.copy() for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    for number, copy in enumerate(copies):
        path = tmp_path / f"{number}.db"
        path.write_bytes(copy)
        with closing(sqlite3.connect(path)) as connection:
            a, b = (
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in "ab"
            )
        assert a == b > 0


def test_a_damaged_database_is_not_saved(home: Home, tmp_path: Path) -> None:
    store = Store.open(home.database)
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(home.database.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    home.database.write_bytes(content)
    with pytest.raises(SstpcaError, match="database"):
        back_up(home, store, tmp_path / "saved", PASSPHRASE)
    store.close()
    assert not (tmp_path / "saved").exists()


def test_a_file_that_is_there_stays(home: Home, saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(SstpcaError, match="exists already"):
        save(home, saved)
    assert saved.read_bytes() == before
    save(home, saved, force=True)
    assert saved.read_bytes() != before


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("way", ["new", "empty", "mount point"])
def test_a_failed_restore_changes_nothing(
    home: Home, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    folder = tmp_path / "way"
    root = folder / "new"
    folder.mkdir()
    if way != "new":
        root.mkdir(mode=0o700)
    if way == "mount point":
        monkeypatch.setattr(Path, "is_mount", lambda path: path == root)
    before = tree(folder)
    for number in range(STEPS_MAX):
        with failing_at(number, full) as steps:
            try:
                restore(saved, root, PASSPHRASE)
            except SstpcaError as error:
                assert "No space left" in str(error)
            else:
                break
        assert tree(folder) == before, steps
    assert number > 3
    assert_same(home, root)
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_a_killed_restore_changes_nothing_but_a_hidden_folder(
    home: Home, saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "way"
    folder.mkdir()
    for number in range(STEPS_MAX):
        with failing_at(number, kill_me):
            ended = in_a_child(lambda: restore(saved, folder / "new", PASSPHRASE))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        assert not (folder / "new").exists()
        assert all(path.name.startswith(".new.restore.") for path in folder.iterdir())
    assert number > 3
    assert_same(home, folder / "new")


@pytest.mark.parametrize("way", ["new", "mount point"])
def test_after_a_killed_restore_the_next_one_begins_anew(
    home: Home, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Whatever it had written, and moved into its place, is gone; .gitignore is somebody's."""
    folder = tmp_path / "way"
    root = folder / "new"
    folder.mkdir()
    if way == "mount point":
        root.mkdir(mode=0o700)
        (root / ".gitignore").write_text("*")
        monkeypatch.setattr(Path, "is_mount", lambda path: path == root)
    before = tree(folder)
    for number in range(STEPS_MAX):
        with failing_at(number, kill_me):
            ended = in_a_child(lambda: restore(saved, root, PASSPHRASE))
        if (root / "settings.toml").exists():
            break
        assert ended == -signal.SIGKILL
        backup.refuse_occupied(root)
        assert tree(folder) == before
    assert number > 3
    with pytest.raises(SstpcaError, match="is not empty"):
        backup.refuse_occupied(root)
    (root / ".gitignore").unlink(missing_ok=True)
    assert_same(home, root)
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_names_of_a_half_made_restore_stay_in_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "new"
    half = root / ".new.restore.x"
    half.mkdir(parents=True, mode=0o700)
    (tmp_path / "mine").touch()
    (half / "moved").write_bytes(b"../mine\0ca.key\0..\0.\0/")
    (root / "ca.key").touch()
    backup.refuse_occupied(root)
    # and those of no file in it are nobody's
    assert tree(tmp_path) == {"mine": b"", "new": None}


def test_a_failed_backup_leaves_nothing(home: Home, tmp_path: Path) -> None:
    failures, target = 0, tmp_path
    for number in range(STEPS_MAX):
        target = tmp_path / f"target{number}"
        target.mkdir()
        with failing_at(number, full) as steps:
            try:
                save(home, target / "saved")
            except SstpcaError as error:
                failures += 1
                assert "No space left" in str(error)
                assert tree(target) == {}
        if len(steps) <= number:
            break
    assert failures > 1
    assert [path.name for path in target.iterdir()] == ["saved"]


def test_every_damaged_region_is_noticed_before_anything_is_written(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_taking_place", lambda _root: pytest.fail("something is written"))
    # and before anybody makes something of what is in it
    monkeypatch.setattr(backup, "entries", lambda _sealed: pytest.fail("something is parsed"))
    content = saved.read_bytes()
    places = [*range(0, 76, 5), *range(76, len(content), len(content) // 40), len(content) - 1]
    for place in places:
        broken = bytearray(content)
        broken[place] ^= 0x10
        saved.write_bytes(broken)
        with pytest.raises(SstpcaError, match=r"no backup made|does not open|is damaged"):
            restore(saved, tmp_path / "new", PASSPHRASE)
    assert len(places) > 40
    assert not (tmp_path / "new").exists()


def archive_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry, content in entries:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def entry(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    one = tarfile.TarInfo(name)
    one.mode = 0o644
    for field, value in fields.items():
        setattr(one, field, value)
    return one, b"" if one.type == tarfile.DIRTYPE or one.linkname else b"content"


def seal(path: Path, archive: bytes) -> None:
    with path.open("wb") as file:
        sealing = sealed.Sealing(file, PASSPHRASE)
        sealing.write(archive)
        sealing.seal()


FINE = entry("settings.toml")


@pytest.mark.parametrize(
    "bad",
    [
        [entry("../evil")],
        [entry("/etc/evil")],
        [entry("a/../../evil")],
        [entry("./a")],
        [entry("")],
        [entry("a/b")],
        [entry("a"), entry("a/b")],
        [entry("a"), entry("a")],
        [FINE],
        [entry("x" * 256)],
        [entry("d", type=tarfile.DIRTYPE), entry("d//e")],
        [entry("link", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
        [entry("link", type=tarfile.LNKTYPE, linkname="settings.toml")],
        [entry("pipe", type=tarfile.FIFOTYPE)],
        [entry("disk", type=tarfile.BLKTYPE)],
        [entry("disk", type=tarfile.CHRTYPE)],
        [entry("file", type=tarfile.CONTTYPE)],
        [entry("file", mtime=-1.0)],
        [entry("file", pax_headers={"mtime": "inf"})],
        [entry("file", pax_headers={"mtime": "nan"})],
        [entry("file", mtime=1e300)],
        [entry("a", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})],
        [entry("a", pax_headers={"path": "../evil"})],
        [entry("a", pax_headers={"size": "1" + "0" * 12})],
        [entry("/".join("abcdefghi"[: n + 1]), type=tarfile.DIRTYPE) for n in range(9)],
    ],
)
def test_a_genuine_file_with_evil_in_it(
    tmp_path: Path, bad: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    """Whoever has the passphrase may still not write outside the home."""
    folder = tmp_path / "way"
    folder.mkdir()
    seal(tmp_path / "saved", archive_of(FINE, *bad))
    with pytest.raises(SstpcaError, match=r"is no backup of a home: .*nothing was restored"):
        restore(tmp_path / "saved", folder / "new", PASSPHRASE)
    assert tree(tmp_path).keys() == {"saved", "way"}


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    seal(tmp_path / "saved", archive_of(entry("letter.txt")))
    with pytest.raises(SstpcaError, match=r"it has no settings\.toml"):
        restore(tmp_path / "saved", tmp_path / "new", PASSPHRASE)


def test_set_user_id_is_not_restored(tmp_path: Path) -> None:
    seal(tmp_path / "saved", archive_of(FINE, entry("tool", mode=0o6755)))
    restore(tmp_path / "saved", tmp_path / "new", PASSPHRASE)
    assert modes(tmp_path / "new") == {"settings.toml": 0o644, "tool": 0o755}


def restored_or_refused(folder: Path, archive: bytes) -> None:
    """Only our own error may come out of it, and nothing may be left then."""
    path = folder.parent / "saved"
    seal(path, archive)
    try:
        restore(path, folder / "new", PASSPHRASE)
    except SstpcaError as error:
        assert "\n" not in str(error)
        assert tree(folder) == {}
    else:
        assert (folder / "new" / "settings.toml").is_file()
        for name in [*tree(folder / "new")][::-1]:
            path = folder / "new" / name
            path.rmdir() if path.is_dir() else path.unlink()
        (folder / "new").rmdir()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "folder"
    made.mkdir()
    yield made
    assert tree(tmp_path).keys() <= {"folder", "saved"}


SAMPLE = archive_of(
    entry("bundles", type=tarfile.DIRTYPE),
    entry("bundles/" + "ü" * 60),
    entry("a", pax_headers={"comment": "x"}),
    FINE,
)


@given(st.binary(max_size=2000))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_inside(folder: Path, garbage: bytes) -> None:
    restored_or_refused(folder, garbage)
    restored_or_refused(folder, SAMPLE[: len(garbage)] + garbage)


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_inside(folder: Path, data: st.DataObject) -> None:
    broken = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(broken) - 1))
        broken[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(broken)), st.integers(0, len(broken))))
    restored_or_refused(folder, checksummed(bytes(broken[:cut])))


def checksummed(archive: bytes) -> bytes:
    """Correct the checksum of each header, so that damage is not noticed by that alone."""
    blocks = [archive[at : at + 512] for at in range(0, len(archive), 512)]
    for index, block in enumerate(blocks):
        if block[257:262] == b"ustar" and len(block) == 512:
            total = sum(block[:148]) + sum(block[156:]) + 8 * 0x20
            blocks[index] = block[:148] + b"%06o\0 " % total + block[156:]
    return b"".join(blocks)


def test_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "ENTRIES_MAX", 3)
    seal(tmp_path / "saved", archive_of(FINE, *(entry(str(number)) for number in range(4))))
    with pytest.raises(SstpcaError, match="cannot be in a home"):
        restore(tmp_path / "saved", tmp_path / "new", PASSPHRASE)


def test_a_file_too_long_for_a_home(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "FILE_MAX", 1000)
    with pytest.raises(SstpcaError, match="is too long"):
        save(home, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_a_backup_waits_for_who_changes_certificates(home: Home, tmp_path: Path) -> None:
    done = threading.Event()

    def run() -> None:
        save(home, tmp_path / "saved")
        done.set()

    thread = threading.Thread(target=run)
    with home.changing_certificates():
        thread.start()
        assert not done.wait(0.3)
    thread.join(PATIENCE)
    assert done.is_set()

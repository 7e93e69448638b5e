"""Bundles that come from anywhere."""

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.bundle import archive
from sstpca.bundle.content.sums import with_sums
from sstpca.bundle.ledger import unpacking
from sstpca.errors import SstpcaError

FILES = with_sums({"install.cmd": b"echo", "index.html": b"<p>", "linux/peer": b"pty"})


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return archive.write(tmp_path, "alice", FILES).path


def refused(path: Path) -> str:
    with pytest.raises(SstpcaError) as caught:
        unpacking.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def zip_with(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes], method: int = 8) -> Path:
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return path


def test_zip_and_folder_are_the_same(made: Path) -> None:
    from_zip = unpacking.read(made)
    assert from_zip.files == FILES
    assert unpacking.read(made.with_suffix("")) == from_zip
    assert list(unpacking.check_sums(from_zip.files)) == []


def test_a_password_in_it_is_in_no_repr(made: Path) -> None:
    assert "echo" not in repr(unpacking.read(made))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"index.html": b"<script>"}, "'index.html' was changed"),
        ({"more.txt": b""}, "'more.txt' does not belong to it"),
        ({"install.cmd": None}, "'install.cmd' is missing"),
        ({"SHA256SUMS": None}, "there is no SHA256SUMS"),
        ({"SHA256SUMS": b"nonsense"}, "SHA256SUMS has a line that is none: 'nonsense'"),
        ({"SHA256SUMS": b"\xff\xfe"}, "SHA256SUMS has a line that is none: '\ufffd\ufffd'"),
        (
            {"SHA256SUMS": FILES["SHA256SUMS"] + FILES["SHA256SUMS"]},
            "SHA256SUMS has a line that is none",
        ),
    ],
)
def test_what_does_not_match_its_list_is_named(changes: dict[str, bytes | None], why: str) -> None:
    changed = {name: content for name, content in (FILES | changes).items() if content is not None}
    [fault] = unpacking.check_sums(changed)
    assert fault.startswith(why)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = zip_with(tmp_path / "bomb.zip", ("index.html", bytes(unpacking.FILE_MAX + 1)))
    assert bomb.stat().st_size < 10_000
    assert "'index.html' is too large" in refused(bomb)


def test_many_files_of_the_size_that_one_may_have_are_refused(tmp_path: Path) -> None:
    entries = [(f"{number}", bytes(unpacking.FILE_MAX)) for number in range(5)]
    assert "is too large" in refused(zip_with(tmp_path / "bomb.zip", *entries))


def test_a_header_that_lies_about_the_size_is_refused(tmp_path: Path) -> None:
    """The directory says 4 bytes, and the data go on."""
    path = zip_with(tmp_path / "bomb.zip", ("index.html", bytes(unpacking.FILE_MAX + 1)))
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 4)
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    entries = [(f"{number}", b"") for number in range(unpacking.FILES_MAX + 1)]
    assert "more than 200 files" in refused(zip_with(tmp_path / "many.zip", *entries))
    folder = tmp_path / "many"
    folder.mkdir()
    for name, _ in entries:
        (folder / name).touch()
    assert "more than 200 files" in refused(folder)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.zip"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert "more than 8 MiB" in refused(path)


@pytest.mark.parametrize(
    "name",
    [
        "../install.cmd",
        "/etc/passwd",
        "a/../../b",
        "a\\b",
        "./a",
        "a//b",
        "a\n",
        "a\x1b[2J",
        "..",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    assert "is no name in a bundle" in refused(zip_with(tmp_path / "x.zip", (name, b"")))


def test_a_name_that_is_empty_is_refused(tmp_path: Path) -> None:
    path = zip_with(tmp_path / "x.zip", ("QQ", b""))
    path.write_bytes(path.read_bytes().replace(b"QQ", b"\0Q"))
    assert "'' is no name in a bundle" in refused(path)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_with(tmp_path / "x.zip", ("a", b"1"), ("a", b"2"))
    assert "a name is in it twice" in refused(path)


def test_a_link_is_refused(tmp_path: Path, made: Path) -> None:
    entry = zipfile.ZipInfo("index.html")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "is not a plain file" in refused(zip_with(tmp_path / "x.zip", (entry, b"/etc/passwd")))
    (made.with_suffix("") / "link").symlink_to("/etc/passwd")
    assert "'link' is not a plain file" in refused(made.with_suffix(""))


def test_a_folder_in_a_folder_in_a_folder_is_refused(made: Path) -> None:
    deep = made.with_suffix("") / "linux" / "deeper"
    deep.mkdir()
    assert "'linux/deeper' is not a plain file" in refused(made.with_suffix(""))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_compress_are_refused(tmp_path: Path, method: int) -> None:
    path = zip_with(tmp_path / "x.zip", ("a", b"1"), method=method)
    assert "compressed in another way" in refused(path)


def test_what_is_encrypted_is_refused(tmp_path: Path) -> None:
    path = zip_with(tmp_path / "x.zip", ("a", b"1"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refused(path)


@pytest.mark.parametrize("content", [b"", b"photographs", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    if content[2:3] == b"\x05":
        assert unpacking.read(path).files == {}  # a zip with nothing in it
    else:
        assert "it is no zip" in refused(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "missing.zip")
    os.mkfifo(tmp_path / "pipe")
    assert "it is a named pipe" in refused(tmp_path / "pipe")
    assert "it is a device" in refused(Path("/dev/zero"))


@given(st.data())
def test_damage_is_refused_or_found(data: st.DataObject) -> None:
    content = bytearray(archive.zipped(FILES))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        found = dict(unpacking._of_zip(bytes(content)))
    except unpacking._Strange:
        return
    assert found == FILES or list(unpacking.check_sums(found))


def test_the_reader_takes_what_python_has_written() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.mkdir("linux")
        opened.writestr("linux/peer", b"pty")
    assert dict(unpacking._of_zip(buffer.getvalue())) == {"linux/peer": b"pty"}

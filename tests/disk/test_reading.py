"""Reading files that anybody may have made."""

import io
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.disk.reading import (
    FILE_MAX,
    MissingFile,
    decode,
    open_file,
    read_file,
    read_text,
    without_mark,
)
from sstpca.errors import SstpcaError
from tests.support.waiting import PATIENCE

TEXT = 'contact = "Jörg, +49 30 1"\r\n'


def refused(path: Path, **limits: int) -> str:
    begin = time.monotonic()
    with pytest.raises(SstpcaError) as caught:
        read_file(path, "the file", **limits)
    assert time.monotonic() - begin < PATIENCE, "it waited for somebody"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (fifo, "it is a named pipe"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
        (lambda path: path.symlink_to("/dev/tty0"), "it is a device|denied|No such|I/O|address"),
        (listener, "No such device or address"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda path: None, "No such file or directory"),
    ],
)
def test_what_is_no_plain_file_is_named_and_not_waited_for(
    make: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    make(path)
    assert refused(path).startswith(f"cannot read the file {path}: ")
    with pytest.raises(SstpcaError, match=why):
        open_file(path, "the file")


def test_what_is_missing_can_be_told_from_the_rest(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        open_file(tmp_path / "none", "the file")
    with pytest.raises(SstpcaError) as caught:
        open_file(tmp_path, "the file")
    assert not isinstance(caught.value, MissingFile)
    with pytest.raises(SstpcaError, match="null"):
        open_file(Path("a\0b"), "the file")


def test_a_file_has_a_longest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4096))
    assert len(read_file(path, "the file", most=4096)) == 4096
    assert refused(path, most=4095) == f"the file {path} is too long: it has more than 3 KiB"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert "more than 1 MiB" in refused(path)


def test_a_pipe_that_was_meant_is_read_to_its_end() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"secret\n")
    os.close(theirs)
    try:
        assert read_file(Path(f"/dev/fd/{ours}"), "the file") == b"secret\n"
        # the descriptor stays open: it is not ours
        assert os.read(ours, 1) == b""
    finally:
        os.close(ours)
    assert "Bad file descriptor" in refused(Path("/dev/fd/987654"))


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_standard_input_has_a_longest_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open() as zero:
        monkeypatch.setattr(sys, "stdin", zero)
        assert "is too long" in refused(Path(name))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc")))
    assert read_file(Path(name), "the file") == b"abc"
    monkeypatch.setattr(sys, "stdin", None)
    assert read_file(Path(name), "the file") == b""


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_text_is_the_same_however_windows_wrote_it(encoding: str, tmp_path: Path) -> None:
    """utf-8-sig and utf-16 are Notepad's "UTF-8 with BOM" and "Unicode", and PowerShell's ``>``."""
    mark = "\ufeff" if encoding.endswith("e") else ""
    path = tmp_path / "settings.toml"
    path.write_bytes((mark + TEXT).encode(encoding))
    assert read_text(path, "the settings") == TEXT
    assert without_mark(path.read_bytes()) == TEXT.encode()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_comes_back(text: str) -> None:
    text = text.removeprefix("\ufeff")
    for mark, encoding in (("", "utf-8"), ("\ufeff", "utf-8"), ("", "utf-16"), ("", "utf-32")):
        assert decode((mark + text).encode(encoding), "the file") == text


@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_refused(content: bytes) -> None:
    try:
        decode(content, "the file")
    except SstpcaError as error:
        assert str(error).startswith("the file is not ")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("Jörg".encode("cp1252"), "is not valid UTF-8 text"),
        ("a\nb\nJörg".encode("cp1252"), r"is not valid UTF-8 text \(line 3\)"),
        (TEXT.encode("utf-16-le"), "looks like UTF-16 without a byte order mark"),
        ("\ufeffab".encode("utf-16-le")[:-1], "is not valid UTF-16 text"),
        (b"\xff\xfe\x00\xd8", "is not valid UTF-16 text"),
    ],
)
def test_what_is_no_text_is_named(content: bytes, why: str) -> None:
    with pytest.raises(SstpcaError, match=why) as caught:
        decode(content, "the file")
    assert caught.value.hint == "save it as UTF-8"


def test_what_is_no_text_keeps_its_bytes_where_it_need_not_be_one() -> None:
    content = bytes(range(0x30, 0x100))
    assert without_mark(content) == content


def test_the_most_is_more_than_any_chain_has() -> None:
    assert FILE_MAX == 1 << 20

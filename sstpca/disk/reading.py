"""Reading what others wrote: plain files and standard input, bounded, and text however encoded.

Every file that the program reads whole comes through here. A device would never end, a named pipe
never begin, and what Windows' programs write begins with a byte order mark.
"""

import codecs
import errno
import os
import re
import stat
import sys
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import NotFound, Refused, Unavailable

#: more than any file of text, keys or certificates has
FILE_MAX: Final = 1 << 20

STANDARD_INPUT: Final = Path("-")

_CHUNK: Final = 1 << 16
# what a shell gives for standard input and for <(command): the pipe is meant then
_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})")
_KINDS: Final = (
    (stat.S_ISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISSOCK, "it is a socket"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)
# The Unicode Standard, 23.8; the four bytes of UTF-32 begin with the two of UTF-16
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


class MissingFile(NotFound):
    """There is no such file."""


def read_file(path: Path, what: str, *, most: int = FILE_MAX) -> bytes:
    """Return the bytes of ``path``, a plain file; of standard input if that is ``-``.

    Standard input and /dev/fd/N may also be a pipe or a terminal, and are read to their end.

    :param what: names it in the error: "the settings".
    :param most: how many bytes it may have.
    :raises MissingFile: if there is none.
    :raises SstpcaError: if it cannot be read, is too long, or is no plain file.
    """
    try:
        if _is_standard_input(path):
            # None: it was closed
            content = b"" if sys.stdin is None else _to_end(sys.stdin.buffer, most)
        else:
            with open_file(path, what) as file:
                content = _to_end(file, most)
    except OSError as error:
        raise _unreadable(path, what, error.strerror or str(error)) from error
    if len(content) > most:
        raise Refused(
            f"{what} {shown(path)} is too long: it has more than {_size(most)}",
            "is it the right file?",
        )
    return content


def open_file(path: Path, what: str) -> BinaryIO:
    """Open a plain file for reading, without waiting for anybody.

    :param what: names it in the error.
    :raises MissingFile: if there is none.
    :raises SstpcaError: if it cannot be read, or is no plain file.
    """
    given = _DESCRIPTOR.fullmatch(str(path))
    try:
        if given is not None:
            return os.fdopen(os.dup(int(given[1])), "rb")
        # a named pipe without a writer would be waited for
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(path, flags)
    except FileNotFoundError as error:
        raise MissingFile(f"cannot read {what} {path}: {error.strerror}") from error
    except (OSError, ValueError) as error:
        # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(path, what, reason) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    kind = next((text for is_kind, text in _KINDS if is_kind(mode)), "it is no file")
    raise _unreadable(path, what, kind, "give a plain file, or - for standard input")


def _is_standard_input(path: Path) -> bool:
    return path == STANDARD_INPUT or str(path) in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def _to_end(file: BinaryIO, most: int) -> bytes:
    """Return what is left of ``file``, or a little more than ``most`` bytes of it."""
    content = bytearray()
    while len(content) <= most and (part := file.read(_CHUNK)):
        content += part
    return bytes(content)


def _unreadable(path: Path, what: str, why: str, *remedy: str) -> Unavailable:
    return Unavailable(f"cannot read {what} {shown(path)}: {why}", *remedy)


def shown(path: Path) -> str:
    """Return how messages name ``path``."""
    return "on standard input" if _is_standard_input(path) else str(path)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def read_text(path: Path, what: str, *, most: int = FILE_MAX) -> str:
    """Return the text in ``path``, read as :func:`read_file` does, as :func:`decode` does.

    :raises SstpcaError: as these two do.
    """
    return decode(read_file(path, what, most=most), f"{what} {shown(path)}")


def decode(content: bytes, what: str) -> str:
    """Return the text in ``content``: UTF-8, or whatever its byte order mark says; without that.

    UTF-16 is what Notepad calls Unicode, and what Windows PowerShell writes with ``>``.

    :param what: names it in the error, and nothing of its content is.
    :raises SstpcaError: if it is not text, or in another encoding.
    """
    encoding, name = _encoding(content)
    if name == "UTF-8" and b"\0" in content:
        looks = "it looks like UTF-16 without a byte order mark"
        raise Refused(f"{what} is not text: {looks}", "save it as UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f" (line {line})" if name == "UTF-8" and line > 1 else ""
        raise Refused(f"{what} is not valid {name} text{where}", "save it as UTF-8") from None
    # two marks are of a file that was put behind another one's mark
    return text.removeprefix("\ufeff")


def _encoding(content: bytes) -> tuple[str, str]:
    for mark, encoding, name in _MARKS:
        if content.startswith(mark):
            return encoding, name
    return "utf-8", "UTF-8"


def without_mark(content: bytes) -> bytes:
    """Return ``content``, text or not, as UTF-8 without a mark if it begins with a mark.

    :raises SstpcaError: if the mark lies.
    """
    if any(content.startswith(mark) for mark, _, _ in _MARKS):
        return decode(content, "the file").encode()
    return content

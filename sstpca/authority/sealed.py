"""An encrypted file: what a backup is written into.

Containers that exist were looked at first. PKCS#12 holds keys and certificates only. CMS with a
password (RFC 5652 6.2.4) is PBKDF2 alone, which graphics cards like, and takes OpenSSL's command line
to write. age, by pyrage 1.4, has no stream with a passphrase: all of a home would be in memory, twice.
It stretches as long as the machine that writes takes for a second (2^19, which is 512 MiB to whoever
reads), and a wrong passphrase and a damaged file are told apart by words alone. So it is this, which
a few lines in any language read (the tests have them):

    16  "sstpca backup 1\\n"
    16  salt
    12  nonce
    32  HMAC-SHA256 over the 44 bytes before, with the second key: is the passphrase right?
     n  AES-256-GCM with the first key; the 76 bytes before are its additional data
    16  tag

Both keys, 32 bytes each, are scrypt (RFC 7914) of the passphrase with N = 2^17, r = 8, p = 1. What
is encrypted is a tar archive (POSIX.1-2001) of folders and plain files, paths from the home.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ..disk.reading import open_file
from ..errors import Damaged, SstpcaError, WrongPassphrase

MAGIC: Final = b"sstpca backup 1\n"
SCRYPT_N: Final = 1 << 17

SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
CHECK_BYTES: Final = 32
TAG_BYTES: Final = 16
HEADER_BYTES: Final = len(MAGIC) + SALT_BYTES + NONCE_BYTES + CHECK_BYTES

_KEY_BYTES: Final = 32
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Keys:
    """What the passphrase and the salt give: for the content, and for the header's check."""

    content: bytes = field(repr=False)
    check: bytes = field(repr=False)

    @classmethod
    def derive(cls, passphrase: bytes, salt: bytes) -> "Keys":
        """Return the keys; takes 128 MiB and a third of a second."""
        both = Scrypt(salt=salt, length=2 * _KEY_BYTES, n=SCRYPT_N, r=8, p=1).derive(passphrase)
        return cls(both[:_KEY_BYTES], both[_KEY_BYTES:])

    def checked(self, begin: bytes) -> hmac.HMAC:
        """Return the check of a header that begins with ``begin``, to take or to verify."""
        check = hmac.HMAC(self.check, hashes.SHA256())
        check.update(begin)
        return check


class Sealing(io.RawIOBase):
    """Encrypts what is written to it into ``file``; :meth:`seal` ends it."""

    def __init__(self, file: BinaryIO, passphrase: bytes) -> None:
        super().__init__()
        salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
        keys, begin = Keys.derive(passphrase, salt), MAGIC + salt + nonce
        header = begin + keys.checked(begin).finalize()
        self._file = file
        self._encryptor = Cipher(algorithms.AES(keys.content), modes.GCM(nonce)).encryptor()
        self._encryptor.authenticate_additional_data(header)
        file.write(header)

    def writable(self) -> bool:
        """Return True, for io's other classes."""
        return True

    def write(self, data: Any) -> int:
        """Encrypt ``data`` and write it; returns its length."""
        self._file.write(self._encryptor.update(data))
        return len(data)

    def seal(self) -> None:
        """Write what makes every change to the file noticed. Nothing may be written after it."""
        self._file.write(self._encryptor.finalize() + self._encryptor.tag)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted file whose passphrase is right; whether it is whole shows at its end."""

    path: Path
    file: BinaryIO
    header: bytes
    keys: Keys

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, passphrase: bytes) -> Iterator["Sealed"]:
        """Open ``path``.

        :raises SstpcaError: if it cannot be read, is no backup, or the passphrase is wrong.
        """
        with open_file(path, "the backup") as file:
            header = _header(path, file)
            begin, check = header[:-CHECK_BYTES], header[-CHECK_BYTES:]
            salt = begin[len(MAGIC) : -NONCE_BYTES]
            keys = Keys.derive(passphrase, salt)
            try:
                keys.checked(begin).verify(check)
            except InvalidSignature:
                raise WrongPassphrase(
                    f"the passphrase does not open {path}",
                    "is it the backup's passphrase, which need not be the authority's?",
                ) from None
            yield cls(path, file, header, keys)

    def content(self) -> "Opening":
        """Return a reader of what is in it, from the beginning."""
        return Opening(self)

    def verify(self) -> None:
        """Read all of it.

        :raises SstpcaError: if it is not what was written once.
        """
        content = self.content()
        while content.read(_CHUNK):
            pass


class Opening(io.RawIOBase):
    """Reads what a sealed file has; its end raises unless all of it was genuine."""

    def __init__(self, sealed: Sealed) -> None:
        super().__init__()
        self._sealed = sealed
        size = sealed.file.seek(0, io.SEEK_END)
        self._left = size - HEADER_BYTES - TAG_BYTES
        if self._left < 0:
            raise _damaged(sealed.path)
        sealed.file.seek(size - TAG_BYTES)
        nonce = sealed.header[-CHECK_BYTES - NONCE_BYTES : -CHECK_BYTES]
        mode = modes.GCM(nonce, sealed.file.read(TAG_BYTES))
        self._decryptor = Cipher(algorithms.AES(sealed.keys.content), mode).decryptor()
        self._decryptor.authenticate_additional_data(sealed.header)
        sealed.file.seek(HEADER_BYTES)
        self._ended = False

    def readable(self) -> bool:
        """Return True, for io's other classes."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes; none at the end.

        :raises SstpcaError: if the file is not what was written once.
        """
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = self._sealed.file.read(wanted)
        if len(data) < wanted:
            raise _damaged(self._sealed.path)
        self._left -= wanted
        if not self._left and not self._ended:
            self._ended = True
            try:
                return self._decryptor.update(data) + self._decryptor.finalize()
            except InvalidTag:
                raise _damaged(self._sealed.path) from None
        return b"" if self._ended else self._decryptor.update(data)


def check_header(path: Path) -> None:
    """Make sure that ``path`` is a backup, before anybody is asked for its passphrase.

    :raises SstpcaError: if it cannot be read, or is none.
    """
    with open_file(path, "the backup") as file:
        _header(path, file)


def _header(path: Path, file: BinaryIO) -> bytes:
    header = file.read(HEADER_BYTES)
    if not header.startswith(MAGIC):
        raise Damaged(f"{path} is no backup made by 'sstpca ca backup'")
    if len(header) < HEADER_BYTES:
        raise _damaged(path)
    return header


def _damaged(path: Path) -> SstpcaError:
    return Damaged(f"the backup {path} is damaged; nothing was restored", "take another copy")

"""The toolkit's parsers: of files that somebody else may have written, and of what people type."""

import contextlib
import functools
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

from sstpca import names, settings, toml
from sstpca.authority import backup
from sstpca.authority.sealed import Sealed
from sstpca.bundle.ledger import unpacking
from sstpca.disk import reading
from sstpca.errors import SstpcaError
from sstpca.lint import readable
from sstpca.x509 import asn1, loading, parsing, pem

_PASSWORD = b"secret"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _on_disk(data: bytes, name: str) -> Path:
    path = Path(_folder().name) / name
    path.write_bytes(data)
    return path


def tree(data: bytes) -> None:
    """ASN.1 in DER: ITU-T X.690 8.1."""

    def walk(content: bytes, depth: int) -> int:
        total = 0
        for element in asn1.elements(content):
            assert element.content in element.whole
            total += len(element.whole)
            if element.constructed and depth < 8:
                walk(element.content, depth + 1)
        return total

    with contextlib.suppress(asn1.Asn1Error):
        assert walk(data, 0) == len(data)


def certificate(data: bytes) -> None:
    """A certificate in DER: RFC 5280 4.1."""
    with contextlib.suppress(SstpcaError):
        loading.load_certificate(data, "here")
    assert isinstance(loading.explain(data), str)
    readable.read(data)


def pair(data: bytes) -> None:
    """A file with certificates and keys, of any format."""
    path = Path("given.pem")
    with contextlib.suppress(SstpcaError):
        parsing.parse(path, data, lambda _: _PASSWORD)
    with contextlib.suppress(SstpcaError):
        parsing.certificates_in(data, "given.pem")


def blocks(data: bytes) -> None:
    """PEM: RFC 7468. What is read stays the same once it is written."""
    with contextlib.suppress(pem.PemError):
        for block in pem.blocks(data):
            (again,) = pem.blocks(block.pem)
            assert again.der == block.der


def settings_file(data: bytes) -> None:
    """settings.toml: one line says what is wrong with it."""
    try:
        settings.load(_on_disk(data, "settings.toml"))
    except SstpcaError as error:
        assert "\n" not in str(error)


def toml_text(data: bytes) -> None:
    """TOML, read with Python's parser; our own finds the line with the mistake."""
    text = data.decode("utf-8", "replace")
    try:
        document = toml.parse(text, "here")
    except SstpcaError as error:
        assert "\n" not in str(error)
        return
    for table in document.tables:
        document.line((table,))


def bundle(data: bytes) -> None:
    """A zip that is to be a bundle."""
    with contextlib.suppress(SstpcaError):
        found = unpacking.read(_on_disk(data, "bundle.zip"))
        list(unpacking.check_sums(found.files))


class _Opened:
    """A backup whose seal is right."""

    path = Path("backup")

    def __init__(self, data: bytes) -> None:
        self._data = data

    def content(self) -> io.BytesIO:
        return io.BytesIO(self._data)


def backup_content(data: bytes) -> None:
    """What is in a backup: a tar archive that stays below the home."""
    with contextlib.suppress(SstpcaError):
        for name, _, _ in backup.entries(cast("Sealed", _Opened(data))):
            assert not name.is_absolute()
            assert ".." not in name.parts


def text_file(data: bytes) -> None:
    """A text file, with or without a mark for its encoding."""
    with contextlib.suppress(SstpcaError):
        reading.decode(data, "the file")


_CHECKS: tuple[Callable[[str], object], ...] = (
    names.check_host_name,
    names.check_address,
    names.check_ipv4,
    names.check_user_name,
    names.check_profile_name,
    names.check_connection_name,
    names.check_contact,
)


def typed(data: bytes) -> None:
    """What people type: a name is good as it comes out, and one line says why it is not."""
    check = _CHECKS[(data or b"\0")[0] % len(_CHECKS)]
    text = data[1:].decode("utf-8", "surrogateescape")
    try:
        found = check(text)
    except SstpcaError as error:
        assert str(error).splitlines() in ([str(error)], [])
        return
    assert check(str(found)) == found
    assert names.user_key(names.user_key(text)) == names.user_key(text)

"""PEM cut into its blocks (RFC 7468), as OpenSSL and certutil take it, and worse.

What stands between blocks is for people. Blocks may follow each other on one line, be indented, and
have lines of any length and end; what is wrong with one is said with its number and line.

The library pem (23.1) reads 9 of the 24 forms in the tests, drops what it does not know, and does not
say where something is wrong; cryptography reads 14, certificates alone.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_MARKER: Final = re.compile(rb"-----(BEGIN|END) ([!-,.-~](?:[ !-,.-~]{0,62}[!-,.-~])?)-----")
_BLANK: Final = re.compile(rb"\s+")
_NO_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=\s]")
# RFC 1421 4.4: of keys that OpenSSL encrypted before PKCS#8
_HEADERS: Final = re.compile(rb"\s*((?:[ \t]*[A-Za-z0-9-]+:[^\r\n]*(?:\r\n?|\n))+)")


class PemError(ValueError):
    """A block that cannot be read: which, and why, in words for a message."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block.

    :param label: ``CERTIFICATE``.
    :param place: how messages name it: ``block 2 (CERTIFICATE, line 31)``.
    :param der: what it holds.
    :param headers: lines before that, as of an encrypted key; mostly empty.
    """

    label: str
    place: str
    der: bytes = field(repr=False)
    headers: bytes = b""

    @property
    def pem(self) -> bytes:
        """The block as OpenSSL would write it."""
        label = self.label.encode("ascii")
        headers = self.headers + b"\n" if self.headers else b""
        body = base64.encodebytes(self.der)
        return b"-----BEGIN %b-----\n%b%b-----END %b-----\n" % (label, headers, body, label)


def is_pem(content: bytes) -> bool:
    """Return whether there is a block in ``content``, or part of one."""
    return _MARKER.search(content) is not None


def blocks(content: bytes) -> Iterator[Block]:
    """Yield the blocks of ``content`` in their order.

    :raises PemError: once one is not whole, or not what a block is.
    """
    count, line, seen = 0, 1, 0
    begun: re.Match[bytes] | None = None
    place = ""
    for marker in _MARKER.finditer(content):
        line += _lines(content[seen : marker.start()])
        seen = marker.start()
        kind, label = marker[1], marker[2].decode("ascii")
        if kind == b"BEGIN":
            if begun is not None:
                raise PemError(f"{place} has no END line")
            count, begun = count + 1, marker
            place = f"block {count} ({label}, line {line})"
        elif begun is None:
            raise PemError(f"line {line} ends a block ({label}) that has no BEGIN line")
        elif marker[2] != begun[2]:
            raise PemError(f"{place} ends as another one, {label}, in line {line}")
        else:
            yield _block(label, place, content[begun.end() : marker.start()])
            begun = None
    if begun is not None:
        raise PemError(f"{place} has no END line")


def _lines(part: bytes) -> int:
    """Return how many line ends there are: LF, CRLF or CR."""
    return part.count(b"\n") + part.count(b"\r") - part.count(b"\r\n")


def _block(label: str, place: str, body: bytes) -> Block:
    headers = b""
    found = _HEADERS.match(body)
    if found is not None:
        headers = b"".join(line.strip() + b"\n" for line in found[1].splitlines())
        body = body[found.end() :]
    strange = _NO_BASE64.search(body)
    if strange is not None:
        raise PemError(f"{place} is not base64: {_why(body, strange)}")
    try:
        der = base64.b64decode(_BLANK.sub(b"", body), validate=True)
    except binascii.Error:
        quoted = re.search(rb"=[ \t]*\r?\n|=3D", body.rstrip(b"= \t\r\n")) is not None
        why = "it is as mail wraps it (quoted-printable)" if quoted else "part of it is missing"
        raise PemError(f"{place} is not base64: {why}") from None
    if not der:
        raise PemError(f"{place} is empty")
    return Block(label, place, der, headers)


def _why(body: bytes, strange: re.Match[bytes]) -> str:
    sign = strange[0].decode("latin-1")
    after = _lines(body[: strange.start()])
    if sign in "<&":
        return "it is part of a web page or of a mail in HTML"
    if body[strange.start() : strange.start() + 2] in (b"\\n", b"\\r"):
        return "its line ends are written as \\n, as in JSON"
    return f"it has {sign!a}, {after} lines after its beginning"

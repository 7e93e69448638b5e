"""ASN.1 cut into its elements (X.690): enough to look into a file before a library works on it.

DER, and BER with lengths that come at the end, as some programs write PKCS#7 and PKCS#12.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
OCTETS: Final = 0x04
OID: Final = 0x06
SEQUENCE: Final = 0x30

_CONSTRUCTED: Final = 0x20
_LONG: Final = 0x1F
_INDEFINITE: Final = 0x80
_END: Final = b"\0\0"
# certificates and key files have half as many levels
_DEPTH_MAX: Final = 24
_LENGTH_BYTES_MAX: Final = 4


class Asn1Error(ValueError):
    """It is no ASN.1, or more deeply nested than anything that is read here."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element.

    :param tag: the identifier octet (X.690 8.1.2).
    :param content: what is in it, without what ends an indefinite length.
    :param whole: all of it.
    """

    tag: int
    content: bytes
    whole: bytes

    @property
    def constructed(self) -> bool:
        """Whether it consists of other elements."""
        return bool(self.tag & _CONSTRUCTED)


def elements(content: bytes, only: int | None = None) -> Iterator[Element]:
    """Yield the elements of ``content`` one after the other.

    :param only: their tag; where another one begins, it ends.
    :raises Asn1Error: once something is none.
    """
    at = 0
    while at < len(content) and only in (None, content[at]):
        begin, end, after = _bounds(content, at, _DEPTH_MAX)
        yield Element(content[at], content[begin:end], content[at:after])
        at = after


def first(content: bytes) -> Element:
    """Return the element that ``content`` begins with, whatever follows.

    :raises Asn1Error: if there is none.
    """
    for one in elements(content):
        return one
    raise Asn1Error("nothing")


def children(content: bytes, *tags: int) -> list[Element]:
    """Return what is in the element ``content``, which goes no further.

    :param tags: those that the first ones must have.
    :raises Asn1Error: if it is something else.
    """
    found = list(elements(first(content).content))
    if [one.tag for one in found[: len(tags)]] != list(tags):
        raise Asn1Error("other elements are expected")
    return found


def octets(element: Element) -> bytes:
    """Return the value of an OCTET STRING, which BER may give in pieces (X.690 8.7).

    :raises Asn1Error: if one of them is none, or in pieces again, as nobody writes it.
    """
    if not element.constructed:
        return element.content
    pieces = list(elements(element.content))
    if any(one.constructed for one in pieces):
        raise Asn1Error("pieces of pieces")
    return b"".join(one.content for one in pieces)


def number(element: Element) -> int:
    """Return the value of an INTEGER."""
    return int.from_bytes(element.content, signed=True)


def dotted(content: bytes) -> str:
    """Return an OBJECT IDENTIFIER's content as text (X.690 8.19)."""
    arcs, arc = list[int](), 0
    for byte in content:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        return "?"
    top = min(arcs[0] // 40, 2)
    return ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:])))


def encoded(tag: int, content: bytes) -> bytes:
    """Return an element in DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _bounds(content: bytes, at: int, depth: int) -> tuple[int, int, int]:
    """Return where the content of the element at ``at`` begins and ends, and where the next is."""
    header = content[at : at + 2]
    if len(header) < 2 or header[0] & _LONG == _LONG or not depth:
        raise Asn1Error("no element")
    length, begin = header[1], at + 2
    if length == _INDEFINITE:
        if not header[0] & _CONSTRUCTED:
            raise Asn1Error("no end")
        end = begin
        while content[end : end + 2] != _END:
            _, _, end = _bounds(content, end, depth - 1)
        return begin, end, end + 2
    if length > _INDEFINITE:
        count = length & 0x7F
        if count > _LENGTH_BYTES_MAX:
            raise Asn1Error("too long")
        length = int.from_bytes(content[begin : begin + count])
        begin += count
    end = begin + length
    if end > len(content):
        raise Asn1Error("it is cut off")
    return begin, end, end

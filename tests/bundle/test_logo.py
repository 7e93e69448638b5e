"""The picture of an organisation: what is taken, and what is not."""

import struct
from base64 import b64decode
from pathlib import Path

import pytest

from sstpca.bundle.content import logo
from sstpca.errors import SstpcaError

# one white pixel
PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("picture", PNG, "image/png"),
        ("a.svg", SVG, "image/svg+xml"),
        ("A.SVG", b'<?xml version="1.0"?>\n' + SVG, "image/svg+xml"),
    ],
)
def test_a_logo(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    found = logo.load(tmp_path / name)
    head, _, encoded = found.url.partition(",")
    assert head == f"data:{kind};base64"
    assert b64decode(encoded, validate=True) == content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jpg", b"\xff\xd8\xff"),
        ("a.svg", b"text"),
        ("a.html", SVG),
        ("a.png", b""),
        ("a.png", SVG),
    ],
)
def test_what_is_no_logo(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SstpcaError, match="is neither a PNG nor an SVG file"):
        logo.load(tmp_path / name)


def test_a_logo_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG.ljust(logo.SIZE_MAX, b"\0"))
    assert logo.load(path).media_type == "image/png"
    path.write_bytes(PNG.ljust(logo.SIZE_MAX + 1024, b"\0"))
    with pytest.raises(SstpcaError, match=r"the logo .* is too long: it has more than 256 KiB"):
        logo.load(path)


def test_a_picture_that_is_small_only_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for width, height in ((4097, 1), (1, 2**31 - 1), (0, 1)):
        path.write_bytes(PNG[:16] + struct.pack(">II", width, height) + PNG[24:])
        with pytest.raises(SstpcaError, match=f"has {width} by {height} pixels"):
            logo.load(path)
    path.write_bytes(PNG[:20])
    with pytest.raises(SstpcaError, match="is a damaged PNG file"):
        logo.load(path)
    svg = tmp_path / "a.svg"
    lol = b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + SVG
    for content in (lol, lol.decode().encode("utf-16")):
        svg.write_bytes(content)
        with pytest.raises(SstpcaError, match="entities within entities"):
            logo.load(svg)
    svg.write_bytes(SVG.decode().encode("utf-16"))
    assert logo.load(svg).media_type == "image/svg+xml"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SstpcaError, match=r"a\.png"):
        logo.load(tmp_path / "a.png")

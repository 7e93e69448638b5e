"""A reader of QR codes gets the facts back."""

import random
import subprocess
from pathlib import Path

from sstpca.bundle.content import qr
from sstpca.bundle.content.bundle import Certificate
from tests.bundle.samples import MakeBundle
from tests.support.requirements import require

DOT = 4
NAMES = ("alice", "Zo\u00eb O'Hara", "\u540d\u524d" * 32, "a" * 64, "00000000", "\U0001f510")


def picture(text: str) -> bytes:
    """Return the code for ``text`` as a portable graymap, a few pixels a module."""
    rows = qr.matrix(text)
    size = len(rows) * DOT
    lines = (b"".join((b"\x00" if dot else b"\xff") * DOT for dot in row) * DOT for row in rows)
    return b"P5 %d %d 255\n" % (size, size) + b"".join(lines)


def test_a_reader_gets_the_facts(tmp_path: Path, make_bundle: MakeBundle) -> None:
    require("zbarimg", root=False)
    chance = random.Random(4711)
    for number in range(40):
        user = NAMES[number] if number < len(NAMES) else f"user{chance.getrandbits(40)}"
        sha256 = chance.randbytes(32).hex(":").upper()
        authorities = (Certificate("a", "a.cer", b"", "", sha256),) * (1 + number % 2)
        text = make_bundle(port=443 + number, user=user, authorities=authorities).facts
        path = tmp_path / f"{number}.pgm"
        path.write_bytes(picture(text))
        done = subprocess.run(
            ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "-Sbinary", str(path)],
            capture_output=True,
            check=True,
        )
        # without "binary" it would guess the encoding, and sometimes take UTF-8 for Big5
        assert done.stdout == text.encode()

"""A QR code as inline SVG."""

from itertools import groupby
from typing import Final

import qrcode
from markupsafe import Markup
from qrcode.constants import ERROR_CORRECT_M

# ISO/IEC 18004, 9.1: four light modules around the symbol
QUIET_ZONE: Final = 4
# ISO/IEC 18004, 7.8.2: any of the eight can be read. To try them all takes most of the time that a
# bundle takes; for texts like ours this one comes within a few per cent of the best of them.
_MASK: Final = 6


def matrix(text: str) -> list[list[bool]]:
    """Return the modules of the QR code for ``text`` (UTF-8), quiet zone included; True is dark."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE, mask_pattern=_MASK)
    code.add_data(text.encode())
    code.make(fit=True)
    return code.get_matrix()


def svg(text: str, label: str) -> Markup:
    """Return an ``<svg>`` element with the QR code for ``text``, described by ``label``.

    It has no size of its own, and its background is always light: scanners want dark on light.
    """
    rows = matrix(text)
    size = len(rows)
    path = "".join(_row(y, row) for y, row in enumerate(rows))
    return Markup(
        '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}" '
        'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{}v{}H0z"/>'
        '<path fill="#000" d="{}"/></svg>'
    ).format(label, size, size, size, size, path)


def _row(y: int, row: list[bool]) -> str:
    """Return path commands for the runs of dark modules of one row."""
    commands, x = [], 0
    for dark, run in groupby(row):
        width = len(list(run))
        if dark:
            commands.append(f"M{x} {y}h{width}v1h-{width}z")
        x += width
    return "".join(commands)

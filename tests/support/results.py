"""Where what tests and measurements have found is left: folders in ``out``."""

from pathlib import Path
from typing import Final

OUT: Final = Path(__file__).parents[2] / "out"


def folder(name: str) -> Path:
    """Return the folder ``out/NAME``, made if it is not there.

    ``out`` is where the home of a VPN comes to be, which is refused in a folder with files in it that
    is open to others: so it is closed to them.
    """
    found = OUT / name
    found.mkdir(parents=True, exist_ok=True)
    OUT.chmod(0o700)
    return found

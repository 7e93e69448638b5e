"""What is fuzzed, by name; and the inputs that are kept of each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.fuzz import files, parsers, responders, script
from tests.fuzz.openings import OPENINGS

#: One file for each target, with an input in hexadecimal on each line.
CORPUS: Final = Path(__file__).parent / "corpus"

#: The shares of the time: what is largest, and met first, gets most.
TARGETS: Final[dict[str, tuple[Callable[[bytes], object], int]]] = {
    "session": (script.play, 10),
    "request": (parsers.request, 2),
    "packet": (parsers.packet, 1),
    "binding": (parsers.binding, 1),
    "frame": (parsers.frame, 1),
    "response": (parsers.response, 1),
    "pieces": (parsers.pieces, 1),
    "hello": (parsers.hello, 2),
    "stream": (parsers.stream, 1),
    "forwarding": (parsers.forwarding, 3),
    "inform": (responders.inform, 1),
    "on_link": (responders.on_link, 1),
    "cutting": (parsers.cutting, 2),
    "tree": (files.tree, 1),
    "certificate": (files.certificate, 1),
    "pair": (files.pair, 2),
    "blocks": (files.blocks, 1),
    "settings": (files.settings_file, 1),
    "toml": (files.toml_text, 1),
    "bundle": (files.bundle, 1),
    "backup": (files.backup_content, 1),
    "text": (files.text_file, 1),
    "typed": (files.typed, 2),
}


def kept(target: str) -> Iterator[bytes]:
    """Yield the inputs that are kept of a target, and for sessions those written by hand."""
    if target == "session":
        yield from OPENINGS.values()
    path = CORPUS / f"{target}.txt"
    if path.exists():
        yield from map(bytes.fromhex, path.read_text().splitlines())

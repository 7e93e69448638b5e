"""Puts the tables of the last run into docs/performance.md: ``python -m tests.bench.document``."""

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path("out") / "bench"
DOCUMENT: Final = Path("docs") / "performance.md"

_PLACE: Final = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def with_tables(text: str, folder: Path) -> str:
    """Return a document with the tables in ``folder``; others stay as they are."""

    def table(place: re.Match[str]) -> str:
        path = folder / f"{place[1]}.md"
        return f"<!-- {place[1]} -->\n{path.read_text()}<!-- end -->" if path.exists() else place[0]

    return _PLACE.sub(table, text)


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(), FOLDER))

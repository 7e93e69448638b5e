"""What the tests of interoperability leave behind: for each client, what was tried, and what came of it.

``python -m tests.interop.document`` makes the table in docs/interop.md of it.
"""

from tests.support import results as left


def came(client: str, what: str, outcome: str = "yes") -> None:
    """Note that ``client`` was tried at ``what``; to be called once the test has seen it."""
    folder = left.folder("interop") / client
    folder.mkdir(exist_ok=True)
    (folder / what).write_text(outcome)


def results() -> dict[str, dict[str, str]]:
    """Return what was noted until now: by client and by what."""
    return {
        folder.name: {path.name: path.read_text() for path in folder.iterdir()}
        for folder in sorted(left.folder("interop").glob("*/"))
    }

"""A certificate that is revoked, for tests of what comes after."""

from datetime import datetime

from sstpca.pki import inventory
from sstpca.pki.inventory import Entry
from sstpca.store import Store


def mark_revoked(store: Store, entry: Entry, reason: str, now: datetime) -> None:
    """Record that ``entry`` is revoked, without looking for others of its key."""
    with store.writing() as connection:
        inventory.revoke(connection, entry, reason, now)

"""A certificate that is revoked, for tests of what comes after."""

from datetime import datetime

from sstpca.store import Store, certificates
from sstpca.store.certificates import Entry


def mark_revoked(store: Store, entry: Entry, reason: str, now: datetime) -> None:
    """Record that ``entry`` is revoked, without looking for others of its key."""
    with store.writing() as connection:
        certificates.revoke(connection, entry, reason, now)

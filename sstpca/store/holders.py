"""For whom a certificate is: a user may be removed, and another added under the same name, while
somebody is asked for the authority's passphrase."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from ..errors import SstpcaError
from ..names import quoted, user_key
from .database import Store
from .database import users as people


def holders_of(store: Store, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of those of ``names`` who are users, by names.user_key."""
    wanted = set(map(user_key, names))
    with store.reading() as connection:
        rows = connection.execute(sa.select(people.c.key, people.c.id)).all()
    return {row.key: row.id for row in rows if row.key in wanted}


def check_holders(store: Store, holders: Mapping[str, int | None]) -> None:
    """Refuse to go on if a user is not there any more, by names of pairs.

    :raises SstpcaError: if one was removed since somebody wished for the certificate.
    """
    present = holders_of(store, holders)
    for name, holder in holders.items():
        if holder is not None and present.get(user_key(name)) != holder:
            raise SstpcaError(
                f"the user {quoted(name)} was removed meanwhile; nothing was issued",
                "see 'sstpca user list'",
            )

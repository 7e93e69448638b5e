"""What the server's metrics say of the home: pools, lockouts, certificates."""

import time

from sstpca.server.contracts import Figures, Pool

from ..authority.authority import load_ca_certificate
from ..authority.identity import load_server_certificates
from ..home import Home
from ..settings import LockoutSettings
from ..store import Store, attempts
from ..store.pool_use import pool_use

_AUTHORITY = "authority"


def gather(home: Home, limits: LockoutSettings) -> Figures:
    """Return what the home says now.

    :raises SstpcaError: if its database or a certificate cannot be read.
    """
    store = Store.open(home.database)
    try:
        with store.reading() as transaction:
            pools = {
                name: Pool(one.addresses, one.used) for name, one in pool_use(transaction).items()
            }
        locked = [one for one in attempts.list_all(store, limits, time.time()) if one.until]
    finally:
        store.close()
    of_users = sum(1 for one in locked if one.user)
    certificates = {**load_server_certificates(home), _AUTHORITY: load_ca_certificate(home)}
    return Figures(
        pools,
        {"user": of_users, "source": len(locked) - of_users},
        {name: one.not_valid_after_utc.timestamp() for name, one in certificates.items()},
    )

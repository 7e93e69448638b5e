"""The inventory takes in what is in place: homes of older releases, and files put there by hand."""

import contextlib
from datetime import UTC, datetime

from ..errors import SstpcaError
from ..home import SERVERS, Home
from ..store import Store, certificates
from ..store.certificates import AUTHORITY, NEXT
from ..x509.certificate_profiles import SERVER
from .authority import issuer_of, load_ca_certificate, load_next_certificate
from .identity import load_server_certificate


def reconcile(home: Home, store: Store) -> None:
    """Make the authority's and the server's certificates the current ones if they are not.

    So is the next authority's, if there is one. A server certificate that is missing or damaged is
    left out. The caller holds ``home.changing_certificates()``.

    :raises SstpcaError: if the authority's cannot be read, or the database not be written.
    """
    found = {AUTHORITY: load_ca_certificate(home)}
    following = load_next_certificate(home)
    if following is not None:
        found[NEXT] = following
    for name in home.shown:
        with contextlib.suppress(SstpcaError):
            found[name] = load_server_certificate(home, name)
    strange = {
        name: certificate
        for name, certificate in found.items()
        if not certificates.is_current(store, certificate, name)
    }
    if not strange:
        return
    with store.writing() as transaction:
        for name, certificate in strange.items():
            if not certificates.put_back(transaction, certificate, name):
                certificates.record(
                    transaction,
                    [(name, SERVER.name if name in SERVERS else AUTHORITY, certificate)],
                    issuer=issuer_of(home, certificate),
                    requested_by="",
                    now=datetime.now(UTC),
                )

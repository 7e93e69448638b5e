"""Whom the clients of a home have to trust."""

from ..home import Home
from ..pki.authority import trusted
from ..pki.chains import root_of
from ..pki.identity import load_identity
from .context import Trust


def load(home: Home) -> Trust:
    """Return whom clients have to trust so that they believe the server of ``home``.

    :raises SstpcaError: if Windows would refuse the server's certificate.
    """
    identity = load_identity(home)
    if identity.own:
        authorities = trusted(home)
        return Trust(authorities, authorities)
    root = root_of((identity.certificate, *identity.chain))
    return Trust((), () if root is None else (root,))

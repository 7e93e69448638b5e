"""What a session begins with: its random numbers, the certificate, and what the settings say."""

import os

from ..ppp.link import Link
from ..session import Session
from ..sstp.call import Call
from .shared import Shared
from .tls import Certificate


def new_session(shared: Shared, certificate: Certificate) -> Session:
    """Return the session of a new connection.

    :param certificate: the one that the connection has shown.
    """
    return Session(
        Call(nonce=os.urandom(32), certificates=(certificate.hashes,)),
        Link(
            challenge=os.urandom(16),
            magic=int.from_bytes(os.urandom(4)) or 1,
            server_name=shared.config.name,
            mtu=shared.config.mtu,
            weak=shared.weak_sign_ins,
        ),
    )

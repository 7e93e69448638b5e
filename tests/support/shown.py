"""A server's certificate and its authority, for tests that only need one to be shown."""

import ssl
import tempfile
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support import forge
from tests.support.forge import Issuer
from tests.support.tls import server_context

NAME = "vpn.example.com"
KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = forge.authority("Root", ec.generate_private_key(ec.SECP256R1()))


def leaf(*others: Any, issuer: Issuer = ROOT, name: str = NAME, **options: Any) -> x509.Certificate:
    """Return a certificate for :data:`KEY`, with ``others`` in place of the usual extensions."""
    wanted = forge.changed(forge.server_extensions([x509.DNSName(name)]), *others)
    return forge.make(name, KEY.public_key(), issuer, wanted, **options)


def loaded(*chain: x509.Certificate) -> ssl.SSLContext:
    """Return the TLS of a server that shows these, the first of them being for :data:`KEY`."""
    context = server_context()
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with tempfile.NamedTemporaryFile() as file:
        file.write(key + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        file.flush()
        context.load_cert_chain(file.name)
    return context

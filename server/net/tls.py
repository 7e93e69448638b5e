"""The server's certificate as TLS presents it and as the crypto binding hashes it."""

import hashlib
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from ..errors import ServerError
from ..sstp.binding import CertificateHashes

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A TLS context, and the hashes of the certificate that it shows ([MS-SSTP] 3.2.5.2)."""

    context: ssl.SSLContext
    hashes: CertificateHashes


def load(path: Path) -> Certificate:
    """Load a PEM file with the private key, the server's certificate and its chain.

    :raises ServerError: if it cannot be read, or the key does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        leaf = _PEM.search(path.read_text())
        if leaf is None:
            raise ServerError(f"{path} has no certificate")
        context.load_cert_chain(path)
    except OSError as error:
        raise ServerError(f"{path} cannot be used as server certificate: {error}") from error
    der = ssl.PEM_cert_to_DER_cert(leaf.group())
    # SHA-1 is what the protocol offers older clients; S324 does not apply
    sha1 = hashlib.sha1(der, usedforsecurity=False).digest()
    return Certificate(context, CertificateHashes(sha1, hashlib.sha256(der).digest()))

"""Requests: a key made here, and what another authority needs to make its certificate."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..disk.reading import read_file
from ..disk.writing import SECRET, write_file
from ..home import Home
from ..names import Hosts
from ..x509.certificate_profiles import subject_alternative_name
from ..x509.keys import KeyType, PrivateKey, key_from_pem, key_to_pem, make_server_key


def next_key_path(home: Home) -> Path:
    """Return where the key waits for its certificate; secret."""
    return home.root / "server.next.key"


def load_next_key(home: Home) -> PrivateKey | None:
    """Return the key that waits for its certificate, if there is one.

    :raises SstpcaError: if the file is there, and cannot be read.
    """
    path = next_key_path(home)
    if not path.exists():
        return None
    return key_from_pem(read_file(path, "the key of the request"), path)


def make_next_key(home: Home, kind: KeyType) -> PrivateKey:
    """Return a new key for the server, which is in its place in ``home`` already.

    :raises SstpcaError: if it cannot be written.
    """
    key = make_server_key(kind)
    write_file(next_key_path(home), key_to_pem(key), SECRET)
    return key


def make_request(key: PrivateKey, hosts: Hosts) -> x509.CertificateSigningRequest:
    """Return a request (RFC 2986) for a server's certificate for ``hosts``: our own profile's."""
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=isinstance(key, rsa.RSAPrivateKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts.first)]))
        .add_extension(subject_alternative_name(hosts), critical=False)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def request_to_pem(request: x509.CertificateSigningRequest) -> bytes:
    """Return ``request`` as PEM."""
    return request.public_bytes(serialization.Encoding.PEM)

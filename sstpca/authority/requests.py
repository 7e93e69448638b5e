"""Requests: a key made here, and what another authority needs to make its certificate."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..disk.reading import read_file
from ..disk.writing import SECRET, write_file
from ..home import Home
from ..names import Hosts
from ..x509.certificate_profiles import key_usage
from ..x509.keys import KeyType, PrivateKey, key_from_pem, key_to_pem, make_key
from ..x509.subjects import Subject


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
    key = make_key(kind)
    write_file(next_key_path(home), key_to_pem(key), SECRET)
    return key


def make_request(key: PrivateKey, hosts: Hosts) -> x509.CertificateSigningRequest:
    """Return a request (RFC 2986) for a server's certificate for ``hosts``: our own profile's."""
    subject = Subject.of_hosts(hosts)
    usage = key_usage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPrivateKey))
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject.name())
        .add_extension(subject.alternative_name(), critical=False)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def request_to_pem(request: x509.CertificateSigningRequest) -> bytes:
    """Return ``request`` as PEM."""
    return request.public_bytes(serialization.Encoding.PEM)

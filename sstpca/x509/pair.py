"""A private key with its certificate and chain, as a value."""

from dataclasses import dataclass, field

from cryptography import x509

from .certificates import certificate_to_pem
from .keys import PrivateKey, key_to_pem


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its certificate.

    :param name: "server", or what the pair is called.
    :param profile: the name of its certificate profile.
    :param certificates: the leaf, then its chain without the root.
    """

    name: str
    profile: str
    certificates: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.certificates[0]


def identity_to_pem(key: PrivateKey, certificates: tuple[x509.Certificate, ...]) -> bytes:
    """Return the content of a pair's file: the key, then the leaf and its chain."""
    return key_to_pem(key) + b"".join(map(certificate_to_pem, certificates))

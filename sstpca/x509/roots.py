"""The roots that this machine trusts."""

import functools
import ssl
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography import x509

from ..disk.reading import read_file
from ..errors import SstpcaError
from .certificates import Certificate
from .extensions import UNREADABLE

# where systems keep them, besides OpenSSL's own place
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# a dozen times as much as any of them
_LIST_MAX: Final = 8 << 20
_END: Final = b"-----END CERTIFICATE-----"


def system_roots() -> list[x509.Certificate]:
    """Return the roots that this machine trusts; none if it has no list of them."""
    own = ssl.get_default_verify_paths().cafile
    for path in (own, *_BUNDLES):
        try:
            content = read_file(Path(path), "the roots", most=_LIST_MAX) if path else b""
        except SstpcaError:
            continue
        if content:
            return list(_readable(content))
    return []


def _readable(content: bytes) -> Iterable[x509.Certificate]:
    for part in content.split(_END):
        with warnings.catch_warnings():
            # old roots are not all as today's rules want them
            warnings.simplefilter("ignore")
            try:
                one = x509.load_pem_x509_certificate(part + _END)
                if Certificate.of(one).self_issued:
                    yield one
            except UNREADABLE:
                continue


class PublicRoots:
    """The roots that this machine trusts, by name; they are read once somebody asks."""

    def __call__(self, name: x509.Name) -> list[Certificate]:
        """Return those with this name."""
        return self._all.get(name, [])

    @functools.cached_property
    def _all(self) -> dict[x509.Name, list[Certificate]]:
        found = dict[x509.Name, list[Certificate]]()
        for root in map(Certificate.of, system_roots()):
            found.setdefault(root.subject, []).append(root)
        return found

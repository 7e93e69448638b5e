"""The certificate that this machine logs in with at some server, put together from files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ..client.sign_in import Certificate
from ..disk.reading import read_file
from ..errors import NotFound, Refused, option
from ..names import quoted
from ..x509 import certificates
from ..x509.keys import PrivateKey
from ..x509.pair import identity_to_pem
from ..x509.parsing import Contents, Password, merge, parse
from ..x509.subjects import upn_of

#: A file as it was read: its path, for messages, and what is in it.
Read = tuple[Path, bytes]


def read_files(paths: Sequence[Path]) -> tuple[Read, ...]:
    """Return what is in files of a certificate and its key.

    :raises SstpcaError: if one cannot be read.
    """
    return tuple((path, read_file(path, "the certificate")) for path in paths)


def put_together(files: Sequence[Read], user: str, password: Password) -> Certificate:
    """Return the certificate in ``files`` that has its key there, and what is between it and its root.

    :param user: how to call oneself; empty: as the certificate's UPN or CN has it.
    :param password: gives the password of a file that is encrypted.
    :raises SstpcaError: if there is none, or it is of no use any more.
    """
    contents = merge([parse(path, content, password) for path, content in files])
    leaf, key = _match(contents)
    shown = certificates.Certificate.of(leaf)
    ends = leaf.not_valid_after_utc
    if ends < datetime.now(UTC):
        raise Refused(
            f"the certificate {quoted(shown.common_name)} has expired on {ends:%Y-%m-%d}",
            "have a new one issued; if that is wrong, set this machine's clock",
        )
    upns = [upn for upn in map(upn_of, shown.names) if upn]
    between = [one for one in contents.certificates if one != leaf and one.issuer != one.subject]
    pem = identity_to_pem(key, (leaf, *between))
    return Certificate(user or next(iter(upns), shown.common_name), pem)


def _match(contents: Contents) -> tuple[x509.Certificate, PrivateKey]:
    if not contents.certificates:
        raise NotFound(
            "there is no certificate in these files", "give it by ", option("--certificate")
        )
    if not contents.keys:
        raise NotFound(
            "there is no key in these files", "give the certificate's by ", option("--key")
        )
    fitting = [
        (certificate, key)
        for key in contents.keys
        for certificate in contents.certificates
        if certificate.public_key() == key.public_key()
    ]
    if not fitting:
        raise Refused(
            "the key fits no certificate in these files", "give the one that it was requested with"
        )
    if len(fitting) > 1:
        raise Refused(
            f"{len(fitting)} certificates in these files fit a key", "give the one to log in with"
        )
    return fitting[0]

"""A user's certificate as the bundle carries it: a .p12 file, made anew from the pair in the home."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from ...authority import pairs
from ...errors import Command, NotFound, Option
from ...home import Home
from ...names import quoted, some, user_key
from ...store.certificates import CertificateState, Entry
from ...store.users import User
from ...x509 import exporting
from ...x509.certificates import sha1_fingerprint
from .bundle import UserCertificate


def make(home: Home, entry: Entry, password: str, *, legacy: bool) -> UserCertificate:
    """Return key and certificate of ``entry``, encrypted with ``password``.

    No two calls give the same bytes: the file has random salts.

    :param legacy: see exporting.to_pkcs12.
    :raises SstpcaError: if the pair's file is missing or damaged, or has another certificate.
    """
    pair = pairs.of_entry(home, entry)
    content = exporting.to_pkcs12(pair, entry.name, password.encode(), legacy=legacy)
    return UserCertificate(
        file=f"{exporting.file_stem(entry.name)}.p12",
        content=content,
        sha1=sha1_fingerprint(pair.leaf),
        password=password,
    )


def pretended() -> UserCertificate:
    """Return one for a bundle that nobody gets, to see whether the rest of it can be made."""
    return UserCertificate(file="user.p12", content=b"", sha1="0" * 40, password=None)


def without_valid(
    users: Iterable[User], certificates: Mapping[str, Entry], now: datetime | None = None
) -> list[User]:
    """Return those of ``users`` who have no certificate that counts now.

    :param certificates: by names.user_key.
    """
    moment = (now or datetime.now(UTC)).timestamp()
    return [
        user
        for user in users
        if user_key(user.name) not in certificates
        or certificates[user_key(user.name)].state(moment) is not CertificateState.VALID
    ]


def check_all_have(missing: Sequence[User], *remedy: str | Command | Option) -> None:
    """Refuse to go on without the certificates of ``missing``.

    :raises NotFound: if there are any; ``remedy`` says how to make them.
    """
    if not missing:
        return
    names = some([quoted(user.name) for user in missing])
    if len(missing) == 1:
        raise NotFound(f"{names} has no valid certificate to sign in with", *remedy)
    raise NotFound(
        f"{len(missing)} users have no valid certificate to sign in with: {names}", *remedy
    )

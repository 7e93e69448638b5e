"""Who may log in: the users and their certificates, as the server asks for them."""

import functools
import hashlib
import operator
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from sstpca.server.contracts import (
    NO_WEAK_SIGN_IN,
    Account,
    CertificateRefused,
    Secrets,
    Standing,
    WeakSignIn,
)

from ..access import weak_sign_ins as access
from ..authority.authority import client_roots
from ..errors import SstpcaError
from ..home import Home
from ..names import quoted
from ..secrets import Sealer
from ..settings import LockoutSettings
from ..store import Store, attempts, certificates, limits, logins, users

#: Seconds between two looks for what is forgotten.
_SWEEP: Final = 60.0

#: How much longer a refusal takes, in seconds, by how much of what there may be is used up.
_DELAYS: Final = ((1.0, 7.5), (0.75, 3.5), (0.5, 1.5), (0.25, 0.5), (0.0, 0.0))

_WEAK: Final = {
    access.WeakSignIn.PAP: WeakSignIn.PAP,
    access.WeakSignIn.CHAP_MD5: WeakSignIn.CHAP_MD5,
}


class StoreDirectory:
    """The directory of one home; see the server's interface of that name.

    :param limits: how many wrong passwords there may be.
    """

    def __init__(self, home: Home, store: Store, sealer: Sealer, limits: LockoutSettings) -> None:
        self._home = home
        self._store = store
        self._sealer = sealer
        self._limits = limits
        self._swept = 0.0

    def account(self, name: str) -> tuple[Account, Secrets] | None:
        """Return the user whom a client means by that name, or None."""
        found = logins.login_as_typed(self._store, self._sealer, name)
        if found is None:
            return None
        return self._account(found), Secrets(found.nt_hash, found.password)

    def change_password(self, account: Account, before: Secrets, password: str) -> str:
        """Give a user another password; return why it cannot be, or nothing."""
        try:
            users.replace_password(self._store, self._sealer, account.id, before.nt_hash, password)
        except SstpcaError as error:
            return str(error)
        return ""

    def attempt(self, name: str, source: str, *, right: bool) -> Standing:
        """Count a login by password; refusals take the longer the more there were."""
        now = time.time()
        if now > self._swept + _SWEEP:
            self._swept = now
            attempts.sweep(self._store, self._limits, now)
        found = attempts.attempt(self._store, self._limits, name, source, right=right, now=now)
        delay = next(seconds for fill, seconds in _DELAYS if found.fill >= fill)
        return Standing("too many wrong passwords" if found.locked else "", delay)

    def by_certificate(self, der: bytes) -> Account:
        """Return the user whose name the certificate's pair has in the inventory.

        That the pair was issued for, whatever other names are in the certificate. One that a newer
        one has replaced is still good: its user may not have the newer one yet.

        :raises CertificateRefused: if it is not in the inventory, is revoked, is no user's, or its
            user may not log in.
        """
        name = self._holder(hashlib.sha256(der).hexdigest())
        # a certificate has the name that it was issued for, and nobody else is meant
        found = logins.login(self._store, self._sealer, name)
        if found is None:
            raise CertificateRefused(f"is for {quoted(name)}, and there is no such user")
        account = self._account(found)
        if not account.enabled:
            raise CertificateRefused(f"is for '{account.name}', whose account is disabled")
        if account.ended:
            raise CertificateRefused(f"is for '{account.name}', whose account has expired")
        if not account.in_hours:
            raise CertificateRefused(f"is for '{account.name}', whose account is not for this hour")
        if account.not_now:
            raise CertificateRefused(
                f"is for '{account.name}', who is not let in: {account.not_now}"
            )
        return replace(account, certificate=hashlib.sha256(der).hexdigest())

    def client_roots(self) -> tuple[bytes, ...]:
        """Return the authorities of the home; during a rollover there is more than one."""
        return tuple(root.public_bytes(Encoding.DER) for root in client_roots(self._home))

    def _account(self, found: logins.Login) -> Account:
        user, now = found.user, time.time()
        return Account(
            user.id,
            user.name,
            user.enabled,
            ended=found.held.ended(now),
            in_hours=found.held.in_hours(now),
            not_now=limits.objection(self._store, user.id, found.held, now),
            password_expired=user.password_expired,
            certificate_only=not found.sign_in.with_password,
            weak_sign_ins=weak_sign_ins(found.weak_sign_ins),
        )

    def _holder(self, fingerprint: str) -> str:
        entry = certificates.with_digest(self._store, fingerprint)
        if entry is None:
            raise CertificateRefused(f"is not in the inventory (SHA-256 {fingerprint})")
        if entry.revoked is not None:
            raise CertificateRefused(f"{entry.serial} of {quoted(entry.name)} is revoked")
        if entry.profile != certificates.USER:
            raise CertificateRefused(f"{entry.serial} of {quoted(entry.name)} is no user's")
        return entry.name


def weak_sign_ins(found: Iterable[access.WeakSignIn]) -> WeakSignIn:
    """Return the ways to log in of access profiles, as the server has them."""
    return functools.reduce(operator.or_, map(_WEAK.__getitem__, found), NO_WEAK_SIGN_IN)

"""What is kept of a password: its NT hash, and itself if an access profile needs that."""

from dataclasses import dataclass, field

from ..names import user_key
from ..secrets import PASSWORD_MIN, Sealer, check_password
from . import profiles
from .database import Transaction


@dataclass(frozen=True, slots=True)
class Credential:
    """What a user proves to know.

    :param nt_hash: of the password, 16 bytes.
    :param password: itself; None if only its hash is known.
    """

    nt_hash: bytes = field(repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, password: str, *, least: int = PASSWORD_MIN) -> "Credential":
        """Return that of a password.

        :param least: characters that it has at least.
        :raises InvalidInput: if it cannot be used.
        """
        from sstpca.server.ppp.mschapv2 import nt_hash  # its ciphers take their time to load

        return cls(nt_hash(check_password(password, least=least)), password)


def sealed(
    transaction: Transaction, sealer: Sealer, name: str, profile: int, credential: Credential
) -> dict[str, bytes | None]:
    """Return what the table of users has of it: encrypted.

    :param profile: the number of the user's access profile.
    """
    key, password = user_key(name), credential.password
    kept = None
    if password is not None and profiles.keeps_passwords(transaction, profile):
        kept = sealer.seal_password(password, key)
    return {"nt_hash": sealer.seal(credential.nt_hash, key), "password": kept}

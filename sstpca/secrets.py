"""Passwords: their rules, new ones, and how their NT hashes are kept.

A password itself is not stored, unless its user's access profile takes CHAP-MD5, which needs it.
MS-CHAPv2 needs its NT hash, which is as good as the password to whoever has it, so the database holds
both encrypted; the key lives outside the database.
"""

import base64
import hmac
import os
import secrets
from dataclasses import dataclass, field
from typing import Final

from .disk.reading import decode
from .errors import InvalidInput, SstpcaError, option
from .home import Home, read_own

KEY_VARIABLE: Final = "SSTPCA_DATABASE_KEY"
KEY_BYTES: Final = 32
NT_HASH_BYTES: Final = 16
PASSWORD_MIN: Final = 8
# RASCREDENTIALS.szPassword holds PWLEN + 1 = 257 UTF-16 units, the last of them zero
PASSWORD_MAX: Final = 256
# NIST SP 800-63B 5.1.1.1, for what people choose
PASSPHRASE_MIN: Final = 8
# OpenSSL reads no longer one (PEM_BUFSIZE)
PASSPHRASE_MAX: Final = 1023

_NONCE_BYTES: Final = 12
# what the key is used for beside AES-GCM
_MARK: Final = b"sstpca digest 1\n"
# beside the user's key, for what is no hash; a user's key has no line end
_PASSWORD: Final = b"\npassword"
# no l and 1, no o and 0; 32 signs carry 5 bits each
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 4


def check_password(password: str, *, least: int = PASSWORD_MIN) -> str:
    """Return ``password`` as it is, if a Windows client can send it.

    It is not normalised: Windows hashes exactly the UTF-16 units that were typed.

    :param least: characters that it has at least.
    :raises InvalidInput: if it is too short or long, or has control characters.
    """
    try:
        units = len(password.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise InvalidInput("the password is not valid UTF-8 text") from None
    if any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in password):
        raise InvalidInput(
            "the password has a control character (or a second line) in it",
            "use letters, digits, signs and blanks",
        )
    if len(password) < least:
        raise InvalidInput(
            f"the password is shorter than {least} characters",
            "take a longer one, or let ",
            option("--generate"),
            " make one",
        )
    if units > PASSWORD_MAX:
        raise InvalidInput(
            f"the password is longer than {PASSWORD_MAX} characters, the most Windows can store"
        )
    return password


def check_passphrase(text: str) -> bytes:
    """Return the passphrase for the authority's key as bytes.

    :raises InvalidInput: if it is empty, too long for OpenSSL, or has a control character.
    """
    try:
        passphrase = text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("the passphrase is not valid UTF-8 text") from None
    if not passphrase:
        raise InvalidInput(
            "the passphrase is empty",
            "give one, or say ",
            option("--no-passphrase"),
            " if the key needs none",
        )
    if len(passphrase) > PASSPHRASE_MAX:
        raise InvalidInput(f"the passphrase is longer than {PASSPHRASE_MAX} bytes")
    if any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in text):
        raise InvalidInput("the passphrase has a control character (or a second line) in it")
    return passphrase


def check_new_passphrase(text: str) -> bytes:
    """Return a passphrase as :func:`check_passphrase` does, once it is worth having.

    :raises InvalidInput: if it is too short as well.
    """
    passphrase = check_passphrase(text)
    if len(text) < PASSPHRASE_MIN:
        raise InvalidInput(
            f"the passphrase has less than {PASSPHRASE_MIN} characters",
            "take a longer one: whoever gets a copy of the file can try very many",
        )
    return passphrase


def generate_password() -> str:
    """Return a new password of 80 random bits in four groups, easy to read out and to type."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def generate_database_key() -> bytes:
    """Return the content of a new database.key: 32 random bytes in base64, and a newline."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"


@dataclass(frozen=True, slots=True)
class Sealer:
    """Encrypts NT hashes with AES-256-GCM, each bound to its user.

    A sealed hash is 12 bytes of nonce, 16 of ciphertext and 16 of tag. The user's comparison key
    is the additional data, so that a row copied to another user does not open. A password itself is
    sealed alike, and does not open as a hash.

    :param key: 32 bytes.
    """

    key: bytes = field(repr=False)

    @classmethod
    def load(cls, home: Home) -> "Sealer":
        """Take the key from the environment (SSTPCA_DATABASE_KEY), else from the home.

        :raises SstpcaError: if it is missing, or not 32 bytes in base64.
        """
        text = os.environ.get(KEY_VARIABLE)
        if text is not None:
            return cls(_decoded(text, KEY_VARIABLE))
        path = home.database_key
        content = decode(read_own(path, "the database key"), f"the database key {path}")
        return cls(_decoded(content, str(path)))

    def seal(self, nt_hash: bytes, user_key: str) -> bytes:
        """Return the 16 bytes of ``nt_hash`` encrypted for the user ``user_key``."""
        return self._sealed(nt_hash, user_key.encode())

    def open(self, blob: bytes, user_key: str) -> bytes:
        """Return the NT hash in ``blob``, the mirror of :meth:`seal`.

        :raises SstpcaError: if it was sealed with another key or for another user, or is damaged.
        """
        nt_hash = self._opened(blob, user_key.encode(), user_key)
        if len(nt_hash) != NT_HASH_BYTES:
            raise _does_not_open(user_key)
        return nt_hash

    def seal_password(self, password: str, user_key: str) -> bytes:
        """Return ``password`` itself encrypted for the user ``user_key``."""
        return self._sealed(password.encode(), user_key.encode() + _PASSWORD)

    def open_password(self, blob: bytes, user_key: str) -> str:
        """Return the password in ``blob``, the mirror of :meth:`seal_password`.

        :raises SstpcaError: as :meth:`open` does.
        """
        return self._opened(blob, user_key.encode() + _PASSWORD, user_key).decode()

    def _sealed(self, secret: bytes, whose: bytes) -> bytes:
        # it takes its time to load, and whoever only lists users needs none of it
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, secret, whose)

    def _opened(self, blob: bytes, whose: bytes, user_key: str) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, sealed = blob[:_NONCE_BYTES], blob[_NONCE_BYTES:]
        try:
            return AESGCM(self.key).decrypt(nonce, sealed, whose)
        except (InvalidTag, ValueError):
            raise _does_not_open(user_key) from None

    def mark(self, digest: str) -> str:
        """Return what shows whoever has the key that ``digest`` was seen before, and nobody else.

        HMAC-SHA256 (RFC 2104) in lower-case hexadecimal: a digest over a password that somebody
        has typed would let a thief of the database try passwords.
        """
        return hmac.digest(self.key, _MARK + digest.encode(), "sha256").hex()


def _does_not_open(user_key: str) -> SstpcaError:
    return SstpcaError(
        f"the database key does not open the password of user '{user_key}'",
        "restore database.key from the same backup as sstpca.db, or set a new password",
    )


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SstpcaError(
            f"{where} is not a database key: {KEY_BYTES} bytes in base64",
            "restore it from a backup of the home",
        )
    return key

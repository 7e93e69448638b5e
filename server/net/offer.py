"""What a client offers in TLS, against what the server has: which certificate it is shown.

OpenSSL would choose as well, and :mod:`ssl` would not say what. So each context has one certificate,
and which one answers is decided here by OpenSSL's own list of suites, in its order. Where nothing
fits, the log says what the client offered and whose setting would help: OpenSSL's alert tells the
people on neither end.
"""

import enum
import functools
import ssl
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ..config import Compat, TlsSettings
from .hello import TLS_1_2, TLS_1_3, Alert, ClientHello, Group, HelloError, listed

#: What TLS 1.2 may use, best first; the server chooses. Forward secrecy always. CBC comes last, for
#: clients with nothing else: RouterOS offers ECDHE-RSA-AES256-SHA unless it is told better.
SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!AESCCM"

#: And with :attr:`Compat.ROUTEROS_NO_PFS` behind all of these. Whoever gets at the server's key can
#: read what was recorded.
_NO_PFS: Final = "kRSA+AESGCM:kRSA+AES"

VERSIONS: Final[Mapping[str, ssl.TLSVersion]] = {
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}

# IANA's numbers that are no suites: RFC 5746 3.3, RFC 7507
_SIGNALS: Final = frozenset({0x00FF, 0x5600})
# suites that OpenSSL 3 does not know any more, and old clients offer
_OLD_SUITES: Final = {
    0x0004: "RC4-MD5",
    0x0005: "RC4-SHA",
    0x000A: "DES-CBC3-SHA",
    0x0016: "DHE-RSA-DES-CBC3-SHA",
    0xC012: "ECDHE-RSA-DES-CBC3-SHA",
}
_VERSION_NAMES: Final = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2"}
# RFC 8446 4.2.3: what signs with a key of that kind in TLS 1.2 (with SHA-1, OpenSSL does not), and
# in TLS 1.3, where the hash belongs to the curve
_RSA_PSS: Final = frozenset({0x0804, 0x0805, 0x0806})
_RSA: Final = _RSA_PSS | {0x0301, 0x0401, 0x0501, 0x0601}
_ECDSA: Final = frozenset({0x0303, 0x0403, 0x0503, 0x0603})
_CURVES: Final = {
    "secp256r1": (0x0017, 0x0403),
    "secp384r1": (0x0018, 0x0503),
    "secp521r1": (0x0019, 0x0603),
}


@enum.unique
class KeyKind(enum.Enum):
    """What a certificate's key signs with; the value is what the log calls it."""

    RSA = "RSA"
    ECDSA = "ECDSA"


@dataclass(frozen=True, slots=True)
class ServerKey:
    """What of a certificate's key a client has to know.

    :param signatures: algorithms (IANA) that it signs with in TLS 1.2, and ``signatures_13`` in
        TLS 1.3.
    :param curve: the group (IANA) that an ECDSA key is of; None for RSA.
    """

    kind: KeyKind
    signatures: frozenset[int]
    signatures_13: frozenset[int]
    curve: int | None = None

    @classmethod
    def of(cls, der: bytes) -> "ServerKey":
        """Return that of the key in a certificate given as DER."""
        key = x509.load_der_x509_certificate(der).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return cls(KeyKind.RSA, _RSA, _RSA_PSS)
        curve, signature = _CURVES.get(key.curve.name, (None, None))
        signatures = _ECDSA if signature is None else frozenset({signature})
        return cls(KeyKind.ECDSA, _ECDSA, signatures, curve)

    def fits(self, hello: ClientHello) -> bool:
        """Whether a client takes a signature of this key."""
        if hello.version >= TLS_1_3:
            return hello.signatures is None or bool(self.signatures_13 & {*hello.signatures})
        # RFC 8422 5.1: in TLS 1.2 the groups are also those of the certificate
        if self.curve is not None and hello.groups is not None and self.curve not in hello.groups:
            return False
        return hello.signatures is None or bool(self.signatures & {*hello.signatures})


class Shown(Protocol):
    """A certificate that can be shown."""

    @property
    def key(self) -> ServerKey:
        """Its key."""


_Shown = TypeVar("_Shown", bound=Shown)


@dataclass(frozen=True, slots=True)
class _Suite:
    """A cipher suite as OpenSSL has it.

    :param kind: of the key it needs; None in TLS 1.3, which takes all.
    :param ephemeral: whether keys are exchanged in a group.
    """

    number: int
    kind: KeyKind | None
    ephemeral: bool


def cipher_list(settings: TlsSettings) -> str:
    """Return what TLS 1.2 may use, in OpenSSL's words."""
    if settings.compat is Compat.ROUTEROS_NO_PFS:
        return f"{SUITES}:{_NO_PFS}"
    return SUITES


@functools.cache
def _suites(cipher_list: str) -> Sequence[_Suite]:
    """Return OpenSSL's list of suites, the best first."""
    kinds = {"auth-rsa": KeyKind.RSA, "auth-ecdsa": KeyKind.ECDSA}
    return [
        _Suite(one["id"] & 0xFFFF, kinds.get(one["auth"]), one["kea"] != "kx-rsa")
        for one in _ciphers(cipher_list)
    ]


def _ciphers(cipher_list: str) -> Sequence[Mapping[str, Any]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(cipher_list)
    return context.get_ciphers()


def choose(
    hello: ClientHello, shown: Sequence[_Shown], groups: Collection[Group], settings: TlsSettings
) -> tuple[_Shown, Group]:
    """Return which of ``shown`` a client is to see, and the group to exchange keys in.

    :param shown: the preferred one first, where suites do not decide (TLS 1.3).
    :param groups: those we have, the preferred one first.
    :raises HelloError: if there is nothing that it takes; it says what was offered, and what helps.
    """
    if hello.version < VERSIONS[settings.minimum_version]:
        raise HelloError(_on_version(hello), Alert.PROTOCOL_VERSION)
    # one suite after the other, as OpenSSL will
    ways = [
        (one, suite)
        for suite in _common(hello, settings)
        for one in shown
        if suite.kind in (None, one.key.kind)
    ]
    if not ways:
        raise HelloError(_on_suites(hello, shown), Alert.HANDSHAKE_FAILURE)
    signing = [one for one, suite in ways if suite.ephemeral and one.key.fits(hello)]
    if signing:
        return signing[0], hello.choose(_in_version(groups, hello.version))
    # RSA decrypts then, and signs nothing
    decrypting = [one for one, suite in ways if not suite.ephemeral]
    if decrypting:
        return decrypting[0], Group.P256
    raise HelloError(_on_signatures(hello, ways[0][0].key), Alert.HANDSHAKE_FAILURE)


def _common(hello: ClientHello, settings: TlsSettings) -> list[_Suite]:
    """Return our suites that a client has, the best first, of the version that it will be."""
    offered, later = {*hello.suites}, hello.version >= TLS_1_3
    return [
        suite
        for suite in _suites(cipher_list(settings))
        if suite.number in offered and (suite.kind is None) is later
    ]


def _in_version(groups: Collection[Group], version: int) -> Collection[Group]:
    """Return those of ``groups`` that this version of TLS has."""
    if version >= TLS_1_3:
        return groups
    return [group for group in groups if group is not Group.X25519_MLKEM768]


# Why nothing fits


def _on_version(hello: ClientHello) -> str:
    name = _VERSION_NAMES.get(hello.version, "no version that is known")
    if hello.version >= TLS_1_2:
        return (
            f"the client offers {name} at most; Windows 10 and RouterOS have no later one: "
            'minimum_version = "1.2" below [tls] in settings.toml lets them in'
        )
    return f"the client offers {name} at most, not TLS 1.2; if it is a Windows 7, update it"


def _on_suites(hello: ClientHello, shown: Sequence[Shown]) -> str:
    offered = {*hello.suites}
    ours = [suite for suite in _suites(f"{SUITES}:{_NO_PFS}") if suite.number in offered]
    names = listed([one for one in hello.suites if one not in _SIGNALS], _suite_names())
    return f"no cipher suite in common: the client offers {names}{_help(ours, shown)}"


def _help(ours: Iterable[_Suite], shown: Iterable[Shown]) -> str:
    """Return what would let a client in.

    :param ours: the suites it has that this server could have.
    """
    kinds = {one.key.kind for one in shown}
    missing = {suite.kind for suite in ours if suite.ephemeral and suite.kind} - kinds
    if missing:
        kind = missing.pop().value
        who = "RouterOS and others that take" if kind == "RSA" else "For clients that take"
        return f". {who} {kind} keys only: give this server a certificate for such a key as well"
    if any(not suite.ephemeral for suite in ours):
        key = "" if KeyKind.RSA in kinds else ", and give this server an RSA key"
        return (
            ". RouterOS with pfs=no offers that: set pfs=yes there (/interface sstp-client set NAME "
            f'pfs=yes){key}; or write compat = "{Compat.ROUTEROS_NO_PFS.value}" below [tls] in '
            "settings.toml, which is weaker"
        )
    return ". It needs ECDHE with AES or ChaCha20: update the client"


def _on_signatures(hello: ClientHello, key: ServerKey) -> str:
    offered = listed(hello.signatures or (), {})
    kind = "ECDSA" if key.kind is KeyKind.RSA else "RSA"
    return (
        f"the client does not take this server's {key.kind.value} key: it offers the signature "
        f"algorithms {offered}. Give this server a certificate for an {kind} key as well"
    )


@functools.cache
def _suite_names() -> Mapping[int, str]:
    return {
        one["id"] & 0xFFFF: one["name"] for one in _ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    } | _OLD_SUITES

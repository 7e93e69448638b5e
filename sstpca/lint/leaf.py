"""What is wrong with one certificate by itself, whoever issued it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from ..x509.keys import describe_key
from .findings import Finding, Windows, error, note, warning
from .readable import Readable

# Windows refuses shorter ones since 2012 (KB 2661254)
RSA_MIN: Final = 1024
# what Apple, OpenSSL's level 2 and others want
RSA_GOOD: Final = 2048
# what Windows' TLS has switched on; P-521 is not among it
_CURVES: Final = frozenset({"secp256r1", "secp384r1"})
# Apple: of any authority since iOS 13; of public ones since 2020
DAYS_MAX: Final = 825
DAYS_PUBLIC: Final = 398
# RFC 5280 4.1.2.2
_SERIAL_BITS: Final = 20 * 8
_SOON: Final = timedelta(days=14)
_SKEW: Final = timedelta(days=1)

_SERVER: Final = frozenset(
    {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)
# the extensions Windows' chain engine works through
_KNOWN: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)
_MICROSOFT: Final = "1.3.6.1.4.1.311."


def check_validity(one: Readable, now: datetime) -> Iterator[Finding]:
    """Compare the validity with the clock."""
    if now > one.end:
        yield error(
            "expired",
            f"{one.what} expired on {one.end:%Y-%m-%d}",
            "put a new one in its place; if it is not that late, correct this machine's clock",
            Windows.EXPIRED,
        )
    elif now < one.begin:
        yield error(
            "not-yet",
            f"{one.what} begins only on {one.begin:%Y-%m-%d %H:%M} UTC",
            "wait until then; if it is later than that, correct this machine's clock",
            Windows.EXPIRED,
        )
    elif one.is_due(now, _SOON):
        yield warning(
            "ends-soon",
            f"{one.what} ends on {one.end:%Y-%m-%d}, in {one.days_left(now)} days",
            "renew it now",
            Windows.EXPIRED,
        )


def check_lifetime(leaf: Readable, now: datetime, *, public: bool) -> Iterator[Finding]:
    """Look for a life too long for phones, and a beginning too late for slow clocks."""
    days = leaf.life / timedelta(days=1)
    if days > DAYS_MAX or (public and days > DAYS_PUBLIC):
        limit = DAYS_PUBLIC if public else DAYS_MAX
        yield warning(
            "lifetime",
            f"{leaf.what} is valid for {days:.0f} days; Apple refuses more than {limit}",
            "get one for at most 397 days",
        )
    elif days > DAYS_PUBLIC:
        yield note(
            "lifetime-public",
            f"{leaf.what} is valid for {days:.0f} days; fine with an authority of one's own",
            f"nothing, or renew it for at most {DAYS_PUBLIC - 1} days",
        )
    if timedelta() <= now - leaf.begin < timedelta(minutes=5):
        yield note(
            "no-skew",
            f"{leaf.what} begins only now: PCs with a slow clock refuse it for a while",
            f"nothing; sstpca's own begin {_SKEW.days} day earlier",
            Windows.EXPIRED,
        )


def check_purpose(leaf: Readable) -> Iterator[Finding]:
    """Look at what a server's certificate may be used for: [MS-SSTP] 3.2.4.1."""
    purposes = leaf.extension(x509.ExtendedKeyUsage)
    if purposes is None:
        yield warning(
            "eku-missing",
            f"{leaf.what} does not say that it is for a server (no extended key usage)",
            "get one with the extended key usage serverAuth",
            Windows.WRONG_USAGE,
        )
    elif _SERVER.isdisjoint(purposes):
        yield error(
            "eku",
            f"{leaf.what} is not for server authentication",
            "put one with the extended key usage serverAuth in its place",
            Windows.WRONG_USAGE,
        )
    if leaf.authority:
        yield warning(
            "is-ca",
            f"{leaf.what} is an authority's, which clients other than Windows refuse of a server",
            "let the authority issue a certificate for the server, and use that",
        )
    yield from _check_usage(leaf)


def _check_usage(leaf: Readable) -> Iterator[Finding]:
    usage = leaf.extension(x509.KeyUsage)
    if usage is None:
        return
    if not usage.digital_signature:
        yield warning(
            "key-usage",
            f"{leaf.what} must not sign (no digitalSignature), as TLS today has it do",
            "get one with the key usage digitalSignature",
            Windows.WRONG_USAGE,
        )
    elif isinstance(leaf.key, rsa.RSAPublicKey) and not usage.key_encipherment:
        yield note(
            "key-usage-rsa",
            f"{leaf.what} has no keyEncipherment: RouterOS without pfs cannot use it",
            "nothing, or get one with it",
        )


def check_key(one: Readable) -> Iterator[Finding]:
    """Look at kind and size of the key."""
    match one.key:
        case rsa.RSAPublicKey(key_size=bits) if bits < RSA_MIN:
            yield error(
                "key-size",
                f"{one.what} has an RSA key of {bits} bits; Windows wants {RSA_MIN} at least",
                f"make a new key of {RSA_GOOD} bits or more",
                Windows.SIGNATURE,
            )
        case rsa.RSAPublicKey(key_size=bits) if bits < RSA_GOOD:
            yield warning(
                "key-size",
                f"{one.what} has an RSA key of {bits} bits; many clients want {RSA_GOOD}",
                f"make a new key of {RSA_GOOD} bits or more",
            )
        case rsa.RSAPublicKey():
            return
        case ec.EllipticCurvePublicKey(curve=curve) if curve.name in _CURVES:
            return
        case _:
            kind = "of an unknown kind" if one.key is None else describe_key(one.key)
            yield error(
                "key-kind",
                f"{one.what} has a key ({kind}) that Windows' TLS does not take as it is set up",
                "make a new key: RSA with 2048 bits, or ECDSA on P-256 or P-384",
                Windows.TLS,
            )


def check_signature(one: Readable, *, public: bool) -> Iterator[Finding]:
    """Look at how the certificate is signed; not for a root, whose signature nobody checks."""
    name = one.hash_name
    if name == "md5" or (name == "sha1" and public):
        yield error(
            "signature",
            f"{one.what} is signed with {name.upper()}, which Windows refuses",
            "let the authority issue it again with SHA-256",
            Windows.SIGNATURE,
        )
    elif name == "sha1":
        yield warning(
            "signature",
            f"{one.what} is signed with SHA1: only Windows takes that, of a private authority",
            "let the authority issue it again with SHA-256",
            Windows.SIGNATURE,
        )
    elif one.raw.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
        yield warning(
            "signature-pss",
            f"{one.what} is signed with RSASSA-PSS, which RouterOS and older Windows do not read",
            "let the authority issue it again with RSA (PKCS #1 v1.5) and SHA-256",
        )


def check_form(one: Readable) -> Iterator[Finding]:
    """Look for unknown critical extensions, and a serial that is none."""
    for extension in one.extensions:
        text = extension.oid.dotted_string
        if extension.critical and extension.oid not in _KNOWN and not text.startswith(_MICROSOFT):
            yield error(
                "critical",
                f"{one.what} has the extension {text}, critical, which Windows does not know",
                "get one without it, or with it not critical",
                Windows.CRITICAL,
            )
    for unreadable in one.unreadable:
        yield warning(
            "extension",
            f"the extension {unreadable.name} of {one.what} {unreadable.why}",
            "nothing, if all clients connect; else have the authority issue it again without that",
        )
    if one.serial <= 0 or one.serial.bit_length() >= _SERIAL_BITS:
        kind = "zero or negative" if one.serial <= 0 else "longer than 20 bytes"
        yield warning(
            "serial",
            f"{one.what} has a serial number that is {kind}: strict clients refuse it",
            "let the authority issue it again with a random serial number",
        )

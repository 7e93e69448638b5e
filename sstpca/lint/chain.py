"""What is wrong on the path from a server's certificate to a root."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..errors import option
from ..names import quoted
from ..x509.chains import End, Path
from ..x509.name_constraints import all_names, refused, text_of
from .findings import Finding, Severity, Windows, error, note, warning
from .leaf import check_form, check_key, check_signature, check_validity
from .readable import Readable

_SERVER: Final = frozenset(
    {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)
# what Windows can fetch a revocation list by
_FETCHED: Final = ("http://", "https://", "ldap:", "file:")


def check_path(path: Path[Readable], now: datetime, *, expected: bool) -> Iterator[Finding]:
    """Look at the path's end, its authorities, and what they allow.

    :param expected: whether the caller said which roots are trusted.
    """
    yield from _check_end(path, Severity.ERROR if expected else Severity.WARNING)
    public = path.end is End.PUBLIC
    for one in path.below_root:
        yield from check_signature(one, public=public)
        yield from _check_revocation(one, public=public)
    for index, one in enumerate(path.certificates[1:], start=1):
        yield from check_validity(one, now)
        yield from check_key(one)
        yield from check_form(one)
        yield from _check_authority(one, path.certificates[:index])


def _check_end(path: Path[Readable], severity: Severity) -> Iterator[Finding]:
    last = path.certificates[-1]
    match path.end:
        case End.UNKNOWN_ROOT:
            itself = "is self-signed" if len(path.certificates) == 1 else "is a root"
            yield Finding(
                "root",
                severity,
                f"{last.what} {itself}, and not known here",
                (
                    "import it on every client (LocalMachine\\Root), and name it here with ",
                    option("--ca"),
                ),
                Windows.UNTRUSTED_ROOT,
            )
        case End.MISSING:
            yield Finding(
                "issuer",
                severity,
                f"the issuer {quoted(last.issuer.rfc4514_string())} of {last.what} is not at hand",
                (
                    "let the server send it too; if it is a root, clients need it, and ",
                    option("--ca"),
                    " names it",
                ),
                Windows.CHAINING,
            )
        case End.FORGED:
            yield error(
                "forged",
                f"{last.what} does not verify with its issuer: another key of the same name",
                "take certificate and issuer from the same source",
                Windows.CHAINING,
            )
        case End.TRUSTED | End.PUBLIC:
            return


def _check_authority(one: Readable, below: tuple[Readable, ...]) -> Iterator[Finding]:
    """Look at ``one``, which issued the last of ``below``; the leaf is the first."""
    basic = one.extension(x509.BasicConstraints)
    limit = None if basic is None else basic.path_length
    between = sum(not other.self_issued for other in below[1:])
    if basic is None and one.self_issued:
        yield warning(
            "root-basic",
            f"{one.what} does not say that it is an authority; many clients want it to",
            "make a new authority",
            Windows.BASIC_CONSTRAINTS,
        )
    elif not one.authority:
        yield error(
            "not-ca",
            f"{one.what} issues another, but is no authority's",
            "use a certificate that an authority issued",
            Windows.BASIC_CONSTRAINTS,
        )
    elif limit is not None and between > limit:
        yield error(
            "path-length",
            f"{one.what} allows {limit} authorities below it, and there are {between}",
            "let it issue the server's certificate itself",
            Windows.BASIC_CONSTRAINTS,
        )
    yield from _check_authority_usage(one)
    yield from _check_constraints(one, below)


def _check_authority_usage(one: Readable) -> Iterator[Finding]:
    usage = one.extension(x509.KeyUsage)
    purposes = one.extension(x509.ExtendedKeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield error(
            "ca-key-usage",
            f"{one.what} must not sign certificates (no keyCertSign)",
            "use an authority with the key usage keyCertSign",
            Windows.WRONG_USAGE,
        )
    if purposes is not None and _SERVER.isdisjoint(purposes):
        yield error(
            "ca-eku",
            f"{one.what} is an authority for other purposes than servers",
            "use an authority whose extended key usage has serverAuth, or that has none",
            Windows.WRONG_USAGE,
        )


def _check_constraints(one: Readable, below: tuple[Readable, ...]) -> Iterator[Finding]:
    for other in below:
        # RFC 5280 4.2.1.10: not for a self-issued one, unless it is the leaf
        if other.self_issued and other is not below[0]:
            continue
        outside = [text_of(name) for name in refused(one, all_names(other))]
        if outside:
            yield error(
                "constraints",
                f"{other.what} has names that {one.what} may not give: "
                + ", ".join(quoted(name) for name in outside),
                "leave them out, or make an authority for these names",
                Windows.INVALID_NAME,
            )


def _check_revocation(one: Readable, *, public: bool) -> Iterator[Finding]:
    """Look at where Windows would ask whether ``one`` is revoked; it fails hard if it cannot."""
    if not one.revocation_addresses:
        return
    usable = [
        address for address in one.revocation_addresses if address.lower().startswith(_FETCHED)
    ]
    if not usable:
        yield warning(
            "revocation-none",
            f"{one.what} names no place that Windows could fetch revocation from",
            "get one without a CRL distribution point, or with one that has an http address",
            Windows.NO_REVOCATION_CHECK,
        )
    elif public:
        yield note(
            "revocation",
            f"{one.what} is checked at {quoted(usable[0])}",
            "nothing, if clients can reach it before the VPN is up",
            Windows.REVOCATION_OFFLINE,
        )
    else:
        yield warning(
            "revocation",
            f"{one.what} is checked at {quoted(usable[0])}; unreachable, it cannot connect",
            "leave CRL and OCSP out of it, or keep that reachable from outside the VPN",
            Windows.REVOCATION_OFFLINE,
        )

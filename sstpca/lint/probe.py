"""What a running server shows to a client: certificates and TLS versions.

TLS is tried once for each kind of client, see :class:`Hello`, and once for each kind of key: a server
may have several certificates. What the OpenSSL of this machine cannot speak, it cannot try.
"""

import enum
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .findings import Finding, Windows, error, note, warning

# of OpenSSL 3: servers of before RFC 5746; ssl names it from Python 3.12
_LEGACY_SERVER_CONNECT: Final = 0x4
# as the server is, not as it should be: weak keys are for the checks to say
_VERSION: Final = re.compile(r"^(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?")
_ANY_KEY: Final = ":@SECLEVEL=0"


@enum.unique
class Hello(enum.Enum):
    """A kind of client: its TLS version, and its suites in OpenSSL's words."""

    #: Windows 10 and 11, and most others
    TLS12 = (ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM:ECDHE+AES:RSA+AES")
    #: Windows 11, and most others
    TLS13 = (ssl.TLSVersion.TLSv1_3, "DEFAULT")
    #: Windows 7 and 8.1: AES-GCM with ECDSA only
    OLD = (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE+AES+SHA256:ECDHE+AES+SHA1")
    #: RouterOS with pfs=no: RSA also exchanges the keys
    NO_PFS = (ssl.TLSVersion.TLSv1_2, "kRSA+AES")


# clients that take only one kind of key; in TLS 1.3, the suites do not say
_KINDS: Final = ("ECDHE+aRSA+AES", "ECDHE+aECDSA+AES")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server showed.

    :param chain: DER, as sent, the leaf first; empty if TLS never came up.
    :param others: the chains of other certificates, which clients with another kind of key see.
    :param whole: whether ``chain`` is all that was sent, not only the leaf.
    :param suites: what was agreed on with each kind of client; None where TLS did not come up.
    :param refusal: why TLS never came up.
    """

    chain: tuple[bytes, ...] = field(default=(), repr=False)
    others: tuple[tuple[bytes, ...], ...] = field(default=(), repr=False)
    whole: bool = True
    suites: Mapping[Hello, str | None] = field(default_factory=dict)
    refusal: OSError | None = None


def probe(host: str, port: int, name: str, timeout: float = 5.0) -> Probe:
    """Connect to a server a few times and return what it shows.

    :param host: where it is: a name in A-labels, or an address.
    :param name: what it is asked as, in TLS (SNI).
    :param timeout: seconds that each step of a connection may take.
    :raises OSError: if there is no connection at all; UnicodeError, if the name cannot be one.
    """
    chain: tuple[bytes, ...] = ()
    whole = True
    refusal: OSError | None = None
    suites: dict[Hello, str | None] = dict.fromkeys(Hello)
    for hello in Hello:
        connection = _handshake((host, port), *hello.value, name, timeout)
        if isinstance(connection, OSError):
            refusal = refusal or connection
            if isinstance(connection, TimeoutError) and not chain:
                break  # whoever says nothing says nothing to the others
            continue
        with connection:
            suites[hello] = (connection.cipher() or ("?",))[0]
            if not chain:
                chain, whole = _chain(connection)
    others = tuple(_others(chain, host, port, name, timeout)) if chain else ()
    return Probe(chain, others, whole, suites, None if chain else refusal)


def _others(
    chain: tuple[bytes, ...], host: str, port: int, name: str, timeout: float
) -> Iterator[tuple[bytes, ...]]:
    """Yield the chains with other leaves than ``chain`` that a server shows."""
    for suites in _KINDS:
        try:
            connection = _handshake((host, port), ssl.TLSVersion.TLSv1_2, suites, name, timeout)
        except OSError:
            return
        if not isinstance(connection, OSError):
            with connection:
                found, _ = _chain(connection)
            if found and found[0] != chain[0]:
                yield found


def _handshake(
    place: tuple[str, int], version: ssl.TLSVersion, suites: str, name: str, timeout: float
) -> ssl.SSLSocket | OSError:
    """Return the connection with TLS, or why there is none.

    :raises OSError: if there is no connection.
    """
    raw = socket.create_connection(place, timeout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(suites + _ANY_KEY)
    context.options |= _LEGACY_SERVER_CONNECT
    try:
        return context.wrap_socket(raw, server_hostname=name)
    except (OSError, ValueError) as problem:
        raw.close()
        return problem if isinstance(problem, OSError) else OSError(str(problem))


def _chain(connection: ssl.SSLSocket) -> tuple[tuple[bytes, ...], bool]:
    """Return the certificates that were sent, and whether these are all of them."""
    sent = _sent(connection)
    if sent is not None:
        return sent, True
    leaf = connection.getpeercert(binary_form=True)
    return () if leaf is None else (leaf,), False


def _sent(connection: ssl.SSLSocket) -> tuple[bytes, ...] | None:
    """Return the certificates that were sent; None where Python does not tell."""
    # public from Python 3.13; before, of the object inside, which gives objects
    source: Any = connection
    if not hasattr(source, "get_unverified_chain"):
        source = getattr(connection, "_sslobj", None)
    if not hasattr(source, "get_unverified_chain"):
        return None
    return tuple(map(_der, source.get_unverified_chain() or ()))


def _der(certificate: Any) -> bytes:
    if isinstance(certificate, bytes):
        return certificate
    return ssl.PEM_cert_to_DER_cert(certificate.public_bytes())


def check_server(seen: Probe) -> Iterator[Finding]:
    """Look at everything in ``seen`` that is not in the certificates."""
    if not any(seen.suites.values()):
        yield _no_tls(seen.refusal)
        return
    yield from _check_tls(seen)
    if not seen.whole:
        yield note(
            "chain-unseen",
            "this Python shows the server's own certificate only, not what it sends with it",
            "nothing, or give the chain as a file",
        )


def _no_tls(refusal: OSError | None) -> Finding:
    """Say why there is no TLS, as far as the server tells."""
    match refusal:
        case TimeoutError():
            found = "the server takes the connection, and then does not answer as TLS does"
            windows = Windows.TIMED_OUT
        case ConnectionError() | ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            found = "the server closes the connection as soon as TLS begins"
            windows = Windows.RESET
        case ssl.SSLError(reason=str(reason)) if "ALERT" in reason or "UNRECOGNIZED" in reason:
            said = _VERSION.sub("", reason).replace("_", " ").lower()
            found = f"the server refuses TLS 1.2 and TLS 1.3 with the alert '{said}'"
            windows = Windows.TLS
        case _:
            found, windows = "the server takes neither TLS 1.2 nor TLS 1.3", Windows.TLS
    fix = "see that this port is the VPN server's, and that it has TLS 1.2 switched on"
    return error("tls", found, fix, windows)


def _check_tls(seen: Probe) -> Iterator[Finding]:
    if not seen.suites[Hello.TLS12]:
        yield error(
            "tls-1.2",
            "the server takes no TLS 1.2 that Windows 10 and 11 offer",
            "switch on TLS 1.2 with ECDHE and AES-GCM",
            Windows.TLS,
        )
        if seen.suites[Hello.TLS13]:
            # Python's ssl sets no signature algorithms, which alone say in TLS 1.3 what keys a client takes
            yield note(
                "others-unseen",
                "only TLS 1.2 lets this check ask for one kind of key: if the server has a certificate of "
                "another kind beside this one, it was not looked at",
                "nothing, or give the file of the other one",
            )
        return
    if not seen.suites[Hello.TLS13]:
        yield note(
            "tls-1.3", "the server takes no TLS 1.3", "nothing: all Windows clients have TLS 1.2"
        )
    if not seen.suites[Hello.OLD]:
        yield warning(
            "tls-old",
            "the server takes no suite of Windows 7 and 8.1",
            "if such clients remain, switch on ECDHE with AES-CBC and SHA-256",
            Windows.TLS,
        )
    agreed = seen.suites[Hello.TLS12] or ""
    if not agreed.startswith("ECDHE"):
        yield warning(
            "tls-weaker",
            f"the server agrees with Windows 10 on {agreed}, where RSA exchanges the keys: whoever gets "
            "at its key can read what was recorded",
            "have the server choose the cipher suite, with ECDHE first",
        )
    elif seen.suites[Hello.NO_PFS]:
        yield note(
            "tls-weaker",
            "the server takes RSA key exchange, which RouterOS needs with pfs=no: whoever gets at its "
            "key can read what was recorded",
            "set pfs=yes on RouterOS clients, then switch it off (here: compat in settings.toml)",
        )
    else:
        yield note(
            "tls-no-pfs",
            "the server takes no RSA key exchange: RouterOS clients need pfs=yes",
            "nothing, or set pfs=yes on RouterOS clients",
        )

"""The places where certificates say whether they are revoked: Windows asks them before it connects.

It fails hard: where one cannot be asked, there is no connection ([MS-SSTP] clients, 0x80092013).
"""

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from ..lint.findings import Windows
from ..names import quoted
from ..x509.certificates import Certificate
from .outcome import Check, failed, passed, warned

_LIST_MAX: Final = 16 << 20
#: Places that are asked, of all certificates together.
_PLACES_MAX: Final = 8
#: How often the timeout of a step fits into what a whole answer may take.
_WHOLE: Final = 4
_FIX: Final = (
    "have it reachable from outside the VPN, or put a certificate without CRL and OCSP in place of this "
    "one"
)


def check_revocation(
    path: Sequence[x509.Certificate], now: datetime, timeout: float = 5.0
) -> Iterator[Check]:
    """Ask each place that the certificates of a path name, as Windows does.

    :param path: from the server's certificate to its root, as far as that is known.
    """
    places = [
        (address, one, issuer)
        for one, issuer in zip(path, (*path[1:], None), strict=True)
        for address in dict.fromkeys(filter(None, Certificate.of(one).revocation_addresses))
    ]
    for address, one, issuer in places[:_PLACES_MAX]:
        if not address.lower().startswith(("http://", "https://")):
            yield warned(
                "revocation",
                f"{quoted(address)} is a place that PCs outside of the domain cannot ask",
                _FIX,
                windows=Windows.NO_REVOCATION_CHECK,
            )
        elif address in Certificate.of(one).responders:
            yield _ask_responder(address, one, issuer, timeout)
        else:
            yield _ask_list(address, one, issuer, now, timeout)
    if len(places) > _PLACES_MAX:
        found = f"{len(places) - _PLACES_MAX} more places of the certificates were not asked"
        yield warned("revocation", found, _FIX)
    if not places and path:
        yield passed("revocation", "the certificates name no place to ask whether they are revoked")


def _ask_list(
    address: str,
    one: x509.Certificate,
    issuer: x509.Certificate | None,
    now: datetime,
    timeout: float,
) -> Check:
    try:
        found = _load_list(_fetched(urllib.request.Request(address), timeout))  # noqa: S310
    except (OSError, ValueError) as error:
        return _offline(address, error)
    if issuer is not None and not _is_signed(found, issuer):
        return failed(
            "revocation",
            f"the revocation list at {quoted(address)} is not signed by the certificate's issuer",
            "publish the issuer's own list there",
            windows=Windows.NO_REVOCATION_CHECK,
        )
    ends = found.next_update_utc
    if ends is not None and ends < now:
        return failed(
            "revocation",
            f"the revocation list at {quoted(address)} ended on {ends:%Y-%m-%d %H:%M} UTC",
            "publish a newer one",
            windows=Windows.REVOCATION_OFFLINE,
        )
    if found.get_revoked_certificate_by_serial_number(one.serial_number) is not None:
        return _revoked(address)
    return passed("revocation", f"the revocation list at {quoted(address)} can be fetched")


def _is_signed(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether a list is the issuer's; of one by somebody else for it (RFC 5280 5), that is not asked."""
    if found.issuer != issuer.subject:
        return True
    key: Any = issuer.public_key()
    try:
        return bool(found.is_signature_valid(key))
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return True  # a kind of key that is said elsewhere


def _load_list(data: bytes) -> x509.CertificateRevocationList:
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(data)
    return x509.load_der_x509_crl(data)


def _ask_responder(
    address: str, one: x509.Certificate, issuer: x509.Certificate | None, timeout: float
) -> Check:
    if issuer is None:
        return warned(
            "revocation",
            f"{quoted(address)} was not asked: the issuer's certificate is not known",
            "have the server send it",
        )
    # SHA-1 is what responders index by (RFC 5019 2.1.1)
    builder = ocsp.OCSPRequestBuilder().add_certificate(one, issuer, hashes.SHA1())  # noqa: S303
    body = builder.build().public_bytes(serialization.Encoding.DER)
    request = urllib.request.Request(  # noqa: S310
        address, body, {"Content-Type": "application/ocsp-request"}
    )
    try:
        answer = ocsp.load_der_ocsp_response(_fetched(request, timeout))
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise ValueError(f"it says {answer.response_status.name}")
    except (OSError, ValueError) as error:
        return _offline(address, error)
    if answer.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        return _revoked(address)
    return passed("revocation", f"the responder {quoted(address)} answers")


def _fetched(request: urllib.request.Request, timeout: float) -> bytes:
    """Return what is at an address, however slowly it comes, within :data:`_WHOLE` times ``timeout``.

    :raises OSError: if it cannot be had; ValueError, if it is too large, or no HTTP.
    """

    def fetch() -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                data: bytes = answer.read(_LIST_MAX + 1)
        except http.client.HTTPException as error:
            raise ValueError(f"what answers is no web server ({type(error).__name__})") from error
        if len(data) > _LIST_MAX:
            raise ValueError("it is larger than 16 MiB")
        return data

    return _within(_WHOLE * timeout, fetch)


def _within(seconds: float, call: Callable[[], bytes]) -> bytes:
    """Return what ``call`` does, if it is there in time; else it is left to itself.

    Timeouts of sockets begin anew with each byte.

    :raises TimeoutError: if it is not.
    """
    came: list[bytes] = []
    problems: list[Exception] = []

    def run() -> None:
        try:
            came.append(call())
        except (OSError, ValueError) as error:
            problems.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if problems:
        raise problems[0]
    if not came:
        raise TimeoutError("it takes too long")
    return came[0]


def _offline(address: str, error: Exception) -> Check:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    why = getattr(reason, "strerror", None) or reason
    return failed(
        "revocation",
        f"{quoted(address)} cannot be asked whether a certificate is revoked: {why}",
        _FIX,
        windows=Windows.REVOCATION_OFFLINE,
    )


def _revoked(address: str) -> Check:
    return failed(
        "revocation",
        f"{quoted(address)} says that the certificate is revoked",
        "put a new certificate in its place",
        windows=Windows.REVOKED,
    )

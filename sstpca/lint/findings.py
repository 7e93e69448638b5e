"""What a check of certificates says: findings, and the errors that Windows would show for them."""

import enum
from dataclasses import dataclass

from ..errors import Remedy


@enum.unique
class Severity(enum.Enum):
    """How bad it is."""

    ERROR = "error"  # Windows refuses
    WARNING = "warning"  # some Windows or another client refuses, or will soon
    NOTE = "note"


@enum.unique
class Windows(enum.Enum):
    """An error of the Windows client, with the text it shows (winerror.h, raserror.h)."""

    EXPIRED = (
        0x800B0101,
        "A required certificate is not within its validity period when verifying against the "
        "current system clock or the timestamp in the signed file.",
    )
    CRITICAL = (
        0x800B0105,
        "A certificate contains an unknown extension that is marked 'critical'.",
    )
    UNTRUSTED_ROOT = (
        0x800B0109,
        "A certificate chain processed, but terminated in a root certificate which is not "
        "trusted by the trust provider.",
    )
    CHAINING = (
        0x800B010A,
        "A certificate chain could not be built to a trusted root authority.",
    )
    NAME = (0x800B010F, "The certificate's CN name does not match the passed value.")
    WRONG_USAGE = (0x800B0110, "The certificate is not valid for the requested usage.")
    INVALID_NAME = (
        0x800B0114,
        "The certificate has an invalid name. The name is not included in the permitted list or "
        "is explicitly excluded.",
    )
    SIGNATURE = (0x80096004, "The signature of the certificate cannot be verified.")
    BASIC_CONSTRAINTS = (
        0x80096019,
        "A certificate's basic constraint extension has not been observed.",
    )
    NO_REVOCATION_CHECK = (
        0x80092012,
        "The revocation function was unable to check revocation for the certificate.",
    )
    REVOCATION_OFFLINE = (
        0x80092013,
        "The revocation function was unable to check revocation because the revocation server "
        "was offline.",
    )
    UNREADABLE = (0x80090327, "An unknown error occurred while processing the certificate.")
    TLS = (0x80090326, "The message received was unexpected or badly formatted.")
    NO_ANSWER = (0x80070040, "The specified network name is no longer available.")
    NO_SUCH_HOST = (0x80072EE7, "The server name or address could not be resolved.")
    TIMED_OUT = (
        0x8007274C,
        "A connection attempt failed because the connected party did not properly respond after "
        "a period of time, or established connection failed because connected host has failed to "
        "respond.",
    )
    REFUSED = (
        0x8007274D,
        "No connection could be made because the target machine actively refused it.",
    )

    ABORTED = (0x800704D4, "The network connection was aborted by the local system.")
    RESET = (0x80072746, "An existing connection was forcibly closed by the remote host.")
    REVOKED = (0x800B010C, "A certificate was explicitly revoked by its issuer.")
    UNTRUSTED_TLS = (
        0x80090325,
        "The certificate chain was issued by an authority that is not trusted.",
    )
    ENDED = (
        628,
        "The connection was terminated by the remote computer before it could be completed.",
    )
    HOURS = (646, "The account is not permitted to log on at this time of day.")
    DISABLED = (647, "The account is disabled.")
    PASSWORD_EXPIRED = (648, "The password for this account has expired.")
    NO_PERMISSION = (649, "The account does not have permission to dial in.")
    PASSWORD = (
        691,
        "The remote connection was denied because the user name and password combination you "
        "provided is not recognized, or the selected authentication protocol is not permitted on "
        "the remote access server.",
    )
    ACCOUNT_EXPIRED = (708, "The account has expired.")
    NO_PPP_ANSWER = (
        718,
        "The connection was terminated because the remote computer did not respond in a timely "
        "manner.",
    )
    NO_ADDRESS = (
        720,
        "A connection to the remote computer could not be established. You might need to change "
        "the network settings for this connection.",
    )
    LINK_ENDED = (734, "The PPP link control protocol was terminated.")
    NO_PROOF = (778, "It was not possible to verify the identity of the server.")

    @property
    def code(self) -> str:
        """The number as Windows shows it: ``0x800B010F``, or ``691``."""
        number = self.value[0]
        return f"0x{number:08X}" if number > 0xFFFF else str(number)

    @property
    def decimal(self) -> str:
        """The number as the event log has it: ``-2146762481``, or ``691``."""
        number = self.value[0]
        return str(number - (1 << 32) if number > 0x7FFFFFFF else number)

    @property
    def text(self) -> str:
        """What Windows says in words."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a certificate or a server.

    :param check: a stable name of what was checked, for machines.
    :param found: what is the case, in one line.
    :param remedy: what to do, in one line.
    :param windows: the error it gives or may give; None if Windows has none for it.
    """

    check: str
    severity: Severity
    found: str
    remedy: Remedy
    windows: Windows | None = None

    @property
    def fix(self) -> str:
        """The remedy as text."""
        return "".join(map(str, self.remedy))


def error(check: str, found: str, fix: str | Remedy, windows: Windows | None = None) -> Finding:
    """Return a finding that keeps Windows from connecting."""
    return Finding(check, Severity.ERROR, found, _remedy(fix), windows)


def warning(check: str, found: str, fix: str | Remedy, windows: Windows | None = None) -> Finding:
    """Return a finding that keeps some clients from connecting, or that others could make use of."""
    return Finding(check, Severity.WARNING, found, _remedy(fix), windows)


def note(check: str, found: str, fix: str | Remedy, windows: Windows | None = None) -> Finding:
    """Return a finding that is good to know."""
    return Finding(check, Severity.NOTE, found, _remedy(fix), windows)


def _remedy(fix: str | Remedy) -> Remedy:
    return (fix,) if isinstance(fix, str) else fix

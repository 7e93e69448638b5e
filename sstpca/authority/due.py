"""Which certificates of a home need somebody's attention: for timers and monitoring."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ..errors import Remedy, SstpcaError, command
from ..home import SERVER, SERVERS, Home
from ..names import quoted
from ..store import Store
from ..store.certificates import AUTHORITY, NEXT, CertificateState, Entry, list_all
from ..x509.certificate_profiles import SERVER_DAYS
from ..x509.certificates import digest
from ..x509.chains import root_of
from .authority import former_authorities
from .identity import load_identities
from .pairs import tidy

# from then on, an authority's end cuts short what it issues; and users need new bundles in time
_ROLLOVER: Final = timedelta(days=SERVER_DAYS)


@enum.unique
class Urgency(enum.Enum):
    """Whether it still works."""

    DUE = "due"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate that needs attention.

    :param name: of its pair; "server", "authority", or the name it was issued under.
    :param not_after: its end, in seconds since 1970; None if the file is the trouble.
    :param why: what is the case, in one line.
    :param remedy: what to do, in one line.
    """

    name: str
    urgency: Urgency
    not_after: float | None
    why: str
    remedy: Remedy

    @property
    def fix(self) -> str:
        """The remedy as text."""
        return "".join(map(str, self.remedy))


def due(home: Home, store: Store, within: timedelta, now: datetime) -> list[Due]:
    """Return what needs attention among the current certificates, the soonest end first.

    A user's revoked certificate does not: that is how it is meant to end.

    :param within: how long before its end a certificate is due, and of a short life a third; an
        authority's is at least a year.
    :raises SstpcaError: if a file or the database cannot be read.
    """
    tidy(home, store)
    gone = {*SERVERS} - {*home.shown}
    current = [one for one in list_all(store) if one.replaced is None and one.name not in gone]
    found = [one for entry in current for one in _judge(entry, within, now)]
    if not any(one.name in SERVERS for one in found):
        found += _former(home, current)
    if not any(one.name in SERVERS and one.urgency is Urgency.WRONG for one in found):
        found += _serving(home, now)
    return sorted(found, key=lambda one: one.not_after or 0)


def unknown_end(home: Home, now: datetime) -> str:
    """Return a note on a server's certificate of a private authority; empty if there is none.

    It is no fault: what users' machines trust, nobody here knows.
    """
    try:
        identities = load_identities(home, now)
    except SstpcaError:
        return ""  # there is more to say of it than this
    for identity in identities:
        chain = (identity.certificate, *identity.chain)
        if not identity.own and root_of(chain) is None:
            return (
                f"the issuer {quoted(chain[-1].issuer.rfc4514_string())} of the server's chain is "
                "no root that is known here: users' machines have to trust it"
            )
    return ""


def _judge(entry: Entry, within: timedelta, now: datetime) -> Iterator[Due]:
    moment = now.timestamp()
    left = timedelta(seconds=entry.not_after - moment)
    if entry.profile == AUTHORITY:
        within = max(within, _ROLLOVER)
    end = f"{datetime.fromtimestamp(entry.not_after, now.tzinfo):%Y-%m-%d}"
    match entry.state(moment):
        case CertificateState.EXPIRED:
            yield _due(entry, Urgency.WRONG, f"expired on {end}: Windows says 0x800B0101")
        case CertificateState.NOT_YET:
            why = "begins only later; is this machine's clock right?"
            yield Due(entry.name, Urgency.WRONG, entry.not_after, why, ("correct the clock",))
        case CertificateState.REVOKED if entry.name in (*SERVERS, AUTHORITY):
            yield _due(entry, Urgency.WRONG, "is revoked")
        case CertificateState.VALID if left < entry.due_before(within):
            yield _due(entry, Urgency.DUE, f"ends on {end}, in {left.days} days")
        case CertificateState.VALID | CertificateState.REVOKED | CertificateState.REPLACED:
            return


def _due(entry: Entry, urgency: Urgency, why: str) -> Due:
    remedy: Remedy
    if entry.name == NEXT:
        remedy = (command("ca rollover cancel"), ", and begin another")
    elif entry.profile == AUTHORITY:
        remedy = ("roll over to a next one: ", command("ca rollover status"))
    elif entry.issuer_sha256:
        remedy = (command("cert renew {}", entry.name),)
    else:
        remedy = ("get a new one from whoever issued it, then ", command("cert import"))
    return Due(entry.name, urgency, entry.not_after, why, remedy)


def _serving(home: Home, now: datetime) -> Iterator[Due]:
    """Look at what the server would refuse to start with."""
    try:
        load_identities(home, now)
    except SstpcaError as error:
        yield Due(SERVER, Urgency.WRONG, None, str(error), error.remedy)


def _former(home: Home, current: Sequence[Entry]) -> Iterator[Due]:
    """Look whether the server shows what only old bundles make clients believe."""
    former = {digest(one) for one in former_authorities(home)}
    for entry in current:
        if entry.name in SERVERS and entry.issuer_sha256 in former:
            yield _due(entry, Urgency.DUE, "is of a former authority, which not every bundle has")

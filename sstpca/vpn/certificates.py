"""Certificates: issued, renewed, revoked, taken in from elsewhere, and written for other programs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ..authority import due as needs
from ..authority import issuing, revocation
from ..authority.authority import (
    load_ca_certificate,
    note_on_purposes,
)
from ..authority.calendar import make_calendar
from ..authority.due import Due, unknown_end
from ..authority.identity import load_identities, load_server_certificates
from ..authority.issuing import CertificateWish, Existing, check_cdp
from ..errors import InvalidInput, Remedy, SstpcaError
from ..home import SERVER, SERVER_ECDSA, SERVERS
from ..names import user_key
from ..store import certificates
from ..store.certificates import AUTHORITY, NEXT, PREFIX_MIN, USER, CertificateState, Entry
from ..store.users import holders_of
from ..x509.certificate_profiles import AUTHORITY_DAYS, SERVER_DAYS
from ..x509.describe import Description, describe
from ..x509.keys import KEY_TYPES, KeyType
from ..x509.pair import Pair
from .opened import Opened, Passphrase

__all__ = [
    "AUTHORITY",
    "AUTHORITY_DAYS",
    "KEY_TYPES",
    "NEXT",
    "PREFIX_MIN",
    "REASONS",
    "SERVER",
    "SERVERS",
    "SERVER_DAYS",
    "SERVER_ECDSA",
    "CertificateState",
    "CertificateWish",
    "Certificates",
    "Description",
    "Due",
    "Entry",
    "Existing",
    "KeyType",
    "Pair",
    "check_cdp",
    "describe",
]

REASONS: Final = revocation.REASONS

#: told of what cannot be renewed
Broken = Callable[[SstpcaError], None]


class Certificates:
    """The certificates of one VPN; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def all(self, *, everything: bool = False) -> list[Entry]:
        """Return the certificates that were issued or taken in, by name and then the newest first.

        :param everything: also those that newer ones have replaced.
        """
        _, store = self._opened.recovered()
        return certificates.list_all(store) if everything else certificates.list_current(store)

    def find(self, text: str) -> Entry:
        """Return the certificate that ``text`` means.

        :param text: a name, a serial number, or eight digits or more of one or of a fingerprint.
        :raises NotFound: if there is none.
        :raises SstpcaError: if there are several.
        """
        _, store = self._opened.recovered()
        return certificates.find(store, text)

    def place(self, one: Entry) -> Path | None:
        """Return the file that has ``one``, which may be missing; None if it was replaced."""
        if one.replaced is not None:
            return None
        home = self._opened.home
        places = {AUTHORITY: home.ca_certificate, NEXT: home.next_ca_certificate}
        return places.get(one.name) or home.pair(one.name)

    def authority_and_server(self) -> tuple[Description, dict[str, Description]]:
        """Return what the authority's certificate says, and each of the server's by its pair's name.

        :raises SstpcaError: if one of them is missing or damaged.
        """
        home, now = self._opened.home, datetime.now(UTC)
        authority = describe(load_ca_certificate(home), now)
        shown = load_server_certificates(home)
        return authority, {name: describe(one, now) for name, one in shown.items()}

    def objection(self) -> SstpcaError | None:
        """Return why Windows, or the server itself, would refuse the server's certificate."""
        try:
            load_identities(self._opened.home)
        except SstpcaError as error:
            return error
        return None

    def wish_for_server(
        self,
        name: str,
        hosts: Sequence[str],
        addresses: Sequence[str],
        kind: KeyType | None = None,
        *,
        days: int | None = None,
        cdp: str = "",
    ) -> CertificateWish:
        """Return the wish for a server's certificate; see :func:`.issuing.server_wish`.

        :param kind: by default RSA, and ECDSA for the one that is shown beside one with RSA.
        """
        kind = kind or (KeyType.ECDSA if name == SERVER_ECDSA else KeyType.RSA)
        wish = issuing.server_wish(self._opened.home, name, hosts, addresses, kind)
        return replace(wish, days=days, cdp=cdp)

    def wishes_for_users(
        self,
        names: Sequence[str],
        kind: KeyType = KeyType.RSA,
        *,
        upn: str | None = None,
        days: int | None = None,
        cdp: str = "",
    ) -> list[CertificateWish]:
        """Return the wishes for the certificates of users, who need not exist yet.

        :param upn: what Windows calls the user, of one name; by default NAME@HOST.
        :param days: how long they are valid; by default 397.
        :param cdp: where their revocation list will be found; empty: nowhere.
        :raises InvalidInput: if a name cannot be used.
        """
        host, holders = self._opened.settings.host, holders_of(self._opened.store, names)
        return [
            issuing.user_wish(
                one,
                upn or issuing.default_upn(one, host),
                kind,
                days=days,
                cdp=cdp,
                holder=holders.get(user_key(one)),
            )
            for one in names
        ]

    def issue(
        self,
        wishes: Sequence[CertificateWish],
        passphrase: Passphrase = None,
        *,
        existing: Existing = Existing.REFUSE,
    ) -> Iterator[Pair]:
        """Issue a certificate with a new key for each of ``wishes``; yield each pair in its place.

        :param passphrase: of the authority's key.
        :param existing: what to do where a name has one that is still good.
        :raises SstpcaError: if one cannot be issued; nothing has changed then. If it is the disk
            that refuses, the hundreds before are whole.
        """
        home, store = self._opened.recovered()
        authority = self._opened.authority(passphrase)
        now = datetime.now(UTC)
        yield from issuing.issue(home, store, authority, wishes, now, existing=existing)

    def authority_ends(self) -> datetime:
        """Return when the authority ends, and with it all that it issues."""
        return load_ca_certificate(self._opened.home).not_valid_after_utc

    def current(self, name: str) -> Entry:
        """Return the certificate of ``name`` that none has replaced, whatever its state.

        :raises NotFound: if there is none.
        """
        _, store = self._opened.recovered()
        return certificates.current(store, name)

    def due(self, within: timedelta) -> list[str]:
        """Return the names of what a renewal is worth while for.

        It ends ``within`` that time, or in the last third of a short life, or has ended.
        """
        home, store = self._opened.recovered()
        found = issuing.due(home, store, within, datetime.now(UTC))
        return list(dict.fromkeys(entry.name for entry in found))

    def names(self, names: Iterable[str]) -> list[str]:
        """Return the certificates' names for what people typed, each once.

        :raises NotFound: if there is none of a name.
        """
        _, store = self._opened.recovered()
        return list(dict.fromkeys(certificates.current(store, name).name for name in names))

    def renew(
        self,
        names: Sequence[str],
        passphrase: Passphrase = None,
        *,
        days: int | None = None,
        broken: Broken | None = None,
    ) -> Iterator[Pair]:
        """Give each of ``names`` a new certificate for the same key and names; yield each pair.

        :param broken: told of one that cannot be renewed; the others are, if it does not raise. By
            default the first of them is the error, and nothing has changed.
        :raises SstpcaError: if none can be renewed.
        """
        home, store = self._opened.recovered()
        authority, now = self._opened.authority(passphrase), datetime.now(UTC)
        more = {} if broken is None else {"broken": broken}
        yield from issuing.renew(home, store, authority, names, now, days=days, **more)

    def rekey(
        self,
        name: str,
        passphrase: Passphrase = None,
        *,
        kind: KeyType | None = None,
        days: int | None = None,
    ) -> Pair:
        """Return a pair with a new key and the same names, in the place of the old.

        :param kind: by default that of the old key.
        :raises NotFound: if there is none of that name.
        :raises SstpcaError: if it was issued by another authority.
        """
        home, store = self._opened.recovered()
        old = certificates.current(store, name)
        holders = holders_of(store, [old.name]) if old.profile == USER else {}
        authority = self._opened.authority(passphrase)
        return issuing.rekey(
            home,
            store,
            authority,
            name,
            datetime.now(UTC),
            kind=kind,
            days=days,
            holder=holders.get(user_key(old.name)),
        )

    def check_revocable(self, entry: Entry) -> None:
        """Make sure that ``entry`` can be revoked.

        :raises SstpcaError: if it is revoked.
        :raises InvalidInput: if it is the authority's.
        """
        certificates.check_not_revoked(entry)
        if entry.profile == AUTHORITY:
            raise InvalidInput(
                "an authority cannot revoke itself",
                "remove its certificate from the machines that trust it (the bundle's uninstall)",
            )

    def revoke(self, entry: Entry, reason: str = REASONS[0]) -> tuple[Entry, ...]:
        """Revoke ``entry`` for good, and what was issued for its key while somebody decided to.

        :param reason: one of REASONS, RFC 5280 5.3.1.
        :returns: what was revoked, ``entry`` first.
        :raises SstpcaError: if it cannot be revoked.
        """
        self.check_revocable(entry)
        home, store = self._opened.recovered()
        return revocation.revoke(home, store, entry, reason, datetime.now(UTC))

    @property
    def has_revocation_list(self) -> bool:
        """Whether a revocation list was written into the home, which is out of date after changes."""
        return (self._opened.home.root / revocation.DER_NAME).exists()

    def calendar(self) -> tuple[bytes, int]:
        """Return a calendar (RFC 5545) of what expires when, and how many events it has.

        Read again after a renewal, its events move and are not doubled.
        """
        _, store = self._opened.recovered()
        current = [one for one in certificates.list_current(store) if one.revoked is None]
        # of the first authority: events are to be the same ones after a rollover
        first = min(certificates.list_authorities(store), key=lambda one: one.id)
        return make_calendar(current, first.sha256, self._opened.settings.host), len(current)

    def attention(self, within: timedelta) -> list[Due]:
        """Return which certificates need attention, the soonest end first.

        :param within: how long before its end one is due, and of a short life a third; an
            authority's is at least a year.
        """
        return needs.due(self._opened.home, self._opened.store, within, datetime.now(UTC))

    def notes(self) -> list[Remedy]:
        """Return what is no fault, and good to know of the authority and the server's certificate."""
        home = self._opened.home
        return [
            one
            for one in ((unknown_end(home, datetime.now(UTC)),), note_on_purposes(home))
            if any(one)
        ]

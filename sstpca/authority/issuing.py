"""Issue, renew, rekey: everything that makes a new pair."""

import contextlib
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar
from urllib.parse import urlsplit

from cryptography import x509

from ..errors import InvalidInput, NameTaken, Refused, SstpcaError, command, option
from ..home import SERVER_ECDSA, SERVERS, Home
from ..names import quoted, user_key
from ..store import Store, certificates
from ..store.certificates import CertificateState, Entry
from ..store.users import check_holders
from ..x509 import certificate_profiles
from ..x509.certificates import Certificate
from ..x509.keys import KeyType, PublicKey, key_type, make_key
from ..x509.name_constraints import check_permitted
from ..x509.pair import Pair
from ..x509.subjects import Subject
from . import pairs
from .authority import Authority, check_alive, load_ca_certificate
from .identity import check_kind, served_hosts
from .pairs import changing

_Item = TypeVar("_Item")

# pairs that are written, recorded and held in memory together
_BATCH: Final = 100
_URL_MAX: Final = 1024
# a renewal that gives less than this is none: the authority ends
_WORTH_IT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CertificateWish:
    """A certificate somebody wants.

    :param name: what its pair is to be called.
    :param days: how long; None: as the profile has it.
    :param cdp: the URL of the revocation list to put into it; empty: none.
    :param holder: the number of the user whom it is for, if there is one: whoever is added under
        that name later is somebody else.
    """

    name: str
    profile: certificate_profiles.Profile
    subject: Subject
    key_type: KeyType
    days: int | None = None
    cdp: str = ""
    holder: int | None = None


@enum.unique
class Existing(enum.Enum):
    """What to do where a name has a certificate already that is still good."""

    REFUSE = "refuse"
    SKIP = "skip"
    REPLACE = "replace"


#: told of what cannot be renewed
Broken = Callable[[SstpcaError], None]


def _refuse(error: SstpcaError) -> None:
    raise error


def _check_days(profile: certificate_profiles.Profile, days: int | None) -> None:
    if days is not None and days > profile.days_max:
        raise InvalidInput(
            f"a {profile.name}'s certificate is valid for at most {profile.days_max} days"
        )


def check_cdp(url: str) -> str:
    """Return ``url`` if a certificate can name it as the place of the revocation list.

    :raises InvalidInput: if it cannot.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and bool(parts.hostname) and len(url) <= _URL_MAX
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInput(
            f"{quoted(url)} cannot be the place of a revocation list",
            "Windows fetches it over plain http: http://pki.example.com/ca.crl",
        )
    return url


def server_wish(
    home: Home,
    name: str,
    hosts: Sequence[str],
    addresses: Sequence[str],
    kind: KeyType,
) -> CertificateWish:
    """Return the wish for a server's certificate.

    :param name: one of SERVERS is this home's own, by default for the hosts of the settings; of
        another pair the name is the host, if no other is given.
    :param hosts: what people typed for host names, wildcards included.
    :raises InvalidInput: if a name cannot be used, or "server" would not be for a host of the
        settings, whatever a wildcard covers.
    """
    if name in SERVERS:
        check_kind(home, name, kind)
        served = served_hosts(home)
        hosts = hosts or served.names
        addresses = addresses or [str(address) for address in served.addresses]
    else:
        name = pairs.check_pair_name(name)
        hosts = hosts or ([] if addresses else [name])
    subject = Subject.parse(hosts, addresses)
    if name in SERVERS:
        _check_served(home, subject)
    return CertificateWish(name, certificate_profiles.SERVER, subject, kind)


def _check_served(home: Home, subject: Subject) -> None:
    served = served_hosts(home)
    missing = [
        *(one for one in served.names if one not in subject.dns),
        *(str(one) for one in served.addresses if one not in subject.addresses),
    ]
    if missing:
        raise InvalidInput(
            f"the settings have {', '.join(missing)}, which people connect to: without it Windows "
            "would say 0x800B010F",
            f"give it as well, or take it out of {home.settings}; a wildcard is not enough",
        )


def user_wish(
    name: str,
    upn: str,
    kind: KeyType,
    *,
    days: int | None = None,
    cdp: str = "",
    holder: int | None = None,
) -> CertificateWish:
    """Return the wish for the certificate of the user ``name``.

    :param holder: the number of that user, if there is one already; see holders.holders_of.
    :raises InvalidInput: if a name cannot be used.
    """
    name = pairs.check_pair_name(name)
    return CertificateWish(
        name, certificate_profiles.USER, Subject.of_user(name, upn), kind, days, cdp, holder
    )


def default_upn(name: str, host: str) -> str:
    """Return the user principal name of ``name`` where none is given; ``host`` is the server's."""
    return name if "@" in name else f"{name}@{host}"


def issue(
    home: Home,
    store: Store,
    authority: Authority,
    wishes: Sequence[CertificateWish],
    now: datetime,
    *,
    existing: Existing = Existing.REFUSE,
) -> Iterator[Pair]:
    """Make a pair for each of ``wishes``, a hundred at a time; yield each that is in place.

    All others are kept from changing pairs meanwhile.

    :raises SstpcaError: if one cannot be issued; nothing has changed then. If it is the disk that
        refuses, the hundreds before are whole.
    """
    check_alive(authority.certificate, now)
    for wish in wishes:
        _check_days(wish.profile, wish.days)
        check_permitted(wish.subject, authority.certificate)
    with _changing(home, store, authority):
        check_holders(store, {wish.name: wish.holder for wish in wishes})
        wanted = _wanted(wishes, certificates.holders(store), existing)
        made = (_make(authority, wish, now) for wish in wanted)
        yield from _put_all(home, store, authority, made, now)


def _wanted(
    wishes: Sequence[CertificateWish], holders: Mapping[str, tuple[str, bool]], existing: Existing
) -> list[CertificateWish]:
    """Return the wishes to fulfil."""
    wanted: dict[str, CertificateWish] = {}
    for wish in wishes:
        key = user_key(wish.name)
        name, usable = holders.get(key, (wish.name, False))
        if key in wanted:
            raise InvalidInput(f"the name {quoted(wish.name)} is given twice")
        if usable and existing is Existing.SKIP:
            continue
        if usable and existing is Existing.REFUSE:
            raise NameTaken(
                f"there is a certificate called {quoted(name)} already",
                "renew it (",
                command("cert renew {}", name),
                "), or say ",
                option("--replace"),
            )
        # the file of the pair has this name
        wanted[key] = replace(wish, name=name)
    return list(wanted.values())


def _make(authority: Authority, wish: CertificateWish, now: datetime) -> Pair:
    key = make_key(wish.key_type)
    leaf = authority.sign(
        wish.profile, wish.subject, key.public_key(), now, days=wish.days, cdp=wish.cdp
    )
    return Pair(wish.name, wish.profile.name, (leaf,), key)


def _put_all(
    home: Home,
    store: Store,
    authority: Authority,
    made: Iterable[Pair],
    now: datetime,
) -> Iterator[Pair]:
    for batch in _batches(made):
        pairs.put(home, store, batch, issuer=authority.certificate, now=now)
        yield from batch


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def renew(
    home: Home,
    store: Store,
    authority: Authority,
    names: Sequence[str],
    now: datetime,
    *,
    days: int | None = None,
    broken: Broken = _refuse,
) -> Iterator[Pair]:
    """Give each of ``names`` a new certificate for the same key and the same names; yield each pair.

    :param broken: told of one that cannot be renewed; the others are, if it does not raise.
    :raises SstpcaError: if none of them can be renewed, or ``broken`` raises; nothing has changed
        then.
    """
    check_alive(authority.certificate, now)
    with _changing(home, store, authority):
        entries = []
        for name in names:
            try:
                entries.append(_renewable(home, store, authority, name, days))
            except SstpcaError as error:
                broken(error)
        made = (_renewed(home, authority, entry, now, days) for entry in entries)
        yield from _put_all(home, store, authority, made, now)


def _renewable(
    home: Home, store: Store, authority: Authority, name: str, days: int | None
) -> Entry:
    """Return the current certificate of ``name``, once nothing stands in its way."""
    entry = _ours(store, certificates.current(store, name))
    if entry.revoked is not None:
        raise Refused(
            f"the certificate of '{entry.name}' is revoked; its key is not to be used any more",
            "make a new pair: ",
            command("cert rekey {}", entry.name),
        )
    _check_days(certificate_profiles.PROFILES[entry.profile], days)
    check_permitted(Subject.of_certificate(entry.certificate), authority.certificate)
    pairs.of_entry(home, entry)
    return entry


def _renewed(
    home: Home, authority: Authority, entry: Entry, now: datetime, days: int | None
) -> Pair:
    pair = pairs.of_entry(home, entry)
    leaf = _signed_again(authority, entry, pair.key.public_key(), now, days)
    return Pair(entry.name, entry.profile, (leaf,), pair.key)


def rekey(
    home: Home,
    store: Store,
    authority: Authority,
    name: str,
    now: datetime,
    *,
    kind: KeyType | None = None,
    days: int | None = None,
    holder: int | None = None,
) -> Pair:
    """Return a pair with a new key and the same names, in the place of the old.

    :param kind: by default that of the old key.
    :param holder: the number of the user who has it, if there is one.
    :raises SstpcaError: if there is none of that name, or it was issued by another authority.
    """
    check_alive(authority.certificate, now)
    with _changing(home, store, authority):
        check_holders(store, {name: holder})
        entry = _ours(store, certificates.current(store, name))
        _check_days(certificate_profiles.PROFILES[entry.profile], days)
        kind = kind or key_type(entry.certificate.public_key())
        if entry.name in SERVERS:
            check_kind(home, entry.name, kind)
        key = make_key(kind)
        leaf = _signed_again(authority, entry, key.public_key(), now, days)
        pair = Pair(entry.name, entry.profile, (leaf,), key)
        pairs.put(home, store, [pair], issuer=authority.certificate, now=now)
    return pair


def _signed_again(
    authority: Authority, entry: Entry, key: PublicKey, now: datetime, days: int | None
) -> x509.Certificate:
    old = entry.certificate
    return authority.sign(
        certificate_profiles.PROFILES[entry.profile],
        Subject.of_certificate(old),
        key,
        now,
        days=days,
        cdp=Certificate.of(old).list_url,
    )


@contextlib.contextmanager
def _changing(home: Home, store: Store, authority: Authority) -> Iterator[None]:
    with changing(home, store):
        authority.check_current(home)
        yield


def _issuers(store: Store) -> set[str]:
    """Return the authorities, former ones as well, whose certificates can be renewed here."""
    return {one.sha256 for one in certificates.list_authorities(store)}


def _ours(store: Store, entry: Entry) -> Entry:
    if entry.profile not in certificate_profiles.PROFILES:
        raise Refused(
            "the authority's own certificate cannot be renewed",
            "make a next authority: ",
            command("ca rollover begin"),
        )
    if entry.issuer_sha256 not in _issuers(store):
        raise Refused(
            f"the certificate of '{entry.name}' was issued by another authority",
            "renew it there, and take the new one in with '",
            command("cert import"),
            "'",
        )
    return entry


def due(home: Home, store: Store, within: timedelta, now: datetime) -> list[Entry]:
    """Return what a renewal is worth while for: it ends ``within`` that time, or has ended.

    Of a short life, it is the last third.

    Not among them are revoked ones, those of others' authorities, and those that could not get a
    later end because the authority ends then.
    """
    issuers, last = _issuers(store), load_ca_certificate(home).not_valid_after_utc.timestamp()
    return [
        entry
        for entry in certificates.list_current(store)
        if entry.profile in certificate_profiles.PROFILES
        and entry.issuer_sha256 in issuers
        and entry.state(now.timestamp()) is not CertificateState.REVOKED
        and entry.not_after <= (now + entry.due_before(within)).timestamp()
        and entry.not_after + _WORTH_IT.total_seconds() < last
        and (entry.name != SERVER_ECDSA or SERVER_ECDSA in home.shown)
    ]

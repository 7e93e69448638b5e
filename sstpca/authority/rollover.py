"""A rollover: a next authority is made, handed out beside the present one, and then takes over.

Until it does, the present one issues, and the server keeps its chain; bundles carry both. What
changes on disk and in what order is succession.py's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..disk import staged
from ..disk.writing import PUBLIC, SECRET, File
from ..errors import InUse, InvalidInput, NotFound, command
from ..home import Home
from ..lint.findings import Finding
from ..lint.host_names import check_names
from ..lint.readable import read
from ..names import Hosts
from ..store import Store, Transaction, certificates
from ..store.certificates import Entry
from ..x509 import certificate_profiles
from ..x509.certificates import Certificate, certificate_to_pem
from ..x509.keys import KeyType, key_to_pem, key_type, make_key
from ..x509.name_constraints import may, refused, text_of
from ..x509.pair import Pair
from ..x509.subjects import Subject
from . import pairs
from .authority import Authority, check_alive, issuer_of, load_next_certificate
from .identity import (
    check_leaf,
    load_server_certificate,
    load_server_certificates,
    served_hosts,
)


class UnderWay(InUse, InvalidInput):
    """A rollover is under way already."""


class NoSuccessor(NotFound, InvalidInput):
    """There is no next authority."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What the end of a rollover has changed.

    :param server: the server's new certificate; None if it is another authority's, and stays.
    :param kept: where the server's pairs from before are.
    :param left: how many certificates are a former authority's.
    """

    server: x509.Certificate | None
    kept: tuple[Path, ...]
    left: int


def begin(
    home: Home,
    store: Store,
    passphrase: bytes | None,
    now: datetime,
    *,
    kind: KeyType | None = None,
    constrained: bool | None = None,
    hosts: Hosts | None = None,
) -> x509.Certificate:
    """Make the next authority, and return its certificate.

    :param passphrase: encrypts its key; None leaves it plain.
    :param hosts: what it can issue for; by default those of the settings.
    :param kind: of its key; by default as the present one's.
    :param constrained: whether it has name constraints; by default as the present one.
    :raises SstpcaError: if there is one already, or a file or the database cannot be written;
        nothing has changed then.
    """
    hosts = hosts or served_hosts(home)
    with pairs.changing(home, store), staged.recovering(partial(pairs.recover, home, store)):
        refuse_second(home, store)
        known = certificates.list_authorities(store)
        present = certificates.current(store, certificates.AUTHORITY).certificate
        if constrained is None:
            constrained = certificate_profiles.is_constrained(present)
        kind = kind or key_type(present.public_key())
        made = Authority.make(hosts, now, kind, len(known) + 1, constrained=constrained)
        staged.stage(
            [
                File(home.next_ca_key, key_to_pem(made.key, passphrase), SECRET),
                File(home.next_ca_certificate, certificate_to_pem(made.certificate), PUBLIC),
            ]
        )
        with store.writing(durable=True) as transaction:
            certificates.record(
                transaction,
                [(certificates.NEXT, certificates.AUTHORITY, made.certificate)],
                issuer=made.certificate,
                requested_by=certificates.login(),
                now=now,
            )
    return made.certificate


def refuse_second(home: Home, store: Store) -> None:
    """Make sure that no rollover is under way.

    :raises UnderWay: if one is.
    """
    under_way = certificates.maybe_current(store, certificates.NEXT) is not None
    if under_way or home.next_ca_certificate.exists():
        raise UnderWay(
            "there is a next authority already",
            "see '",
            command("ca rollover status"),
            "'; then finish that rollover, or cancel it",
        )


def following(home: Home) -> x509.Certificate:
    """Return the certificate of the next authority.

    :raises NoSuccessor: if there is none.
    """
    found = load_next_certificate(home)
    if found is None:
        raise NoSuccessor("there is no next authority", "make one: ", command("ca rollover begin"))
    return found


def lacks_names(home: Home) -> bool:
    """Return whether the settings have a name that the server's certificate is not for.

    Until the end of the rollover no bundle can be made then.

    :raises SstpcaError: if the certificate or the settings cannot be read.
    """
    return not serves(home, served_hosts(home))


def serves(home: Home, hosts: Hosts) -> bool:
    """Return whether Windows would find all of ``hosts`` in each certificate of the server.

    :raises SstpcaError: if one cannot be read.
    """
    return all(is_for(one, hosts) for one in load_server_certificates(home).values())


def is_for(leaf: x509.Certificate, hosts: Hosts) -> bool:
    """Return whether Windows would find all of ``hosts`` in ``leaf``."""
    readable = read(leaf.public_bytes(Encoding.DER))
    found = () if isinstance(readable, Finding) else check_names(readable, hosts)
    return all(one.check != "name" for one in found)


def keeps_names(home: Home, successor: x509.Certificate) -> bool:
    """Return whether ``successor`` may give a server all names that the present one has.

    :raises SstpcaError: if the server's certificate cannot be read.
    """
    leaves = load_server_certificates(home).values()
    return all(may(successor, Subject.of_certificate(one)) for one in leaves)


def unserved(home: Home, successor: x509.Certificate) -> list[str]:
    """Return the names of the settings that ``successor`` may not give the server.

    :raises SstpcaError: if the server's certificate or the settings cannot be read.
    """
    if issuer_of(home, load_server_certificate(home)) is None:
        return []
    served = Subject.of_hosts(served_hosts(home)).alternative_name()
    return list(map(text_of, refused(Certificate.of(successor), served)))


def finish(
    home: Home, store: Store, successor: Authority, now: datetime, *, hosts: Hosts | None = None
) -> Finished:
    """Let the next authority take the place of the present one, and issue the server's pair anew.

    :param successor: the next authority.
    :param hosts: what the pair is for, all those of the settings among them, which are the default.
    :raises SstpcaError: if that cannot be; nothing has changed then, unless it is the disk that
        refuses in the end, which the next command recovers.
    """
    check_alive(successor.certificate, now)
    with pairs.changing(home, store), staged.recovering(partial(pairs.recover, home, store)):
        if load_next_certificate(home) != successor.certificate:
            raise InUse("another command has changed the next authority", "try again")
        made = _server_pairs(home, successor, now, hosts or served_hosts(home))
        kept = [pairs.keep_server(home, pair.name, now) for pair in made]
        pairs.stage(home, made)
        with store.writing(durable=True) as transaction:
            _take_over(transaction, successor, made, now)
    places = tuple(path for path in kept if path is not None)
    return Finished(made[0].leaf if made else None, places, len(of_former(store)))


def of_former(store: Store) -> list[Entry]:
    """Return the current certificates that a former authority of this home has issued, by name."""
    current = certificates.current(store, certificates.AUTHORITY).sha256
    former = {one.sha256 for one in certificates.list_authorities(store)} - {current}
    return [
        one
        for one in certificates.list_current(store)
        if one.issuer_sha256 in former
        and one.profile in certificate_profiles.PROFILES
        and one.revoked is None
    ]


def _take_over(
    transaction: Transaction, successor: Authority, made: Sequence[Pair], now: datetime
) -> None:
    certificates.succeed(transaction, now)
    if made:
        certificates.record(
            transaction,
            [(pair.name, pair.profile, pair.leaf) for pair in made],
            issuer=successor.certificate,
            requested_by=certificates.login(),
            now=now,
        )


def _server_pairs(home: Home, successor: Authority, now: datetime, hosts: Hosts) -> list[Pair]:
    """Return the server's next pairs; none if another authority's certificate serves."""
    made = []
    for name, leaf in load_server_certificates(home).items():
        if issuer_of(home, leaf) is None:
            continue
        key = make_key(key_type(leaf.public_key()))
        url = Certificate.of(leaf).list_url
        subject = server_subject(hosts, leaf, successor.certificate)
        profile = certificate_profiles.SERVER
        new = successor.sign(profile, subject, key.public_key(), now, cdp=url)
        check_leaf(home, new, hosts, now, name=name)
        made.append(Pair(name, profile.name, (new,), key))
    return made


def server_subject(hosts: Hosts, leaf: x509.Certificate, successor: x509.Certificate) -> Subject:
    """Return the names of ``hosts``, and those of ``leaf`` that ``successor`` may give."""
    served, old = Subject.of_hosts(hosts), Subject.of_certificate(leaf)
    gone = list(refused(Certificate.of(successor), old.alternative_name()))
    more = [one for one in old.dns if x509.DNSName(one) not in gone]
    others = [one for one in old.addresses if x509.IPAddress(one) not in gone]
    return Subject(
        served.common_name,
        tuple(dict.fromkeys((*served.dns, *more))),
        tuple(dict.fromkeys((*served.addresses, *others))),
    )


def cancel(home: Home, store: Store, now: datetime) -> None:
    """Drop the next authority, its key as well.

    :raises SstpcaError: if there is none, or something cannot be written.
    """
    with pairs.changing(home, store), staged.recovering(partial(pairs.recover, home, store)):
        if certificates.maybe_current(store, certificates.NEXT) is None:
            following(home)
        with store.writing(durable=True) as transaction:
            certificates.drop_next(transaction, now)

"""The server gets another name, and nobody is left behind.

What users connect to is in four places: the settings, the server's certificate, the authority's name
constraints, and every bundle. They change in an order in which the server serves at any time, also
when a run is killed between two steps: the certificate is for both names before the settings have the
new one, and loses the old one only after them. How far this is, is not written down but seen from
these places each time; what is written down are the two names.
"""

import enum
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from .. import settings
from ..authority import issuing, pairs, rollover
from ..authority.authority import Authority, issuer_of, load_ca_certificate, load_next_certificate
from ..authority.identity import (
    load_server_certificate,
    load_server_certificates,
    served_hosts,
)
from ..authority.issuing import CertificateWish, Existing
from ..bundle.content.bundle import address_of
from ..bundle.ledger import distribution
from ..bundle.ledger.distribution import Without
from ..disk.folders import remove
from ..disk.reading import read_text
from ..disk.writing import PUBLIC, write_file
from ..errors import InvalidInput, SstpcaError, command
from ..home import Home
from ..names import Hosts, parse_hosts, quoted
from ..store import Store
from ..x509 import certificate_profiles
from ..x509.certificates import Certificate
from ..x509.keys import key_type
from ..x509.name_constraints import may
from ..x509.subjects import Subject, dns_names


@enum.unique
class Step(enum.Enum):
    """What is to be done, in this order; each case has some of them."""

    AUTHORITY = "authority"
    TRUST = "trust"
    SUCCESSION = "succession"
    CERTIFICATE = "certificate"
    SETTINGS = "settings"
    BUNDLES = "bundles"
    END = "end"


#: these are done by people
WAITING: Final = frozenset({Step.TRUST, Step.BUNDLES})


@dataclass(frozen=True, slots=True)
class Renaming:
    """A name that users connect to, and the one that takes its place; they may be addresses."""

    old: str
    new: str

    def both(self, hosts: Hosts) -> Hosts:
        """Return ``hosts`` with the new name, first, and the old one."""
        every = parse_hosts((self.new, *hosts.names, *map(str, hosts.addresses), self.old))
        return Hosts(every.names, every.addresses)

    def certified(self, hosts: Hosts) -> Hosts:
        """Return :meth:`both`, an old IPv4 address as text too, as where there is no name.

        See :meth:`~sstpca.x509.subjects.Subject.of_hosts`: it depends on Windows' version what it compares.
        """
        both = self.both(hosts)
        as_text = () if hosts.names else dns_names(hosts)
        return Hosts((*both.names, *as_text), both.addresses) if both.names else both

    def after(self, hosts: Hosts) -> Hosts:
        """Return ``hosts`` with the new name, first, and without the old one."""
        return self.without_old(self.both(hosts))

    def before(self, hosts: Hosts) -> Hosts:
        """Return ``hosts`` with the old name, first, and without the new one."""
        return Renaming(self.new, self.old).after(hosts)

    def without_old(self, hosts: Hosts) -> Hosts:
        """Return ``hosts`` without the old name."""
        return Hosts(
            tuple(one for one in hosts.names if one != self.old),
            tuple(one for one in hosts.addresses if str(one) != self.old),
        )


def load(home: Home) -> Renaming | None:
    """Return what ``home`` is being renamed to; None if it is not.

    :raises SstpcaError: if the file is damaged.
    """
    path = home.renaming
    if not path.exists():
        return None
    try:
        found = json.loads(read_text(path, "the names before and after"))
        names = [parse_hosts([found[key]]).first for key in ("old", "new")]
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput):
        raise SstpcaError(
            f"{path} does not say from what to what the server is being renamed",
            f"remove it and begin again; nothing else depends on it: rm {path}",
        ) from None
    return Renaming(*names)


def planned(home: Home, new: str) -> Renaming:
    """Return the renaming of the name that users connect to now to ``new``; nothing is written.

    :raises InvalidInput: if ``new`` cannot be, or is that name.
    """
    hosts, wanted = served_hosts(home), parse_hosts([new])
    found = Renaming(hosts.first, wanted.first)
    if found.old == found.new:
        raise InvalidInput(f"users connect to {found.new} already", "nothing is to be done")
    if hosts.names and wanted.addresses:
        raise InvalidInput(
            f"users connect to a name, and {found.new} is an address",
            f"a name is better than an address: let {found.old} lead there",
        )
    return found


def save(home: Home, renaming: Renaming) -> None:
    """Write down what is being done.

    :raises SstpcaError: if that cannot be.
    """
    write_file(home.renaming, json.dumps(asdict(renaming)).encode(), PUBLIC)


def forget(home: Home) -> None:
    """Take that back: the server is not being renamed.

    :raises SstpcaError: if the file cannot be removed.
    """
    remove(home.renaming)


def steps(home: Home, renaming: Renaming) -> list[Step]:
    """Return what is still to be done, the next first.

    :raises SstpcaError: if it cannot be done, or a file cannot be read.
    """
    hosts = served_hosts(home)
    both, known = renaming.both(hosts), {*hosts.names, *map(str, hosts.addresses)}
    if renaming.old not in known:
        if renaming.new not in known:
            raise SstpcaError(
                f"the settings have neither {renaming.old} nor {renaming.new}",
                "correct that, or give the renaming up: ",
                command("server rename --cancel"),
            )
        return [Step.END]
    if hosts.first == renaming.new:
        return [Step.BUNDLES, Step.END]
    rest = [Step.SETTINGS, Step.BUNDLES, Step.END]
    leaf = load_server_certificate(home)
    if rollover.serves(home, both):
        return rest
    issuer = issuer_of(home, leaf)
    if issuer is None:
        raise SstpcaError(
            f"the server's certificate is another authority's, and not for {_named(both)}",
            f"get one for {_named(both)} there; then: ",
            command("cert import FILE..."),
        )
    if issuer != load_ca_certificate(home):
        raise SstpcaError(
            "the server's certificate is of a former authority, which users may have alone",
            "give them bundles (",
            command("bundle --all"),
            "), then: ",
            command("cert renew server"),
        )
    return [*_to_certificate(home, renaming.certified(hosts)), *rest]


def _to_certificate(home: Home, both: Hosts) -> list[Step]:
    following, subject = load_next_certificate(home), Subject.of_hosts(both)
    if following is not None:
        if not may(following, subject):
            raise SstpcaError(
                f"a rollover is under way, and its next authority cannot issue for {_named(both)}",
                "see '",
                command("ca rollover status"),
                "'; finish that rollover first, or cancel it",
            )
        return [Step.TRUST, Step.SUCCESSION]
    if may(load_ca_certificate(home), subject):
        return [Step.CERTIFICATE]
    return [Step.AUTHORITY, Step.TRUST, Step.SUCCESSION]


def _named(hosts: Hosts) -> str:
    return ", ".join((*hosts.names, *map(str, hosts.addresses)))


def waiting_for(home: Home, store: Store, step: Step) -> list[Without]:
    """Return the users who have no bundle yet that ``step`` waits for.

    :raises SstpcaError: if a file or the database cannot be read.
    """
    if step is Step.TRUST:
        return distribution.without(store, rollover.following(home))
    if step is Step.BUNDLES:
        return distribution.elsewhere(store, address_of(settings.load(home.settings)))
    return []


def certify(
    home: Home, store: Store, authority: Authority, renaming: Renaming, now: datetime
) -> None:
    """Give the server a certificate for both names.

    :raises SstpcaError: if that cannot be; nothing has changed then.
    """
    _issue(home, store, authority, renaming.certified(served_hosts(home)), now)


def switch(home: Home, store: Store, renaming: Renaming) -> None:
    """Let the settings have both names, the new one first: bundles are for that from then on.

    :raises SstpcaError: if the certificate is not for both, or the settings cannot be written;
        nothing has changed then.
    """
    with pairs.changing(home, store):
        hosts = renaming.both(served_hosts(home))
        if not rollover.serves(home, hosts):
            raise SstpcaError("another command has changed the server's certificate", "try again")
        settings.write_hosts(home.settings, hosts)


def end(
    home: Home, store: Store, authority: Authority | None, renaming: Renaming, now: datetime
) -> None:
    """Take the old name out of the settings, and then of the certificate.

    :param authority: of this home; None if another one's certificate serves, which stays.
    :raises SstpcaError: if that cannot be; clients with the new name can connect all the same.
    """
    with pairs.changing(home, store):
        settings.write_hosts(home.settings, renaming.after(served_hosts(home)))
    if authority is not None:
        _issue(home, store, authority, served_hosts(home), now, without=renaming.old)
    forget(home)


def cancel(home: Home, store: Store, renaming: Renaming) -> None:
    """Let the settings have the old name alone; the certificate stays for both, if it is.

    :raises SstpcaError: if the certificate has lost the old name already, or the settings cannot be
        written; nothing has changed then.
    """
    with pairs.changing(home, store):
        hosts = served_hosts(home)
        if renaming.new in (*hosts.names, *map(str, hosts.addresses)):
            wanted = renaming.before(hosts)
            if not rollover.serves(home, wanted):
                raise SstpcaError(
                    f"the server's certificate is not for {quoted(renaming.old)} any more",
                    "end this renaming, then rename the server back",
                )
            settings.write_hosts(home.settings, wanted)
        forget(home)


def _issue(
    home: Home,
    store: Store,
    authority: Authority,
    hosts: Hosts,
    now: datetime,
    *,
    without: str = "",
) -> None:
    """Give the server new pairs of the same kinds for ``hosts``, and for what else they were for."""
    wishes = []
    for name, leaf in load_server_certificates(home).items():
        subject = rollover.server_subject(hosts, leaf, authority.certificate)
        subject = Subject(
            subject.common_name,
            tuple(one for one in subject.dns if one != without),
            tuple(one for one in subject.addresses if str(one) != without),
        )
        kind, url = key_type(leaf.public_key()), Certificate.of(leaf).list_url
        profile = certificate_profiles.SERVER
        wishes.append(CertificateWish(name, profile, subject, kind, cdp=url))
    list(issuing.issue(home, store, authority, wishes, now, existing=Existing.REPLACE))

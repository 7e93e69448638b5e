"""Whether a bundle that was made still fits the home: its authorities, server and access profiles."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...access.connection_settings import SignIn
from ...home import Home
from ...names import user_key
from ...settings import Settings
from ...store import Store, certificates, profiles, users
from ...store.bundles import Made
from ...store.certificates import CertificateState, Entry
from ...store.users import User
from ...x509.certificates import digest
from ..content import logo, trust
from ..content.bundle import address_of
from ..content.told import WINDOWS, told


def user_certificates(store: Store) -> dict[str, Entry]:
    """Return the present certificate of each user who has one, by names.user_key."""
    current = certificates.list_current(store)
    return {user_key(one.name): one for one in current if one.profile == certificates.USER}


@dataclass(frozen=True, slots=True)
class Present:
    """What the home says now. Users and their certificates are by names.user_key.

    :param authorities: SHA-256 of those in a new bundle, lower-case hexadecimal.
    :param server: what clients connect to, as Windows' ServerAddress.
    :param told: see :func:`~sstpca.bundle.content.told.told`, by access profile and whether the
        bundle is for Windows and nothing else.
    """

    authorities: tuple[str, ...]
    server: str
    connection: str
    told: Mapping[tuple[str, bool], str]
    users: Mapping[str, User]
    certificates: Mapping[str, Entry]
    sign_in: Mapping[str, SignIn]

    @classmethod
    def load(cls, home: Home, store: Store, settings: Settings) -> "Present":
        """Return what ``home`` says now.

        :raises SstpcaError: if something cannot be read, or Windows would refuse the server's
            certificate.
        """
        picture = logo.of_home(home, settings)
        known = profiles.list_all(store)
        return cls(
            authorities=tuple(map(digest, trust.load(home).authorities)),
            server=address_of(settings),
            connection=settings.connection,
            told={
                (one.name, windows): told(one, settings, picture, windows=windows)
                for one in known
                for windows in (False, True)
            },
            users={user_key(one.name): one for one in users.list_all(store)},
            certificates=user_certificates(store),
            sign_in={one.name: one.client.sign_in for one in known},
        )

    def faults(self, made: Made) -> Iterator[tuple[str, str]]:
        """Yield why ``made`` does not fit any more, if it does not: what, and a line for people."""
        user = self.users.get(user_key(made.user))
        if user is None:
            yield "user", "there is no such user any more"
            return
        yield from self.of_authorities(made.authorities)
        if made.server != self.server:
            yield "server", f"it connects to {made.server}, not to {self.server}"
        if made.connection != self.connection:
            yield "connection", f"the connection is called '{self.connection}' now"
        if made.profile != user.profile:
            yield "profile", f"the access profile is '{user.profile}' now"
        elif made.told != self.told[user.profile, made.platforms == WINDOWS]:
            yield "profile", "the access profile or the settings have changed"
        if made.certificate is not None and self.sign_in[user.profile] is SignIn.EAP_TLS:
            yield from self._of_certificate(made)

    def of_authorities(self, made: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield why a bundle with the authorities ``made`` does not fit, if it does not."""
        missing, more = set(self.authorities) - set(made), set(made) - set(self.authorities)
        if self.authorities[:1] and self.authorities[0] in missing:
            yield "authority", "it is from another authority"
        elif missing:
            yield "authority", "the next authority is not in it yet"
        elif more:
            yield "authority", "it works, but has a former authority in it as well"

    def _of_certificate(self, made: Made) -> Iterator[tuple[str, str]]:
        entry = self.certificates.get(user_key(made.user))
        if entry is None or entry.sha256 != made.certificate:
            yield "certificate", "the user's certificate was replaced"
        elif entry.state(time.time()) is not CertificateState.VALID:
            yield "certificate", f"the user's certificate is {entry.state(time.time()).value}"

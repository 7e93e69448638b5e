"""Users: who may log in, by which password and with which access profile."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Network
from typing import Any

from ..access.limits import NOTHING_OWN, OwnLimits, day_of
from ..access.networks import Network
from ..access.profiles import DEFAULT
from ..imports.accounts import Account
from ..imports.reading import read
from ..imports.table import write
from ..secrets import generate_password
from ..store import profiles, usage, users
from ..store.usage import Volume
from ..store.users import Given, User
from .importing import Imported, Importing
from .opened import Opened

__all__ = ["DEFAULT", "Imported", "NewUser", "User", "Users", "Volume", "WithPassword"]


@dataclass(frozen=True, slots=True)
class NewUser:
    """Somebody to add.

    :param password: None: one is made.
    :param profile: the name of the access profile.
    :param static_address: the address the user always gets; None: one of the pool.
    :param static_prefix: the IPv6 prefix, a /64, that the user always gets where the access profile
        gives IPv6; None: one of the profile's.
    :param limits: what differs from the limits of the access profile.
    :param ends: when the account is over, seconds since 1970; None: never.
    """

    name: str
    password: str | None = field(default=None, repr=False)
    profile: str = DEFAULT
    static_address: IPv4Address | None = None
    static_prefix: IPv6Network | None = None
    limits: OwnLimits = NOTHING_OWN
    ends: float | None = None

    @property
    def given(self) -> Given:
        """What the user is given."""
        return Given(
            profile=self.profile,
            static_address=self.static_address,
            static_prefix=self.static_prefix,
            limits=self.limits,
            ends=self.ends,
        )


@dataclass(frozen=True, slots=True)
class WithPassword:
    """A user and the password, which is not kept: this is the moment to hand it over."""

    user: User
    password: str = field(repr=False)


class Users:
    """The users of one VPN; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def all(self) -> list[User]:
        """Return all users, by name."""
        return users.list_all(self._opened.store)

    def select(self, names: Iterable[str] = (), profile: str | None = None) -> list[User]:
        """Return users by name, each once.

        :param names: whom, in any case of letters; none: all.
        :param profile: those of this access profile alone.
        :raises NotFound: if there is no such user or access profile.
        """
        if profile is not None:
            profiles.get(self._opened.store, profile)
        found = {one.id: one for one in map(self.get, names)}.values() if names else self.all()
        return [one for one in found if profile in (None, one.profile)]

    def get(self, name: str) -> User:
        """Return the user ``name``, in any case of letters.

        :raises NotFound: if there is none.
        """
        return users.get(self._opened.store, name)

    def used(self, name: str) -> Volume:
        """Return what the sessions of the user ``name`` have carried today, and in this month.

        :raises NotFound: if there is none.
        """
        store = self._opened.store
        return usage.used(store, users.get(store, name).id, day_of(time.time()))

    def check_key(self) -> None:
        """Make sure that passwords can be set: to ask before one is typed.

        :raises SstpcaError: if the database key is missing, or is none.
        """
        _ = self._opened.sealer

    def check(self, new: Iterable[NewUser]) -> Sequence[NewUser]:
        """Return ``new`` with their names in NFC if they can be added: to ask before a password is typed.

        :raises SstpcaError: as :meth:`add_all` does; passwords are not looked at.
        """
        store = self._opened.store
        return [
            replace(
                one,
                name=users.check_addable(store, one.name, **one.given),
            )
            for one in new
        ]

    def add(
        self, name: str, password: str | None = None, *, profile: str = DEFAULT
    ) -> WithPassword:
        """Add one user; see :meth:`add_all`."""
        return self.add_all([NewUser(name, password, profile)])[0]

    def add_all(self, new: Sequence[NewUser]) -> list[WithPassword]:
        """Add all of ``new`` or, on an error, none.

        :raises InvalidInput: if a name, password or address cannot be used, or is taken.
        :raises NotFound: if there is no such access profile.
        """
        sealer = self._opened.sealer
        added = []
        with self._opened.store.writing(durable=True) as transaction:
            for one in new:
                password = generate_password() if one.password is None else one.password
                user = users.insert(transaction, sealer, one.name, password, **one.given)
                added.append(WithPassword(user, password))
        return added

    def take_over(
        self,
        text: str,
        *,
        profile: str | None = None,
        short_passwords: bool = False,
        generate: bool = False,
        really: bool = True,
    ) -> Imported:
        """Add all accounts that a file of another program has or, if one cannot be added, none.

        :param text: of the file; see :mod:`..imports`.
        :param profile: the access profile that all get; None: the one that the file says.
        :param short_passwords: whether passwords are taken that are shorter than new ones may be.
        :param generate: whether passwords are made for those who have none there.
        :param really: False: only say what would come of it.
        :raises InvalidInput: if it is no such file.
        """
        found = read(text)
        importing = Importing(
            self._opened,
            found,
            profile=profile,
            short_passwords=short_passwords,
            generate=generate,
        )
        return importing.run(really=really)

    def exported(self, names: Iterable[str] = (), *, profile: str | None = None) -> str:
        """Return a table (CSV) of users that :meth:`take_over` reads again; it has no secret.

        :param names: whom; none: all.
        :param profile: those of this access profile alone.
        :raises NotFound: if there is no such user or access profile.
        """
        return write(
            Account(
                line,
                one.name,
                enabled=one.enabled,
                profile=one.profile,
                static_address=one.static_address,
                static_prefix=one.static_prefix,
                networks=one.networks,
                ends=one.ends,
                limits=one.limits,
            )
            for line, one in enumerate(self.select(names, profile), 2)
        )

    def set_password(self, name: str, password: str | None = None) -> WithPassword:
        """Give the user ``name`` another password; sessions that run are not ended.

        :param password: None: one is made.
        :raises InvalidInput: if it cannot be used.
        :raises NotFound: if there is no such user.
        """
        password = generate_password() if password is None else password
        opened = self._opened
        return WithPassword(
            users.set_password(opened.store, opened.sealer, name, password), password
        )

    def expire(self, names: Iterable[str]) -> list[User]:
        """Have the users ``names`` change their passwords at the next login; on an error, none.

        Sessions that run are not ended. A client has to know how (RFC 2759 7): others are kept out
        until somebody sets a password.

        :returns: the users as they are then.
        :raises NotFound: if one of them does not exist.
        """
        return users.expire_passwords(self._opened.store, names)

    def set_enabled(self, names: Iterable[str], enabled: bool) -> list[User]:
        """Let the users ``names`` log in or not, all of them or, on an error, none.

        The sessions of those who may not any more end within a second.

        :returns: the users as they are then.
        :raises NotFound: if one of them does not exist.
        """
        return users.set_enabled(self._opened.store, names, enabled)

    def change(
        self,
        name: str,
        *,
        profile: str | None = None,
        static_address: IPv4Address | None = None,
        no_static_address: bool = False,
        static_prefix: IPv6Network | None = None,
        no_static_prefix: bool = False,
        networks: Iterable[Network] | None = None,
        limits: OwnLimits | Callable[[OwnLimits], OwnLimits] | None = None,
        ends: float | None = None,
        no_end: bool = False,
    ) -> User:
        """Change what the user ``name`` is given.

        Limits and the end count at once, for sessions that run as well; all else from the next login.

        :param no_static_address: take the static address away.
        :param no_static_prefix: take the static prefix away.
        :param networks: what is behind the user's client; None leaves that as it is.
        :param limits: the user's own, in place of those that there are; or what makes them of those.
        :param ends: when the account is over, seconds since 1970; ``no_end``: never.
        :raises InvalidInput: if the address, the prefix or a network cannot be used.
        :raises NotFound: if there is no such user or access profile.
        """
        return users.change(
            self._opened.store,
            name,
            profile=profile,
            static_address=static_address,
            no_static_address=no_static_address,
            static_prefix=static_prefix,
            no_static_prefix=no_static_prefix,
            networks=networks,
            limits=limits,
            ends=ends,
            no_end=no_end,
        )

    def change_each(self, changes: Mapping[str, Mapping[str, Any]]) -> list[User]:
        """Change several users, all of them or, on an error, none.

        :param changes: for each name, what :meth:`change` takes.
        :returns: the users as they are then, in that order.
        :raises SstpcaError: as :meth:`change` does.
        """
        store = self._opened.store
        with store.writing() as transaction:
            return [
                users.change(store, name, within=transaction, **given)
                for name, given in changes.items()
            ]

    def remove(self, names: Iterable[str]) -> list[User]:
        """Remove the users ``names``, all of them or, on an error, none.

        Their sessions end, and their certificates are revoked: a later user of the same name is
        somebody else, and must neither be logged in by them nor be given them.

        :returns: the users who were removed.
        :raises NotFound: if one of them does not exist.
        """
        home, store = self._opened.home, self._opened.store
        # nobody is to renew a certificate of theirs meanwhile
        with home.changing_certificates():
            return users.remove(store, names)

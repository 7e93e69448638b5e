"""Users: who may log in, with which password, address and access profile."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, Final

import sqlalchemy as sa

from sstpca.server.ppp.mschapv2 import nt_hash

from ..access import connection_settings, profiles
from ..access.connection_settings import SignIn
from ..errors import InvalidInput, SstpcaError
from ..home import Home
from ..names import check_user_name, is_text, quoted, user_key
from ..secrets import Sealer, check_password
from . import certificates
from . import database as tables
from .database import Store, now

__all__ = [
    "User",
    "add",
    "change",
    "check_addable",
    "check_user_name",
    "get",
    "insert",
    "list_all",
    "login",
    "remove",
    "set_enabled",
    "set_password",
    "update_password",
    "user_key",
]


#: RFC 5280 5.3.1, of the certificates of a removed user
_REMOVED: Final = "cessationOfOperation"


@dataclass(frozen=True, slots=True)
class User:
    """A user, without the password.

    :param profile: the name of the access profile.
    :param static_address: the address the user always gets. It may lie inside a pool: the leases
        of that pool then leave it out for everybody else.
    :param created: seconds since 1970; so is ``password_set``.
    """

    id: int
    name: str
    enabled: bool
    profile: str
    static_address: IPv4Address | None
    created: float
    password_set: float


def add(
    store: Store,
    sealer: Sealer,
    name: str,
    password: str,
    *,
    profile: str = profiles.DEFAULT,
    static_address: IPv4Address | None = None,
) -> User:
    """Add the user ``name`` and return them.

    :raises InvalidInput: if name, password or address cannot be used, or are taken.
    :raises SstpcaError: if there is no such access profile.
    """
    with store.writing() as connection:
        return insert(
            connection, sealer, name, password, profile=profile, static_address=static_address
        )


def insert(
    connection: sa.Connection,
    sealer: Sealer,
    name: str,
    password: str,
    *,
    profile: str = profiles.DEFAULT,
    static_address: IPv4Address | None = None,
) -> User:
    """Do what :func:`add` does in the caller's transaction (Store.writing)."""
    name = check_user_name(name)
    sealed = _sealed(sealer, name, password)
    number = _check_addable(connection, name, profile, static_address)
    connection.execute(
        tables.users.insert().values(
            name=name,
            key=user_key(name),
            nt_hash=sealed,
            enabled=True,
            profile_id=number,
            static_address=None if static_address is None else int(static_address),
            created=now(),
            password_set=now(),
        )
    )
    return _get(connection, name)


def check_addable(
    store: Store,
    name: str,
    *,
    profile: str = profiles.DEFAULT,
    static_address: IPv4Address | None = None,
) -> str:
    """Return ``name`` if :func:`add` would take all this: to ask before a password is typed.

    :raises SstpcaError: as :func:`add` does.
    """
    name = check_user_name(name)
    with store.reading() as connection:
        _check_addable(connection, name, profile, static_address)
    return name


def get(store: Store, name: str) -> User:
    """Return the user ``name``, in any case of letters.

    :raises SstpcaError: if there is none.
    """
    with store.reading() as connection:
        return _get(connection, name)


def list_all(store: Store) -> list[User]:
    """Return all users, by name."""
    with store.reading() as connection:
        rows = connection.execute(_select().order_by(tables.users.c.key)).all()
    return [_user(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Login:
    """What a login is checked against.

    :param nt_hash: of the password, 16 bytes.
    :param sign_in: how users of this access profile prove who they are.
    """

    user: User
    nt_hash: bytes = field(repr=False)
    sign_in: SignIn


def login(store: Store, sealer: Sealer, name: str) -> Login | None:
    """Return what a login as ``name`` is checked against; None if there is no such user.

    One query, so that an access profile that is changed meanwhile lets nobody in by another way.

    :raises SstpcaError: if the hash does not open: another database key.
    """
    statement = _select().add_columns(tables.users.c.nt_hash, tables.profiles.c.client)
    with store.reading() as connection:
        row = connection.execute(statement.where(tables.users.c.key == user_key(name))).first()
    if row is None:
        return None
    sign_in = connection_settings.from_json(row.client).sign_in
    return Login(_user(row), sealer.open(row.nt_hash, row.key), sign_in)


def set_password(store: Store, sealer: Sealer, name: str, password: str) -> User:
    """Give the user ``name`` another password; sessions that run are not ended.

    :raises InvalidInput: if the password cannot be used.
    :raises SstpcaError: if there is no such user.
    """
    with store.writing() as connection:
        return update_password(connection, sealer, name, password)


def update_password(connection: sa.Connection, sealer: Sealer, name: str, password: str) -> User:
    """Do what :func:`set_password` does in the caller's transaction (Store.writing)."""
    user = _get(connection, name)
    sealed = _sealed(sealer, user.name, password)
    _update(connection, user, nt_hash=sealed, password_set=now())
    return _get(connection, user.name)


def set_enabled(store: Store, names: Iterable[str], enabled: bool) -> list[User]:
    """Let the users ``names`` log in or not, all of them or, on an error, none.

    The sessions of those who may not any more are told to end.

    :returns: the users as they are then.
    :raises SstpcaError: if one of them does not exist.
    """
    changed = []
    with store.writing() as connection:
        for name in names:
            user = _get(connection, name)
            _update(connection, user, enabled=enabled)
            if not enabled:
                _end_sessions(connection, user, "the user was disabled")
            changed.append(_get(connection, name))
    return changed


def change(
    store: Store,
    name: str,
    *,
    profile: str | None = None,
    static_address: IPv4Address | None = None,
    no_static_address: bool = False,
) -> User:
    """Change the access profile or the static address of the user ``name``, from the next login.

    :param no_static_address: take the static address away.
    :raises InvalidInput: if the address cannot be used.
    :raises SstpcaError: if there is no such user or access profile.
    """
    with store.writing() as connection:
        user = _get(connection, name)
        values: dict[str, Any] = {}
        if profile is not None:
            values["profile_id"] = profiles.number_of(connection, profile)
        if no_static_address:
            values["static_address"] = None
        elif static_address is not None:
            _check_static(connection, static_address, but=user.id)
            values["static_address"] = int(static_address)
        if values:
            _update(connection, user, **values)
        return _get(connection, name)


def remove(home: Home, store: Store, names: Iterable[str]) -> list[User]:
    """Remove the users ``names``, all of them or, on an error, none; their sessions end.

    Their certificates are revoked, a renewal's that has begun as well: a later user of the same
    name is somebody else, and must neither be logged in by them nor be given them.

    :returns: the users who were removed.
    :raises SstpcaError: if one of them does not exist.
    """
    removed = []
    with home.changing_certificates(), store.writing(durable=True) as connection:
        for name in names:
            user = _get(connection, name)
            _end_sessions(connection, user, "the user was removed")
            connection.execute(tables.users.delete().where(tables.users.c.id == user.id))
            certificates.revoke_all_of(connection, user.name, _REMOVED, now())
            removed.append(user)
    return removed


def _sealed(sealer: Sealer, name: str, password: str) -> bytes:
    return sealer.seal(nt_hash(check_password(password)), user_key(name))


def _select() -> sa.Select[Any]:
    users, table = tables.users, tables.profiles
    return sa.select(
        users.c.id,
        users.c.name,
        users.c.key,
        users.c.enabled,
        table.c.name.label("profile"),
        users.c.static_address,
        users.c.created,
        users.c.password_set,
    ).join(table, table.c.id == users.c.profile_id)


def _user(row: sa.Row[Any]) -> User:
    address = row.static_address
    return User(
        id=row.id,
        name=row.name,
        enabled=row.enabled,
        profile=row.profile,
        static_address=None if address is None else IPv4Address(address),
        created=row.created,
        password_set=row.password_set,
    )


def _find(connection: sa.Connection, name: str) -> User | None:
    if not is_text(name):
        return None
    row = connection.execute(_select().where(tables.users.c.key == user_key(name))).first()
    return None if row is None else _user(row)


def _get(connection: sa.Connection, name: str) -> User:
    user = _find(connection, name)
    if user is None:
        raise SstpcaError(f"there is no user {quoted(name)}", "see 'sstpca user list'")
    return user


def _check_addable(
    connection: sa.Connection, name: str, profile: str, static_address: IPv4Address | None
) -> int:
    """Return the id of the access profile for the new user ``name``."""
    other = _find(connection, name)
    if other is not None:
        raise InvalidInput(
            f"there is a user '{other.name}' already",
            f"change the password with 'sstpca user passwd {other.name}', or choose another name",
        )
    number = profiles.number_of(connection, profile)
    _check_static(connection, static_address)
    return number


def _check_static(
    connection: sa.Connection, address: IPv4Address | None, but: int | None = None
) -> None:
    if address is None:
        return
    profiles.check_client_address(address, "the static address")
    if address in profiles.local_addresses(connection):
        raise InvalidInput(f"{address} is the server's own address in the tunnel")
    holder = connection.execute(
        sa.select(tables.users.c.id, tables.users.c.name).where(
            tables.users.c.static_address == int(address)
        )
    ).first()
    if holder is not None and holder.id != but:
        raise InvalidInput(f"{address} is the static address of user '{holder.name}' already")


def _update(connection: sa.Connection, user: User, **values: Any) -> None:
    connection.execute(tables.users.update().where(tables.users.c.id == user.id).values(**values))


def _end_sessions(connection: sa.Connection, user: User, reason: str) -> None:
    sessions = tables.sessions
    connection.execute(
        sessions.update()
        .where(sessions.c.user_id == user.id, sessions.c.kill.is_(None))
        .values(kill=reason)
    )

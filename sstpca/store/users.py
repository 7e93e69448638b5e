"""Users: who may log in, with which password, address and access profile."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Network, ip_network
from typing import Any, Final, TypedDict, Unpack

import sqlalchemy as sa

from ..access import ipv6
from ..access.limits import NOTHING_OWN, OwnLimits, own_from_json, own_to_json
from ..access.networks import Network
from ..access.profiles import DEFAULT
from ..errors import InvalidInput, NameTaken, NotFound, Refused, command
from ..names import check_user_name, is_text, quoted, user_key
from ..secrets import Sealer
from . import networks as behind_clients
from . import profiles, schema, sessions, static
from .credentials import Credential, sealed
from .database import Store, Transaction, now
from .limits import OF_USERS
from .schema import users

#: RFC 5280 5.3.1, of the certificates of a removed user
_REMOVED: Final = "cessationOfOperation"
_SEE_USERS: Final = ("see '", command("user list"), "'")

# built once: a server asks for each login (logins.py)
USERS: Final[sa.Select[Any]] = sa.select(
    users.c.id,
    users.c.name,
    users.c.key,
    users.c.enabled,
    schema.profiles.c.name.label("profile"),
    users.c.static_address,
    users.c.static_prefix,
    users.c.created,
    users.c.password_set,
    users.c.password_expired,
    users.c.networks,
    *OF_USERS,
).join(schema.profiles, schema.profiles.c.id == users.c.profile_id)
USER: Final = USERS.where(users.c.key == sa.bindparam("of"))


@dataclass(frozen=True, slots=True)
class User:
    """A user, without the password.

    :param profile: the name of the access profile.
    :param static_address: the address the user always gets. It may lie inside a pool: the leases
        of that pool then leave it out for everybody else.
    :param static_prefix: the IPv6 prefix, a /64, that the user always gets, where the access profile
        gives IPv6; in the same way.
    :param created: seconds since 1970; so is ``password_set``.
    :param password_expired: whether the password has to be changed before it lets the user in.
    :param networks: what is behind the user's client, and reached through it.
    :param limits: what differs from the limits of the access profile.
    :param ends: when the account is over, seconds since 1970; None: never.
    """

    id: int
    name: str
    enabled: bool
    profile: str
    static_address: IPv4Address | None
    created: float
    password_set: float
    password_expired: bool = False
    static_prefix: IPv6Network | None = None
    networks: tuple[Network, ...] = ()
    limits: OwnLimits = NOTHING_OWN
    ends: float | None = None


class Given(TypedDict, total=False):
    """What a user is given, as in :class:`User`; in place of no access profile, the default."""

    profile: str
    static_address: IPv4Address | None
    static_prefix: IPv6Network | None
    limits: OwnLimits
    ends: float | None


def add(store: Store, sealer: Sealer, name: str, password: str, **given: Unpack[Given]) -> User:
    """Add the user ``name`` and return them.

    :raises InvalidInput: if name, password or address cannot be used, or are taken.
    :raises SstpcaError: if there is no such access profile.
    """
    with store.writing() as transaction:
        return insert(transaction, sealer, name, password, **given)


def insert(
    transaction: Transaction, sealer: Sealer, name: str, password: str, **given: Unpack[Given]
) -> User:
    """Do what :func:`add` does in the caller's transaction (Store.writing)."""
    return insert_with(transaction, sealer, name, Credential.of(password), **given)


def insert_with(
    transaction: Transaction,
    sealer: Sealer,
    name: str,
    credential: Credential,
    *,
    enabled: bool = True,
    **given: Unpack[Given],
) -> User:
    """Do what :func:`insert` does for a password of which perhaps only the hash is known."""
    name = check_user_name(name)
    number = _check_addable(transaction, name, given)
    address, prefix = given.get("static_address"), given.get("static_prefix")
    transaction.execute(
        users.insert().values(
            name=name,
            key=user_key(name),
            **sealed(transaction, sealer, name, number, credential),
            enabled=enabled,
            profile_id=number,
            static_address=None if address is None else int(address),
            created=now(),
            password_set=now(),
            static_prefix=None if prefix is None else ipv6.digits(prefix),
            limits=own_to_json(given.get("limits", NOTHING_OWN)),
            ends=given.get("ends"),
        )
    )
    return _get(transaction, name)


def check_addable(store: Store, name: str, **given: Unpack[Given]) -> str:
    """Return ``name`` if :func:`add` would take all this: to ask before a password is typed.

    :raises SstpcaError: as :func:`add` does.
    """
    name = check_user_name(name)
    with store.reading() as transaction:
        _check_addable(transaction, name, given)
    return name


def get(store: Store, name: str) -> User:
    """Return the user ``name``, in any case of letters.

    :raises SstpcaError: if there is none.
    """
    with store.reading() as transaction:
        return _get(transaction, name)


def list_all(store: Store) -> list[User]:
    """Return all users, by name."""
    with store.reading() as transaction:
        rows = transaction.execute(USERS.order_by(users.c.key)).all()
    return [user_of(row) for row in rows]


def set_password(store: Store, sealer: Sealer, name: str, password: str) -> User:
    """Give the user ``name`` another password; sessions that run are not ended.

    :raises InvalidInput: if the password cannot be used.
    :raises SstpcaError: if there is no such user.
    """
    with store.writing() as transaction:
        return update_password(transaction, sealer, name, password)


def update_password(transaction: Transaction, sealer: Sealer, name: str, password: str) -> User:
    """Do what :func:`set_password` does in the caller's transaction (Store.writing)."""
    user = _get(transaction, name)
    number = profiles.number_of(transaction, user.profile)
    kept = sealed(transaction, sealer, user.name, number, Credential.of(password))
    _update(transaction, user, **kept, password_set=now(), password_expired=False)
    return _get(transaction, user.name)


def forget_passwords(transaction: Transaction, profile: int) -> None:
    """Keep the hashes alone of the passwords of an access profile's users."""
    having = users.c.profile_id == profile
    transaction.execute(users.update().where(having).values(password=None))


def replace_password(
    store: Store, sealer: Sealer, number: int, old_hash: bytes, password: str
) -> User:
    """Give a user another password, who asks for it and has proved to know the old one.

    :param number: the user's.
    :param old_hash: the NT hash of the old one: nobody may have set another meanwhile.
    :raises InvalidInput: if the password cannot be used, or is the old one.
    :raises Refused: if the account has changed since that proof.
    """
    with store.writing(durable=True) as transaction:
        row = transaction.execute(
            sa.select(users.c.name, users.c.key, users.c.nt_hash, users.c.enabled).where(
                users.c.id == number
            )
        ).first()
        if row is None or not row.enabled or sealer.open(row.nt_hash, row.key) != old_hash:
            raise Refused("the account has changed meanwhile", "log in again")
        if Credential.of(password).nt_hash == old_hash:
            raise InvalidInput("it is the old password", "take another one")
        return update_password(transaction, sealer, row.name, password)


def expire_passwords(store: Store, names: Iterable[str]) -> list[User]:
    """Have the passwords of the users ``names`` changed at the next login, or none on an error.

    :returns: the users as they are then.
    :raises SstpcaError: if one of them does not exist.
    """
    changed = []
    with store.writing() as transaction:
        for name in names:
            _update(transaction, _get(transaction, name), password_expired=True)
            changed.append(_get(transaction, name))
    return changed


def set_enabled(store: Store, names: Iterable[str], enabled: bool) -> list[User]:
    """Let the users ``names`` log in or not, all of them or, on an error, none.

    The sessions of those who may not any more are told to end.

    :returns: the users as they are then.
    :raises SstpcaError: if one of them does not exist.
    """
    changed = []
    with store.writing() as transaction:
        for name in names:
            user = _get(transaction, name)
            _update(transaction, user, enabled=enabled)
            if not enabled:
                sessions.end_all_of(transaction, user.id, "the user was disabled")
            changed.append(_get(transaction, name))
    return changed


def change(
    store: Store,
    name: str,
    *,
    profile: str | None = None,
    static_address: IPv4Address | None = None,
    no_static_address: bool = False,
    static_prefix: IPv6Network | None = None,
    no_static_prefix: bool = False,
    networks: Iterable[Network] | None = None,
    within: Transaction | None = None,
    limits: OwnLimits | Callable[[OwnLimits], OwnLimits] | None = None,
    ends: float | None = None,
    no_end: bool = False,
) -> User:
    """Change what the user ``name`` is given, from the next login; limits count at once.

    :param no_static_address: take the static address away.
    :param no_static_prefix: take the static prefix away.
    :param networks: what is behind the user's client; None leaves that as it is.
    :param within: the transaction in which it happens; None: one of its own.
    :param limits: the user's own, in place of those that there are; or what makes them of those.
    :param ends: when the account is over, seconds since 1970; ``no_end``: never.
    :raises InvalidInput: if the address, the prefix or a network cannot be used.
    :raises SstpcaError: if there is no such user or access profile.
    """
    with store.writing() if within is None else nullcontext(within) as transaction:
        user = _get(transaction, name)
        values: dict[str, Any] = {}
        if profile is not None:
            values["profile_id"] = profiles.number_of(transaction, profile)
            if not profiles.keeps_passwords(transaction, values["profile_id"]):
                values["password"] = None
        if no_static_address:
            values["static_address"] = None
        elif static_address is not None:
            static.check_address(transaction, static_address, but=user.id)
            values["static_address"] = int(static_address)
        if no_static_prefix:
            values["static_prefix"] = None
        elif static_prefix is not None:
            static.check_prefix(transaction, static_prefix, but=user.id)
            values["static_prefix"] = ipv6.digits(static_prefix)
        if networks is not None:
            behind = behind_clients.check(transaction, networks, but=user.id)
            values["networks"] = list(map(str, behind))
        if limits is not None:
            own = limits(user.limits) if callable(limits) else limits
            if own != user.limits:
                values["limits"] = own_to_json(own)
        if no_end or ends is not None:
            values["ends"] = ends
        if values:
            _update(transaction, user, **values)
        if values.keys() & {"limits", "ends", "profile_id"}:
            sessions.limit_again(transaction, users.c.id == user.id)
        return _get(transaction, name)


def remove(store: Store, names: Iterable[str]) -> list[User]:
    """Remove the users ``names``, all of them or, on an error, none; their sessions end.

    Their certificates are revoked, a renewal's that has begun as well: a later user of the same
    name is somebody else, and must neither be logged in by them nor be given them. The caller holds
    ``home.changing_certificates()``.

    :returns: the users who were removed.
    :raises SstpcaError: if one of them does not exist.
    """
    # cryptography takes its time to import, and most commands do not get here
    from . import certificates

    removed = []
    with store.writing(durable=True) as transaction:
        for name in names:
            user = _get(transaction, name)
            sessions.end_all_of(transaction, user.id, "the user was removed")
            transaction.execute(users.delete().where(users.c.id == user.id))
            certificates.revoke_all_of(transaction, user.name, _REMOVED, datetime.now(UTC))
            removed.append(user)
    return removed


def holders_of(store: Store, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of those of ``names`` who are users, by names.user_key."""
    wanted = set(map(user_key, names))
    with store.reading() as transaction:
        rows = transaction.execute(sa.select(users.c.key, users.c.id)).all()
    return {row.key: row.id for row in rows if row.key in wanted}


def check_holders(store: Store, holders: Mapping[str, int | None]) -> None:
    """Refuse to go on if a user is not there any more for whom a certificate is to be.

    A user may be removed, and another added under the same name, while somebody is asked for the
    authority's passphrase.

    :param holders: the users' numbers by the names of pairs; None where there was no user.
    :raises NotFound: if one was removed since somebody wished for the certificate.
    """
    present = holders_of(store, holders)
    for name, holder in holders.items():
        if holder is not None and present.get(user_key(name)) != holder:
            raise NotFound(
                f"the user {quoted(name)} was removed meanwhile; nothing was issued", *_SEE_USERS
            )


def user_of(row: Any) -> User:
    """Return the user in a row that ``USERS`` or ``USER`` has found."""
    address, prefix = row.static_address, row.static_prefix
    return User(
        id=row.id,
        name=row.name,
        enabled=row.enabled,
        profile=row.profile,
        static_address=None if address is None else IPv4Address(address),
        created=row.created,
        password_set=row.password_set,
        password_expired=row.password_expired,
        static_prefix=None if prefix is None else ipv6.from_digits(prefix),
        networks=tuple(map(ip_network, row.networks)),
        limits=own_from_json(row.own_limits),
        ends=row.ends,
    )


def _find(transaction: Transaction, name: str) -> User | None:
    if not is_text(name):
        return None
    row = transaction.execute(USER, {"of": user_key(name)}).first()
    return None if row is None else user_of(row)


def _get(transaction: Transaction, name: str) -> User:
    user = _find(transaction, name)
    if user is None:
        raise NotFound(f"there is no user {quoted(name)}", *_SEE_USERS)
    return user


def _check_addable(transaction: Transaction, name: str, given: Given) -> int:
    """Return the id of the access profile for the new user ``name``."""
    other = _find(transaction, name)
    if other is not None:
        raise NameTaken(
            f"there is a user '{other.name}' already",
            "change the password with '",
            command("user passwd {}", other.name),
            "', or choose another name",
        )
    number = profiles.number_of(transaction, given.get("profile", DEFAULT))
    static.check_address(transaction, given.get("static_address"))
    static.check_prefix(transaction, given.get("static_prefix"))
    return number


def _update(transaction: Transaction, user: User, **values: Any) -> None:
    transaction.execute(users.update().where(users.c.id == user.id).values(**values))

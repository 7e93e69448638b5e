"""The access profiles of a home, and their pools."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, summarize_address_range
from typing import Any, Final

import sqlalchemy as sa

from ..access import connection_settings, ipv6, limits
from ..access.destinations import Destination, parse_destination
from ..access.networks import Network
from ..access.profiles import AccessProfile, Pool, check_disjoint, checked
from ..access.reach import Reach
from ..access.weak_sign_ins import WeakSignIn
from ..errors import InUse, InvalidInput, NameTaken, NotFound, command
from ..names import quoted, some
from . import networks, sessions
from .database import Store, Transaction
from .prepared import Direct, Prepared
from .schema import pools, profiles, users

# built once: a server asks for it each second
_WEAK: Final = Prepared(sa.select(profiles.c.weak_sign_ins))


def add(store: Store, profile: AccessProfile) -> AccessProfile:
    """Add ``profile`` and return it as it was stored.

    :raises InvalidInput: if it makes no sense, its name is taken, or it collides with others.
    """
    with store.writing() as transaction:
        return insert(transaction, profile)


def insert(transaction: Transaction, profile: AccessProfile) -> AccessProfile:
    """Do what :func:`add` does in the caller's transaction (Store.writing)."""
    profile = checked(profile)
    others = _all(transaction)
    if any(other.name.lower() == profile.name.lower() for other in others.values()):
        raise NameTaken(
            f"there is an access profile '{profile.name}' already",
            "change it with '",
            command("profile set"),
            "', or choose another name",
        )
    _check_against(transaction, profile, others.values())
    row = transaction.execute(profiles.insert().values(_columns(profile)))
    assert row.inserted_primary_key is not None
    _insert_pools(transaction, row.inserted_primary_key[0], profile)
    return profile


def change(store: Store, name: str, **changes: Any) -> AccessProfile:
    """Change fields of the access profile ``name`` and return it as it is then.

    Running sessions keep what they were given, and are held to its limits.

    :param changes: fields of :class:`AccessProfile` but its name.
    :raises SstpcaError: if there is none of that name, or the change makes no sense.
    """
    with store.writing() as transaction:
        others = _all(transaction)
        number = _find(others, name)
        profile = checked(replace(others.pop(number), **changes))
        _check_against(transaction, profile, others.values())
        transaction.execute(
            profiles.update().where(profiles.c.id == number).values(_columns(profile))
        )
        transaction.execute(pools.delete().where(pools.c.profile_id == number))
        _insert_pools(transaction, number, profile)
        if WeakSignIn.CHAP_MD5 not in profile.weak_sign_ins:
            from .users import forget_passwords  # which knows this module

            forget_passwords(transaction, number)
        if changes.keys() & {"limits", "sessions"}:
            sessions.limit_again(transaction, users.c.profile_id == number)
    return profile


def get(store: Store, name: str) -> AccessProfile:
    """Return the access profile ``name``.

    :raises SstpcaError: if there is none.
    """
    with store.reading() as transaction:
        return find(transaction, name)


def find(transaction: Transaction, name: str) -> AccessProfile:
    """Do what :func:`get` does in the caller's transaction."""
    found = _all(transaction)
    return found[_find(found, name)]


def list_all(store: Store) -> list[AccessProfile]:
    """Return all access profiles, by name."""
    with store.reading() as transaction:
        return sorted(_all(transaction).values(), key=lambda profile: profile.name)


def weak_sign_ins(transaction: Direct) -> frozenset[WeakSignIn]:
    """Return what at least one access profile takes."""
    rows = transaction.all(_WEAK)
    return frozenset(WeakSignIn(one) for row in rows for one in row.weak_sign_ins)


def destinations(store: Store) -> dict[int, tuple[Destination, ...]]:
    """Return where users may go, by the number of each access profile that has a list of that."""
    with store.reading() as transaction:
        found = _all(transaction)
    return {number: profile.destinations for number, profile in found.items() if profile.allow}


def keeps_passwords(transaction: Transaction, number: int) -> bool:
    """Return whether the passwords of this access profile's users are kept: CHAP-MD5 needs them."""
    found = transaction.scalar(sa.select(profiles.c.weak_sign_ins).where(profiles.c.id == number))
    return WeakSignIn.CHAP_MD5.value in (found or ())


def remove(store: Store, name: str) -> None:
    """Remove the access profile ``name``.

    :raises SstpcaError: if there is none, or users have it.
    """
    with store.writing() as transaction:
        number = _find(_all(transaction), name)
        having = transaction.scalars(
            sa.select(users.c.name).where(users.c.profile_id == number).order_by(users.c.key)
        ).all()
        if having:
            raise InUse(
                f"the access profile '{name}' is in use: {some(having)}",
                "give those users another one with '",
                command("user set NAME --profile OTHER"),
                "'",
            )
        transaction.execute(profiles.delete().where(profiles.c.id == number))


def number_of(transaction: Transaction, name: str) -> int:
    """Return the id of the access profile ``name``.

    :raises SstpcaError: if there is none.
    """
    return _find(_all(transaction), name)


def local_addresses(transaction: Transaction) -> set[IPv4Address]:
    """Return the server's addresses in all access profiles."""
    rows = transaction.scalars(sa.select(profiles.c.local_address))
    return {IPv4Address(value) for value in rows}


def server_prefixes(transaction: Transaction) -> set[IPv6Network]:
    """Return the prefixes, /64, that no session gets, as the server has an address in them."""
    settings = map(ipv6.from_json, transaction.scalars(sa.select(profiles.c.ipv6)))
    prefixes = (one.prefix for one in settings)
    return {ipv6.first_of(prefix) for prefix in prefixes if prefix is not None}


def some_have_ipv6(transaction: Transaction) -> bool:
    """Return whether an access profile gives its users IPv6."""
    return bool(server_prefixes(transaction))


def _find(found: Mapping[int, AccessProfile], name: str) -> int:
    for number, profile in found.items():
        if profile.name == name:
            return number
    known = ", ".join(sorted(profile.name for profile in found.values()))
    remedy = (f"there are: {known}",) if known else ("add one with '", command("profile add"), "'")
    raise NotFound(f"there is no access profile {quoted(name)}", *remedy)


def _all(transaction: Transaction) -> dict[int, AccessProfile]:
    ranges: dict[int, list[Pool]] = {}
    for row in transaction.execute(sa.select(pools).order_by(pools.c.first)):
        range_ = IPv4Address(row.first), IPv4Address(row.last)
        ranges.setdefault(row.profile_id, []).append(range_)
    return {
        row.id: AccessProfile(
            name=row.name,
            local_address=IPv4Address(row.local_address),
            pools=tuple(ranges.get(row.id, ())),
            dns=tuple(map(IPv4Address, row.dns)),
            routes=tuple(map(IPv4Network, row.routes)),
            dns_suffix=row.dns_suffix,
            full_tunnel=row.full_tunnel,
            client=connection_settings.from_json(row.client),
            sessions=row.sessions,
            reach=frozenset(map(Reach, row.reach)),
            inbound=row.inbound,
            allow=tuple(map(parse_destination, row.allow)),
            ipv6=ipv6.from_json(row.ipv6),
            weak_sign_ins=frozenset(map(WeakSignIn, row.weak_sign_ins)),
            limits=limits.from_json(row.limits),
        )
        for row in transaction.execute(sa.select(profiles))
    }


def _columns(profile: AccessProfile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "local_address": int(profile.local_address),
        "dns": list(map(str, profile.dns)),
        "routes": list(map(str, profile.routes)),
        "dns_suffix": profile.dns_suffix,
        "full_tunnel": profile.full_tunnel,
        "client": connection_settings.to_json(profile.client),
        "sessions": profile.sessions,
        "reach": sorted(one.value for one in profile.reach),
        "inbound": profile.inbound,
        "allow": list(map(str, profile.allow)),
        "ipv6": ipv6.to_json(profile.ipv6),
        "weak_sign_ins": sorted(one.value for one in profile.weak_sign_ins),
        "limits": limits.to_json(profile.limits),
    }


def _insert_pools(transaction: Transaction, number: int, profile: AccessProfile) -> None:
    rows = [
        {"profile_id": number, "first": int(first), "last": int(last)}
        for first, last in profile.pools
    ]
    transaction.execute(pools.insert(), rows)


def _given_by(profile: AccessProfile) -> Iterator[tuple[Network, str]]:
    local = profile.local_address
    yield IPv4Network(local), f"the local address {local}"
    for first, last in profile.pools:
        for network in summarize_address_range(first, last):
            yield network, f"the pool {first}-{last}"
    if profile.ipv6.prefix is not None:
        yield profile.ipv6.prefix, f"the prefix {profile.ipv6.prefix}"


def _check_against(
    transaction: Transaction, profile: AccessProfile, others: Iterable[AccessProfile]
) -> None:
    check_disjoint([profile, *others])
    for network, what in _given_by(profile):
        networks.check_free(transaction, network, what)
    owner = transaction.scalar(
        sa.select(users.c.name).where(users.c.static_address == int(profile.local_address))
    )
    if owner is not None:
        raise InvalidInput(
            f"the local address {profile.local_address} is the static address of user '{owner}'"
        )
    if profile.ipv6.prefix is None:
        return
    first = ipv6.first_of(profile.ipv6.prefix)
    owner = transaction.scalar(
        sa.select(users.c.name).where(users.c.static_prefix == ipv6.digits(first))
    )
    if owner is not None:
        raise InvalidInput(
            f"the server is in {first}, the first /64 of {profile.ipv6.prefix}, and that is the "
            f"static prefix of user '{owner}'"
        )

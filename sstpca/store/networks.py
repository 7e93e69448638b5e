"""The networks behind clients: whether a user may have one, and whose address would be in it."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, ip_network, summarize_address_range
from typing import Final

import sqlalchemy as sa

from ..access import ipv6
from ..access.networks import Network, check_networks, overlap
from ..errors import InvalidInput, command
from .database import Transaction
from .schema import pools, profiles, users

_SEE: Final = ("see '", command("profile list"), "' and '", command("user list"), "'")


def check(
    transaction: Transaction, networks: Iterable[Network], *, but: int
) -> tuple[Network, ...]:
    """Return the networks in order if the user ``but`` can have them behind the client.

    :raises InvalidInput: if one overlaps with what clients, the server or another user have.
    """
    found = check_networks(networks)
    taken = [*_of_profiles(transaction), *_static(transaction), *_behind_others(transaction, but)]
    for one in found:
        for other, what in taken:
            if overlap(one, other):
                raise InvalidInput(f"the network {one} overlaps with {what}", *_SEE)
    return found


def check_free(transaction: Transaction, network: Network, what: str) -> None:
    """Refuse an address or a prefix for clients that is in a network behind one of them.

    :param what: it is.
    :raises InvalidInput: if it is.
    """
    for other, whose in _behind_others(transaction, None):
        if overlap(network, other):
            raise InvalidInput(f"{what} overlaps with {whose}", *_SEE)


def _behind_others(transaction: Transaction, but: int | None) -> Iterator[tuple[Network, str]]:
    rows = transaction.execute(sa.select(users.c.id, users.c.name, users.c.networks)).all()
    for row in rows:
        if row.id != but:
            for text in row.networks:
                yield ip_network(text), f"{text}, a network of user '{row.name}'"


def _of_profiles(transaction: Transaction) -> Iterator[tuple[Network, str]]:
    query = sa.select(profiles.c.name, profiles.c.local_address, profiles.c.ipv6)
    for row in transaction.execute(query).all():
        local = IPv4Address(row.local_address)
        yield (
            IPv4Network(local),
            f"{local}, the server's address in the access profile '{row.name}'",
        )
        prefix = ipv6.from_json(row.ipv6).prefix
        if prefix is not None:
            yield prefix, f"{prefix}, the IPv6 prefix of the access profile '{row.name}'"
    query = sa.select(profiles.c.name, pools.c.first, pools.c.last).join(pools)
    for row in transaction.execute(query).all():
        first, last = IPv4Address(row.first), IPv4Address(row.last)
        for network in summarize_address_range(first, last):
            yield network, f"{first}-{last}, a pool of the access profile '{row.name}'"


def _static(transaction: Transaction) -> Iterator[tuple[Network, str]]:
    query = sa.select(users.c.name, users.c.static_address, users.c.static_prefix)
    for row in transaction.execute(query).all():
        if row.static_address is not None:
            address = IPv4Address(row.static_address)
            yield IPv4Network(address), f"{address}, the static address of user '{row.name}'"
        if row.static_prefix is not None:
            prefix = ipv6.from_digits(row.static_prefix)
            yield prefix, f"{prefix}, the static prefix of user '{row.name}'"

"""Whether a user may always get an address or a prefix, or have a network behind the client: whose it is
already, and whose it cannot be.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network

import sqlalchemy as sa

from ..access import ipv6
from ..access.profiles import check_client_address
from ..errors import InvalidInput
from . import networks, profiles
from .database import Transaction
from .schema import users


def check_address(
    transaction: Transaction, address: IPv4Address | None, but: int | None = None
) -> None:
    """Refuse a static address that the user ``but`` cannot have; None can be had by everybody.

    :raises InvalidInput: saying why.
    """
    if address is None:
        return
    check_client_address(address, "the static address")
    if address in profiles.local_addresses(transaction):
        raise InvalidInput(f"{address} is the server's own address in the tunnel")
    holder = transaction.execute(
        sa.select(users.c.id, users.c.name).where(users.c.static_address == int(address))
    ).first()
    if holder is not None and holder.id != but:
        raise InvalidInput(f"{address} is the static address of user '{holder.name}' already")
    networks.check_free(transaction, IPv4Network(address), f"the static address {address}")


def check_prefix(
    transaction: Transaction, prefix: IPv6Network | None, but: int | None = None
) -> None:
    """Refuse a static prefix that the user ``but`` cannot have; None can be had by everybody.

    :raises InvalidInput: saying why.
    """
    if prefix is None:
        return
    ipv6.check_static_prefix(prefix)
    if prefix in profiles.server_prefixes(transaction):
        raise InvalidInput(f"the server's own address in the tunnel is in {prefix}")
    holder = transaction.execute(
        sa.select(users.c.id, users.c.name).where(users.c.static_prefix == ipv6.digits(prefix))
    ).first()
    if holder is not None and holder.id != but:
        raise InvalidInput(f"{prefix} is the static prefix of user '{holder.name}' already")
    networks.check_free(transaction, prefix, f"the static prefix {prefix}")

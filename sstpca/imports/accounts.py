"""What a file of another program has: accounts, access profiles, and what cannot be kept."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Network

from ..access.limits import NOTHING_OWN, OwnLimits
from ..access.networks import Network
from ..access.profiles import AccessProfile


@dataclass(frozen=True, slots=True)
class Account:
    """One account.

    :param line: where it is in the file, the first line is 1.
    :param name: as it is there.
    :param password: None: there is none, or only its hash.
    :param nt_hash: of the password, 16 bytes ([MS-NLMP] 3.3.1, NTOWFv1).
    :param profile: the name of its access profile; empty: it has none of its own.
    :param static_address: the address it always gets.
    :param static_prefix: the IPv6 prefix, a /64, that it always gets.
    :param networks: what is behind its client.
    :param ends: when it is over, seconds since 1970; None: never.
    :param limits: what it is held to, in place of its access profile's limits.
    :param problem: why it cannot be taken over; empty if it can.
    :param other: whether it is none of this VPN's: it is left out, and ``problem`` says why.
    :param lost: what of it is not taken over.
    """

    line: int
    name: str
    password: str | None = field(default=None, repr=False)
    nt_hash: bytes | None = field(default=None, repr=False)
    enabled: bool = True
    profile: str = ""
    static_address: IPv4Address | None = None
    static_prefix: IPv6Network | None = None
    networks: tuple[Network, ...] = ()
    ends: float | None = None
    limits: OwnLimits = NOTHING_OWN
    problem: str = ""
    other: bool = False
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """One access profile.

    :param made: what it comes to; None if it lacks something, which ``problem`` names.
    :param lost: what of it is not taken over.
    """

    line: int
    name: str
    made: AccessProfile | None = None
    problem: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """All that is in a file, in its order.

    :param kind: what the file is, for messages.
    """

    kind: str
    accounts: tuple[Account, ...]
    profiles: tuple[Profile, ...] = ()


def address(text: str) -> IPv4Address | None:
    """Return ``text`` if it is an IPv4 address; others use the same field for names of pools."""
    try:
        return IPv4Address(text)
    except ValueError:
        return None

"""Where the users of an access profile may go, as chains of nftables.

Each list is a chain, found by the access profile's number in the group of the session's interface
(:mod:`.group`): a login changes no rule, and a list that is changed counts for the sessions that are
there as well. What was begun before goes on; only the first packet of a connection comes here.

The server looks for changed lists now and then, and at once when a login comes with one that is new.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Final

from ..contracts import Destination, Lease
from .group import LISTED, PROFILE_BITS, of_profile
from .nft import CHANGED

#: By the number of an access profile, where its users may go; what is not here has no list.
Lists = Mapping[int, tuple[Destination, ...]]

_REJECT: Final = "reject with icmpx admin-prohibited"
_FAMILIES: Final = (("ip", "ipv4", IPv4Network), ("ip6", "ipv6", IPv6Network))


#: The list of each access profile as the last login of this process had it.
_KNOWN: Final[dict[int, int]] = {}


def announce(lease: Lease) -> None:
    """Have the server look for changed lists now, if this login is the first with its list."""
    if lease.list and _KNOWN.get(lease.profile) != lease.list:
        _KNOWN[lease.profile] = lease.list
        os.kill(os.getppid(), CHANGED)


def jump(lists: Lists) -> str:
    """Return the rules that have a packet looked up in the list of its access profile."""
    found = ", ".join(f"{of_profile(number):#x} : goto list_{number}" for number in sorted(lists))
    return "\n        ".join(
        (
            *((f"iifgroup & {PROFILE_BITS:#x} vmap {{ {found} }}",) if lists else ()),
            f"iifgroup & {LISTED:#x} != 0 {_REJECT}",
        )
    )


def chains(lists: Lists) -> str:
    """Return the chains: what returns may pass."""
    return "".join(
        f"    chain list_{number} {{\n{_rules(one)}        {_REJECT}\n    }}\n"
        for number, one in sorted(lists.items())
    )


def _rules(destinations: Iterable[Destination]) -> str:
    alike: dict[tuple[str, tuple[int, int] | None], list[Destination]] = defaultdict(list)
    for one in destinations:
        alike[one.protocol, one.ports].append(one)
    return "".join(
        f"        {_of_family(family, name, networks)}{_port(protocol, ports)}return\n"
        for (protocol, ports), some in alike.items()
        for family, name, kind in _FAMILIES
        if (networks := [one.network for one in some if isinstance(one.network, kind)])
    )


def _of_family(family: str, name: str, networks: Iterable[IPv4Network | IPv6Network]) -> str:
    found = list(map(str, collapse_addresses(networks)))  # type: ignore[type-var]
    if found[0].endswith("/0"):
        return f"meta nfproto {name} "
    return f"{family} daddr {{ {', '.join(found)} }} "


def _port(protocol: str, ports: tuple[int, int] | None) -> str:
    if ports is None:
        return f"meta l4proto {protocol} " if protocol else ""
    first, last = ports
    which = f"{first}" if first == last else f"{first}-{last}"
    return (
        f"{protocol} dport {which} "
        if protocol
        else f"meta l4proto {{ tcp, udp }} th dport {which} "
    )

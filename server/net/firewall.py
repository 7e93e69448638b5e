"""What passes between clients and the rest, in an nftables table of our own.

The rules name the sessions' interfaces and their groups (see :mod:`.group`), not addresses: an access
profile made while the server runs needs no new rule, and a login changes none. There are two exceptions:
where the users of a profile may go (:mod:`.destinations`), which is looked at again now and then, and
the networks behind a client (:mod:`.networks`), which its login adds to a set. Matching the input
interface after routing needs Linux 5.7.
"""

from typing import Final

from ..config import Config
from ..contracts import Access
from ..log import LOGGER
from . import destinations, networks
from .destinations import Lists
from .group import LINK_LOCAL, LINK_LOCAL_IPV6, MARK, MARK_BITS, RESOLVER
from .nft import NftError, nft

# IP and TCP headers without options: of IPv4, and of IPv6
_HEADERS, _HEADERS_IPV6 = 40, 60

# A packet from a session comes from the session's address, and no other brings such a packet. The
# server looks at what comes out of a tunnel as well, packet by packet; nobody else looks at the rest.
_SOURCES: Final = """\
    chain sources {{
        type filter hook prerouting priority raw; policy accept;
        iifname "{prefix}*" fib saddr . iif oif missing drop
        iifname != "{prefix}*" fib saddr oifname "{prefix}*" drop
    }}
"""

# What is said of a packet that was rejected belongs to no connection: there never was one.
# Rejected is what a user may have typed, so that programs need not wait; the rest goes in silence.
_RULES: Final = """\
table inet {table} {{
{sets}{sources}
    chain forward {{
        type filter hook forward priority mangle; policy accept;
        iifname "{prefix}*" tcp flags & (syn | rst) == syn jump clamp
        oifname "{prefix}*" tcp flags & (syn | rst) == syn jump clamp
        iifname "{prefix}*" jump from_client
        oifname "{prefix}*" jump to_client
    }}
    chain clamp {{
        meta nfproto ipv4 tcp option maxseg size > {mss} tcp option maxseg size set {mss}
        meta nfproto ipv6 tcp option maxseg size > {mss_ipv6} tcp option maxseg size set {mss_ipv6}
    }}
    chain from_client {{
        ct state established, related return
        {to_all} {multicast} == 0 drop
        ip daddr {{ {link_local} }} {resolver} th dport 53 return
        ip daddr {{ {link_local} }} {to_link_local} == 0 reject with icmpx admin-prohibited
        ip daddr {{ {link_local} }} return
        ip6 daddr {{ {link_local_ipv6} }} {resolver} th dport 53 return
        ip6 daddr {{ {link_local_ipv6} }} {to_link_local} == 0 reject with icmpx admin-prohibited
        ip6 daddr {{ {link_local_ipv6} }} return
        oifgroup & {mark_bits} == {mark} {to_clients} == 0 reject with icmpx admin-prohibited
        oifgroup & {mark_bits} == {mark} return
        {to_list}
    }}
{lists}    chain to_client {{
        oifgroup & {mark_bits} != {mark} drop
        {to_all} {multicast_out} == 0 drop
        ct state established, related return
        iifgroup & {mark_bits} == {mark} {to_clients} != 0 return
        iifgroup & {mark_bits} != {mark} oifgroup & {inbound} != 0 return
        iifgroup & {mark_bits} != {mark} oif . ip daddr @networks return
        iifgroup & {mark_bits} != {mark} oif . ip6 daddr @networks_ipv6 return
        drop
    }}
    chain input {{
        type filter hook input priority filter; policy accept;
        iifname "{prefix}*" jump to_server
    }}
    chain to_server {{
        ct state established, related return
        {to_all} {multicast} == 0 drop
        {to_all} return
        icmp type echo-request return
        icmpv6 type echo-request return
        {resolver} th dport 53 return
        {to_server} != 0 return
        reject with icmpx admin-prohibited
    }}
    chain output {{
        type filter hook output priority filter; policy accept;
        oifname "{prefix}*" jump from_server
    }}
    chain from_server {{
        {to_all} {multicast_out} == 0 drop
        ct state established, related return
        icmp type {{ echo-request, destination-unreachable, time-exceeded, parameter-problem }} return
        icmpv6 type {{ echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem }} return
        oifgroup & {mark_bits} == {mark} oifgroup & {inbound} != 0 return
        oif . ip daddr @networks return
        oif . ip6 daddr @networks_ipv6 return
        drop
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        {nat}
        {nat66}
    }}
}}
"""


class Firewall:
    """The table of one server, for the interfaces that begin with its prefix."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lists: Lists = {}
        self._mtu = config.mtu
        self._listed = ""

    def open(self) -> None:
        """Make the table; what an earlier run left goes.

        :raises ServerError: if nft is missing or refuses.
        """
        self._make(self._config.destinations())

    def follow(self, config: Config) -> None:
        """Have the table as other settings have it, from the next :meth:`reconcile` on."""
        self._config = config

    def reconcile(self) -> None:
        """Have other lists of where users may go, or another MTU, if they have changed.

        :raises ServerError: if nft refuses.
        """
        lists = self._config.destinations()
        if lists != self._lists or self._config.mtu != self._mtu:
            self._make(lists)

    def _make(self, lists: Lists) -> None:
        config, table = self._config, self._config.table
        behind = networks.added(table, networks.standing(config.interface))
        try:
            _replace(table, _rules(config, lists, fib=True) + behind)
        except NftError:
            _replace(table, _rules(config, lists, fib=False) + behind)
            LOGGER.warning(
                "this kernel has no reverse path check for nftables (module nft_fib_inet): packets "
                "that come from elsewhere under a client's address are not recognised"
            )
        self._lists, self._mtu, self._listed = lists, config.mtu, _list(table)

    def restore(self) -> None:
        """Make the table anew if it is not as it was.

        :raises ServerError: if nft refuses.
        """
        try:
            whole = _list(self._config.table) == self._listed
        except NftError:
            whole = False
        if not whole:
            self._make(self._lists)
            LOGGER.warning(
                "another program changed the rules for clients, or took them away; they are in "
                "place again"
            )

    def close(self) -> None:
        """Remove the table, if it is there.

        :raises ServerError: if nft refuses.
        """
        _replace(self._config.table, "")


def _replace(table: str, rules: str) -> None:
    # Naming the table first makes the deletion hold whether or not it is there; one transaction.
    nft(f"table inet {table}\ndelete table inet {table}\n{rules}")


def _list(table: str) -> str:
    """Return the table as nft lists it, without what is in its sets."""
    return nft(f"list table inet {table}", "--terse")


def _rules(config: Config, lists: Lists, *, fib: bool) -> str:
    prefix = config.interface

    def permits(access: Access) -> str:
        return f"iifgroup & {access.value:#x}"

    out = f'iifname "{prefix}*" oifname != "{prefix}*"'
    directed = "fib daddr type { broadcast, multicast }"
    return _RULES.format(
        table=config.table,
        prefix=prefix,
        mss=config.mtu - _HEADERS,
        mss_ipv6=config.mtu - _HEADERS_IPV6,
        sets=networks.SETS,
        to_list=destinations.jump(lists),
        lists=destinations.chains(lists),
        sources=_SOURCES.format(prefix=prefix) if fib else "",
        to_all=directed if fib else "ip daddr { 224.0.0.0/4, 255.255.255.255 }",
        link_local=", ".join(map(str, LINK_LOCAL)),
        link_local_ipv6=", ".join(map(str, LINK_LOCAL_IPV6)),
        resolver=f"meta l4proto {{ tcp, udp }} iifgroup & {RESOLVER:#x} != 0",
        multicast=permits(Access.MULTICAST),
        multicast_out=f"oifgroup & {Access.MULTICAST.value:#x}",
        to_link_local=permits(Access.LINK_LOCAL),
        to_clients=permits(Access.CLIENTS),
        to_server=permits(Access.SERVER),
        inbound=f"{Access.INBOUND.value:#x}",
        mark=f"{MARK:#x}",
        mark_bits=f"{MARK_BITS:#x}",
        nat=f"{out} iif . ip saddr != @networks masquerade" if config.nat else "",
        nat66=f"{out} iif . ip6 saddr != @networks_ipv6 masquerade" if config.nat66 else "",
    )

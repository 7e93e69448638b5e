"""What may not be meant about an access profile, though it can be so."""

from collections.abc import Iterable, Iterator, Set
from ipaddress import IPv4Address, IPv4Network, IPv6Network, summarize_address_range
from typing import Final

from sstpca.server.contracts import Lease
from sstpca.server.responders import dhcp

from .. import surroundings
from ..access.ipv6 import SESSION_PREFIX
from ..access.networks import Network, overlap
from ..access.profiles import AccessProfile
from ..access.reach import Reach
from ..access.weak_sign_ins import WeakSignIn

# what a tunnel has unless the settings or the client say otherwise
_MTU: Final = 1400


def doubts(one: AccessProfile, changed: Set[str], routes: Iterable[str] = ()) -> Iterator[str]:
    """Yield what may not be meant about the access profile ``one``, a line each.

    :param changed: the fields that were given.
    :param routes: the routes as they were typed.
    """
    yield from _of_routes(one, routes)
    yield from _of_dns(one)
    yield from _of_addresses(one, changed)
    yield from _of_ipv6(one, changed)
    if changed & {"allow", "routes", "full_tunnel", "ipv6", "reach"}:
        yield from _of_destinations(one)
    if "weak_sign_ins" in changed:
        yield from _of_weak_sign_ins(one)


def doubts_of_networks(networks: Iterable[Network]) -> Iterator[str]:
    """Yield what may not be meant about the networks behind a client, a line each."""
    around = [network for network in surroundings.networks() if network.prefixlen < 32]
    for one in networks:
        met: object = next((other for other in around if overlap(one, other)), None)
        met = met or next((other for other in surroundings.addresses_ipv6() if other in one), None)
        if met is not None:
            yield (
                f"the network {one} overlaps with {met} of this machine, which goes on to reach "
                "what is in there by itself; take another network there, or here"
            )


def _of_destinations(one: AccessProfile) -> Iterator[str]:
    if not one.allow:
        return
    allowed = [destination.network for destination in one.allow]
    of_ipv6 = [network for network in allowed if network.version == 6]
    if of_ipv6 and one.ipv6.prefix is None:
        yield f"--allow {of_ipv6[0]} is of IPv6, and the access profile gives none (--ipv6)"
    if not one.full_tunnel:
        routes: tuple[Network, ...] = (*one.routes, *one.ipv6.routes)
        lost = [route for route in routes if not any(overlap(route, net) for net in allowed)]
        if lost:
            yield (
                f"{_some(lost)} goes into the tunnel, and no further: nothing of it is in --allow"
            )
        stray = [net for net in allowed if not any(overlap(net, route) for route in routes)]
        if stray:
            yield f"--allow {_some(stray)}: no route of the split tunnel leads there (--route)"
    yield from _of_closed(one, allowed)


def _of_closed(one: AccessProfile, allowed: list[Network]) -> Iterator[str]:
    ends: list[tuple[Reach, list[Network]]] = [
        (Reach.SERVER, [IPv4Network(one.local_address)]),
        (Reach.LINK_LOCAL, [IPv4Network("169.254.0.0/16"), IPv6Network("fe80::/10")]),
        (
            Reach.CLIENTS,
            [net for first, last in one.pools for net in summarize_address_range(first, last)],
        ),
    ]
    for reach, networks in ends:
        met = [net for net in allowed if any(_is_within(net, other) for other in networks)]
        if met and reach not in one.reach:
            yield f"--allow {_some(met)} stays closed without --reach {reach.value}"


def _is_within(one: Network, other: Network) -> bool:
    return one[0] in other and one[-1] in other


def _some(networks: list[Network]) -> str:
    more = f" and {len(networks) - 1} more" if len(networks) > 1 else ""
    return f"{networks[0]}{more}"


def _of_routes(one: AccessProfile, typed: Iterable[str]) -> Iterator[str]:
    if one.full_tunnel and one.routes:
        yield "the routes matter only with --split-tunnel: now all traffic goes through the tunnel"
    if one.full_tunnel and one.client.routes_at_login:
        yield "--routes-at-login matters only with --split-tunnel"
    if not one.full_tunnel:
        yield from _of_many_routes(one)
    if not one.full_tunnel and not one.routes:
        yield (
            "a split tunnel without --route: Windows sends only the address class of the pool "
            "through it (10.0.0.0/8 for 10.x.x.x)"
        )
    for text in typed:
        # who writes the address of a network means the network
        if "/" not in text and text.endswith(".0"):
            meant = _meant(IPv4Address(text))
            yield f"the route {text} is this one address; the network: --route {meant}"


def _of_many_routes(one: AccessProfile) -> Iterator[str]:
    routes = (*one.routes, *map(IPv4Network, one.dns_routes))
    lease = Lease(
        1, one.pools[0][0], one.local_address, one.dns, routes=routes, dns_suffix=one.dns_suffix
    )
    count = dhcp.carried(lease, _MTU)
    if count < len(routes):
        yield (
            f"a client that asks for the routes at its login is told {count} of {len(routes)}: more "
            "do not go into one message of DHCP; put networks together that are beside each other"
        )


def _meant(address: IPv4Address) -> IPv4Network:
    """Return the network that ends in as many bytes of zero as ``address``."""
    length = next(bits for bits in (8, 16, 24, 32) if int(address) % (1 << 32 - bits) == 0)
    return IPv4Network((address, length))


def _of_dns(one: AccessProfile) -> Iterator[str]:
    ruled = any(rule.servers for rule in one.client.name_rules)
    if one.full_tunnel and not one.dns and not ruled:
        yield (
            "a full tunnel without DNS: users' machines go on asking the resolver of their own "
            "network, which often does not answer through the tunnel; give --dns"
        )


def _of_weak_sign_ins(one: AccessProfile) -> Iterator[str]:
    if one.weak_sign_ins:
        which = " and ".join(sorted(weak.value for weak in one.weak_sign_ins))
        yield (
            f"{which}: weaker than mschapv2. The crypto binding then proves the certificate alone, "
            "not that the login is of this connection; only for clients that know nothing better"
        )
    if WeakSignIn.CHAP_MD5 in one.weak_sign_ins:
        yield (
            "chap-md5 needs the passwords themselves: of this profile's users they are kept, "
            "encrypted, from when each is next set"
        )


def _of_addresses(one: AccessProfile, changed: Set[str]) -> Iterator[str]:
    if "local_address" in changed and one.local_address.is_global:
        yield (
            f"--local {one.local_address} is a public address, and somebody else's inside the "
            "tunnel: take a private one that is nobody's, such as 10.98.0.1"
        )
    if "pools" in changed:
        for first, last in one.pools:
            if first.is_global or last.is_global:
                yield (
                    f"the pool {first}-{last} has public addresses: whoever has them elsewhere "
                    "cannot be reached from here any more; take private ones"
                )
    if changed & {"local_address", "pools"}:
        yield from _of_surroundings(one)


def _of_surroundings(one: AccessProfile) -> Iterator[str]:
    # a session's own interface has single addresses
    around = [network for network in surroundings.networks() if network.prefixlen < 32]
    for what, first, last in (
        ("--local", one.local_address, one.local_address),
        *(("the pool", first, last) for first, last in one.pools),
    ):
        met = next((network for network in around if _meets(network, first, last)), None)
        if met is not None:
            name = f"{first}" if first == last else f"{first}-{last}"
            yield (
                f"{what} {name} is in {met}, a network of this machine: two machines may get the "
                "same address there; take one that is nobody's"
            )


def _meets(network: IPv4Network, first: IPv4Address, last: IPv4Address) -> bool:
    return first <= network.broadcast_address and network.network_address <= last


def _of_ipv6(one: AccessProfile, changed: Set[str]) -> Iterator[str]:
    prefix = one.ipv6.prefix
    if prefix is None or not changed & {"ipv6", "pools", "full_tunnel"}:
        return
    rooms = (1 << SESSION_PREFIX - prefix.prefixlen) - 1
    sessions = sum(int(last) - int(first) + 1 for first, last in one.pools)
    if rooms < sessions:
        yield (
            f"the prefix {prefix} has a /64 for {rooms} sessions, and the pools have addresses for "
            f"{sessions}: the others get no IPv6; take a shorter prefix"
        )
    others = (address for address in surroundings.addresses_ipv6() if address in prefix)
    met = next((address for address in others if address != one.ipv6.local_address), None)
    if met is not None:
        yield (
            f"this machine has the address {met} already, which is in {prefix}: a session may get "
            "the prefix of that network; take a prefix that is routed to this machine and is in no "
            "network"
        )
    if not one.full_tunnel and not one.ipv6.routes:
        yield (
            "a split tunnel without a route of IPv6: nothing but DNS goes through it by IPv6; give "
            "--route 2001:db8:1::/48 or the like"
        )

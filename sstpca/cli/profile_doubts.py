"""What may not be meant about an access profile: said when it is added or changed."""

import shlex
from collections.abc import Iterable, Iterator, Set
from ipaddress import IPv4Address, IPv4Network

from .. import surroundings
from ..access.connection_settings import SignIn
from ..access.profiles import AccessProfile
from ..errors import InvalidInput
from ..names import quoted, some
from ..store import profiles, users
from . import ask
from .context import Context
from .output import counted, program, talk, warn


def warn_of(one: AccessProfile, changed: Set[str], routes: Iterable[str]) -> None:
    """Say what may not be meant about the access profile ``one``.

    :param changed: the fields that were given.
    :param routes: the routes as they were typed.
    """
    for text in (*_of_routes(one, routes), *_of_dns(one), *_of_addresses(one, changed)):
        warn(text)
    outside = _dns_outside(one)
    if outside:
        talk(
            f"DNS outside the routes: {', '.join(outside)}. Bundles have a route to each, "
            "so that names are asked for through the tunnel"
        )


def _of_routes(one: AccessProfile, typed: Iterable[str]) -> Iterator[str]:
    if one.full_tunnel and one.routes:
        yield "the routes matter only with --split-tunnel: now all traffic goes through the tunnel"
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


def _dns_outside(one: AccessProfile) -> tuple[str, ...]:
    # cryptography takes its time to import, and most commands do not get here
    from ..bundle.content.bundle import dns_routes

    return dns_routes(one)


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


def agreed_to_sign_in(context: Context, name: str, sign_in: SignIn | None, *, yes: bool) -> bool:
    """Return whether to give the access profile ``name`` this sign-in, if it has another until now.

    :raises InvalidInput: if it shuts users out, ``yes`` was not given, and there is nobody to ask.
    """
    store = context.store()
    before = profiles.get(store, name).client.sign_in
    if sign_in is not SignIn.EAP_TLS or not before.with_password:
        return True
    found = [one for one in users.list_all(store) if one.profile == name and one.enabled]
    if not found or yes:
        return True
    names = some([quoted(one.name) for one in found])
    what = f"{counted(len(found), 'user')} cannot log in by password any more: {names}"
    if not ask.interactive():
        raise InvalidInput(
            f"from then on, {what}",
            "say --yes if you mean it, and make their bundles: "
            f"{program()} bundle --profile {shlex.quote(name)} --issue",
        )
    talk(f"From then on, {what}. Each needs a new bundle, with a certificate.")
    return ask.confirm("Change the sign-in now?", yes=False)

"""A RouterOS router as the server: what its owner imports to use our authority and bundles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ...access.connection_settings import SignIn
from ...access.profiles import AccessProfile
from ...disk.writing import PUBLIC, SECRET
from ...errors import NotFound, command
from ...names import quoted
from ...store.users import User
from ...x509 import exporting
from ...x509.certificates import certificate_to_pem, digest
from ...x509.pair import Pair
from ..content.plain_name import plain_name
from ..content.render import Renderer

_SCRIPTS: Final = {"server.rsc": PUBLIC, "users.rsc": SECRET, "server-undo.rsc": PUBLIC}


@dataclass(frozen=True, slots=True)
class Router:
    """What a router needs to know to be the server.

    :param pair: the server's key, certificate and chain.
    :param authority: issued it; None where it is a public one.
    :param profiles: the first one is for users that have none of their own.
    :param passwords: by user name; the owner fills in those that are missing.
    """

    host: str
    port: int
    pair: Pair
    authority: x509.Certificate | None
    profiles: Sequence[AccessProfile]
    users: Sequence[User]
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _Imported:
    """A certificate as the router gets it.

    :param file: its name among the router's files.
    :param key_file: that of its key, if the router needs that.
    """

    name: str
    fingerprint: str
    file: str
    key_file: str = ""


def files(renderer: Renderer, router: Router) -> dict[str, tuple[bytes, int]]:
    """Return the files by name: content and mode.

    ``server.rsc`` sets all up but the users, who are in ``users.rsc``, which is secret. Each script
    first says what it would do, and does it only when it is told to. What they make is called after
    the VPN and has a comment that is theirs, so that they touch nothing else.

    :raises NotFound: if there is no user, or no access profile.
    """
    if not router.users or not router.profiles:
        raise NotFound("there are no users to set up", "add some with '", command("user add"), "'")
    stem = _stem(router)
    certificates = _certificates(router)
    found = {one.file: (certificate_to_pem(content), PUBLIC) for one, content in certificates}
    server = certificates[0][0]
    found[server.key_file] = (exporting.key_of(router.pair), SECRET)
    values: dict[str, object] = {
        "host": router.host,
        "port": router.port,
        "comment": f"sstpca server {router.host}",
        "note": f"{stem}-before",
        "certificates": [one for one, _ in certificates],
        "imported": f"^{stem}-(server|chain[0-9]+|ca)-[0-9a-f]+$",
        "uploaded": list(found),
        "ipv6": any(one.ipv6.prefix is not None for one in router.profiles),
        "profiles": [_profile(stem, one) for one in router.profiles],
        "users": [_user(stem, one, router.passwords) for one in router.users],
        "complete": len(router.passwords) == len(router.users),
    }
    return found | {
        name: (renderer.text(f"routeros/{name}.j2", None, **values), mode)
        for name, mode in _SCRIPTS.items()
    }


def _stem(router: Router) -> str:
    """Return what all names on the router begin with: two VPNs do not meet there."""
    return f"{exporting.ROUTEROS_PREFIX}-{plain_name(router.host)}"


def _certificates(router: Router) -> list[tuple[_Imported, x509.Certificate]]:
    """Return what the router imports, the server's own first."""
    stem = _stem(router)
    between = exporting.intermediates(router.pair)
    listed = [(router.pair.leaf, "server")]
    listed += [(one, f"chain{number}") for number, one in enumerate(between, 1)]
    if router.authority is not None:
        listed.append((router.authority, "ca"))
    return [(_imported(stem, one, role), one) for one, role in listed]


def _imported(stem: str, certificate: x509.Certificate, role: str) -> _Imported:
    digits = digest(certificate)
    return _Imported(
        # a renewed one is another, and comes beside the old one
        name=f"{stem}-{role}-{digits[:8]}",
        fingerprint=digits,
        file=f"{stem}-{role}.crt",
        key_file=f"{stem}-{role}.key" if role == "server" else "",
    )


def _profile(stem: str, profile: AccessProfile) -> dict[str, str]:
    return {
        "name": f"{stem}-{profile.name}",
        "local": str(profile.local_address),
        "ranges": ",".join(f"{first}-{last}" for first, last in profile.pools),
        "dns": ",".join(map(str, profile.dns)),
        "prefix": "" if profile.ipv6.prefix is None else str(profile.ipv6.prefix),
    }


def _user(stem: str, user: User, passwords: Mapping[str, str]) -> dict[str, str]:
    return {
        "name": user.name,
        "password": passwords.get(user.name, ""),
        "profile": f"{stem}-{user.profile}",
        "address": "" if user.static_address is None else str(user.static_address),
        "prefix": "" if user.static_prefix is None else str(user.static_prefix),
    }


def complaints(router: Router) -> list[str]:
    """Return what a router will not do as our own server does, a line each."""
    found = [
        f"RouterOS signs in with MS-CHAPv2 only, but users of the access profile "
        f"{quoted(profile.name)} sign in with {profile.client.sign_in.value}"
        for profile in router.profiles
        if profile.client.sign_in is not SignIn.MSCHAPV2
    ]
    found += [
        f"RouterOS tells no client its routes, and the access profile {quoted(profile.name)} leaves "
        f"those of Windows to the server (--routes-at-login)"
        for profile in router.profiles
        if profile.client.routes_at_login and not profile.full_tunnel
    ]
    found += [
        f"RouterOS tells PPP clients no DNS server of IPv6 but the router's own (/ip dns, advertise-dns "
        f"of /ipv6 nd): those of the access profile {quoted(profile.name)} are left out"
        for profile in router.profiles
        if profile.ipv6.dns
    ]
    found += [
        f"RouterOS advertises itself as the router to everything: by IPv6, users of the access profile "
        f"{quoted(profile.name)} have a full tunnel there"
        for profile in router.profiles
        if profile.ipv6.prefix is not None and not profile.full_tunnel
    ]
    if not isinstance(router.pair.key, rsa.RSAPrivateKey):
        # its manual names ECDHE-RSA and DHE-RSA for pfs=yes
        found.append("the server's key is not RSA, and RouterOS' SSTP may know no other")
    return found

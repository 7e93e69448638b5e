"""A RouterOS router as the server: what its owner imports to use our authority and bundles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ..clients import SignIn
from ..errors import SstpcaError
from ..home import PUBLIC, SECRET
from ..names import quoted
from ..pki import exporting, inventory
from ..pki.pairs import Pair
from ..profiles import AccessProfile
from ..users import User
from .render import Renderer

COMMENT: Final = "sstpca"


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
    name: str
    fingerprint: str
    files: tuple[str, ...]
    key: bool


def files(renderer: Renderer, router: Router) -> dict[str, tuple[bytes, int]]:
    """Return the files by name: content and mode.

    ``server.rsc`` sets all up but the users, who are in ``users.rsc``, which is secret.

    :raises SstpcaError: if there is no user, or no access profile.
    """
    if not router.users or not router.profiles:
        raise SstpcaError("there are no users to set up", "add some with 'sstpca user add'")
    pem = exporting.to_routeros(router.pair, router.authority)
    stem = exporting.file_stem(router.pair.name)
    del pem[f"{stem}.rsc"]  # imports them without a look at what is there
    values: dict[str, object] = {
        "host": router.host,
        "port": router.port,
        "comment": COMMENT,
        "certificates": _certificates(router, stem),
        "profiles": [_profile(one) for one in router.profiles],
        "users": [_user(one, router.passwords) for one in router.users],
        "complete": len(router.passwords) == len(router.users),
    }
    scripts = {"server.rsc": PUBLIC, "users.rsc": SECRET, "server-undo.rsc": PUBLIC}
    return pem | {
        name: (renderer.text(f"routeros/{name}.j2", None, **values), mode)
        for name, mode in scripts.items()
    }


def _certificates(router: Router, stem: str) -> list[_Imported]:
    found = [_imported(router.pair.leaf, "server", (f"{stem}.crt", f"{stem}.key"))]
    if router.authority is not None:
        found.append(_imported(router.authority, "ca", ("ca.crt",)))
    return found


def _imported(certificate: x509.Certificate, role: str, names: tuple[str, ...]) -> _Imported:
    digits = inventory.digest(certificate)
    # a renewed one is another, and comes beside the old one
    return _Imported(f"{COMMENT}-{role}-{digits[:8]}", digits, names, key=len(names) > 1)


def _profile(profile: AccessProfile) -> dict[str, str]:
    return {
        "name": f"{COMMENT}-{profile.name}",
        "local": str(profile.local_address),
        "ranges": ",".join(f"{first}-{last}" for first, last in profile.pools),
        "dns": ",".join(map(str, profile.dns)),
    }


def _user(user: User, passwords: Mapping[str, str]) -> dict[str, str]:
    return {
        "name": user.name,
        "password": passwords.get(user.name, ""),
        "profile": f"{COMMENT}-{user.profile}",
        "address": "" if user.static_address is None else str(user.static_address),
    }


def complaints(router: Router) -> list[str]:
    """Return what a router will not do as our own server does, a line each."""
    found = [
        f"RouterOS signs in with MS-CHAPv2 only, but users of the access profile "
        f"{quoted(profile.name)} sign in with {profile.client.sign_in.value}"
        for profile in router.profiles
        if profile.client.sign_in is not SignIn.MSCHAPV2
    ]
    if not isinstance(router.pair.key, rsa.RSAPrivateKey):
        # its manual names ECDHE-RSA and DHE-RSA for pfs=yes
        found.append("the server's key is not RSA, and RouterOS' SSTP may know no other")
    return found

"""What the tests of bundles share."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address

from cryptography import x509

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.access.profiles import AccessProfile
from sstpca.authority.authority import Authority
from sstpca.authority.issuing import Existing, issue, user_wish
from sstpca.bundle.content.bundle import Bundle, Trust
from sstpca.bundle.content.render import Renderer
from sstpca.bundle.platforms import systems
from sstpca.home import Home
from sstpca.store import Store, profiles
from sstpca.store.users import User
from sstpca.x509.keys import KeyType

MakeBundle = Callable[..., Bundle]


def user_named(name: str) -> User:
    """Return a user, as the database would."""
    return User(1, name, True, "default", None, 0.0, 0.0)


def trust_in(authority: x509.Certificate) -> Trust:
    """Return what clients have to trust where ``authority`` has issued the server's certificate."""
    return Trust((authority,), (authority,))


@functools.cache
def renderer(language: str = "en") -> Renderer:
    """Return a renderer with the templates that come with the program."""
    return Renderer(language)


def files_of(bundle: Bundle, *asked: str) -> dict[str, bytes]:
    """Return the files of ``bundle`` for the platforms asked for, by default for Windows."""
    return systems.files(renderer(bundle.language), bundle, asked or ("windows",))


def add_profile(store: Store, name: str, sign_in: SignIn) -> AccessProfile:
    """Add an access profile whose users sign in that way."""
    number = len(profiles.list_all(store))
    address = IPv4Address(f"10.{number}.0.1")
    pool = (address + 9, address + 200)
    profile = AccessProfile(name, address, (pool,), client=ConnectionSettings(sign_in))
    return profiles.add(store, profile)


def issue_for(home: Home, store: Store, *names: str) -> None:
    """Issue certificates for users, with keys that are quickly made."""
    wishes = [user_wish(name, f"{name}@example.com", KeyType.ECDSA) for name in names]
    now = datetime.now(UTC)
    list(issue(home, store, Authority.load(home, None), wishes, now, existing=Existing.REPLACE))

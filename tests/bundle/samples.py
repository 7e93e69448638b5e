"""What the tests of bundles share."""

import functools
from collections.abc import Callable

from cryptography import x509

from sstpca.bundle import platforms
from sstpca.bundle.context import Bundle, Trust
from sstpca.bundle.render import Renderer
from sstpca.users import User

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
    return platforms.files(renderer(bundle.language), bundle, asked or ("windows",))

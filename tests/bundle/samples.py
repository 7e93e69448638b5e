"""What the tests of bundles share."""

from collections.abc import Callable

from sstpca.bundle.context import Bundle
from sstpca.users import User

MakeBundle = Callable[..., Bundle]


def user_named(name: str) -> User:
    """Return a user, as the database would."""
    return User(1, name, True, "default", None, 0.0, 0.0)

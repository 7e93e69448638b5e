"""What is closed to clients, and what an access profile opens of it."""

import enum

from ..errors import InvalidInput
from ..names import quoted


@enum.unique
class Reach(enum.Enum):
    """What is closed to clients unless their access profile opens it."""

    CLIENTS = "clients"
    SERVER = "server"
    LINK_LOCAL = "link-local"
    MULTICAST = "multicast"


def parse_reach(text: str) -> frozenset[Reach]:
    """Return what ``clients,server`` opens; the empty text opens nothing.

    :raises InvalidInput: if there is something else in it.
    """
    try:
        return frozenset(Reach(word.strip()) for word in text.split(",") if text.strip())
    except ValueError:
        known = ", ".join(one.value for one in Reach)
        raise InvalidInput(
            f"{quoted(text)} is not what a client could reach",
            f"there are: {known}; the networks behind the server are open to all",
        ) from None

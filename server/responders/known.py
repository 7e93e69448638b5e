"""What a responder is, and what it is told beside the packet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..contracts import Lease


@dataclass(frozen=True, slots=True)
class Known:
    """What a session knows that a responder may need.

    :param mtu: the largest IP packet that the client takes, in bytes.
    :param identifier: our interface identifier on the link, 8 bytes; empty while there is no IPv6.
    """

    lease: Lease
    mtu: int
    identifier: bytes = b""


#: From a whole IP packet that was diverted to those that go to the client, none or several.
Responder: TypeAlias = Callable[[bytes, Known], list[bytes]]

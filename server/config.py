"""What the server is told when it starts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Config:
    """One server's settings.

    :param name: how the server calls itself to clients, in the MS-CHAPv2 challenge.
    :param listen: addresses and port to listen on.
    :param identity: PEM file with the key, the certificate and its chain; it may change.
    :param read_identity: returns what is in that file now, as OpenSSL reads PEM; raises ServerError
        unless clients would believe it.
    :param workers: processes.
    :param interface: prefix of the sessions' interfaces.
    :param table: name of the nftables table: ``sstpca_`` and what no other server's has.
    :param mtu: the largest IP packet in the tunnel, in bytes.
    :param due: says that the certificate ends soon, and what to do; empty while it does not.
    :param nat: whether clients reach other networks under this machine's address.
    """

    name: str
    listen: tuple[tuple[str, int], ...]
    identity: Path
    read_identity: Callable[[], bytes]
    workers: int
    interface: str
    table: str
    mtu: int
    nat: bool
    due: Callable[[], str] = str

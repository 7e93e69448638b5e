"""The sockets that listen for clients: opened, given by a service manager, or by the program before."""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterable, Iterator, Sequence

from .activation import handed_over
from .errors import ServerError
from .log import LOGGER

Endpoint = tuple[str, int]


class Listeners:
    """They are open until the block ends.

    :ivar sockets: all of them; none any more once they are closed.
    :ivar activated: whether a service manager opened them, whatever the settings say of that.
    """

    def __init__(self, sockets: Iterable[socket.socket], *, activated: bool) -> None:
        self.sockets = list(sockets)
        self.activated = activated

    def close(self) -> None:
        """Refuse whoever comes; those who were accepted stay."""
        for one in self.sockets:
            one.close()
        self.sockets.clear()

    @property
    def description(self) -> str:
        """Where they listen, for people."""
        return ", ".join(f"{host} port {port}" for host, port in map(_place, self.sockets))


@contextlib.contextmanager
def listeners_of(
    wanted: Sequence[Endpoint], before: Sequence[int] = (), *, activated: bool = False
) -> Iterator[Listeners]:
    """Give the sockets to listen on, and close them in the end.

    :param wanted: addresses and port.
    :param before: descriptors that the program before has listened on, or opened for this one.
    :param activated: whether these are a service manager's.
    :raises ServerError: if one cannot be had.
    """
    inherited = [_inherited(one) for one in before]
    handed = inherited if activated else [] if inherited else handed_over()
    if handed:
        LOGGER.info(
            "the service manager listens for the server, whatever settings.toml has of that"
        )
        found = Listeners(handed, activated=True)
    else:
        found = Listeners(opened(wanted, inherited), activated=False)
        for one in inherited:
            if one not in found.sockets:
                one.close()
    try:
        yield found
    finally:
        found.close()


def opened(
    wanted: Sequence[Endpoint], present: Sequence[socket.socket] = ()
) -> list[socket.socket]:
    """Return a socket for each place: those of ``present`` that are there, and new ones.

    :raises ServerError: if one cannot be had; no new one is left then.
    """
    by_place = {_key(_place(one)): one for one in present}
    found: list[socket.socket] = []
    new: list[socket.socket] = []
    try:
        for address, port in wanted:
            if address == "::" and not _has_ipv6():
                LOGGER.info("this machine has no IPv6: not listening on ::")
            elif (there := by_place.get(_key((address, port)))) is not None:
                found.append(there)
            else:
                new.append(_listen(address, port))
                found.append(new[-1])
    except ServerError as error:
        for one in new:
            one.close()
        if {port for _, port in wanted} & {port for _, port in map(_place, present)}:
            why = "this server has the port at other addresses: stop it, and start it again"
            raise ServerError(str(error), why) from error
        raise
    return found


def _place(sock: socket.socket) -> Endpoint:
    host, port = sock.getsockname()[:2]
    return str(host), int(port)


def _key(place: Endpoint) -> tuple[object, int]:
    return ipaddress.ip_address(place[0].partition("%")[0]), place[1]


def _inherited(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    sock.setblocking(False)
    return sock


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::", 0))
    except OSError:
        return False
    return True


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(1024)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ServerError(
            f"cannot listen on {address} port {port}: {error.strerror}",
            "choose another port or address in settings.toml, or stop what uses it "
            f"(ss -ltnp 'sport = :{port}')",
        ) from error
    return sock

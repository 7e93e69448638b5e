"""The sockets that listen: opened, or those of the program before."""

import os
import socket

import pytest

from sstpca.server.errors import ServerError
from sstpca.server.listening import listeners_of, opened


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def before(address: str = "127.0.0.1") -> tuple[int, int]:
    """Return a listening socket's descriptor and port, as the program before has left it."""
    with socket.create_server((address, 0)) as sock:
        port = port_of(sock)
        return sock.detach(), port


def test_those_of_the_program_before_go_on_and_the_rest_is_closed() -> None:
    (kept, port), (other, _) = before(), before()
    with listeners_of([("127.0.0.1", port)], (kept, other)) as found:
        [sock] = found.sockets
        assert (sock.fileno(), port_of(sock), found.activated) == (kept, port, False)
        assert found.description == f"127.0.0.1 port {port}"
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(other)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(kept)


def test_those_of_a_service_manager_stay_whatever_is_wanted() -> None:
    kept, port = before()
    with listeners_of([("127.0.0.1", 1)], (kept,), activated=True) as found:
        assert [port_of(one) for one in found.sockets] == [port]
        assert found.activated


def test_a_new_one_beside_them() -> None:
    kept, port = before()
    present = socket.socket(fileno=kept)
    free, other = before()
    os.close(free)
    found = opened([("127.0.0.1", port), ("127.0.0.1", other)], [present])
    assert [port_of(one) for one in found] == [port, other]
    assert found[0] is present
    for one in found:
        one.close()


def test_one_that_is_taken_leaves_those_that_there_are() -> None:
    kept, port = before()
    taken, other = before()
    present = socket.socket(fileno=kept)
    with pytest.raises(ServerError, match=f"cannot listen on 127.0.0.1 port {other}"):
        opened([("127.0.0.1", port), ("127.0.0.1", other)], [present])
    assert port_of(present) == port
    present.close()
    os.close(taken)


def test_the_port_that_it_has_at_all_addresses_itself() -> None:
    kept, port = before("0.0.0.0")
    present = socket.socket(fileno=kept)
    with pytest.raises(ServerError, match="Address already in use") as caught:
        opened([("127.0.0.1", port)], [present])
    assert caught.value.hint.startswith("this server has the port at other addresses")
    present.close()

"""A worker and its keeper over their socket: calls, errors, descriptors, and hostile workers."""

import asyncio
import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstpca.server.contracts import Account, CertificateRefused, FailedLogin, Lease
from sstpca.server.dataplane.segments import Offload
from sstpca.server.errors import ServerError
from sstpca.server.keeper.answering import CALL_MAX, Desk
from sstpca.server.keeper.calls import KeeperError
from sstpca.server.keeper.codec import MalformedMessage, write
from sstpca.server.keeper.line import Line, remote
from sstpca.server.keeper.process import connect
from sstpca.server.net.tun import Descriptor, Tun
from tests.support.waiting import PATIENCE

LEASE = Lease(7, IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1"))
ALICE = Account(1, "alice", True)


class Things:
    """What the keeper of these tests has."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def promise(self, account: Account, *, peer: str, client: str = "none") -> Lease | None:
        return LEASE if (account, peer, client) == (ALICE, "x", "none") else None

    def fail(self, how: str) -> int:
        if how == "machine":
            raise ServerError("no TUN", "modprobe tun")
        if how == "certificate":
            raise CertificateRefused("is revoked")
        raise OSError("disk full")

    def echo(self, value: int) -> int:
        self.go_on.wait(PATIENCE)
        return value

    def open(self, name: str) -> Tun:
        reader, writer = os.pipe()
        os.write(writer, name.encode())
        os.close(writer)
        return Tun(Descriptor(reader), name, Offload.NONE)

    def note(self, logins: Sequence[FailedLogin]) -> None:
        assert not logins


@contextlib.contextmanager
def desk(things: Things, threads: int = 1) -> Iterator[socket.socket]:
    """Answer at a socket for a while; gives the worker's end."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    answering = Desk({"things": (Things, things)})

    def work() -> None:
        try:
            answering.work(near)
        except MalformedMessage as error:
            things.lost.append(str(error))
            near.shutdown(socket.SHUT_RDWR)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for one in workers:
        one.start()
    with near, far:
        yield far
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)
        for one in workers:
            one.join(PATIENCE)


def run(things: Things, work: Any, threads: int = 1) -> Any:
    """Run ``work``, which is given what stands for the things, in an event loop."""

    async def inside(far: socket.socket) -> Any:
        line = Line(far, asyncio.get_running_loop(), lambda: things.lost.append("gone"))
        return await work(remote(line, "things", Things))

    with desk(things, threads) as far:
        return asyncio.run(inside(far))


def descriptors() -> int:
    """Return how many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def begin(method: Any, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
    answer: asyncio.Future[Any] = method.begin(*args, **kwargs)
    return answer


def test_a_call_is_answered_with_what_the_object_returns() -> None:
    async def work(things: Things) -> None:
        assert await begin(things.promise, ALICE, peer="x") == LEASE
        assert await begin(things.promise, ALICE, peer="x", client="y") is None
        assert await begin(things.note, []) is None

    run(Things(), work)


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("machine", ServerError, "no TUN"),
        ("certificate", CertificateRefused, "is revoked"),
        ("", KeeperError, "disk full"),
    ],
)
def test_an_error_comes_back_as_one_of_the_same_meaning(
    how: str, kind: type[Exception], message: str
) -> None:
    async def work(things: Things) -> Exception:
        with pytest.raises(kind, match=message) as raised:
            await begin(things.fail, how)
        assert await begin(things.echo, 1) == 1
        return raised.value

    error = run(Things(), work)
    if isinstance(error, ServerError):
        assert error.hint == "modprobe tun"
    if isinstance(error, KeeperError):
        assert "test_calls.py" in error.__notes__[0], "where it happened"


def test_a_thread_waits_for_its_answer() -> None:
    async def work(things: Things) -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, things.echo, 5) == 5
        with pytest.raises(CertificateRefused):
            await loop.run_in_executor(None, things.fail, "certificate")

    run(Things(), work)


def test_several_are_on_their_way_at_once() -> None:
    target = Things()
    target.go_on.clear()

    async def work(things: Things) -> None:
        asked = [begin(things.echo, number) for number in range(300)]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in asked)
        target.go_on.set()
        assert await asyncio.gather(*asked) == list(range(300))

    run(target, work, threads=4)


def test_a_descriptor_goes_over_and_none_stays() -> None:
    before = descriptors()

    async def work(things: Things) -> None:
        for name in ("one", "two"):
            tun = await begin(things.open, name)
            assert (tun.name, tun.offload) == (name, Offload.NONE)
            assert os.read(tun.descriptor, 10) == name.encode()
            assert not os.get_inheritable(tun.descriptor)
            os.close(tun.descriptor)

    run(Things(), work)
    assert descriptors() == before


def test_a_descriptor_that_nobody_waits_for_is_closed() -> None:
    before = descriptors()

    async def work(things: Things) -> None:
        begin(things.open, "one").cancel()
        assert await begin(things.echo, 1) == 1

    run(Things(), work)
    assert descriptors() == before


def test_the_end_of_the_keeper_is_told() -> None:
    things = Things()

    async def inside(near: socket.socket, far: socket.socket) -> None:
        Line(far, asyncio.get_running_loop(), lambda: things.lost.append("gone"))
        near.close()
        async with asyncio.timeout(PATIENCE):
            while not things.lost:
                await asyncio.sleep(0.01)

    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with far:
        asyncio.run(inside(near, far))
    assert things.lost == ["gone"]


def said(*messages: bytes) -> list[str]:
    """Return why a keeper gives up a worker that says this."""
    things = Things()
    with desk(things) as far:
        far.settimeout(0.02)
        for message in messages:
            with contextlib.suppress(BrokenPipeError):
                far.send(message)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while far.recv(1000):
                pass
    return things.lost


@pytest.mark.parametrize(
    "message",
    [
        b"\0",
        b"[]",
        write([1, "things.echo"]),
        write([1, "things.echo", []]),
        write([1, "things.echo", ["5"]]),
        write([1, "things.echo", [5, 6]]),
        write([-1, "things.echo", [5]]),
        write(["1", "things.echo", [5]]),
        write([1, "things.unknown", []]),
        write([1, "things.__init__", []]),
        write([1, "things.lost", []]),
        write([1, "os.system", ["true"]]),
        write([1, "things.promise", [[1, "alice", "zz"], "x", "y"]]),
    ],
)
def test_what_no_worker_says_ends_it(message: bytes) -> None:
    assert len(said(message)) == 1


def test_a_worker_that_ends_before_it_reads_an_answer_is_gone_like_any_other() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.send(write([1, "things.echo", [5]]))
    answering = threading.Thread(target=Desk({"things": (Things, Things())}).work, args=(near,))
    with near:
        answering.start()
        select.select([far], [], [], PATIENCE)  # the answer is there
        far.close()
        answering.join(PATIENCE)
    assert not answering.is_alive()


def test_what_is_too_long_ends_it() -> None:
    things = Things()
    with desk(things) as far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * CALL_MAX)
        far.send(write([1, "things.fail", ["x" * CALL_MAX]]))
        time.sleep(0.05)
    assert things.lost == ["too long"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=200), max_size=3))
def test_no_bytes_do_more_than_end_it(messages: list[bytes]) -> None:
    assert said(*messages) in ([], ["no JSON"], ["no list"], ["no call"])


def test_descriptors_of_a_worker_are_not_taken() -> None:
    reader, writer = os.pipe()
    with desk(Things()) as far:
        before = descriptors()
        for number in range(5):
            socket.send_fds(far, [write([number, "things.echo", [number]])], [writer])
            assert far.recv(100) == write([number, True, number])
        assert descriptors() == before
    os.close(reader)
    os.close(writer)


def test_a_beat_of_many_sessions_goes_through() -> None:
    near, far = connect()
    much = write([0, "sessions.beat", [[[number, [2**40, 2**40]] for number in range(6000)], 1]])
    assert len(much) < CALL_MAX
    far.store.setblocking(False)
    far.store.send(much)
    assert near.store.recv(CALL_MAX) == much
    near.close()
    far.close()

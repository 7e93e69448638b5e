"""Logins as a keeper judges them, and what a worker that was taken over gets from it."""

import dataclasses
import socket
import threading
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from sstpca.server.contracts import UNHINDERED, Account, Secrets, Standing, WeakSignIn
from sstpca.server.errors import ServerError
from sstpca.server.keeper import contract
from sstpca.server.keeper.answering import Desk
from sstpca.server.keeper.calls import calls_of
from sstpca.server.keeper.codec import MalformedMessage, codec_of, read, write
from sstpca.server.keeper.contract import OwnDirectory, OwnInterfaces, OwnSessions
from sstpca.server.keeper.directory import KeptDirectory
from sstpca.server.ppp.mschapv2 import nt_hash
from sstpca.server.ppp.proofs import (
    NO_PROOF,
    Keys,
    MsChapV2Proof,
    PapProof,
    PasswordChange,
    Proof,
)
from tests.support import mschap
from tests.support.judging import secrets_of

PASSWORD = "Wonderland-1865"
ALICE = Account(1, "Alice", True, weak_sign_ins=WeakSignIn.PAP)
CHALLENGE, PEER_CHALLENGE = bytes(range(16)), bytes(range(16, 32))
RIGHT = PapProof(PASSWORD.encode())
BARRED = Standing("too many wrong passwords", 1.0)


class People:
    """Alice, by a name or another; what was counted, and what was kept."""

    def __init__(self) -> None:
        self.alice, self.secrets = ALICE, secrets_of(PASSWORD)
        self.standing = UNHINDERED
        self.counted: list[tuple[str, str, bool]] = []
        self.kept: list[str] = []

    def account(self, name: str) -> tuple[Account, Secrets] | None:
        known = name.casefold() in ("alice", "alice@example.com")
        return (self.alice, self.secrets) if known else None

    def attempt(self, name: str, source: str, *, right: bool) -> Standing:
        self.counted.append((name, source, right))
        return self.standing

    def change_password(self, account: Account, before: Secrets, password: str) -> str:
        assert (account, before) == (self.alice, self.secrets)
        self.kept.append(password)
        return "" if len(password) >= 8 else "it is too short"

    def by_certificate(self, der: bytes) -> Account:
        return dataclasses.replace(ALICE, certificate=der.hex())

    def client_roots(self) -> tuple[bytes, ...]:
        return ()


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def directory(people: People) -> KeptDirectory:
    return KeptDirectory(people)


def proof(password: str = PASSWORD) -> MsChapV2Proof:
    login = mschap.Login(b"alice", password, CHALLENGE, PEER_CHALLENGE)
    return MsChapV2Proof(PEER_CHALLENGE, login.nt_response, b"alice", CHALLENGE)


def wish(new: str, *, old: str = PASSWORD) -> PasswordChange:
    login = mschap.Login(b"alice", new, CHALLENGE, PEER_CHALLENGE)
    data = mschap.Change(old, new, login).data
    return PasswordChange(data[:516], data[516:532], proof(new))


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@example.com"])
def test_whatever_name_is_given_counts_for_the_account_that_it_leads_to(
    people: People, directory: KeptDirectory, name: str
) -> None:
    judgement = directory.log_in(name, "192.0.2.1", RIGHT)
    assert (judgement.account, judgement.against) == (ALICE, None)
    assert people.counted == [("Alice", "192.0.2.1", True)]


def test_what_is_nobodys_counts_as_well(people: People, directory: KeptDirectory) -> None:
    people.standing = BARRED
    judgement = directory.log_in("mallory", "192.0.2.1", RIGHT)
    assert judgement.account is None
    assert judgement.against is not None
    assert judgement.delay == 1.0
    assert people.counted == [("mallory", "192.0.2.1", False)]


@pytest.mark.parametrize("account", [ALICE, None])
def test_who_is_not_let_in_gets_no_keys(
    people: People, directory: KeptDirectory, account: Account | None
) -> None:
    name = "alice" if account else "mallory"
    assert directory.log_in(name, "192.0.2.1", proof("guess")).keys == Keys()
    assert directory.log_in(name, "192.0.2.1", NO_PROOF).keys == Keys()
    people.standing = BARRED
    assert directory.log_in(name, "192.0.2.1", proof()).keys == Keys()
    people.standing, people.alice = UNHINDERED, dataclasses.replace(ALICE, enabled=False)
    assert directory.log_in(name, "192.0.2.1", proof()).keys == Keys()


def test_a_right_proof_gives_the_keys_of_this_login(directory: KeptDirectory) -> None:
    login = mschap.Login(b"alice", PASSWORD, CHALLENGE, PEER_CHALLENGE)
    keys = directory.log_in("alice", "192.0.2.1", proof()).keys
    assert (f"S={keys.authenticator}".encode(), keys.hlak) == (login.proof, login.key)
    assert keys.hlak.hex() not in repr(keys)


def test_a_password_is_changed_by_whoever_has_proved_the_one_before(
    people: People, directory: KeptDirectory
) -> None:
    people.alice = dataclasses.replace(ALICE, password_expired=True)
    assert directory.log_in("alice", "192.0.2.1", proof()).against is not None
    new = "another password"
    changed = directory.change_password(people.alice, wish(new))
    login = mschap.Login(b"alice", new, CHALLENGE, PEER_CHALLENGE)
    assert (changed.refusal, changed.keys.hlak) == ("", login.key)
    assert people.kept == [new]
    assert directory.logged_in(people.alice).name == "Alice"
    again = directory.change_password(people.alice, wish("yet another one"))
    assert again.refusal == "no new password: the account has changed meanwhile"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (wish("short"), "no new password: it is too short"),
        (wish("another password", old="guess"), "the new password came damaged"),
    ],
)
def test_a_password_that_is_not_changed(
    people: People, directory: KeptDirectory, asked: PasswordChange, why: str
) -> None:
    people.alice = dataclasses.replace(ALICE, password_expired=True)
    directory.log_in("alice", "192.0.2.1", proof())
    assert directory.change_password(people.alice, asked).refusal == why
    with pytest.raises(ServerError):
        directory.logged_in(people.alice)


@pytest.mark.parametrize("password", ["guess", PASSWORD])
def test_nobody_guesses_by_changing_a_password(
    people: People, directory: KeptDirectory, password: str
) -> None:
    """It is not counted: so it takes a login that was, and whose password has expired."""
    directory.log_in("alice", "192.0.2.1", proof(password))
    asked = directory.change_password(ALICE, wish("another password"))
    assert asked.refusal == "no new password: the account has changed meanwhile"
    assert people.kept == []


def test_an_address_is_promised_to_whoever_has_logged_in(
    people: People, directory: KeptDirectory
) -> None:
    directory.log_in("alice", "192.0.2.1", proof("guess"))
    with pytest.raises(ServerError, match="user 1 has not logged in here"):
        directory.logged_in(ALICE)
    directory.log_in("alice", "192.0.2.1", proof())
    pretended = dataclasses.replace(ALICE, name="Bob", enabled=False)
    assert directory.logged_in(pretended) == ALICE, "the keeper's own"
    with pytest.raises(ServerError):
        directory.logged_in(dataclasses.replace(ALICE, certificate="c0ffee"))
    directory.by_certificate(b"\xc0\xff\xee")
    assert directory.logged_in(dataclasses.replace(ALICE, certificate="c0ffee")).id == 1


# what a worker that was taken over may try


@pytest.fixture
def worker(directory: KeptDirectory) -> Iterator[socket.socket]:
    """The worker's end of a socket, and a keeper at the other."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    desk = Desk({"directory": (OwnDirectory, directory)})

    def work() -> None:
        try:
            desk.work(near)
        except MalformedMessage:
            near.close()

    keeper = threading.Thread(target=work)
    keeper.start()
    far.settimeout(60.0)
    yield far
    far.close()
    keeper.join()


def told(worker: socket.socket, name: str, source: str, shown: Proof) -> bytes:
    arguments = [name, source, codec_of(Proof).encode(shown)]
    worker.send(write([1, "directory.log_in", arguments]))
    return worker.recv(65536)


def test_from_inside_a_worker_nobodys_hash_is_read(worker: socket.socket) -> None:
    """Whatever proof it shows, and of those who log in through it as well."""
    kept = nt_hash(PASSWORD).hex().encode()
    for shown in (NO_PROOF, proof("guess"), proof(), PapProof(b""), RIGHT):
        answer = told(worker, "alice", "192.0.2.1", shown)
        assert read(answer)[1] is True
        assert kept not in answer
        assert PASSWORD.encode() not in answer
    worker.send(write([2, "directory.account", ["alice"]]))
    assert worker.recv(65536) == b"", "it has no such call, and is ended"


def types_in(hint: Any) -> Iterator[Any]:
    """Yield a type, and all that its values may have in them."""
    yield hint
    inner = typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        inner = tuple(typing.get_type_hints(hint).values())
    for one in inner:
        if one not in (Ellipsis, types.NoneType):
            yield from types_in(one)


def test_nothing_that_a_worker_is_told_has_room_for_a_secret() -> None:
    kinds = (OwnDirectory, OwnSessions, OwnInterfaces)
    assert set(kinds) == {
        one
        for one in vars(contract).values()
        if getattr(one, "_is_protocol", False) and one.__module__ == contract.__name__
    }
    for kind in kinds:
        for method in calls_of("x", kind):
            answer = typing.get_type_hints(getattr(kind, method))["return"]
            assert Secrets not in set(types_in(answer)), method

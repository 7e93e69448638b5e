"""Users in the database."""

from ipaddress import IPv4Address

import pytest
import sqlalchemy as sa

from sstpca.access.profiles import AccessProfile
from sstpca.access.weak_sign_ins import WeakSignIn
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, logins, profiles, users
from sstpca.store import schema as tables

PASSWORD = "correct horse"
# RFC 2759 9.2: the NT hash of "clientPass"
CLIENT_PASS = "44EBBA8D5312B8D611474411F56989AE"


def add(store: Store, sealer: Sealer, name: str, address: str | None = None) -> users.User:
    static = None if address is None else IPv4Address(address)
    return users.add(store, sealer, name, PASSWORD, static_address=static)


def session_of(store: Store, user: users.User) -> int:
    """Register a running session of ``user`` as a worker does."""
    with store.writing() as connection:
        worker = connection.execute(
            tables.workers.insert().values(host="h", pid=1, seen=0.0)
        ).inserted_primary_key
        assert worker is not None
        row = connection.execute(
            tables.sessions.insert().values(
                worker_id=worker[0],
                user_id=user.id,
                user=user.name,
                peer="p",
                interface="sstp0",
                client="c",
                started=0.0,
                received=0,
                sent=0,
            )
        ).inserted_primary_key
        assert row is not None
        return int(row[0])


def reason(store: Store, session: int) -> str | None:
    with store.reading() as connection:
        found: str | None = connection.scalar(
            sa.select(tables.sessions.c.kill).where(tables.sessions.c.id == session)
        )
        return found


def test_a_user_is_found_in_any_case_and_shows_no_password(store: Store, sealer: Sealer) -> None:
    made = add(store, sealer, "Alice", "10.99.0.20")
    assert users.get(store, "aLICE") == made
    assert made.name == "Alice"
    assert made.enabled
    assert made.profile == "default"
    assert made.static_address == IPv4Address("10.99.0.20")
    assert users.list_all(store) == [made]


def test_login_gives_the_nt_hash(store: Store, sealer: Sealer) -> None:
    users.add(store, sealer, "User", "clientPass")
    found = logins.login(store, sealer, "USER")
    assert found is not None
    assert found.nt_hash.hex().upper() == CLIENT_PASS
    assert logins.login(store, sealer, "nobody") is None


def test_the_password_is_in_no_file(store: Store, sealer: Sealer) -> None:
    users.add(store, sealer, "User", "clientPass")
    with store.reading() as connection:
        blob = connection.scalar(sa.select(tables.users.c.nt_hash))
    assert blob is not None
    assert bytes.fromhex(CLIENT_PASS) not in blob
    assert len(blob) == 44


def test_a_hash_copied_to_another_user_does_not_open(store: Store, sealer: Sealer) -> None:
    users.add(store, sealer, "mallory", "mallory's own")
    add(store, sealer, "alice")
    with store.writing() as connection:
        column = tables.users.c
        blob = connection.scalar(sa.select(column.nt_hash).where(column.name == "mallory"))
        connection.execute(tables.users.update().where(column.name == "alice").values(nt_hash=blob))
    with pytest.raises(SstpcaError, match="does not open the password of user 'alice'"):
        logins.login(store, sealer, "alice")


def test_names_are_taken_without_regard_to_case(store: Store, sealer: Sealer) -> None:
    add(store, sealer, "Jörg")
    with pytest.raises(InvalidInput, match="'Jörg' already"):
        add(store, sealer, "JO\u0308RG")
    with pytest.raises(InvalidInput, match="'Jörg' already"):
        users.check_addable(store, "jörg")
    assert len(users.list_all(store)) == 1


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.99.0.1", "server's own"),
        ("10.99.0.20", "of user 'alice' already"),
        ("224.0.0.1", "unicast"),
        ("127.0.0.5", "unicast"),
        ("255.255.255.255", "unicast"),
        ("0.1.2.3", "unicast"),
        ("169.254.1.1", "unicast"),
        ("192.168.7.255", "broadcast"),
        ("192.168.7.0", "network"),
    ],
)
def test_static_addresses_that_cannot_be_given(
    store: Store, sealer: Sealer, address: str, why: str
) -> None:
    add(store, sealer, "alice", "10.99.0.20")
    with pytest.raises(InvalidInput, match=why):
        add(store, sealer, "bob", address)
    with pytest.raises(InvalidInput, match=why):
        users.check_addable(store, "bob", static_address=IPv4Address(address))
    assert [user.name for user in users.list_all(store)] == ["alice"]


def test_a_static_address_may_lie_outside_every_pool(store: Store, sealer: Sealer) -> None:
    assert add(store, sealer, "alice", "10.50.0.7").static_address == IPv4Address("10.50.0.7")


def test_a_local_address_cannot_be_taken_from_a_user(store: Store, sealer: Sealer) -> None:
    add(store, sealer, "alice", "10.50.0.7")
    with pytest.raises(InvalidInput, match="static address of user 'alice'"):
        profiles.change(store, "default", local_address=IPv4Address("10.50.0.7"))


def test_change_moves_profile_and_address(store: Store, sealer: Sealer) -> None:
    other = AccessProfile(
        "office",
        IPv4Address("10.98.0.1"),
        ((IPv4Address("10.98.0.10"), IPv4Address("10.98.0.20")),),
    )
    profiles.add(store, other)
    add(store, sealer, "alice", "10.99.0.20")
    again = users.change(store, "alice", static_address=IPv4Address("10.99.0.20"))
    assert again.static_address == IPv4Address("10.99.0.20")
    changed = users.change(store, "ALICE", profile="office", no_static_address=True)
    assert (changed.profile, changed.static_address) == ("office", None)
    with pytest.raises(SstpcaError, match="no access profile 'sales'") as caught:
        users.change(store, "alice", profile="sales")
    assert caught.value.hint == "there are: default, office"


def test_another_password_opens(store: Store, sealer: Sealer) -> None:
    before = add(store, sealer, "alice")
    after = users.set_password(store, sealer, "Alice", "clientPass")
    assert after.password_set >= before.password_set
    found = logins.login(store, sealer, "alice")
    assert found is not None
    assert found.nt_hash.hex().upper() == CLIENT_PASS


def test_disabling_ends_the_sessions_and_enabling_does_not(store: Store, sealer: Sealer) -> None:
    alice, bob = add(store, sealer, "alice"), add(store, sealer, "bob")
    hers, his = session_of(store, alice), session_of(store, bob)
    assert [user.enabled for user in users.set_enabled(store, ["ALICE"], False)] == [False]
    assert reason(store, hers) == "the user was disabled"
    assert reason(store, his) is None
    users.set_enabled(store, ["alice", "bob"], True)
    assert users.get(store, "alice").enabled
    assert reason(store, his) is None


def test_removing_ends_the_sessions_and_keeps_an_earlier_reason(
    home: Home, store: Store, sealer: Sealer
) -> None:
    alice = add(store, sealer, "alice")
    first, second = session_of(store, alice), session_of(store, alice)
    with store.writing() as connection:
        connection.execute(
            tables.sessions.update().where(tables.sessions.c.id == first).values(kill="earlier")
        )
    assert [user.name for user in users.remove(store, ["alice"])] == ["alice"]
    assert reason(store, first) == "earlier"
    assert reason(store, second) == "the user was removed"
    assert users.list_all(store) == []


def test_the_number_of_a_removed_user_is_not_given_again(
    home: Home, store: Store, sealer: Sealer
) -> None:
    alice = add(store, sealer, "alice")
    users.remove(store, ["alice"])
    assert add(store, sealer, "mallory").id != alice.id


def test_one_unknown_name_undoes_all(home: Home, store: Store, sealer: Sealer) -> None:
    alice = add(store, sealer, "alice")
    hers = session_of(store, alice)
    with pytest.raises(SstpcaError, match="no user 'bob'"):
        users.set_enabled(store, ["alice", "bob"], False)
    with pytest.raises(SstpcaError, match="no user 'bob'"):
        users.remove(store, ["alice", "bob"])
    assert users.list_all(store) == [alice]
    assert reason(store, hers) is None


def test_a_password_that_has_to_be_changed(store: Store, sealer: Sealer) -> None:
    add(store, sealer, "alice")
    add(store, sealer, "bob")
    assert [one.password_expired for one in users.expire_passwords(store, ["ALICE"])] == [True]
    found = logins.login(store, sealer, "alice")
    assert found is not None
    assert found.user.password_expired
    assert not users.get(store, "bob").password_expired
    assert not users.set_password(store, sealer, "alice", "another horse").password_expired
    users.expire_passwords(store, ["bob"])
    with pytest.raises(SstpcaError, match="no user 'nobody'"):
        users.expire_passwords(store, ["alice", "nobody"])
    assert not users.get(store, "alice").password_expired


def proven(store: Store, sealer: Sealer, name: str) -> tuple[int, bytes]:
    """Return what somebody has who knows the password: number and hash."""
    found = logins.login(store, sealer, name)
    assert found is not None
    return found.user.id, found.nt_hash


def test_a_user_changes_the_password(store: Store, sealer: Sealer) -> None:
    add(store, sealer, "alice")
    users.expire_passwords(store, ["alice"])
    number, before = proven(store, sealer, "alice")
    made = users.replace_password(store, sealer, number, before, "clientPass")
    assert not made.password_expired
    assert proven(store, sealer, "alice")[1].hex().upper() == CLIENT_PASS


@pytest.mark.parametrize(
    ("password", "why"),
    [("short", "shorter than 8"), ("tab\tin between", "control"), (PASSWORD, "the old password")],
)
def test_a_user_takes_no_password_that_cannot_be(
    store: Store, sealer: Sealer, password: str, why: str
) -> None:
    add(store, sealer, "alice")
    users.expire_passwords(store, ["alice"])
    number, before = proven(store, sealer, "alice")
    with pytest.raises(InvalidInput, match=why):
        users.replace_password(store, sealer, number, before, password)
    assert users.get(store, "alice").password_expired
    assert proven(store, sealer, "alice") == (number, before)


def test_what_an_administrator_did_meanwhile_holds(store: Store, sealer: Sealer) -> None:
    """While the user typed: another password, shut out, removed and added again."""
    for name in ("alice", "bob", "carol"):
        add(store, sealer, name)
    seen = {name: proven(store, sealer, name) for name in ("alice", "bob", "carol")}
    users.set_password(store, sealer, "alice", "of the administrator")
    users.set_enabled(store, ["bob"], False)
    users.remove(store, ["carol"])
    add(store, sealer, "carol")
    for number, before in seen.values():
        with pytest.raises(SstpcaError, match="changed meanwhile"):
            users.replace_password(store, sealer, number, before, "of the user herself")
    assert proven(store, sealer, "carol")[1] == seen["carol"][1]


def kept(store: Store, name: str) -> bytes | None:
    """Return what the database has of a password beside its hash."""
    with store.reading() as connection:
        column = tables.users.c
        found: bytes | None = connection.scalar(
            sa.select(column.password).where(column.name == name)
        )
    return found


def open_weakly(store: Store, *weak: WeakSignIn, profile: str = "default") -> None:
    profiles.change(store, profile, weak_sign_ins=frozenset(weak))


def test_a_password_itself_is_kept_for_chap_md5_alone(store: Store, sealer: Sealer) -> None:
    """And encrypted; from when it is next set."""
    add(store, sealer, "alice")
    open_weakly(store, WeakSignIn.PAP)
    users.set_password(store, sealer, "alice", "with PAP alone")
    assert kept(store, "alice") is None
    open_weakly(store, WeakSignIn.PAP, WeakSignIn.CHAP_MD5)
    found = logins.login(store, sealer, "alice")
    assert found is not None
    assert (found.password, found.weak_sign_ins) == ("", frozenset(WeakSignIn))
    users.set_password(store, sealer, "alice", "Grüner Tee")
    add(store, sealer, "bob")
    sealed = kept(store, "alice")
    assert sealed is not None
    assert b"Tee" not in sealed
    found = logins.login(store, sealer, "alice")
    assert found is not None
    assert found.password == "Grüner Tee"
    assert "Tee" not in repr(found)
    assert kept(store, "bob") is not None


def test_a_password_is_forgotten_with_chap_md5(store: Store, sealer: Sealer) -> None:
    """Where the access profile gives it up, and where a user gets another access profile."""
    pool = (IPv4Address("10.98.0.10"), IPv4Address("10.98.0.20"))
    office = AccessProfile("office", IPv4Address("10.98.0.1"), (pool,))
    profiles.add(store, office)
    open_weakly(store, WeakSignIn.CHAP_MD5)
    for name in ("alice", "bob"):
        add(store, sealer, name)
    users.change(store, "bob", profile="office")
    assert (kept(store, "alice") is None, kept(store, "bob")) == (False, None)
    open_weakly(store)
    assert kept(store, "alice") is None


def test_a_kept_password_opens_neither_for_another_user_nor_as_a_hash(
    store: Store, sealer: Sealer
) -> None:
    open_weakly(store, WeakSignIn.CHAP_MD5)
    for name in ("alice", "mallory"):
        users.add(store, sealer, name, "sixteen letters!" if name == "mallory" else PASSWORD)
    column = tables.users.c
    blob = kept(store, "mallory")
    with store.writing() as connection:
        alice = tables.users.update().where(column.name == "alice")
        connection.execute(alice.values(password=blob))
    with pytest.raises(SstpcaError, match="does not open the password of user 'alice'"):
        logins.login(store, sealer, "alice")
    with store.writing() as connection:
        own = tables.users.update().where(column.name == "mallory")
        connection.execute(own.values(nt_hash=blob))
    with pytest.raises(SstpcaError, match="does not open the password of user 'mallory'"):
        logins.login(store, sealer, "mallory")


def weak_sign_ins(store: Store) -> frozenset[WeakSignIn]:
    """What at least one access profile takes."""
    with store.directly(writing=False) as transaction:
        return profiles.weak_sign_ins(transaction)


def test_what_at_least_one_access_profile_takes(store: Store) -> None:
    assert weak_sign_ins(store) == frozenset()
    open_weakly(store, WeakSignIn.PAP)
    assert weak_sign_ins(store) == {WeakSignIn.PAP}

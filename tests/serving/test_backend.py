"""Leases and sessions in the database: never one address twice, and nothing left behind."""

import os
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
import sqlalchemy as sa

from sstpca.access import weak_sign_ins as access
from sstpca.access.connection_settings import ConnectionSettings, parse_name_rule
from sstpca.access.reach import Reach
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import CLOSED, Account, Lease, Orders, Sessions, TraceOrder, WeakSignIn
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, profiles, traces, users
from sstpca.store.sessions import end_sessions, list_sessions
from tests.support.files import open_files


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.database)


@pytest.fixture
def backend(home: Home) -> StoreBackend:
    return StoreBackend(home)


@pytest.fixture
def sessions(backend: StoreBackend) -> Iterator[Sessions]:
    """What a worker has."""
    with backend.join(os.getpid()) as (_, sessions):
        yield sessions


def add(home: Home, store: Store, name: str, **more: object) -> Account:
    user = users.add(store, Sealer.load(home), name, "correct horse", **more)  # type: ignore[arg-type]
    return Account(user.id, user.name, True)


def begin(sessions: Sessions, account: Account, client: str = "") -> Lease | None:
    """Log in and bind."""
    lease = sessions.promise(account, peer="203.0.113.9:1", client=client)
    if lease is not None:
        assert sessions.bind(lease.session, "sstp1") == ""
    return lease


def addresses(sessions: Sessions, *accounts: Account) -> list[IPv4Address | None]:
    leases = [begin(sessions, account) for account in accounts]
    return [lease.address if lease else None for lease in leases]


def test_the_directory_gives_the_user_in_any_case(home: Home, backend: StoreBackend) -> None:
    store = Store.open(home.database)
    users.add(store, Sealer.load(home), "Alice", "clientPass")
    with backend.join(os.getpid()) as (directory, _):
        found = directory.account("ALICE")
        assert directory.account("bob") is None
    assert found is not None
    account, secrets = found
    # RFC 2759 9.2
    assert secrets.nt_hash.hex().upper() == "44EBBA8D5312B8D611474411F56989AE"
    assert (account.name, account.enabled) == ("Alice", True)
    assert "44EB" not in repr(secrets).upper()


def test_a_lease_has_what_the_profile_opens(home: Home, store: Store, sessions: Sessions) -> None:
    alice = add(home, store, "alice")

    def lease() -> Lease:
        found = begin(sessions, alice)
        assert found is not None
        return found

    assert lease().access is CLOSED
    rule = parse_name_rule("corp.example=10.99.0.1")
    profiles.change(
        store,
        "default",
        reach=frozenset(Reach),
        inbound=True,
        full_tunnel=False,
        dns=(IPv4Address("10.1.0.53"),),
        client=ConnectionSettings(name_rules=(rule,)),
    )
    assert lease().access == ~CLOSED
    assert lease().resolvers == (IPv4Address("10.1.0.53"), IPv4Address("10.99.0.1"))


def test_a_lease_has_what_the_profile_says(home: Home, store: Store, sessions: Sessions) -> None:
    lease = begin(sessions, add(home, store, "alice"), "MSRASV5.20")
    profile = profiles.get(store, "default")
    assert lease is not None
    assert profile.pools[0][0] <= lease.address <= profile.pools[0][1]
    assert (lease.local_address, lease.dns) == (profile.local_address, profile.dns)
    [seen] = list_sessions(store)
    assert (seen.id, seen.user, seen.address) == (lease.session, "alice", str(lease.address))
    assert (seen.client, seen.worker) == ("MSRASV5.20", os.getpid())


def test_a_small_pool_runs_out_and_comes_free(home: Home, store: Store, sessions: Sessions) -> None:
    first, last = IPv4Address("10.1.0.10"), IPv4Address("10.1.0.12")
    profiles.change(store, "default", local_address=IPv4Address("10.1.0.1"), pools=((first, last),))
    accounts = [add(home, store, f"user{i}") for i in range(4)]
    leases = [begin(sessions, account) for account in accounts]
    given = {lease.address for lease in leases if lease}
    assert given == {first, first + 1, last}
    assert leases[3] is None
    assert leases[0] is not None
    sessions.close(leases[0].session, "over", (0, 0))
    assert addresses(sessions, accounts[3]) == [leases[0].address]
    sessions.close(leases[0].session, "over", (0, 0))


def test_a_static_address_is_nobody_elses(home: Home, store: Store, sessions: Sessions) -> None:
    first, last = IPv4Address("10.1.0.10"), IPv4Address("10.1.0.11")
    profiles.change(store, "default", local_address=IPv4Address("10.1.0.1"), pools=((first, last),))
    alice = add(home, store, "alice", static_address=first)
    others = [add(home, store, name) for name in ("bob", "carol")]
    assert addresses(sessions, *others) == [last, None]
    assert addresses(sessions, alice) == [first]


def test_a_new_login_takes_the_static_address_over(
    home: Home, store: Store, sessions: Sessions
) -> None:
    alice = add(home, store, "alice", static_address=IPv4Address("10.99.9.9"))
    old, new = (begin(sessions, alice) for _ in range(2))
    assert old is not None
    assert new is not None
    assert old.address == new.address == IPv4Address("10.99.9.9")
    ending = sessions.beat({old.session: (0, 0), new.session: (0, 0)}).ending
    assert list(ending) == [old.session]
    assert "newer login" in ending[old.session]


def test_the_beat_writes_the_traffic_and_brings_the_orders(
    home: Home, store: Store, sessions: Sessions
) -> None:
    lease = begin(sessions, add(home, store, "alice"))
    assert lease is not None
    sessions.started(lease.session, "sstp7")
    assert sessions.beat({lease.session: (1000, 2000)}).ending == {}
    [seen] = list_sessions(store)
    assert (seen.received, seen.sent, seen.interface) == (1000, 2000, "sstp7")
    with pytest.raises(SstpcaError, match=f"still there.*{lease.session}"):
        end_sessions(store, [lease.session], reason="enough", patience=0)
    assert sessions.beat({lease.session: (1000, 2000)}).ending == {lease.session: "enough"}
    sessions.close(lease.session, "over", (0, 0))
    end_sessions(store, [lease.session], reason="enough", patience=0)
    assert list_sessions(store) == []
    assert sessions.beat({lease.session: (1, 1)}).ending == {
        lease.session: "its lease was taken away"
    }


def test_disabling_a_user_ends_the_sessions(home: Home, store: Store, sessions: Sessions) -> None:
    lease = begin(sessions, add(home, store, "alice"))
    assert lease is not None
    users.set_enabled(store, ["alice"], False)
    assert sessions.beat({lease.session: (0, 0)}).ending == {lease.session: "the user was disabled"}


def test_a_disabled_user_gets_no_lease(home: Home, store: Store, sessions: Sessions) -> None:
    # the account was looked up just before
    alice = add(home, store, "alice")
    users.set_enabled(store, ["alice"], False)
    assert addresses(sessions, alice) == [None]


def test_a_lease_comes_free_when_the_database_answers_again(
    home: Home, store: Store, sessions: Sessions
) -> None:
    lease = begin(sessions, add(home, store, "alice"))
    assert lease is not None
    with store.writing() as connection:
        connection.execute(
            sa.text(
                "CREATE TRIGGER no BEFORE DELETE ON sessions BEGIN SELECT RAISE(FAIL, 'no'); END"
            )
        )
    with pytest.raises(Exception, match="no"):
        sessions.close(lease.session, "over", (0, 0))
    with store.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER no"))
    assert len(list_sessions(store)) == 1
    assert sessions.beat({}).ending == {}
    assert list_sessions(store) == []


def test_a_dead_worker_leaves_nothing(home: Home, store: Store, backend: StoreBackend) -> None:
    account = add(home, store, "alice")
    with backend.join(4_000_001) as (_, one), backend.join(4_000_002) as (_, two):
        assert None not in addresses(one, account, account)
        assert None not in addresses(two, account)
    backend.forget(4_000_001)
    assert [seen.worker for seen in list_sessions(store)] == [4_000_002]
    backend.reset({4_000_002})  # it runs, and another program takes over
    assert [seen.worker for seen in list_sessions(store)] == [4_000_002]
    backend.reset()
    assert list_sessions(store) == []


def test_a_worker_that_stops_closes_its_database(home: Home, backend: StoreBackend) -> None:
    with backend.join(os.getpid()) as (directory, _):
        assert directory.account("bob") is None
        assert home.database in open_files()
    assert home.database not in open_files()


def test_workers_at_once_never_share_an_address(
    home: Home, store: Store, backend: StoreBackend
) -> None:
    first = IPv4Address("10.1.0.10")
    profiles.change(
        store,
        "default",
        local_address=IPv4Address("10.1.0.1"),
        pools=((first, first + 39),),
        sessions=40,
    )
    account = add(home, store, "alice")
    found: list[list[IPv4Address | None]] = []

    def work() -> None:
        with backend.join(os.getpid()) as (_, sessions):
            found.append(addresses(sessions, *[account] * 10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leased = [address for addresses in found for address in addresses]
    assert len(leased) == 40
    assert len(set(leased)) == 40
    assert None not in leased


def test_a_beat_brings_what_profiles_take_and_who_is_traced(
    store: Store, sessions: Sessions
) -> None:
    assert sessions.beat({}) == Orders()
    weak = frozenset({access.WeakSignIn.PAP})
    profiles.change(store, "default", weak_sign_ins=weak)
    number = traces.order(store, session=0, user="alice", whole=True, octets=5000)
    wanted = (TraceOrder(number, 0, "alice", True, 5000),)
    assert sessions.beat({}) == Orders(traces=wanted, weak_sign_ins=WeakSignIn.PAP)
    traces.cancel(store, number)
    assert sessions.beat({}).traces == ()

"""How full the pools of access profiles are."""

import os
from ipaddress import IPv4Address

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, Pool
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, profiles, users
from sstpca.store.pool_use import PoolUse, pool_use


def test_who_has_an_address_and_who_is_promised_one(home: Home) -> None:
    store = Store.open(home.database)
    first = IPv4Address("10.99.0.10")
    profiles.change(store, "default", pools=((first, first + 4), (first + 10, first + 19)))
    user = users.add(store, Sealer.load(home), "alice", "correct horse")
    account = Account(user.id, user.name, True)

    def use() -> dict[str, PoolUse]:
        with store.reading() as transaction:
            return pool_use(transaction)

    assert use() == {"default": PoolUse(15, 0)}
    backend = StoreBackend(home)
    with backend.join(os.getpid()) as (_, sessions):
        promised = sessions.promise(account, peer="203.0.113.9:1", client="")
        assert promised is not None
        assert use() == {"default": PoolUse(15, 1)}
        sessions.bind(promised.session, "sstp1")
        sessions.promise(account, peer="203.0.113.9:2", client="")
        assert use() == {"default": PoolUse(15, 2)}
        assert backend.figures().pools == {"default": Pool(15, 2)}
        assert set(backend.figures().certificates) == {"server", "authority"}
        assert backend.figures().lockouts == {"user": 0, "source": 0}

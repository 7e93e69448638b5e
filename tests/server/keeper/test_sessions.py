"""What a keeper makes of its worker's beat: one call, and one answer with all that is news."""

from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sstpca.server.contracts import Account, Lease, Orders, Rates, TraceOrder, WeakSignIn
from sstpca.server.keeper.contract import Identities, News
from sstpca.server.keeper.identity import FollowedIdentity
from sstpca.server.keeper.sessions import KeptSessions
from sstpca.server.net import shaping
from sstpca.server.net.tls import CertificateFiles

ALICE = Account(1, "alice", True)
LEASE = Lease(7, IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1"))
ORDERS = Orders(
    {7: "enough"},
    rates={7: Rates(down=8000), 8: Rates(up=8000)},
    traces=(TraceOrder(3, 7, "", False, 1000),),
    weak_sign_ins=WeakSignIn.PAP,
)


class Book:
    """The store's sessions, as far as a beat goes."""

    def __init__(self) -> None:
        self.beats: list[dict[int, tuple[int, int]]] = []

    def promise(self, *_: object, **__: object) -> Lease:
        return LEASE

    def beat(self, traffic: dict[int, tuple[int, int]]) -> Orders:
        self.beats.append(traffic)
        return ORDERS


class Files:
    """Certificates that have been taken up twice."""

    version = 2
    pems = (b"key and certificate",)

    def reload(self) -> bool:
        return False


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def kept(book: Book) -> KeptSessions:
    identity = FollowedIdentity(cast("CertificateFiles", Files()))
    users: Any = SimpleNamespace(logged_in=lambda account: account)
    return KeptSessions(cast("Any", book), "sstp", identity, users)


def test_a_beat_brings_all_that_is_news_and_tells_of_own_sessions_alone(
    book: Book, kept: KeptSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaped: list[tuple[str, Rates]] = []
    monkeypatch.setattr(shaping, "shape", lambda name, rates: shaped.append((name, rates)))
    kept.promise(ALICE, peer="198.51.100.7:50000", client="")
    kept.find(7).name = "sstp7"

    news = kept.beat({7: (1, 2), 8: (3, 4)}, 1)

    told = Identities(2, (b"key and certificate",))
    assert news == News({7: "enough"}, ORDERS.traces, WeakSignIn.PAP, told)
    assert book.beats == [{7: (1, 2)}]
    assert shaped == [("sstp7", Rates(down=8000))]
    assert kept.find(7).lease.rates == Rates(down=8000)


def test_certificates_come_only_if_the_worker_shows_others(kept: KeptSessions) -> None:
    assert kept.beat({}, 2).identities is None
    assert kept.beat({}, 0).identities is not None

"""A certificate that is renewed while people are connected."""

import json
import os
import signal
from datetime import UTC, datetime

import pytest

from sstpca.authority.authority import Authority
from sstpca.names import parse_hosts
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.support.faults import Aborted
from tests.support.server import Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


def recorded(vpn: Vpn) -> bytes:
    """Return the SHA-256 of the server's certificate as the administrator sees it."""
    return bytes.fromhex(json.loads(vpn.home.run("cert", "show", "server", "--json"))["sha256"])


def shown(vpn: Vpn) -> bytes:
    """Return the SHA-256 of the certificate that a new connection is shown."""
    with vpn.client() as client:
        return client.wire.fingerprint("sha256")


@pytest.mark.parametrize("how", ["renew", "rekey"])
def test_a_new_certificate_while_sessions_are_up(fresh: Vpn, how: str) -> None:
    before = recorded(fresh)
    with fresh.client("alice").login() as old, fresh.client("bob") as half:
        half.open()
        old.ping(fresh.network.host)
        assert old.wire.fingerprint("sha256") == before
        fresh.home.run("cert", how, "server")
        after = recorded(fresh)
        assert after != before
        fresh.wait_until_shown()
        # who is about to log in is bound to the certificate of that connection
        half.authenticate()
        half.bind()
        half.configure()
        half.ping(fresh.network.host)
        with fresh.client("alice").login() as new:
            assert new.wire.fingerprint("sha256") == after
            new.ping(fresh.network.host)
        old.ping(fresh.network.host)
        assert {session.user for session in fresh.home.sessions()} >= {"alice", "bob"}
        wait_for(lambda: fresh.server.said("shown the certificate with SHA-256") == 1, "a word")
    assert fresh.server.said("ended unexpectedly") == 0
    assert fresh.server.stop() == 0


def test_the_certificate_before_binds_nobody(fresh: Vpn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody in between may have the old key, and show the old certificate."""
    before = recorded(fresh)
    fresh.home.run("cert", "rekey", "server")
    fresh.wait_until_shown()
    with fresh.client() as client:
        client.open()
        client.authenticate()
        monkeypatch.setattr(client.wire, "fingerprint", lambda _: before)
        client.bind()
        with pytest.raises(Aborted) as aborted:
            client.configure()
        # [MS-SSTP] 3.3.5.2.3: attribute Crypto Binding, status "value not supported"
        assert (aborted.value.attribute, aborted.value.status) == (3, 4)


def of_another_host() -> bytes:
    """Return a pair that is whole, and that Windows would refuse here: 0x800B010F."""
    hosts, kind = parse_hosts(["elsewhere.example"]), KeyType.ECDSA
    made = Authority.make(hosts, datetime.now(UTC), kind).issue_server(
        hosts, kind, datetime.now(UTC)
    )
    return identity_to_pem(made.key, (made.certificate,))


@pytest.mark.parametrize("fault", ["half of it", "another host's"])
def test_a_file_of_no_use_is_an_alarm_and_no_outage(fresh: Vpn, fault: str) -> None:
    path = fresh.home.path / "server.pem"
    good, before = path.read_bytes(), recorded(fresh)

    def replace(content: bytes) -> None:
        path.with_name("new").write_bytes(content)
        path.with_name("new").rename(path)

    replace(good[:1000] if fault == "half of it" else of_another_host())
    wait_for(lambda: fresh.server.said("are shown the certificate before") > 0, "an alarm")
    with fresh.client().login() as client:
        assert client.wire.fingerprint("sha256") == before
        client.ping(fresh.network.host)
    # and a worker that replaces another one has it, too
    dead, *_ = fresh.server.children()
    os.kill(dead, signal.SIGKILL)
    wait_for(lambda: dead not in fresh.server.children(), "the end of the worker")
    wait_for(lambda: len(fresh.server.children()) >= 2, "another worker")
    for _ in range(4):
        assert shown(fresh) == before
    fresh.server.says("are shown the certificate before")
    replace(good)
    wait_for(
        lambda: fresh.server.said("new connections are shown the certificate with") > 0,
        "relief",
    )
    assert shown(fresh) == before

"""A server with an RSA and an ECDSA certificate: each client is bound to the one it was shown."""

import dataclasses
import json
import re
import ssl
from pathlib import Path

import pytest

from tests.server.net.test_suites import (
    ROUTEROS,
    ROUTEROS_NO_PFS,
    ROUTEROS_TOLD,
    WINDOWS_7,
    WINDOWS_8_1,
    WINDOWS_10,
)
from tests.support.manner import WINDOWS
from tests.support.one_kind import shown_to
from tests.support.server import PROGRAM, Vpn

pytestmark = pytest.mark.root


def recorded(vpn: Vpn, name: str) -> str:
    """Return the SHA-256 of a certificate of the server as the administrator sees it."""
    found: str = json.loads(vpn.home.run("cert", "show", name, "--json"))["sha256"]
    return found


def logged_in(vpn: Vpn, suites: str) -> str:
    """Log in as Windows does, with these suites; return the SHA-256 of what was shown."""
    with vpn.client(manner=dataclasses.replace(WINDOWS, suites=suites)).login() as client:
        client.ping(vpn.network.host)
        return client.wire.fingerprint("sha256").hex()


def test_each_client_is_bound_to_what_it_was_shown(fresh: Vpn, tmp_path: Path) -> None:
    host, root = fresh.network.host, fresh.home.authority("alice")
    with fresh.client().login() as early:
        fresh.home.run("cert", "issue", "server", "server/ecdsa")
        fresh.wait_until_shown("server/ecdsa", suites=WINDOWS_10)
        rsa, ecdsa = recorded(fresh, "server"), recorded(fresh, "server/ecdsa")
        for version in ("1.2", "1.3"):
            for kind, wanted in (("RSA", rsa), ("ECDSA", ecdsa)):
                assert shown_to(fresh.network, tmp_path, root, kind, version) == wanted
        for suites in (ROUTEROS, ROUTEROS_TOLD, WINDOWS_7):
            assert logged_in(fresh, suites) == rsa
        for suites in (WINDOWS_8_1, WINDOWS_10):
            assert logged_in(fresh, suites) == ecdsa
        # one is made anew: sessions go on, and those of the other kind see no difference
        fresh.home.run("cert", "rekey", "server/ecdsa")
        fresh.wait_until_shown("server/ecdsa", suites=WINDOWS_10)
        assert logged_in(fresh, WINDOWS_10) == recorded(fresh, "server/ecdsa") != ecdsa
        assert logged_in(fresh, ROUTEROS) == rsa
        # and taken away
        fresh.home.run("cert", "revoke", "server/ecdsa", "--yes")
        fresh.wait_until_shown("server", suites=WINDOWS_10)
        assert logged_in(fresh, WINDOWS_10) == rsa
        early.ping(host)
    assert fresh.server.stop() == 0


def test_the_certificates_are_looked_at_both(fresh: Vpn) -> None:
    fresh.home.run("cert", "issue", "server", "server/ecdsa")
    fresh.wait_until_shown("server/ecdsa", suites=WINDOWS_10)
    address = f"{fresh.network.server_address}:8443"
    command = ("cert", "lint", "--connect", address, "--name", "vpn.example.com", "--json")
    found = json.loads(fresh.network.client.run(*PROGRAM, "--home", str(fresh.home.path), *command))
    (beside,) = found["beside"]
    shown = {one["sha256"].replace(":", "").lower() for one in (found, beside)}
    assert shown == {recorded(fresh, "server"), recorded(fresh, "server/ecdsa")}
    assert not found["failed"]
    assert not beside["failed"]


def test_a_router_without_pfs(fresh: Vpn) -> None:
    """The log says what it offers and which setting helps; with that, it gets in."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        logged_in(fresh, ROUTEROS_NO_PFS)
    fresh.server.says("no cipher suite in common: the client offers AES256-SHA. RouterOS")
    fresh.server.says('compat = "routeros-no-pfs" below [tls]')
    assert fresh.server.stop() == 0
    settings = fresh.home.path / "settings.toml"
    text = re.sub('compat = "none"', 'compat = "routeros-no-pfs"', settings.read_text())
    settings.write_text(text)
    fresh.server.start()
    fresh.server.says("weaker TLS is taken too")
    assert logged_in(fresh, ROUTEROS_NO_PFS) == recorded(fresh, "server")
    assert fresh.server.stop() == 0


def test_only_tls_1_3(fresh: Vpn, tmp_path: Path) -> None:
    assert fresh.server.stop() == 0
    settings = fresh.home.path / "settings.toml"
    text = settings.read_text().replace('minimum_version = "1.2"', 'minimum_version = "1.3"')
    settings.write_text(text)
    fresh.server.start()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        logged_in(fresh, WINDOWS_10)
    fresh.server.says("the client offers TLS 1.2 at most; Windows 10 and RouterOS")
    root = fresh.home.authority("alice")
    found = shown_to(fresh.network, tmp_path, root, "RSA", "1.3")
    assert found == recorded(fresh, "server")
    assert fresh.server.stop() == 0

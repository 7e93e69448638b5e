"""The real server with a real client: sstpc 1.0.18 and pppd 2.4.9, as Debian has them.

Not tested: that the client compares the certificate's name. It does not, only the chain.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from tests.interop.guest import INSIDE, OUTSIDE, Guest, Result
from tests.support.issuer import CLIENT, Issuer
from tests.support.matrix import came
from tests.support.netns import Network, wait_for_port
from tests.support.server import DNS, LOCAL, NAME, PASSWORDS, POOL, PORT, Home, Vpn, make_home
from tests.support.waiting import wait_for

pytestmark = pytest.mark.interop

#: As Debian 12 has them.
SSTPC = "sstpc 1.0.18, pppd 2.4.9"
SCRIPT = Path(__file__).with_name("connect.sh").read_text()
IPERF = 5201


@dataclass(frozen=True, slots=True)
class Site:
    """A running server, and a guest wired to it."""

    vpn: Vpn
    guest: Guest
    folder: Path

    def connect(
        self,
        task: str = "leave",
        *,
        user: str = "alice",
        password: str | None = None,
        ca: str | None = None,
        name: str = NAME,
        way: str = "mschapv2",
        ping6: str = "",
        pem: bytes = b"",
    ) -> Result:
        """Boot the guest and have it connect, as connect.sh says.

        :param way: how to log in.
        :param ping6: whom to ping by IPv6, if there is to be any.
        :param pem: the key and the certificate for that.
        """
        share = self.folder / "share"
        share.mkdir()
        return self.guest.run(
            self.vpn.network.server,
            f'echo "{OUTSIDE} {name}" >>/etc/hosts\n{SCRIPT}',
            *(name, str(PORT), user, password or PASSWORDS[user], "/share/ca.pem"),
            *(str(Network.host), task, way, ping6),
            folder=share,
            address=INSIDE,
            files={"ca.pem": ca or self.vpn.home.authority(user), **_pair(pem)},
        )


def _pair(pem: bytes) -> dict[str, str]:
    """Return key and certificate as pppd wants them: in two files."""
    key, mark, certificate = pem.decode().partition("-----BEGIN CERTIFICATE-----")
    return {"user.key": key, "user.crt": mark + certificate}


def _from_pkcs12(home: Home, name: str, folder: Path) -> bytes:
    """Return the pair ``name`` as it comes out of the .p12 that its user gets."""
    password, file = folder / "password", folder / "user.p12"
    password.write_text("Looking-Glass\n")
    home.run(
        *("cert", "export", name, "--format", "p12"),
        *("--password-file", str(password), "--output", str(file)),
    )
    key, leaf, _ = pkcs12.load_key_and_certificates(file.read_bytes(), b"Looking-Glass")
    assert key is not None
    assert leaf is not None
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + leaf.public_bytes(
        Encoding.PEM
    )


@pytest.fixture
def site(vpn: Vpn, built_guest: Guest, tmp_path: Path) -> Iterator[Site]:
    """The server and a guest; afterwards the server has nothing left of it."""
    yield Site(vpn, built_guest, tmp_path)
    wait_for(lambda: vpn.interfaces() == {"guest"}, "the end of the interface")
    assert vpn.home.sessions() == []


def test_connect_and_hang_up(site: Site) -> None:
    before = site.vpn.server.said(" alice ")
    result = site.connect()
    assert result.code == 0, result
    (address,) = map(IPv4Address, result.values("address"))
    assert POOL[0] <= address <= POOL[1]
    assert result.values("peer") == [str(LOCAL)]
    assert result.values("dns") == [str(server) for server in DNS]
    assert result.values("end") == ["by the client"]
    assert "CHAP authentication succeeded" in result.log("pppd.log")
    assert site.vpn.server.said(" alice ") > before
    came(SSTPC, "password")


def test_ipv6(site: Site) -> None:
    """pppd agrees on identifiers, and Linux makes its address of the router advertisement."""
    prefix = IPv6Network("2001:db8:98::/48")
    site.vpn.home.run("profile", "set", "default", "--ipv6", str(prefix))
    try:
        result = site.connect(ping6=str(prefix[1]))
    finally:
        site.vpn.home.run("profile", "set", "default", "--no-ipv6")
    assert result.code == 0, result
    (address,) = result.values("address6")
    assert IPv6Address(address.partition("/")[0]) in prefix
    assert "local  LL address fe80::" in result.log("pppd.log")
    assert "default via fe80::" in result.log("routes6.log")
    came(SSTPC, "IPv6")


def test_throughput(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    lan = site.vpn.network.lan
    server = lan.start("iperf3", "-s", "-B", str(Network.host), log=site.folder / "iperf3.log")
    wait_for_port(lan, Network.host, IPERF)
    try:
        result = site.connect("iperf")
    finally:
        server.stop()
    assert result.code == 0, result
    for way in ("up", "down"):
        total = json.loads(result.log(f"iperf-{way}.json"))["end"]["sum_received"]
        with capsys.disabled():
            print(f"\nsstpc in the guest, {way}: {total['bits_per_second'] / 1e6:.0f} Mbit/s")
        assert total["bytes"] > 0


def test_the_administrator_ends_the_session(site: Site) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(site.connect, "stay", user="bob")
        connected = site.folder / "share" / "connected"
        wait_for(lambda: connected.exists() or running.done(), "the connection")
        if not running.done():
            (session,) = site.vpn.home.sessions()
            site.vpn.home.run("session", "kill", str(session.id))
            assert session.user == "bob"
        result = running.result()
    assert result.code == 0, result
    assert result.values("end") == ["by the server"]
    assert "LCP terminated by peer" in result.log("pppd.log")
    came(SSTPC, "ended by the server", "told")


def test_wrong_password(site: Site) -> None:
    result = site.connect(password="wrong")
    assert result.code == 1, result
    assert "CHAP authentication failed" in result.log("pppd.log")
    assert "E=691" in result.log("pppd.log")
    came(SSTPC, "wrong password", "told 691")


def test_another_authority_is_refused_by_the_client(site: Site) -> None:
    other = make_home(site.folder / "other", IPv4Address(OUTSIDE))
    result = site.connect(ca=other.authority("alice"))
    assert result.code == 1, result
    assert result.log("pppd.log") == ""
    assert "certificate" in result.log("sstpc.log").lower()


def test_eap_mschapv2(site: Site) -> None:
    before = site.vpn.server.said("logged in by EAP-MSCHAPv2")
    result = site.connect(way="eap-mschapv2")
    assert result.code == 0, result
    assert result.values("end") == ["by the client"]
    assert site.vpn.server.said("logged in by EAP-MSCHAPv2") == before + 1
    came(SSTPC, "EAP-MSCHAPv2")


def test_eap_mschapv2_with_a_wrong_password(site: Site) -> None:
    result = site.connect(password="wrong", way="eap-mschapv2")
    assert result.code == 1, result
    assert "E=691 R=1" in result.log("pppd.log"), "which pppd answers by giving up"
    assert "EAP: peer reports authentication failure" in result.log("pppd.log")


def test_an_expired_password(site: Site) -> None:
    """pppd cannot change one: it says why, and ends."""
    site.vpn.home.run("user", "expire", "alice")
    result = site.connect()
    site.vpn.home.run("user", "passwd", "alice", "--password-stdin", typed=PASSWORDS["alice"])
    assert result.code == 1, result
    assert "E=648 R=1" in result.log("pppd.log")
    assert "Password expired" in result.log("pppd.log")
    came(SSTPC, "password change", "cannot; told 648")


@pytest.mark.parametrize("way", ["pap", "chap-md5"])
def test_a_weaker_login(site: Site, way: str) -> None:
    site.vpn.home.run("profile", "set", "default", "--weak-sign-in", way)
    site.vpn.home.run("user", "passwd", "alice", "--password-stdin", typed=PASSWORDS["alice"])
    # the workers look once a second, and the guest boots for longer
    result = site.connect(way=way)
    site.vpn.home.run("profile", "set", "default", "--weak-sign-in", "")
    assert site.vpn.server.said(f"logged in by {way.upper()}, which is weaker") == 1
    if way == "pap":
        assert result.code == 0, result
        assert result.values("end") == ["by the client"]
        came(SSTPC, "PAP")
    else:
        # sstpc sends its Call-Connected once it has a key, and takes that of no CHAP but Microsoft's
        assert result.code == 2, result
        wait_for(lambda: site.vpn.server.said("no Call-Connected after the login") > 0, "the end")
        came(SSTPC, "CHAP-MD5", "logs in, never binds")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_eap_tls(site: Site, version: str) -> None:
    """The certificate comes out of the .p12; what pppd says its name is decides nothing."""
    site.vpn.home.run("cert", "issue", "user", "alice", "--replace")
    before = site.vpn.server.said("logged in by EAP-TLS, certificate ")
    result = site.connect(
        user="bob", way=version, pem=_from_pkcs12(site.vpn.home, "alice", site.folder)
    )
    assert result.code == 0, result
    assert result.values("end") == ["by the client"]
    assert site.vpn.server.said("logged in by EAP-TLS, certificate ") == before + 1
    assert site.vpn.server.said(" alice ") > 0
    came(SSTPC, "EAP-TLS")


def test_eap_tls_with_a_revoked_certificate(site: Site) -> None:
    pem = site.vpn.home.issue("bob")
    site.vpn.home.run("cert", "revoke", "bob", "--yes")
    result = site.connect(way="1.2", pem=pem)
    assert result.code == 1, result
    assert site.vpn.server.said("of 'bob' is revoked") == 1


def test_eap_tls_with_a_foreign_certificate(site: Site) -> None:
    result = site.connect(way="1.2", pem=Issuer.make().issue("alice", CLIENT).pem)
    assert result.code == 1, result
    assert site.vpn.server.said("its certificate was not issued by this server's authority") == 1

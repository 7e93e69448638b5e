"""The bundle for Linux, installed by its own script, connects to the real server.

With pppd and sstpc, and with NetworkManager and its SSTP plug-in, as Debian has them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.bundle.content import trust
from sstpca.bundle.content.bundle import Secrets, UserCertificate, bundle_for, deployment_for
from sstpca.bundle.content.render import Renderer
from sstpca.bundle.platforms import systems
from sstpca.home import Home
from sstpca.settings import load
from sstpca.store import Store, profiles, users
from tests.interop.guest import INSIDE, OUTSIDE, Guest, Result
from tests.support.matrix import came
from tests.support.netns import Network
from tests.support.server import LOCAL, NAME, PASSWORDS, POOL, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.interop

SCRIPT = Path(__file__).with_name("linux.sh").read_text()
CONNECTION = "The $(reboot) 'VPN'; [x]=#1 \\ \u00fc"
P12_PASSWORD = "Looking-Glass"
HOSTILE = " @/a\\b\\\\c \"d' $(reboot) `id` #;[k]=v\\s"
# as docs/interop.md calls them
CLIENTS = {
    "pppd": "sstpc 1.0.18, pppd 2.4.9",
    "networkmanager": "NetworkManager, its SSTP plug-in",
}
# nobody has it; a default route leads there
ELSEWHERE = "203.0.113.1"


@dataclass(frozen=True, slots=True)
class Site:
    """A running server, and a guest wired to it."""

    vpn: Vpn
    guest: Guest
    folder: Path

    def files(
        self, secrets: Secrets | None = None, user: str = "alice", **changes: Any
    ) -> dict[str, bytes]:
        """Return the bundle of ``user``, the access profile changed."""
        home = Home.open(self.vpn.home.path)
        store = Store.open(home.database)
        found = users.get(store, user)
        profile = replace(profiles.get(store, found.profile), **changes)
        store.close()
        settings = load(home.settings)
        deployment = deployment_for(profile, settings, trust.load(home))
        bundle = bundle_for(found, deployment, language="en", secrets=secrets)
        return systems.files(Renderer("en"), replace(bundle, connection=CONNECTION), ("linux",))

    def certificate(self) -> UserCertificate:
        """Return a new certificate of alice's."""
        file = self.folder / "alice.p12"
        password = self.folder / "password"
        password.write_text(f"{P12_PASSWORD}\n")
        self.vpn.home.run("cert", "issue", "user", "alice", "--replace")
        options = ("--password-file", str(password), "--output", str(file))
        self.vpn.home.run("cert", "export", "alice", "--format", "p12", *options)
        return UserCertificate("alice.p12", file.read_bytes(), "", P12_PASSWORD)

    def connect(
        self, way: str, files: dict[str, bytes], typed: str = "", *, ping6: str = ""
    ) -> Result:
        """Boot the guest and have it install ``files`` and connect, as linux.sh says.

        :param ping6: whom to ping by IPv6, if there is to be any.
        """
        if way == "networkmanager":
            self.guest.need("network-manager-sstp")
        share = self.folder / "share"
        share.mkdir()
        for name, content in files.items():
            (share / Path(name).name).write_bytes(content)
        before = f'echo "{OUTSIDE} {NAME}" >>/etc/hosts\nip route add default via {OUTSIDE}'
        return self.guest.run(
            self.vpn.network.server,
            f"{before}\n{SCRIPT}",
            *(way, str(Network.host), ELSEWHERE, "The-reboot-VPN-x-1", ping6),
            folder=share,
            address=INSIDE,
            files={"typed": typed},
        )


@pytest.fixture
def site(vpn: Vpn, built_guest: Guest, tmp_path: Path) -> Iterator[Site]:
    """The server and a guest; afterwards the server has nothing left of it."""
    yield Site(vpn, built_guest, tmp_path)
    wait_for(lambda: vpn.interfaces() == {"guest"}, "the end of the interface")


@pytest.mark.parametrize("way", ["pppd", "networkmanager"])
def test_full_tunnel(site: Site, way: str) -> None:
    result = site.connect(way, site.files(full_tunnel=True), f"{PASSWORDS['alice']}\n")
    assert result.code == 0, result
    (address,) = map(IPv4Address, result.values("address"))
    assert POOL[0] <= address <= POOL[1]
    assert result.values("peer") == [str(LOCAL)]
    assert result.values("resolver") == ["yes"]
    assert result.values("id") == ([CONNECTION] if way == "networkmanager" else [])
    assert result.values("other") == ["ppp0"]
    assert result.values("end") == ["well"]
    came(CLIENTS[way], "password")


@pytest.mark.parametrize("way", ["pppd", "networkmanager"])
def test_ipv6(site: Site, way: str) -> None:
    """pppd has it by the router advertisement; NetworkManager's plug-in cannot, and goes without."""
    prefix = IPv6Network("2001:db8:98::/48")
    site.vpn.home.run("profile", "set", "default", "--ipv6", str(prefix))
    ping6 = str(prefix[1]) if way == "pppd" else ""
    try:
        files = site.files(full_tunnel=True)
        result = site.connect(way, files, f"{PASSWORDS['alice']}\n", ping6=ping6)
    finally:
        site.vpn.home.run("profile", "set", "default", "--no-ipv6")
    assert result.code == 0, result
    if ping6:
        (address,) = result.values("address6")
        assert IPv6Address(address.partition("/")[0]) in prefix
        assert result.values("way6") == ["ppp0"]
    assert result.values("end") == ["well"]
    came(CLIENTS[way], "IPv6", "yes" if ping6 else "not by its plug-in: IPv4 alone")


@pytest.mark.parametrize("way", ["pppd", "networkmanager"])
def test_split_tunnel_with_the_password_in_the_bundle(site: Site, way: str) -> None:
    site.vpn.home.run("user", "passwd", "bob", "--password-stdin", typed=f"{HOSTILE}\n")
    files = site.files(
        Secrets(password=HOSTILE),
        "bob",
        full_tunnel=False,
        routes=(IPv4Network("198.18.1.0/24"),),
        dns_suffix="corp.example.com",
    )
    result = site.connect(way, files)
    assert result.code == 0, result
    assert result.values("other") == ["vec0"]
    assert result.values("end") == ["well"]


@pytest.mark.parametrize("way", ["pppd", "networkmanager"])
def test_eap_mschapv2(site: Site, way: str) -> None:
    before = site.vpn.server.said("logged in by EAP-MSCHAPv2")
    client = ConnectionSettings(sign_in=SignIn.EAP_MSCHAPV2)
    result = site.connect(way, site.files(client=client), f"{PASSWORDS['alice']}\n")
    assert result.code == 0, result
    assert site.vpn.server.said("logged in by EAP-MSCHAPv2") == before + 1
    came(CLIENTS[way], "EAP-MSCHAPv2")


def test_eap_tls(site: Site) -> None:
    """With pppd alone: NetworkManager's plug-in says the name of the key's file for the user's."""
    before = site.vpn.server.said("logged in by EAP-TLS")
    client = ConnectionSettings(sign_in=SignIn.EAP_TLS)
    files = site.files(Secrets(certificate=site.certificate()), client=client)
    result = site.connect("pppd", files, f"{P12_PASSWORD}\n")
    assert result.code == 0, result
    assert site.vpn.server.said("logged in by EAP-TLS") == before + 1

"""Where to, and as whom: by a server's name, or by a bundle."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from sstpca import Vpn
from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.bundle.workshop import BundleWish
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.server.ppp.lcp import EAP, MS_CHAP_V2
from sstpca.vpn import connecting

NAME = "vpn.example.com"


def bundle(vpn: Vpn, *platforms: str, **wish: object) -> Path:
    (made,) = vpn.bundles.make(["alice"], BundleWish(platforms=platforms, **wish))  # type: ignore[arg-type]
    assert made.path is not None
    return made.path


@pytest.fixture
def vpn(tmp_path: Path) -> Vpn:
    made = Vpn.create(tmp_path / "home", NAME)
    made.users.add("alice")
    return made


def test_a_bundle(vpn: Vpn) -> None:
    path = bundle(vpn, "linux")
    for one in (path, path.with_suffix("")):
        found = connecting.by_bundle(one)
        assert (found.endpoint.host, found.endpoint.port, found.user) == (NAME, 443, "alice")
        assert found.endpoint.authorities.startswith(b"-----BEGIN CERTIFICATE-----")
        assert (found.routes, found.password, found.logins) == (None, "", (MS_CHAP_V2,))


def test_what_the_access_profile_says(vpn: Vpn) -> None:
    by_eap = ConnectionSettings(sign_in=SignIn.EAP_MSCHAPV2)
    network = IPv4Network("10.0.0.0/8")
    vpn.profiles.change("default", full_tunnel=False, routes=(network,), dns=(), client=by_eap)
    found = connecting.by_bundle(bundle(vpn, "linux"))
    assert (found.routes, found.logins) == ((network,), (EAP,))


def test_a_password_in_the_bundle(vpn: Vpn) -> None:
    wish = BundleWish(platforms=("linux",), save_password=True)
    [made] = vpn.bundles.make(["alice"], wish, new_passwords=True)
    assert made.path is not None and made.password
    found = connecting.by_bundle(made.path)
    assert found.password == made.password
    assert made.password not in repr(found)


def test_a_bundle_that_signs_in_by_certificate(vpn: Vpn) -> None:
    vpn.profiles.change("default", client=ConnectionSettings(sign_in=SignIn.EAP_TLS))
    list(vpn.certificates.issue(vpn.certificates.wishes_for_users(["alice"])))
    [made] = vpn.bundles.make(["alice"], BundleWish(platforms=("linux",)))
    assert made.path is not None
    found = connecting.by_bundle(made.path)
    assert (found.user, found.logins, found.routes) == ("alice", (EAP,), None)
    [(name, store)] = found.certificate
    assert name.suffix == ".p12" and store


def test_half_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "linux").mkdir()
    (tmp_path / "linux" / "peer").write_text("need-peer-eap\n")
    with pytest.raises(InvalidInput, match="has no authority's certificate"):
        connecting.by_bundle(tmp_path)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("10.0.0.0/8", IPv4Network("10.0.0.0/8")),
        ("2001:db8::/32", IPv6Network("2001:db8::/32")),
        ("10.1.2.3", IPv4Network("10.1.2.3/32")),
    ],
)
def test_networks(typed: str, meant: IPv4Network | IPv6Network) -> None:
    assert connecting.parse_network(typed) == meant


@pytest.mark.parametrize("typed", ["", "10.0.0.1/8", "10.0.0.0/33", "office", "10.0.0.0/8 "])
def test_no_networks(typed: str) -> None:
    with pytest.raises(InvalidInput, match="is no network"):
        connecting.parse_network(typed)


def test_pins() -> None:
    digits = 32 * "A5"
    assert connecting.parse_pin(digits) == connecting.parse_pin(":".join(32 * ["a5"]))
    for wrong in ("", digits[:-1], digits + "0", "g" * 64):
        with pytest.raises(InvalidInput, match="is no SHA-256"):
            connecting.parse_pin(wrong)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("proxy.example.com:8080", ("proxy.example.com", 8080, "", "")),
        ("http://me:p%40ss@[2001:db8::1]:3128/", ("2001:db8::1", 3128, "me", "p@ss")),
    ],
)
def test_proxies(url: str, expected: tuple[str, int, str, str], tmp_path: Path) -> None:
    plain = connecting.by_name(tmp_path, NAME)
    proxy = connecting.with_proxy(plain, url).endpoint.proxy
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.user, proxy.password) == expected


@pytest.mark.parametrize(
    "url", ["", "socks5://one:1080", "http://", "http://one:port", "http://a/b"]
)
def test_no_proxies(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as raised:
        connecting.with_proxy(connecting.by_name(tmp_path, NAME), url)
    assert str(raised.value) == "this is no HTTP proxy"


def test_who_is_believed(vpn: Vpn, tmp_path: Path) -> None:
    root = tmp_path / "home"
    by_home = connecting.by_name(root, "vpn.example.com:8443").endpoint
    assert (by_home.port, by_home.authorities.count(b"BEGIN")) == (8443, 1)
    assert connecting.by_name(root, NAME, system_trust=True).endpoint.authorities == b""
    assert connecting.by_name(root, NAME, pin=bytes(32)).endpoint.authorities == b""
    with pytest.raises(SstpcaError):
        connecting.by_name(root, NAME, ca_file=tmp_path / "none.crt")


def test_bundles_that_are_not_for_this(vpn: Vpn, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has nothing for Linux"):
        connecting.by_bundle(bundle(vpn, "windows"))
    with pytest.raises(SstpcaError):
        (tmp_path / "no.zip").write_bytes(b"no zip")
        connecting.by_bundle(tmp_path / "no.zip")

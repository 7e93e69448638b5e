import msgspec
import pytest
from cryptography import x509

from sstpca.bundle.context import bundle_for, certificate_of, facts, file_name, server_address
from sstpca.errors import InvalidInput
from sstpca.profiles import AccessProfile
from sstpca.settings import Bundle as BundleSettings
from sstpca.settings import Server, Settings
from tests.bundle.samples import user_named


def test_a_bundle_says_what_settings_and_profile_say(
    settings: Settings, profile: AccessProfile, authority: x509.Certificate
) -> None:
    bundle = bundle_for(user_named("alice"), profile, settings, authority)
    assert bundle.user == "alice"
    assert bundle.connection == "VPN vpn.example.com"
    assert (bundle.host, bundle.port, bundle.server) == ("vpn.example.com", 443, "vpn.example.com")
    assert bundle.split_tunnel
    assert bundle.routes == ("10.0.0.0/8", "192.168.7.0/24")
    assert bundle.dns_suffix == "corp.example.com"
    assert bundle.certificate == certificate_of(authority)


def test_a_full_tunnel_needs_no_routes(
    settings: Settings, profile: AccessProfile, authority: x509.Certificate
) -> None:
    full = AccessProfile("full", profile.local_address, (), routes=profile.routes)
    bundle = bundle_for(user_named("alice"), full, settings, authority)
    assert not bundle.split_tunnel
    assert bundle.routes == ()


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("vpn.example.com", 443, "vpn.example.com"),
        ("vpn.example.com", 4443, "vpn.example.com:4443"),
        ("203.0.113.5", 8443, "203.0.113.5:8443"),
        ("2001:db8::5", 443, "2001:db8::5"),
        ("2001:db8::5", 4443, "[2001:db8::5]:4443"),
    ],
)
def test_server_address(host: str, port: int, address: str) -> None:
    assert server_address(host, port) == address


def test_the_host_is_the_name_in_the_certificate(
    profile: AccessProfile, authority: x509.Certificate
) -> None:
    settings = Settings(server=Server(names=("VPN.Example.COM",), port=4443))
    bundle = bundle_for(user_named("alice"), profile, settings, authority)
    assert bundle.server == "vpn.example.com:4443"


@pytest.mark.parametrize("name", ["a/b", "[a]", "a;b", "a\nb", " a", "x" * 256, 'a"b', "a*"])
def test_a_connection_that_windows_refuses_is_refused_here(
    settings: Settings, profile: AccessProfile, authority: x509.Certificate, name: str
) -> None:
    wrong = msgspec.structs.replace(settings, bundle=BundleSettings(connection=name))
    with pytest.raises(InvalidInput, match="cannot be the name of a connection"):
        bundle_for(user_named("alice"), profile, wrong, authority)


def test_the_certificate_is_pinned_by_both_hashes(authority: x509.Certificate) -> None:
    certificate = certificate_of(authority)
    assert certificate.file == "ca-vpn-example-com-VPN-authority.cer"
    assert len(certificate.sha1) == 40
    assert certificate.sha1 == certificate.sha1.upper()
    assert len(certificate.sha256) == 95
    assert x509.load_der_x509_certificate(certificate.der) == authority


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../etc/passwd", "ca-etc-passwd.cer"),
        ("CON", "ca-CON.cer"),
        ("Zürich & Söhne", "ca-Z-rich-S-hne.cer"),
        ("名前", "ca.cer"),
        ("x" * 300, f"ca-{'x' * 48}.cer"),
    ],
)
def test_file_names_are_harmless(name: str, file: str) -> None:
    assert file_name(name) == file


def test_facts_are_a_line_each() -> None:
    assert facts("vpn.example.com", 443, "alice", "AB:CD").splitlines() == [
        "type: SSTP",
        "server: vpn.example.com",
        "port: 443",
        "user: alice",
        "login: MS-CHAPv2",
        "ca-sha256: ABCD",
    ]

import dataclasses
from ipaddress import IPv4Address

import pytest
from cryptography import x509

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.access.profiles import AccessProfile
from sstpca.bundle.content.bundle import (
    Certificate,
    Secrets,
    Trust,
    UserCertificate,
    bundle_for,
    certificate_of,
    certificates_of,
    deployment_for,
    file_name,
    server_address,
)
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.settings import BundleSettings, ServerSettings, Settings
from tests.bundle.samples import MakeBundle, trust_in, user_named


def test_a_bundle_says_what_settings_and_profile_say(
    settings: Settings, profile: AccessProfile, authority: x509.Certificate
) -> None:
    deployment = deployment_for(profile, settings, trust_in(authority))
    bundle = bundle_for(user_named("alice"), deployment, language="de")
    assert (bundle.user, bundle.language) == ("alice", "de")
    assert bundle.connection == "VPN vpn.example.com"
    assert (bundle.host, bundle.port, bundle.server) == ("vpn.example.com", 443, "vpn.example.com")
    assert bundle.split_tunnel
    assert bundle.routes == ("10.0.0.0/8", "192.168.7.0/24")
    assert bundle.dns_suffix == "corp.example.com"
    assert bundle.authorities == (certificate_of(authority),)


def test_a_full_tunnel_needs_no_routes(
    settings: Settings, profile: AccessProfile, authority: x509.Certificate
) -> None:
    full = AccessProfile("full", profile.local_address, (), routes=profile.routes)
    deployment = deployment_for(full, settings, trust_in(authority))
    assert not deployment.split_tunnel
    assert deployment.routes == ()


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
    settings = Settings(server=ServerSettings(names=("VPN.Example.COM",), port=4443))
    deployment = deployment_for(profile, settings, trust_in(authority))
    assert deployment.server == "vpn.example.com:4443"


@pytest.mark.parametrize("name", ["a/b", "[a]", "a;b", "a\nb", " a", "x" * 256, 'a"b', "a*"])
def test_a_connection_that_windows_refuses_is_refused_here(
    settings: Settings, profile: AccessProfile, authority: x509.Certificate, name: str
) -> None:
    wrong = dataclasses.replace(settings, bundle=BundleSettings(connection=name))
    with pytest.raises(InvalidInput, match="cannot be the name of a connection"):
        deployment_for(profile, wrong, trust_in(authority))


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


def test_facts_are_a_line_each(make_bundle: MakeBundle) -> None:
    authorities = (
        Certificate("a", "a.cer", b"", "", "AB:CD"),
        Certificate("b", "b.cer", b"", "", "EF"),
    )
    bundle = make_bundle(client=ConnectionSettings(SignIn.EAP_TLS), authorities=authorities)
    assert bundle.facts.splitlines() == [
        "type: SSTP",
        "server: vpn.example.com",
        "port: 443",
        "user: alice",
        "login: EAP-TLS",
        "ca-sha256: ABCD",
        "ca-sha256: EF",
    ]


def test_two_authorities_of_one_name_have_two_files(authority: x509.Certificate) -> None:
    found = certificates_of([authority, authority, authority])
    assert [one.file for one in found] == [
        "ca-vpn-example-com-VPN-authority.cer",
        "ca-vpn-example-com-VPN-authority-2.cer",
        "ca-vpn-example-com-VPN-authority-3.cer",
    ]


CERTIFICATE = UserCertificate("alice.p12", b"", "", "secret word")


@pytest.mark.parametrize(
    ("sign_in", "secrets", "rooted", "why"),
    [
        (SignIn.EAP_TLS, Secrets(), True, "do not go together"),
        (SignIn.MSCHAPV2, Secrets(certificate=CERTIFICATE), True, "do not go together"),
        (SignIn.EAP_TLS, Secrets("a password", CERTIFICATE), True, "no password to save"),
        (
            SignIn.EAP_TLS,
            Secrets(certificate=CERTIFICATE),
            False,
            "root of the server's certificate",
        ),
    ],
)
def test_what_a_sign_in_needs_is_there(
    settings: Settings,
    profile: AccessProfile,
    authority: x509.Certificate,
    sign_in: SignIn,
    secrets: Secrets,
    rooted: bool,
    why: str,
) -> None:
    trust = trust_in(authority) if rooted else Trust((), ())
    asking = dataclasses.replace(profile, client=ConnectionSettings(sign_in))
    with pytest.raises(SstpcaError, match=why):
        deployment = deployment_for(asking, settings, trust)
        bundle_for(user_named("alice"), deployment, language="en", secrets=secrets)
    assert "secret word" not in repr(secrets)


@pytest.mark.parametrize(
    ("dns", "ruled", "full", "expected"),
    [
        (("10.0.0.53",), (), False, ()),
        (("192.168.8.53",), (), False, ("192.168.8.53/32",)),
        (("10.0.0.53", "9.9.9.9"), (), False, ("9.9.9.9/32",)),
        ((), ("192.168.7.1", "172.16.0.1"), False, ("172.16.0.1/32",)),
        (("9.9.9.9",), ("9.9.9.9",), False, ("9.9.9.9/32",)),
        (("9.9.9.9",), (), True, ()),
    ],
)
def test_dns_servers_outside_the_routes_get_their_own(
    settings: Settings,
    profile: AccessProfile,
    authority: x509.Certificate,
    dns: tuple[str, ...],
    ruled: tuple[str, ...],
    full: bool,
    expected: tuple[str, ...],
) -> None:
    rule = NameRule("corp.example.com", tuple(map(IPv4Address, ruled)))
    changed = dataclasses.replace(
        profile,
        dns=tuple(map(IPv4Address, dns)),
        client=ConnectionSettings(name_rules=(rule,)),
        full_tunnel=full,
    )
    assert changed.dns_routes == expected
    deployment = deployment_for(changed, settings, trust_in(authority))
    assert deployment.all_routes == deployment.routes + expected

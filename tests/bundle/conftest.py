"""What a bundle is made of, for the tests: a certificate, and values from harmless to hostile."""

import dataclasses
import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sstpca.access.profiles import AccessProfile
from sstpca.bundle.content.bundle import Bundle, bundle_for, deployment_for
from sstpca.settings import BundleSettings, ServerSettings, Settings
from tests.bundle.samples import MakeBundle, trust_in, user_named


@pytest.fixture(scope="session")
def authority() -> x509.Certificate:
    """A certificate that says it is an authority's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vpn.example.com VPN authority")])
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 17, start, start.replace(2035))
    return builder.sign(key, hashes.SHA256())


@pytest.fixture
def settings() -> Settings:
    """The settings of a VPN at vpn.example.com."""
    return Settings(server=ServerSettings(names=("vpn.example.com",)))


@pytest.fixture
def profile() -> AccessProfile:
    """An access profile with routes and a suffix, not a full tunnel."""
    return AccessProfile(
        "default",
        IPv4Address("10.99.0.1"),
        (),
        routes=(IPv4Network("10.0.0.0/8"), IPv4Network("192.168.7.0/24")),
        dns_suffix="corp.example.com",
        full_tunnel=False,
    )


@pytest.fixture(scope="session")
def make_bundle(authority: x509.Certificate) -> MakeBundle:
    """Return the bundle of alice, with other values where some are given, unchecked."""
    profile = AccessProfile("default", IPv4Address("10.99.0.1"), ())
    settings = Settings(
        server=ServerSettings(names=("vpn.example.com",)),
        bundle=BundleSettings(contact="Rosa, room 7"),
    )
    deployment = deployment_for(profile, settings, trust_in(authority))
    plain = bundle_for(user_named("alice"), deployment, language="en")

    def make(**changes: Any) -> Bundle:
        return dataclasses.replace(plain, **changes)

    return make

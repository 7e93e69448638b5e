"""What DigiCert's pkilint says of our profiles: RFC 5280, and the rules for public authorities.

Everything of RFC 5280 holds. Of the CA/Browser Forum's rules some are for authorities that issue to
strangers; each that we do not follow is here with its reason, and no other is broken.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from sstpca.names import parse_hosts
from sstpca.x509.certificate_profiles import (
    USER,
    Leaf,
    make_authority_certificate,
    make_leaf,
    make_server_certificate,
)
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import KeyType, make_key
from sstpca.x509.subjects import Subject

NOW = datetime.now(UTC)
HOSTS = parse_hosts(["vpn.example.com"])

CONSTRAINTS = {
    # RFC 5280 4.2.1.10: what mail and URIs are bound to is a host, which alone is neither of them
    "pkix.invalid_email_address_syntax",
    "pkix.invalid_uri_syntax",
}
AUTHORITY = CONSTRAINTS | {
    # the name is for people who look at their certificate stores, not for a legal person
    "cabf.serverauth.ca.country_attribute_absent",
    "cabf.serverauth.ca.organization_name_attribute_absent",
    # a root that issues to servers itself, and allows no authority below it
    "cabf.serverauth.root_basic_constraints_pathlenconstraint_present",
    # it signs no OCSP answers
    "cabf.ca_certificate_no_digital_signature_bit",
    # RFC 5280 4.2.1.1 lets a self-signed certificate leave it out: it names its own key
    "cabf.serverauth.root.authority_key_identifier_extension_absent",
    # the name constraints, which public roots do not have
    "cabf.serverauth.root.unknown_extension_present",
    "cabf.serverauth.name_constraints_discouraged_name_type",
    # "invalid" is meant to be nobody's
    "cabf.internal_domain_name",
    # public roots are for every purpose, and their owners are audited for that
    "cabf.serverauth.root.extended_key_usage_extension_present",
}
SERVER = {
    # from 2026 public certificates are shorter; those for a private authority need not be
    "cabf.serverauth.certificate_validity_period_exceeds_200_days",
    # clients of before SAN, and RouterOS, look at it
    "cabf.serverauth.dv.common_name_attribute_present",
    # on purpose: Windows fails hard where they name a place it cannot reach (0x80092013)
    "cabf.serverauth.subscriber.revocation_information_absent",
    "msft.end_entity.revocation_information_absent",
    "cabf.serverauth.subscriber.authority_info_access_extension_absent",
    # there is no policy to point to
    "cabf.serverauth.subscriber.certificate_policies_extension_absent",
    # RFC 5280 4.2.1.2 wants it in leaves too (SHOULD)
    "cabf.serverauth.subscriber.subject_key_identifier_extension_present",
}
RSA_ONLY = {
    # RouterOS without pfs exchanges keys with RSA
    "cabf.serverauth.subscriber_rsa_digitalsignature_and_keyencipherment_present",
}


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., set[str]]:
    """Run a linter on certificates; return the codes of its findings, from NOTICE on."""

    def run(linter: str, *certificates: x509.Certificate, kind: str = "") -> set[str]:
        paths = []
        for index, certificate in enumerate(certificates):
            paths.append(tmp_path / f"{index}.pem")
            paths[-1].write_bytes(certificate_to_pem(certificate))
        options = ["-s", "NOTICE", "-f", "JSON", *(["-t", kind] if kind else [])]
        command = [sys.executable, "-P", "-m", f"pkilint.bin.{linter}", "lint", *options]
        done = subprocess.run(
            [*command, *map(str, paths)], capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        return {
            finding["code"]
            for result in json.loads(done.stdout)["results"]
            for finding in result["finding_descriptions"]
        }

    return run


Found = Callable[..., set[str]]


def test_the_authority(found: Found, fast_key: ec.EllipticCurvePrivateKey) -> None:
    root = make_authority_certificate(fast_key, HOSTS, NOW)
    assert found("lint_pkix_cert", root) == CONSTRAINTS
    assert found("lint_cabf_serverauth_cert", root, kind="ROOT-CA") == AUTHORITY


@pytest.mark.parametrize(
    ("kind", "expected"), [(KeyType.RSA, SERVER | RSA_ONLY), (KeyType.ECDSA, SERVER)]
)
def test_a_server(
    found: Found, fast_key: ec.EllipticCurvePrivateKey, kind: KeyType, expected: set[str]
) -> None:
    root = make_authority_certificate(fast_key, HOSTS, NOW)
    key = make_key(kind).public_key()
    leaf = make_server_certificate(key, HOSTS, root, fast_key, NOW)
    assert found("lint_pkix_cert", leaf) == set()
    assert found("lint_pkix_signer_signee_cert_chain", root, leaf) == set()
    assert found("lint_cabf_serverauth_cert", leaf, kind="DV-FINAL-CERTIFICATE") == expected


def test_a_server_with_addresses_keeps_to_rfc_5280(
    found: Found, fast_key: ec.EllipticCurvePrivateKey
) -> None:
    hosts = parse_hosts(["büro.example", "192.0.2.1", "2001:db8::1"])
    root = make_authority_certificate(fast_key, hosts, NOW)
    leaf = make_server_certificate(fast_key.public_key(), hosts, root, fast_key, NOW)
    assert found("lint_pkix_cert", root) == CONSTRAINTS
    assert found("lint_pkix_cert", leaf) == set()


def test_a_user(found: Found, fast_key: ec.EllipticCurvePrivateKey) -> None:
    root = make_authority_certificate(fast_key, HOSTS, NOW)
    subject = Subject.of_user("alice", "alice@vpn.example.com")
    leaf = make_leaf(Leaf(USER, subject, fast_key.public_key()), root, fast_key, NOW)
    assert found("lint_pkix_cert", leaf) == set()
    assert found("lint_pkix_signer_signee_cert_chain", root, leaf) == set()

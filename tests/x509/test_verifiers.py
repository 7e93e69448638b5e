"""Five independent verifiers agree on what the authority's certificates are good for.

OpenSSL, GnuTLS and NSS by their own programs, and the verifier of the cryptography package. NSS has
two, its classic one and libpkix, which is the default since NSS 3.101 (Debian 13); both are asked,
whatever the release. Each has a rule or two that the others lack; a certificate for Windows should
not need any leniency.
"""

import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sstpca.names import parse_hosts
from sstpca.x509.certificate_profiles import (
    USER,
    Leaf,
    make_authority_certificate,
    make_leaf,
    make_server_certificate,
)
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import key_to_pem
from sstpca.x509.subjects import Subject
from tests.support.requirements import require
from tests.support.tls import Server
from tests.support.waiting import PATIENCE

NOW = datetime.now(UTC)
HOSTS = parse_hosts(["vpn.example.com"])
SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
MAIL = "1.3.6.1.5.5.7.3.4"


@dataclass(frozen=True, slots=True)
class Case:
    """A leaf and its authority, in memory and as files in a folder of their own."""

    folder: Path
    root: x509.Certificate
    leaf: x509.Certificate

    def run(self, program: str, *arguments: str, **environment: str) -> str:
        """Run a program in the folder; return its complaint, empty if it has none.

        :param environment: variables set for it.
        """
        require(program, root=False)
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr or "failed"


DIGITAL_SIGNATURE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)

Make = Callable[[x509.Certificate, x509.Certificate], Case]
Verify = Callable[[Case, str], str]


@pytest.fixture
def case(tmp_path: Path, fast_key: ec.EllipticCurvePrivateKey) -> Make:
    """Put an authority and a leaf into files; NSS gets a database that trusts the authority."""

    def make(root: x509.Certificate, leaf: x509.Certificate) -> Case:
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        (tmp_path / "ca.pem").write_bytes(certificate_to_pem(root))
        (tmp_path / "leaf.pem").write_bytes(certificate_to_pem(leaf))
        (tmp_path / "pair.pem").write_bytes(certificate_to_pem(leaf) + key_to_pem(fast_key))
        return Case(tmp_path, root, leaf)

    return make


def openssl(case: Case, host: str) -> str:
    option = "-verify_ip" if is_address(host) else "-verify_hostname"
    return case.run(
        "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem",
        option, host, "leaf.pem",
    )  # fmt: skip


def gnutls(case: Case, host: str) -> str:
    return case.run(
        "certtool", "--verify", "--verify-profile=medium", f"--verify-purpose={SERVER_AUTH}",
        "--load-ca-certificate=ca.pem", "--infile=leaf.pem", f"--verify-hostname={host}",
    )  # fmt: skip


def nss_classic(case: Case, host: str) -> str:
    return by_nss(case, host, NSS_DISABLE_PKIX_VERIFY="1")


def nss_libpkix(case: Case, host: str) -> str:
    return by_nss(case, host, NSS_ENABLE_PKIX_VERIFY="1")


def by_nss(case: Case, host: str, **verifier: str) -> str:
    """Connect with TLS, as NSS judges names there only.

    :param verifier: which of its two, as NSS reads it from the environment: releases before 3.101
        have to be asked for libpkix, later ones for the other.
    """
    nss_database(case)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(case.folder / "pair.pem")
    with Server(context) as server:
        return case.run(
            "tstclnt", "-d", "sql:nss", "-h", "127.0.0.1", "-p", str(server.port), "-a", host, "-Q",
            **verifier,
        )  # fmt: skip


def nss_database(case: Case) -> None:
    (case.folder / "nss").mkdir()
    assert case.run("certutil", "-N", "-d", "sql:nss", "--empty-password") == ""
    # for everything: servers, clients, mail, programs
    trust = ("-n", "ca", "-t", "CT,C,C", "-i", "ca.pem")
    assert case.run("certutil", "-A", "-d", "sql:nss", *trust) == ""


def pyca(case: Case, host: str) -> str:
    policy = verification.PolicyBuilder().time(NOW).store(verification.Store([case.root]))
    subject = x509.IPAddress(ip_address(host)) if is_address(host) else x509.DNSName(host)
    try:
        policy.build_server_verifier(subject).verify(case.leaf, [])
    except verification.VerificationError as error:
        return str(error)
    return ""


def is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


VERIFIERS: tuple[Verify, ...] = (openssl, gnutls, nss_classic, nss_libpkix, pyca)
OUTSIDE_THE_CONSTRAINTS: dict[Verify, str] = {
    openssl: "subtree violation",
    gnutls: "violates the signer's constraints",
    nss_classic: "SEC_ERROR_CERT_NOT_IN_NAME_SPACE",
    # it looks for an authority that fits, finds none, and says no more than that
    nss_libpkix: "SEC_ERROR_UNKNOWN_ISSUER",
    pyca: "name constraint",
}
verifiers = pytest.mark.parametrize("verify", VERIFIERS, ids=lambda one: one.__name__)


@verifiers
@pytest.mark.parametrize(
    ("typed", "good", "bad"),
    [
        (["vpn.example.com"], ["vpn.example.com", "VPN.Example.com"], ["www.example.com"]),
        (["vpn.example.com"], [], ["example.com", "a.vpn.example.com", "192.0.2.1"]),
        (["a.example", "b.example"], ["a.example", "b.example"], ["c.example"]),
        (["büro.example"], ["xn--bro-hoa.example"], ["buro.example"]),
        (["a.example", "192.0.2.1"], ["a.example", "192.0.2.1"], ["192.0.2.2"]),
        (["192.0.2.1"], ["192.0.2.1"], ["192.0.2.2", "a.example"]),
        (["a.example", "2001:db8::1"], ["a.example", "2001:db8::1"], ["2001:db8::2"]),
    ],
)
def test_the_right_names_and_no_other(
    case: Make,
    fast_key: ec.EllipticCurvePrivateKey,
    verify: Verify,
    typed: list[str],
    good: list[str],
    bad: list[str],
) -> None:
    hosts = parse_hosts(typed)
    root = make_authority_certificate(fast_key, hosts, NOW)
    leaf = make_server_certificate(fast_key.public_key(), hosts, root, fast_key, NOW)
    for host in good:
        assert verify(case(root, leaf), host) == ""
    for host in bad:
        complaint = verify(case(root, leaf), host)
        assert _about_names(complaint), complaint


def _about_names(complaint: str) -> bool:
    """Return whether a verifier refuses for the name, and for nothing else."""
    reasons = (
        "mismatch",  # OpenSSL
        "does not match the expected",  # GnuTLS
        "SSL_ERROR_BAD_CERT_DOMAIN",  # NSS
        "leaf certificate has no matching subjectAltName",  # cryptography
    )
    return any(reason in complaint for reason in reasons)


@verifiers
@pytest.mark.parametrize(
    ("allowed", "wanted"),
    [
        (["vpn.example.com"], ["www.example.com"]),
        (["vpn.example.com"], ["example.com"]),
        (["vpn.example.com"], ["vpn.example.com", "www.example.com"]),
        (["vpn.example.com"], ["vpn.example.com", "192.0.2.1"]),
        (["vpn.example.com"], ["vpn.example.com", "2001:db8::1"]),
        (["192.0.2.1"], ["192.0.2.2"]),
        (["192.0.2.1"], ["192.0.2.1", "2001:db8::1"]),
        (["192.0.2.1"], ["vpn.example.com"]),
        (["2001:db8::1"], ["vpn.example.com"]),
        (["2001:db8::1"], ["2001:db8::2"]),
    ],
)
def test_what_the_authority_was_not_made_for_is_refused(
    case: Make,
    fast_key: ec.EllipticCurvePrivateKey,
    verify: Verify,
    allowed: list[str],
    wanted: list[str],
) -> None:
    """The authority's key in the wrong hands: signed with it directly, past all our checks."""
    root = make_authority_certificate(fast_key, parse_hosts(allowed), NOW)
    hosts = parse_hosts(wanted)
    leaf = make_server_certificate(fast_key.public_key(), hosts, root, fast_key, NOW)
    complaint = verify(case(root, leaf), hosts.first)
    assert OUTSIDE_THE_CONSTRAINTS[verify] in complaint


def test_nothing_but_an_ipv6_address(case: Make, fast_key: ec.EllipticCurvePrivateKey) -> None:
    """GnuTLS takes the CN for a host name where there is no dNSName, and holds it against the
    constraints; IPv6 has no text that could be a dNSName. The SSTP clients in use have other TLS libraries.
    """
    hosts = parse_hosts(["2001:db8::1"])
    root = make_authority_certificate(fast_key, hosts, NOW)
    leaf = make_server_certificate(fast_key.public_key(), hosts, root, fast_key, NOW)
    for verify in (openssl, nss_classic, nss_libpkix, pyca):
        assert verify(case(root, leaf), "2001:db8::1") == ""
        assert _about_names(verify(case(root, leaf), "2001:db8::2"))
    assert "violates the signer's constraints" in gnutls(case(root, leaf), "2001:db8::1")


@pytest.mark.parametrize(
    ("name", "upn"), [("alice", "alice@vpn.example.com"), ("john.smith", "john@example.org")]
)
def test_a_users_certificate_is_good_for_clients_only(
    case: Make, fast_key: ec.EllipticCurvePrivateKey, name: str, upn: str
) -> None:
    root = make_authority_certificate(fast_key, HOSTS, NOW)
    subject = Subject.of_user(name, upn)
    leaf = make_leaf(Leaf(USER, subject, fast_key.public_key()), root, fast_key, NOW)
    one = case(root, leaf)
    nss_database(one)

    def check(verdict: Callable[[str], str], client: str, server: str) -> None:
        assert verdict(client) == ""
        assert verdict(server) != ""

    def by_openssl(purpose: str) -> str:
        options = ("-x509_strict", "-CAfile", "ca.pem", "-purpose", purpose)
        return one.run("openssl", "verify", *options, "leaf.pem")

    def by_gnutls(purpose: str) -> str:
        files = ("--load-ca-certificate=ca.pem", "--infile=leaf.pem")
        return one.run("certtool", "--verify", *files, f"--verify-purpose={purpose}")

    def by_nss(usage: str) -> str:
        return one.run("vfychain", "-d", "sql:nss", "-pp", "-u", usage, "-a", "leaf.pem")

    check(by_openssl, "sslclient", "sslserver")
    check(by_gnutls, CLIENT_AUTH, SERVER_AUTH)
    check(by_nss, "0", "1")
    policy = verification.PolicyBuilder().time(NOW).store(verification.Store([root]))
    assert policy.build_client_verifier().verify(leaf, []).chain == [leaf, root]


def signed(
    root: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    purpose: x509.ObjectIdentifier,
    names: Sequence[x509.GeneralName],
    common_name: str = "Contoso",
) -> x509.Certificate:
    """Sign with the authority's key what we would not: the key in the wrong hands."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(DIGITAL_SIGNATURE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256())


@pytest.mark.parametrize("constrained", [True, False])
def test_it_certifies_no_publisher_of_programs(
    case: Make, fast_key: ec.EllipticCurvePrivateKey, constrained: bool
) -> None:
    """NSS looks at the authority's purposes as Windows does; OpenSSL 3 does not, for programs."""
    root = make_authority_certificate(fast_key, HOSTS, NOW, constrained=constrained)
    leaf = signed(root, fast_key, ExtendedKeyUsageOID.CODE_SIGNING, [])
    one = case(root, leaf)
    nss_database(one)
    assert one.run("vfychain", "-d", "sql:nss", "-pp", "-u", "6", "-a", "leaf.pem") != ""


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("names", [[x509.RFC822Name("boss@bank.example")], []])
def test_it_certifies_no_sender_of_mail(
    case: Make,
    fast_key: ec.EllipticCurvePrivateKey,
    constrained: bool,
    names: list[x509.GeneralName],
) -> None:
    root = make_authority_certificate(fast_key, HOSTS, NOW, constrained=constrained)
    leaf = signed(root, fast_key, ExtendedKeyUsageOID.EMAIL_PROTECTION, names)
    one = case(root, leaf)
    nss_database(one)
    smime = ("-CAfile", "ca.pem", "-purpose", "smimesign", "leaf.pem")
    assert "unsuitable certificate purpose" in one.run("openssl", "verify", *smime)
    assert one.run("vfychain", "-d", "sql:nss", "-pp", "-u", "4", "-a", "leaf.pem") != ""
    if constrained and names:
        files = ("--load-ca-certificate=ca.pem", "--infile=leaf.pem")
        complaint = one.run("certtool", "--verify", *files, f"--verify-purpose={MAIL}")
        assert "violates the signer's constraints" in complaint


@verifiers
@pytest.mark.parametrize(
    "name",
    [
        x509.RFC822Name("boss@bank.example"),
        x509.UniformResourceIdentifier("https://www.bank.example/"),
        x509.UniformResourceIdentifier("https://vpn.example.com/"),
    ],
)
def test_other_kinds_of_names_are_refused_beside_the_hosts(
    case: Make, fast_key: ec.EllipticCurvePrivateKey, verify: Verify, name: x509.GeneralName
) -> None:
    """GnuTLS finds nobody by a URI, and looks at none."""
    root = make_authority_certificate(fast_key, HOSTS, NOW)
    host, server = x509.DNSName("vpn.example.com"), ExtendedKeyUsageOID.SERVER_AUTH
    assert verify(case(root, signed(root, fast_key, server, [host])), host.value) == ""
    complaint = verify(case(root, signed(root, fast_key, server, [host, name])), host.value)
    ignored = verify is gnutls and isinstance(name, x509.UniformResourceIdentifier)
    assert (complaint == "") is ignored


@verifiers
@pytest.mark.parametrize(
    "names", [[x509.UniformResourceIdentifier("https://www.bank.example/")], []]
)
def test_a_server_without_a_host_name(
    case: Make,
    fast_key: ec.EllipticCurvePrivateKey,
    verify: Verify,
    names: list[x509.GeneralName],
) -> None:
    """Old clients find the host in the common name then."""
    root = make_authority_certificate(fast_key, HOSTS, NOW)
    server = ExtendedKeyUsageOID.SERVER_AUTH
    leaf = signed(root, fast_key, server, names, common_name="www.bank.example")
    assert verify(case(root, leaf), "www.bank.example") != ""


@verifiers
def test_without_constraints_the_server_verifies_as_well(
    case: Make, fast_key: ec.EllipticCurvePrivateKey, verify: Verify
) -> None:
    root = make_authority_certificate(fast_key, HOSTS, NOW, constrained=False)
    leaf = make_server_certificate(fast_key.public_key(), HOSTS, root, fast_key, NOW)
    assert verify(case(root, leaf), "vpn.example.com") == ""

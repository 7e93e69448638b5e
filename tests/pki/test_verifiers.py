"""Four independent verifiers agree on what the authority's certificates are good for.

OpenSSL, GnuTLS and NSS by their own programs, and the verifier of the cryptography package. Each
has a rule or two that the others lack; a certificate for Windows should not need any leniency.
"""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from sstpca.names import parse_hosts
from sstpca.pki.certificates import certificate_to_pem
from sstpca.pki.keys import key_to_pem
from sstpca.pki.profiles import (
    USER,
    make_authority_certificate,
    make_leaf,
    make_server_certificate,
)
from sstpca.pki.subjects import Subject
from tests.support.requirements import require
from tests.support.tls import Server

NOW = datetime.now(UTC)
SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"


@dataclass(frozen=True, slots=True)
class Case:
    """A leaf and its authority, in memory and as files in a folder of their own."""

    folder: Path
    root: x509.Certificate
    leaf: x509.Certificate

    def run(self, program: str, *arguments: str) -> str:
        """Run a program in the folder; return its complaint, empty if it has none."""
        require(program, root=False)
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr or "failed"


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


def nss(case: Case, host: str) -> str:
    """Connect with TLS, as NSS judges names there only."""
    nss_database(case)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(case.folder / "pair.pem")
    with Server(context) as server:
        return case.run(
            "tstclnt", "-d", "sql:nss", "-h", "127.0.0.1", "-p", str(server.port), "-a", host, "-Q"
        )


def nss_database(case: Case) -> None:
    (case.folder / "nss").mkdir()
    assert case.run("certutil", "-N", "-d", "sql:nss", "--empty-password") == ""
    trust = ("-n", "ca", "-t", "CT,,", "-i", "ca.pem")
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


VERIFIERS: tuple[Verify, ...] = (openssl, gnutls, nss, pyca)
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
    reasons = (
        "subtree violation",  # OpenSSL
        "violates the signer's constraints",  # GnuTLS
        "SEC_ERROR_CERT_NOT_IN_NAME_SPACE",  # NSS
        "name constraint",  # cryptography
    )
    assert any(reason in complaint for reason in reasons), complaint


def test_nothing_but_an_ipv6_address(case: Make, fast_key: ec.EllipticCurvePrivateKey) -> None:
    """GnuTLS takes the CN for a host name where there is no dNSName, and holds it against the
    constraints; IPv6 has no text that could be a dNSName. The SSTP clients in use have other TLS libraries.
    """
    hosts = parse_hosts(["2001:db8::1"])
    root = make_authority_certificate(fast_key, hosts, NOW)
    leaf = make_server_certificate(fast_key.public_key(), hosts, root, fast_key, NOW)
    for verify in (openssl, nss, pyca):
        assert verify(case(root, leaf), "2001:db8::1") == ""
        assert _about_names(verify(case(root, leaf), "2001:db8::2"))
    assert "violates the signer's constraints" in gnutls(case(root, leaf), "2001:db8::1")


@pytest.mark.parametrize(
    ("name", "upn"), [("alice", "alice@vpn.example.com"), ("john.smith", "john@example.org")]
)
def test_a_users_certificate_is_good_for_clients_only(
    case: Make, fast_key: ec.EllipticCurvePrivateKey, name: str, upn: str
) -> None:
    root = make_authority_certificate(fast_key, parse_hosts(["vpn.example.com"]), NOW)
    subject = Subject.of_user(name, upn)
    leaf = make_leaf(USER, subject, fast_key.public_key(), root, fast_key, NOW)
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

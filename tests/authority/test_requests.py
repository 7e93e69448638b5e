"""Requests for another authority: the names of the settings, and a key that waits."""

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from sstpca.authority import requests
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.x509.keys import KeyType, make_key
from tests.support.requirements import require

HOSTS = parse_hosts(["vpn.example.com", "b.example"], ["192.0.2.1", "2001:db8::1"])


@pytest.mark.parametrize(("kind", "encipherment"), [(KeyType.RSA, True), (KeyType.ECDSA, False)])
def test_what_is_in_it(kind: KeyType, encipherment: bool) -> None:
    request = requests.make_request(make_key(kind), HOSTS)
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=vpn.example.com"
    san = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == list(HOSTS.names)
    assert san.get_values_for_type(x509.IPAddress) == list(HOSTS.addresses)
    usage = request.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment) == (True, encipherment)
    assert not usage.key_cert_sign
    purposes = request.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_openssl_reads_it(tmp_path: Path) -> None:
    require("openssl", root=False)
    path = tmp_path / "request.pem"
    path.write_bytes(requests.request_to_pem(requests.make_request(make_key(KeyType.ECDSA), HOSTS)))
    command = ["openssl", "req", "-in", str(path), "-noout", "-verify", "-text"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "DNS:vpn.example.com, DNS:b.example, IP Address:192.0.2.1" in done.stdout
    assert "TLS Web Server Authentication" in done.stdout


def test_the_key_waits(quick_home: Home) -> None:
    assert requests.load_next_key(quick_home) is None
    made = requests.make_next_key(quick_home, KeyType.ECDSA)
    path = requests.next_key_path(quick_home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = requests.load_next_key(quick_home)
    assert loaded is not None
    assert loaded.public_key() == made.public_key()
    path.write_text("garbage")
    with pytest.raises(SstpcaError, match=r"server\.next\.key has no private key"):
        requests.load_next_key(quick_home)

"""A certificate in words."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sstpca.errors import InvalidInput
from sstpca.names import parse_hosts
from sstpca.secrets import check_passphrase
from sstpca.x509.certificate_profiles import make_authority_certificate, make_server_certificate
from sstpca.x509.describe import describe

NOW = datetime.now(UTC)


def test_what_is_said(fast_key: ec.EllipticCurvePrivateKey) -> None:
    hosts = parse_hosts(["vpn.example.com", "192.0.2.1"])
    certificate = make_authority_certificate(fast_key, hosts, NOW)
    authority = describe(certificate, NOW)
    assert authority.authority
    assert authority.path_length == 0
    assert authority.permitted == ("DNS vpn.example.com", "IP 192.0.2.1/32")
    assert authority.excluded == ("IP ::/0", "all mail", "all URIs")
    assert authority.key == "ECDSA secp256r1"
    assert authority.usages == ("keyCertSign", "cRLSign", "serverAuth", "clientAuth")
    leaf = make_server_certificate(fast_key.public_key(), hosts, certificate, fast_key, NOW)
    server = describe(leaf, NOW + timedelta(days=400))
    assert server.names == ("DNS vpn.example.com", "IP 192.0.2.1")
    assert server.usages == ("digitalSignature", "serverAuth")
    assert server.issuer == authority.subject
    assert server.days_left < -1
    assert (len(server.sha1), len(server.sha256)) == (40, 95)
    assert server.permitted == server.excluded == ()


@pytest.mark.parametrize("text", ["", "x" * 1024, "a\nb", "\udc80"])
def test_passphrases_that_openssl_would_not_take(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_passphrase(text)
    assert check_passphrase("pässword") == "pässword".encode()

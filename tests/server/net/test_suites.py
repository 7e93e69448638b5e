"""Which cipher suites the server takes: those of its clients, the best first, no weak ones."""

import ssl

import pytest

from sstpca.home import Home
from sstpca.server.net.tls import explained
from tests.support.handshake import certificate_of, shake

# RouterOS 7, /interface sstp-client: ciphers=aes256-sha is its default, pfs=yes is ours
ROUTEROS = "ECDHE-RSA-AES256-SHA:DHE-RSA-AES256-SHA"
# with ciphers=aes256-gcm-sha384,aes256-sha, as client.rsc sets it
ROUTEROS_TOLD = f"ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES256-GCM-SHA384:{ROUTEROS}"
# Windows 7 and Server 2008 R2, by Microsoft's list "TLS Cipher Suites in Windows 7"
WINDOWS_7 = (
    "AES128-SHA256:AES128-SHA:AES256-SHA256:AES256-SHA:ECDHE-RSA-AES128-SHA256"
    ":ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA"
)


def agreed(home: Home, offered: str) -> str:
    """Shake hands as a client of TLS 1.2 that offers just that; return the suite.

    :raises ssl.SSLError: that of the server, if they have none in common.
    """
    client = ssl.create_default_context(cafile=str(home.ca_certificate))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(offered)
    server, _ = shake(home.server_identity, client)
    cipher = server.cipher()
    assert cipher is not None
    return cipher[0]


@pytest.mark.parametrize(
    ("offered", "suite"),
    [
        (ROUTEROS, "ECDHE-RSA-AES256-SHA"),
        (ROUTEROS_TOLD, "ECDHE-RSA-AES256-GCM-SHA384"),
        (WINDOWS_7, "ECDHE-RSA-AES128-SHA256"),
        ("ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA"),
        # the server's order counts, not the client's
        (
            "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES128-GCM-SHA256",
        ),
    ],
)
def test_what_clients_offer(usual_home: Home, offered: str, suite: str) -> None:
    assert agreed(usual_home, offered) == suite


@pytest.mark.parametrize(
    "offered", ["AES256-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384"]
)
def test_no_secrecy_without_ecdhe(usual_home: Home, offered: str) -> None:
    with pytest.raises(ssl.SSLError) as refused:
        agreed(usual_home, offered)
    said = explained(refused.value)
    assert "no cipher suite in common" in said
    assert "pfs=yes" in said


def test_a_certificate_that_a_router_cannot_use(home: Home) -> None:
    """Its key is ECDSA."""
    with pytest.raises(ssl.SSLError) as refused:
        agreed(home, ROUTEROS)
    assert "RSA" in explained(refused.value)


def test_no_suite_is_weak(usual_home: Home) -> None:
    for context in certificate_of(usual_home.server_identity).contexts.values():
        check_suites(context)


def check_suites(context: ssl.SSLContext) -> None:
    suites = context.get_ciphers()
    modern = [one["name"] for one in suites if one["protocol"] == "TLSv1.3" or one["aead"]]
    assert [one["name"] for one in suites][: len(modern)] == modern  # CBC is behind all of them
    for one in suites:
        assert one["kea"] in ("kx-any", "kx-ecdhe"), one["name"]
        assert one["strength_bits"] >= 128, one["name"]
        assert one["auth"] != "auth-null", one["name"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError("odd"), "'odd'"),
        (
            ssl.SSLError(1, "[SSL: NEW] new one (_ssl.c:1)"),
            "OpenSSL says '[SSL: NEW] new one (_ssl.c:1)'",
        ),
    ],
)
def test_other_reasons_are_said_as_they_are(error: OSError, said: str) -> None:
    assert explained(error) == said

"""Which cipher suites the server takes: those of its clients, the best first, no weak ones."""

import ssl

import pytest

from sstpca.home import Home
from sstpca.server.config import DEFAULT_TLS, Compat, TlsSettings
from sstpca.server.errors import ServerError
from sstpca.server.net.hello import Alert, HelloError
from sstpca.server.net.tls import explained
from tests.support.handshake import certificate_of, certificates_of, client_hello, shake

pytestmark = pytest.mark.usefixtures("each_tls")

# RouterOS 7, /interface sstp-client: ciphers=aes256-sha is its default, pfs=yes is ours
ROUTEROS = "ECDHE-RSA-AES256-SHA:DHE-RSA-AES256-SHA"
# with ciphers=aes256-gcm-sha384,aes256-sha, as client.rsc sets it
ROUTEROS_TOLD = f"ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES256-GCM-SHA384:{ROUTEROS}"
# with pfs=no, which is its default
ROUTEROS_NO_PFS = "AES256-SHA"
ROUTEROS_NO_PFS_TOLD = "AES256-GCM-SHA384:AES256-SHA"
# Windows, by Microsoft's lists "TLS Cipher Suites in Windows 7", "... Windows 8.1" (with update
# 2919355), "... Windows 10 v22H2", and "... Windows 11 v22H2 and later", without 3DES and RC4
WINDOWS_7 = (
    "AES128-SHA256:AES128-SHA:AES256-SHA256:AES256-SHA:ECDHE-RSA-AES128-SHA256"
    ":ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA"
)
WINDOWS_8_1 = (
    "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA"
    ":DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA"
    ":AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA"
    ":ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384"
    ":ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-SHA"
)
WINDOWS_10 = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256"
    ":ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA:AES256-GCM-SHA384"
    ":AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA"
)
# Android 10's TLS, of Open SSTP Client: Conscrypt, NativeCrypto.java, ENABLED_CIPHER_SUITES
ANDROID = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    ":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA"
    ":AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA"
)
#: sstpc, also below NetworkManager: OpenSSL's own
SSTPC = "DEFAULT"
WEAKER = TlsSettings(compat=Compat.ROUTEROS_NO_PFS)


def agreed(home: Home, offered: str, settings: TlsSettings = DEFAULT_TLS) -> str:
    """Shake hands as a client of TLS 1.2 that offers just that; return the suite.

    :raises HelloError: that of the server, if they have none in common.
    """
    client = ssl.create_default_context(cafile=str(home.ca_certificate))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(offered)
    _, near = shake(certificates_of(home.server_identity, settings=settings), client)
    cipher = near.tls.cipher()
    assert cipher is not None
    return cipher[0]


@pytest.mark.parametrize(
    ("offered", "suite"),
    [
        (ROUTEROS, "ECDHE-RSA-AES256-SHA"),
        (ROUTEROS_TOLD, "ECDHE-RSA-AES256-GCM-SHA384"),
        (WINDOWS_7, "ECDHE-RSA-AES128-SHA256"),
        (WINDOWS_8_1, "ECDHE-RSA-AES256-SHA384"),
        (WINDOWS_10, "ECDHE-RSA-AES256-GCM-SHA384"),
        (ANDROID, "ECDHE-RSA-AES256-GCM-SHA384"),
        (SSTPC, "ECDHE-RSA-AES256-GCM-SHA384"),
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
    ("offered", "suite"),
    [
        (WINDOWS_8_1, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (WINDOWS_10, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (ANDROID, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (SSTPC, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ],
)
def test_what_clients_offer_to_ecdsa(home: Home, offered: str, suite: str) -> None:
    assert agreed(home, offered) == suite


@pytest.mark.parametrize(
    "offered",
    [
        ROUTEROS_NO_PFS,
        ROUTEROS_NO_PFS_TOLD,
        "AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
    ],
)
def test_no_secrecy_without_ecdhe(usual_home: Home, offered: str) -> None:
    with pytest.raises(HelloError) as refused:
        agreed(usual_home, offered)
    said = str(refused.value)
    assert said.startswith("no cipher suite in common: the client offers ")
    assert offered.split(":")[0] in said
    assert ("set pfs=yes there" in said) is not offered.startswith("DHE")
    assert ("update the client" in said) is offered.startswith("DHE")
    assert refused.value.alert is Alert.HANDSHAKE_FAILURE


@pytest.mark.parametrize(
    ("offered", "suite"),
    [
        (ROUTEROS_NO_PFS, "AES256-SHA"),
        (ROUTEROS_NO_PFS_TOLD, "AES256-GCM-SHA384"),
        # who can do better does
        (ROUTEROS, "ECDHE-RSA-AES256-SHA"),
        (WINDOWS_7, "ECDHE-RSA-AES128-SHA256"),
        (WINDOWS_10, "ECDHE-RSA-AES256-GCM-SHA384"),
    ],
)
def test_rsa_exchanges_keys_where_the_settings_say_so(
    usual_home: Home, offered: str, suite: str
) -> None:
    assert agreed(usual_home, offered, WEAKER) == suite


def test_no_finite_fields_even_then(usual_home: Home) -> None:
    with pytest.raises(HelloError):
        agreed(usual_home, "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES256-SHA", WEAKER)


def test_rsa_cannot_exchange_keys_without_an_rsa_key(home: Home) -> None:
    with pytest.raises(ServerError, match=r"routeros-no-pfs.* needs a certificate with an RSA key"):
        certificates_of(home.server_identity, settings=WEAKER)


def test_a_certificate_that_a_router_cannot_use(home: Home) -> None:
    """Its key is ECDSA."""
    with pytest.raises(HelloError) as refused:
        agreed(home, ROUTEROS)
    assert "RouterOS and others that take RSA keys only" in str(refused.value)


@pytest.mark.parametrize("offered", [WINDOWS_10, ROUTEROS])
def test_a_later_minimum(usual_home: Home, offered: str) -> None:
    with pytest.raises(HelloError) as refused:
        agreed(usual_home, offered, TlsSettings(minimum_version="1.3"))
    assert refused.value.alert is Alert.PROTOCOL_VERSION
    assert str(refused.value).startswith("the client offers TLS 1.2 at most; Windows 10 and")


def test_who_has_that_version_is_let_in(usual_home: Home) -> None:
    settings = TlsSettings(minimum_version="1.3")
    client = ssl.create_default_context(cafile=str(usual_home.ca_certificate))
    certificates = certificates_of(usual_home.server_identity, settings=settings)
    _, near = shake(certificates, client)
    assert near.tls.version() == "TLSv1.3"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    for context in certificates.each[0].contexts.values():
        server = context.begin()
        server.feed(client_hello(client))
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
            server.handshake()


def test_no_suite_is_weak(usual_home: Home) -> None:
    for context in certificate_of(usual_home.server_identity).contexts.values():
        check_suites(context.suites)


def check_suites(names: list[str]) -> None:
    openssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    openssl.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    known = {one["name"]: one for one in openssl.get_ciphers()}
    suites = [known[name] for name in names]
    assert len(suites) > 10
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

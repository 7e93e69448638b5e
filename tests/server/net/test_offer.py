"""Which certificate a client is shown, where there is one for each kind of key.

What we chose is compared with what OpenSSL's own client saw: the crypto binding hashes that.
"""

import hashlib
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.authority.authority import Authority
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.server.config import DEFAULT_TLS, Compat, TlsSettings
from sstpca.server.dataplane.openssl import TlsEnd
from sstpca.server.errors import ServerError
from sstpca.server.net.hello import (
    TLS_1_2,
    TLS_1_3,
    Alert,
    ClientHello,
    Group,
    HelloError,
    HelloReader,
    read_hello,
)
from sstpca.server.net.offer import KeyKind, ServerKey, choose
from sstpca.server.net.tls import Certificate, Certificates, load
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.server.net.test_suites import (
    ANDROID,
    ROUTEROS,
    ROUTEROS_NO_PFS,
    ROUTEROS_TOLD,
    WINDOWS_8_1,
    WINDOWS_10,
)
from tests.support.forge import NOW
from tests.support.handshake import shake
from tests.support.hello import message, records
from tests.support.requirements import require
from tests.support.waiting import PATIENCE

RSA, ECDSA = KeyKind
WEAKER = TlsSettings(compat=Compat.ROUTEROS_NO_PFS)


def both_of(home: Home, settings: TlsSettings = DEFAULT_TLS) -> Certificates:
    """Return an RSA and an ECDSA certificate of one authority."""
    made = Authority.load(home, None).issue_server(
        parse_hosts(["vpn.example.com"]), KeyType.ECDSA, NOW
    )
    second = identity_to_pem(made.key, (made.certificate,))
    return load([home.server_identity.read_bytes(), second], home.server_identity, settings)


class Served:
    """One handshake on a real socket, with the certificate that we chose for it."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.chosen: Certificate | None = None
        self.refused = ""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(PATIENCE)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            reader = HelloReader()
            hello = None
            while hello is None:
                hello = reader.feed(connection.recv(16384))
            try:
                self.chosen, context = self._certificates.choose(hello)
            except HelloError as error:
                self.refused = str(error)
                return
            tls = context.begin()
            tls.feed(reader.received)
            self._shake(connection, tls)

    @staticmethod
    def _shake(connection: socket.socket, tls: TlsEnd) -> None:
        while not tls.handshake():
            connection.sendall(tls.output())
            tls.feed(connection.recv(16384))
        connection.sendall(tls.output())


def seen_by_openssl(certificates: Certificates, *options: str) -> tuple[Served, str]:
    """Let OpenSSL's command connect; return the server, and the SHA-256 of what it was shown."""
    require("openssl", root=False)
    served = Served(certificates)
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{served.port}", *options],
        input=b"",
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    served.join()
    begin, end = (f"-----{word} CERTIFICATE-----" for word in ("BEGIN", "END"))
    output = done.stdout.decode()
    if begin not in output:
        return served, ""
    pem = begin + output.partition(begin)[2].partition(end)[0] + end
    return served, hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ECDSA, ("-tls1_3",)),
        (ECDSA, ("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256")),
        (RSA, ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256:RSA+SHA256")),
        # of another curve: not in TLS 1.3
        (RSA, ("-tls1_3", "-sigalgs", "ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256")),
        (ECDSA, ("-tls1_2",)),
        (ECDSA, ("-tls1_2", "-cipher", WINDOWS_10)),
        (ECDSA, ("-tls1_2", "-cipher", WINDOWS_8_1)),
        (ECDSA, ("-tls1_2", "-cipher", ANDROID)),
        (ECDSA, ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256")),
        (RSA, ("-tls1_2", "-cipher", ROUTEROS)),
        (RSA, ("-tls1_2", "-cipher", ROUTEROS_TOLD)),
        (RSA, ("-tls1_2", "-cipher", "aRSA")),
        (RSA, ("-tls1_2", "-sigalgs", "RSA+SHA256:RSA-PSS+SHA256")),
        (ECDSA, ("-tls1_2", "-sigalgs", "ECDSA+SHA256")),
        # its groups are also those of the certificate's key
        (RSA, ("-tls1_2", "-groups", "P-384:X25519")),
        (ECDSA, ("-tls1_3", "-groups", "P-384:X25519")),
    ],
)
def test_what_is_shown_is_what_was_chosen(
    usual_home: Home, kind: KeyKind, options: tuple[str, ...]
) -> None:
    served, seen = seen_by_openssl(both_of(usual_home), *options)
    assert served.refused == ""
    assert served.chosen is not None
    assert served.chosen.key.kind is kind
    assert served.chosen.hashes.sha256.hex() == seen


def test_rsa_decrypts_whatever_the_groups(usual_home: Home) -> None:
    certificates = both_of(usual_home, WEAKER)
    for more in ((), ("-groups", "P-521")):
        served, seen = seen_by_openssl(certificates, "-tls1_2", "-cipher", ROUTEROS_NO_PFS, *more)
        assert served.chosen is not None
        assert served.chosen.key.kind is RSA
        assert served.chosen.hashes.sha256.hex() == seen


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        (
            ECDSA,
            ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256:RSA+SHA256"),
            "does not take this server's ECDSA key: it offers the signature algorithms 0x0804, "
            "0x0401. Give this server a certificate for an RSA key as well",
        ),
        (
            RSA,
            ("-tls1_3", "-sigalgs", "ECDSA+SHA256"),
            "does not take this server's RSA key: it offers the signature algorithms 0x0403. Give "
            "this server a certificate for an ECDSA key as well",
        ),
        (
            RSA,
            ("-tls1_2", "-cipher", "aECDSA"),
            "For clients that take ECDSA keys only: give this server a certificate for such a key",
        ),
        (ECDSA, ("-tls1_2", "-cipher", ROUTEROS), "RouterOS and others that take RSA keys only"),
        (
            ECDSA,
            ("-tls1_2", "-cipher", ROUTEROS_NO_PFS),
            "the client offers AES256-SHA. RouterOS with pfs=no offers that: set pfs=yes there "
            "(/interface sstp-client set NAME pfs=yes), and give this server an RSA key; or write "
            'compat = "routeros-no-pfs" below [tls] in settings.toml, which is weaker',
        ),
        (RSA, ("-tls1_3", "-groups", "P-521"), "the client offers P-521; it needs P-256"),
    ],
)
def test_a_client_of_the_other_kind_is_told_in_the_log(
    usual_home: Home, kind: KeyKind, options: tuple[str, ...], why: str
) -> None:
    both = both_of(usual_home)
    one = tuple(each for each in both.each if each.key.kind is kind)
    served, _ = seen_by_openssl(Certificates(one, DEFAULT_TLS), *options)
    assert why in served.refused


def test_two_of_the_same_kind(usual_home: Home) -> None:
    pem = usual_home.server_identity.read_bytes()
    with pytest.raises(ServerError, match="have keys of the same kind"):
        load([pem, pem], Path("server.pem"))


def test_one_is_named_by_its_digest_two_by_their_kinds_too(usual_home: Home) -> None:
    both = both_of(usual_home)
    ecdsa, rsa = (one.hashes.sha256.hex(":").upper() for one in both.each)
    assert both.description == f"certificates with SHA-256 {ecdsa} (ECDSA) and {rsa} (RSA)"
    one = Certificates(both.each[:1], DEFAULT_TLS)
    assert one.description == f"certificate with SHA-256 {ecdsa}"


@pytest.mark.usefixtures("each_tls")
def test_a_session_is_of_the_certificate_that_is_shown(usual_home: Home) -> None:
    """TLS 1.2 resumes: of one certificate never a session of the other."""
    both = both_of(usual_home)
    client = ssl.create_default_context(cafile=str(usual_home.ca_certificate))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    server, end = shake(both, client)
    client.set_ciphers("aRSA")
    _, again = shake(both, client, end.tls.session)
    assert not again.tls.session_reused
    leaf = again.tls.getpeercert(binary_form=True)
    assert leaf is not None
    assert hashlib.sha256(leaf).digest() == both.each[1].hashes.sha256
    del server


KEYS = st.sampled_from(
    [
        ServerKey(RSA, frozenset({0x0401, 0x0804}), frozenset({0x0804})),
        ServerKey(ECDSA, frozenset({0x0403}), frozenset({0x0403}), 0x17),
    ]
)
SUITES = st.sampled_from([0x1301, 0xC02B, 0xC02F, 0xC014, 0x0035, 0x009D, 0x0A0A, 0x00FF, 0x000A])
GROUPS = st.sampled_from([0x11EC, 0x1D, 0x17, 0x18, 0x19, 0x100, 0x2A2A])
SIGNATURES = st.sampled_from([0x0201, 0x0401, 0x0403, 0x0804, 0x0807])


class Shown:
    """A certificate of which nothing but the key is of interest."""

    def __init__(self, key: ServerKey) -> None:
        self.key = key


@given(
    st.builds(
        ClientHello,
        st.none() | st.lists(GROUPS),
        st.lists(GROUPS),
        st.sampled_from([0, 0x0301, TLS_1_2, TLS_1_3]),
        st.lists(SUITES),
        st.none() | st.lists(SIGNATURES),
    ),
    st.lists(KEYS, min_size=1, max_size=2, unique=True),
    st.sampled_from([DEFAULT_TLS, WEAKER, TlsSettings(minimum_version="1.3")]),
)
def test_any_offer(hello: ClientHello, keys: list[ServerKey], settings: TlsSettings) -> None:
    """It is chosen what the client takes, or said in a line what it offers."""
    shown = [Shown(key) for key in keys]
    try:
        one, group = choose(hello, shown, list(Group), settings)
    except HelloError as error:
        assert str(error)
        assert "\n" not in str(error)
        assert error.alert in (Alert.HANDSHAKE_FAILURE, Alert.PROTOCOL_VERSION)
        return
    assert one in shown
    no_pfs = {*hello.suites} & {0x0035, 0x009D} and settings is WEAKER
    assert no_pfs or one.key.fits(hello)
    assert no_pfs or hello.groups is None or group.value in hello.groups
    assert hello.version >= TLS_1_3 or group is not Group.X25519_MLKEM768


def test_a_long_offer_is_cut() -> None:
    suites = tuple(range(0xD000, 0xD000 + 2000))
    hello = read_hello(records(message((0x17,), suites=(*suites, 0x0A0A, 0x00FF))))
    with pytest.raises(HelloError) as refused:
        choose(hello, [Shown(ServerKey(RSA, frozenset(), frozenset()))], list(Group), DEFAULT_TLS)
    said = str(refused.value)
    assert "0xD000, 0xD001," in said
    assert "and 1988 more. It needs ECDHE with AES or ChaCha20: update the client" in said
    assert len(said) < 300


@pytest.mark.parametrize(("suites", "version"), [((0x1301,), TLS_1_3), ((0xC02F,), TLS_1_2)])
def test_what_a_hello_says(suites: tuple[int, ...], version: int) -> None:
    hello = read_hello(records(message((0x17,), suites=suites)))
    assert (tuple(hello.suites), hello.version) == (suites, version)
    assert tuple(hello.signatures or ()) == (0x0804, 0x0403, 0x0401)

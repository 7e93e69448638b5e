"""The ClientHello, read before OpenSSL sees it: which groups cost us something, and which nothing."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from sstpca.home import Home
from sstpca.server.dataplane.openssl import PythonContext
from sstpca.server.net import tls
from sstpca.server.net.hello import (
    MAX_HELLO,
    Alert,
    ClientHello,
    Group,
    HelloError,
    HelloReader,
    alert_record,
    read_hello,
)
from tests.support.handshake import Near, certificate_of, certificates_of, client_hello, shake
from tests.support.hello import (
    FFDHE2048,
    FFDHE8192,
    P521,
    TLS12_SUITES,
    X448,
    expensive,
    message,
    records,
    vector,
)

HYBRID, X25519, P256, P384 = Group
EACH = pytest.mark.usefixtures("each_tls")


@pytest.mark.parametrize(
    ("group", "size"),
    [(FFDHE8192, 1024), (FFDHE2048, 256), (P521, 133), (X448, 56)],
    ids=["ffdhe8192", "ffdhe2048", "P-521", "X448"],
)
def test_expensive_groups_are_refused_before_anything_is_computed(
    usual_home: Home, group: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(tls, "TlsContext", PythonContext)
    monkeypatch.setattr(PythonContext, "begin", begun.append)
    certificates = certificates_of(usual_home.server_identity)
    hello = read_hello(expensive(group, size))
    with pytest.raises(HelloError) as refused:
        certificates.choose(hello)
    assert alert_record(refused.value.alert) == bytes.fromhex("15030300020228")
    assert begun == []


@EACH
@pytest.mark.parametrize("group", [P521, X448, FFDHE2048, FFDHE8192])
def test_no_context_knows_an_expensive_group(usual_home: Home, group: int) -> None:
    """Whatever we read in a ClientHello: OpenSSL would not take it either."""
    contexts = certificate_of(usual_home.server_identity).contexts
    for chosen, context in contexts.items():
        if chosen is HYBRID:  # it knows all; who has sent the key of the hybrid gets that
            continue
        server = context.begin()
        server.feed(records(message((group,), {group: b"\x02" * 64})))
        with pytest.raises(ssl.SSLError, match=r"(?i)no.suitable.key.share"):
            server.handshake()


@pytest.mark.parametrize("suite", ["DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES128-SHA256"])
def test_no_finite_fields_in_tls_1_2(usual_home: Home, suite: str) -> None:
    client = ssl.create_default_context(cafile=str(usual_home.ca_certificate))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(suite)
    with pytest.raises((ssl.SSLError, HelloError)):
        shake(usual_home.server_identity, client)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("curve", ["X25519", "prime256v1", "secp384r1", ""])
def test_cheap_groups_are_taken(usual_home: Home, curve: str, version: ssl.TLSVersion) -> None:
    check_version(usual_home, curve, version)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_with_a_key_of_the_other_kind(home: Home, version: ssl.TLSVersion) -> None:
    """ECDSA: its own curve is another matter than the one in which keys are exchanged."""
    check_version(home, "", version)


def check_version(home: Home, curve: str, version: ssl.TLSVersion) -> None:
    client = ssl.create_default_context(cafile=str(home.ca_certificate))
    client.minimum_version = client.maximum_version = version
    if curve:
        client.set_ecdh_curve(curve)
    _, near = shake(home.server_identity, client)
    assert near.tls.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]


@EACH
def test_a_client_that_has_to_be_asked_for_another_key(usual_home: Home) -> None:
    """RFC 8446 4.1.4: it sends the key of a group that we do not take, and has others."""
    certificates = certificates_of(usual_home.server_identity)
    first = records(message((P521, P384.value), {P521: b"\x04" + bytes(132)}))
    _, context = certificates.choose(read_hello(first))
    server = context.begin()
    server.feed(first)
    assert not server.handshake()
    # RFC 8446 4.1.3: the random that makes a ServerHello a HelloRetryRequest
    assert bytes.fromhex("CF21AD74E59A6111BE1D8C021E65B891") in server.output()


@EACH
def test_openssl_as_a_client_of_another_version(usual_home: Home) -> None:
    """The cryptography package brings its own, which may offer what ours does not know."""
    near = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
    near.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        near.do_handshake()
    hello = near.bio_read(65536)
    _, context = certificates_of(usual_home.server_identity).choose(read_hello(hello))
    server = context.begin()
    server.feed(hello)
    assert not server.handshake()
    near.bio_write(server.output())
    near.do_handshake()
    server.feed(near.bio_read(65536))
    assert server.handshake()
    assert near.get_protocol_version_name() == "TLSv1.3"


@EACH
@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3, 5), reason="needs OpenSSL 3.5")
def test_a_post_quantum_hybrid_where_openssl_has_one(usual_home: Home) -> None:
    client = ssl.create_default_context(cafile=str(usual_home.ca_certificate))
    certificates = certificates_of(usual_home.server_identity)
    contexts = certificates.each[0].contexts
    hello = client_hello(client)
    assert read_hello(hello).choose(contexts) is HYBRID
    shake(certificates, client)
    # and with it nobody gets at what that context knows beside it
    everything = (HYBRID.value, FFDHE2048, P521)
    old = records(message(everything, {HYBRID.value: bytes(1216)}, TLS12_SUITES))
    server = contexts[HYBRID].begin()
    server.feed(old)
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
        server.handshake()


@pytest.mark.parametrize(
    ("groups", "shares", "ours", "chosen"),
    [
        # rather one whose key is there than the better one
        ((0x1D, 0x17), (0x17,), Group, P256),
        ((0x17, 0x1D), (0x17, 0x1D), Group, X25519),
        ((0x11EC, 0x1D), (0x11EC, 0x1D), Group, HYBRID),
        ((0x11EC, 0x1D), (0x11EC, 0x1D), (X25519, P256), X25519),
        ((0x11EC, 0x1D), (), Group, X25519),
        ((0x18, 0x17), (0x19,), Group, P256),
        ((0x0A0A, 0x18), (0x0A0A,), Group, P384),
        (None, (), Group, P256),
    ],
)
def test_the_choice(
    groups: tuple[int, ...] | None,
    shares: tuple[int, ...],
    ours: tuple[Group, ...],
    chosen: Group,
) -> None:
    assert ClientHello(groups, shares).choose(ours) is chosen


@pytest.mark.parametrize("groups", [(), (0x19,), (0x100, 0x104), (0x11EC,)])
def test_no_choice(groups: tuple[int, ...]) -> None:
    with pytest.raises(HelloError) as refused:
        ClientHello(groups, ()).choose(Group)
    assert refused.value.alert is Alert.HANDSHAKE_FAILURE


def test_it_comes_as_it_likes() -> None:
    """In any pieces of TCP and of TLS."""
    whole = message((0x1D, 0x17), {0x1D: bytes(32)})
    for piece in (5, 100, 16384):
        stream = records(whole, piece)
        reader = HelloReader()
        answers = [reader.feed(stream[at : at + 1]) for at in range(len(stream))]
        assert answers[:-1] == [None] * (len(stream) - 1)
        last = answers[-1]
        assert last is not None
        assert (tuple(last.groups or ()), tuple(last.shares)) == ((0x1D, 0x17), (0x1D,))
        assert reader.received == stream


@pytest.mark.parametrize(
    ("data", "alert"),
    [
        (b"GET / HTTP/1.1\r\n", Alert.UNEXPECTED_MESSAGE),
        (b"\x15\x03\x01\x00\x02\x02\x28", Alert.UNEXPECTED_MESSAGE),
        (b"\x16\x02\x00\x00\x05\x01\x00\x00\x01\x00", Alert.UNEXPECTED_MESSAGE),
        (b"\x16\x03\x01\x00\x00", Alert.UNEXPECTED_MESSAGE),
        (records(b"\x02" + bytes(40)), Alert.UNEXPECTED_MESSAGE),
        (records(b"\x01\xff\xff\xff" + bytes(40)), Alert.RECORD_OVERFLOW),
        (records(b"\x01" + MAX_HELLO.to_bytes(3) + bytes(40)), Alert.RECORD_OVERFLOW),
        (records(b"\x01\x00\x1f\x00" + bytes(100), 1), Alert.RECORD_OVERFLOW),
        (records(b"\x01\x00\x00\x05\x03\x03\x00\x00\x00"), Alert.DECODE_ERROR),
        (records(message(tuple(range(65)))), Alert.DECODE_ERROR),
        (records(message((1,), dict.fromkeys(range(17), b"x"))), Alert.DECODE_ERROR),
    ],
)
def test_what_is_none(data: bytes, alert: Alert) -> None:
    with pytest.raises(HelloError) as refused:
        HelloReader().feed(data)
    assert refused.value.alert is alert


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_bytes(junk: bytes, cut: int) -> None:
    """Nothing but HelloError, whether it is junk from the beginning or later."""
    good = message((0x1D,), {0x1D: bytes(32)})
    for data in (junk, records(junk), records(b"\x01" + vector(3, good[4 : 4 + cut] + junk))):
        reader = HelloReader()
        try:
            reader.feed(data)
        except HelloError as error:
            assert str(error)


def test_a_client_knows_why(usual_home: Home) -> None:
    client = ssl.create_default_context(cafile=str(usual_home.ca_certificate))
    near = Near(client)
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        near.hears(alert_record(Alert.HANDSHAKE_FAILURE))

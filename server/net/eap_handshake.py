"""TLS within EAP-TLS (RFC 5216): bytes of the client in, ours out.

It is not the TLS around the call, which knows no client certificates. The standard library's TLS
cannot export keys, which the crypto binding needs; pyOpenSSL's can.

It is TLS 1.2, whatever the client offers beside. In TLS 1.3 (RFC 9190 2.3) pppd, up to 2.5.2, makes
another key than it should, and the binding would not hold. What 1.3 would add, a certificate that
nobody sees on its way, the TLS around the call has added already.
"""

from ssl import AlertDescription
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto

from ..contracts import Account, CertificateRefused
from ..errors import quotation
from ..keeper.contract import OwnDirectory
from ..ppp.effects import Handshaken
from .hello import Group, HelloError, alert_record, read_hello
from .offer import SUITES, KeyKind
from .tls import Certificate

# As for the TLS around the call, one group for each context. All clients have one of these, and
# pyOpenSSL cannot set X25519.
_CURVES: Final = {Group.P256: ec.SECP256R1, Group.P384: ec.SECP384R1}
# the server may have a certificate for each kind of key
_CONTEXTS: Final = len(KeyKind) * len(_CURVES)
_DEPTH: Final = 4  # certificates above the client's
_TURN: Final = 65536

# RFC 5216 2.3: the Master Session Key
_KEY_LABEL: Final = b"client EAP encryption"
_KEY_SIZE: Final = 64

# OpenSSL's X509_V_ERR_...
_VERIFY_ERRORS: Final = {
    7: "was not issued by this server's authority",
    9: "is not valid yet",
    10: "has expired",
    18: "was not issued by this server's authority",
    19: "was not issued by this server's authority",
    20: "was not issued by this server's authority",
    21: "was not issued by this server's authority",
    26: "is not for clients (its extended key usage lacks clientAuth)",
}

# what a client says of the server, RFC 5246 7.2.2; the words are those of .tls
_ALERTS: Final[dict[int, str]] = {
    AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE: (
        "the client takes none of the server's cipher suites or keys"
    ),
    AlertDescription.ALERT_DESCRIPTION_BAD_CERTIFICATE: (
        "the client does not believe the server certificate"
    ),
    AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN: (
        "the client does not believe the server certificate"
    ),
    AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED: (
        "the server certificate has expired by the client's clock"
    ),
    AlertDescription.ALERT_DESCRIPTION_UNKNOWN_CA: (
        "the client does not know the server certificate's authority"
    ),
    AlertDescription.ALERT_DESCRIPTION_PROTOCOL_VERSION: "the client does not take TLS 1.2",
}
# the handshake message Certificate (11) with an empty list, RFC 5246 7.4.6
_NO_CERTIFICATE: Final = bytes.fromhex("0b 000003 000000")


class Contexts:
    """What handshakes begin with, kept while certificates and authorities stay the same.

    For one thread.
    """

    def __init__(self) -> None:
        self._roots: tuple[bytes, ...] = ()
        self._contexts: dict[tuple[bytes, Group], SSL.Context] = {}

    def get(self, certificate: Certificate, roots: tuple[bytes, ...], group: Group) -> SSL.Context:
        """Return a context that shows ``certificate`` and believes what ``roots`` issued.

        :param group: in which keys are exchanged.
        """
        wanted = (certificate.pem, group)
        # what is full has certificates that nobody is shown any more
        if self._roots != roots or (
            wanted not in self._contexts and len(self._contexts) == _CONTEXTS
        ):
            self._roots, self._contexts = roots, {}
        if wanted not in self._contexts:
            self._contexts[wanted] = _make_context(certificate.pem, roots, group)
        return self._contexts[wanted]


def _make_context(pem: bytes, roots: tuple[bytes, ...], group: Group) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    # a resumed session would show no certificate, which may be revoked by then
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(SUITES.encode())
    context.set_tmp_ecdh(_CURVES[group]())
    context.set_verify_depth(_DEPTH)
    context.set_info_callback(_hear)
    key = load_pem_private_key(pem, None)
    context.use_privatekey(cast("rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey", key))
    leaf, *chain = x509.load_pem_x509_certificates(pem)
    context.use_certificate(leaf)
    for intermediate in chain:
        context.add_extra_chain_cert(intermediate)
    store = context.get_cert_store()
    assert store is not None
    for root in map(x509.load_der_x509_certificate, roots):
        store.add_cert(crypto.X509.from_cryptography(root))
        context.add_client_ca(root)  # clients with several certificates choose by it
    return context


class EapHandshake:
    """The server's end of one handshake. For one thread, and not the event loop: it computes.

    :param certificate: the server's, shown within as it is around.
    :param directory: knows whose certificate the client's is.
    """

    def __init__(
        self, contexts: Contexts, certificate: Certificate, directory: OwnDirectory
    ) -> None:
        self._contexts = contexts
        self._certificate = certificate
        self._judge = _Judge(directory)
        self._directory = directory
        self._tls: SSL.Connection | None = None

    def receive(self, data: bytes) -> Handshaken:
        """Take a message of the client; the first one begins.

        :raises Exception: whatever the directory or a file behind it raises.
        """
        if self._tls is None:
            try:
                group = read_hello(data).choose(_CURVES)
            except HelloError as error:
                return Handshaken(alert_record(error.alert), refusal=f"TLS: {error}")
            self._tls = self._begin(group)
        answer = self._step(self._tls, data)
        if answer.account or answer.refusal:
            self._tls = None  # 60 KiB, and the session may last for days
        return answer

    def _step(self, tls: SSL.Connection, data: bytes) -> Handshaken:
        tls.bio_write(data)
        try:
            tls.do_handshake()
        except SSL.WantReadError:
            return Handshaken(self._output(tls))
        except SSL.Error as error:
            if self._judge.problem is not None:
                raise self._judge.problem from None
            return self._refused(tls, self._why(data, error))
        key = tls.export_keying_material(_KEY_LABEL, _KEY_SIZE)
        return Handshaken(self._output(tls), account=self._judge.account, key=key)

    def _why(self, data: bytes, error: SSL.Error) -> str:
        """Return why the handshake failed: what was found in it, else what OpenSSL says."""
        if self._judge.refusal:
            return self._judge.refusal
        if self._judge.alert is not None:
            said = f"the client breaks TLS off with alert {self._judge.alert} (RFC 5246 7.2)"
            return f"TLS: {_ALERTS.get(self._judge.alert, said)}"
        if _NO_CERTIFICATE in data:
            return "TLS: the client shows no certificate"
        return f"TLS: OpenSSL says {quotation(_last(error))}"

    def _refused(self, tls: SSL.Connection, why: str) -> Handshaken:
        """Pass OpenSSL's alert on, but not where it was us who refused.

        For that, OpenSSL's alert would be internal_error, and have people look for one. EAP's
        Failure alone says no more than that there is no way in.
        """
        ours = self._judge.trusted and self._judge.refusal
        return Handshaken(b"" if ours else self._output(tls), refusal=why)

    def _begin(self, group: Group) -> SSL.Connection:
        roots = self._directory.client_roots()
        context = self._contexts.get(self._certificate, roots, group)
        tls = SSL.Connection(context, None)
        tls.set_accept_state()
        tls.set_app_data(self._judge)
        tls.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._judge.verify)
        return tls

    @staticmethod
    def _output(tls: SSL.Connection) -> bytes:
        try:
            return tls.bio_read(_TURN)
        except SSL.WantReadError:
            return b""


class _Judge:
    """What OpenSSL calls back to judge the client's certificates, and what came of it.

    It knows nothing of the handshake: in a circle with that, what strangers leave half done would
    stay until Python looks for circles, which it counts in objects, and not in OpenSSL's 60 KiB.

    :ivar trusted: whether OpenSSL found nothing wrong with the last certificate it showed.
    :ivar problem: what the directory raised; OpenSSL's C would swallow it.
    :ivar alert: the last one that the client sent, if it did.
    """

    def __init__(self, directory: OwnDirectory) -> None:
        self._directory = directory
        self.account: Account | None = None
        self.trusted = False
        self.refusal = ""
        self.problem: Exception | None = None
        self.alert: int | None = None

    def verify(
        self, _tls: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        """Judge one certificate of the client's chain after OpenSSL: from the top to the leaf."""
        self.trusted = bool(ok)
        try:
            if not ok:
                raise CertificateRefused(_verify_text(error))
            if depth == 0:
                self.account = self._find(certificate.to_cryptography())
        except CertificateRefused as refused:
            self.refusal = f"its certificate {refused}"
            return False
        except Exception as problem:
            self.problem = problem
            return False
        return True

    def _find(self, leaf: x509.Certificate) -> Account:
        try:
            usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            is_client = ExtendedKeyUsageOID.CLIENT_AUTH in usage
        except (x509.ExtensionNotFound, ValueError):
            is_client = False
        if not is_client:
            raise CertificateRefused(_VERIFY_ERRORS[26])
        return self._directory.by_certificate(leaf.public_bytes(Encoding.DER))


def _verify_text(error: int) -> str:
    return _VERIFY_ERRORS.get(error, f"does not verify (OpenSSL's error {error})")


def _hear(tls: SSL.Connection, where: int, what: int) -> None:
    """Called back by OpenSSL: keep the number of an alert, of which its text is not ours."""
    if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT:
        tls.get_app_data().alert = what & 0xFF


def _last(error: SSL.Error) -> str:
    """Return the last of the reasons that OpenSSL has put on its stack."""
    stack = error.args[0] if error.args else ()
    return str(stack[-1][-1]) if stack else "nothing"

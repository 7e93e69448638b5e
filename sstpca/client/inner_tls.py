"""TLS within EAP-TLS as the client: our certificate, and judgement of the server's.

The server is verified as it is around the call: by the same authorities and for the same name, or by
the same pin. The standard library's TLS cannot export keys, which the crypto binding needs.
"""

import hashlib
import hmac
from ssl import AlertDescription
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from sstpca.server.errors import quotation
from sstpca.server.net.offer import SUITES

from .certificate_names import is_for
from .dialing import DialError, Endpoint
from .eap_tls import Step

_TURN: Final = 65536
_DEPTH: Final = 8  # certificates above the server's

# RFC 5216 2.3 and RFC 9190 2.3: label and context of the exporter; the Master Session Key is the first
# half of what comes, and of that the first half is the key for the binding
_LABEL: Final = b"client EAP encryption"
_LABEL_1_3: Final = b"EXPORTER_EAP_TLS_Key_Material"
_CONTEXT_1_3: Final = b"\x0d"
_KEYS: Final = 128
_HLAK: Final = 32
# RFC 9190 2.5: the server is content, and says no more
_COMMITMENT: Final = b"\0"

# OpenSSL's X509_V_ERR_...
_VERIFY_ERRORS: Final = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed, and not known here",
    19: "its authority is not known here",
    20: "its authority is not known here",
    21: "its authority is not known here",
    26: "it is not for servers (its extended key usage lacks serverAuth)",
}

# what a server says of our certificate: RFC 5246 7.2.2, RFC 8446 6.2
_ALERTS: Final[dict[int, str]] = {
    AlertDescription.ALERT_DESCRIPTION_BAD_CERTIFICATE: "it does not believe it",
    AlertDescription.ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE: "it is not for clients",
    AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_REVOKED: "it is revoked",
    AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_EXPIRED: "it has expired",
    AlertDescription.ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN: "it does not believe it",
    AlertDescription.ALERT_DESCRIPTION_UNKNOWN_CA: "the server does not know its authority",
    AlertDescription.ALERT_DESCRIPTION_ACCESS_DENIED: "it lets nobody in with it",
}


def context_for(endpoint: Endpoint, pem: bytes) -> SSL.Context:
    """Return the TLS that shows our certificate, and believes what is believed around the call.

    :param pem: our key, and behind it our certificate and those between it and its root.
    :raises DialError: if authorities or certificate cannot be used.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(SUITES.encode())
    context.set_verify_depth(_DEPTH)
    context.set_info_callback(_hear)
    try:
        _show(context, pem)
        _believe(context, endpoint)
    except (ValueError, SSL.Error, crypto.Error) as error:
        raise DialError(
            f"TLS does not take the certificate: {quotation(error)}", final=True
        ) from None
    return context


def _show(context: SSL.Context, pem: bytes) -> None:
    key = load_pem_private_key(pem, None)
    leaf, *chain = x509.load_pem_x509_certificates(pem)
    context.use_certificate(leaf)
    context.use_privatekey(cast("rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey", key))
    for intermediate in chain:
        context.add_extra_chain_cert(intermediate)
    context.check_privatekey()


def _believe(context: SSL.Context, endpoint: Endpoint) -> None:
    if endpoint.pin:
        return
    if not endpoint.authorities:
        context.set_default_verify_paths()
        return
    store = context.get_cert_store()
    assert store is not None
    for root in x509.load_pem_x509_certificates(endpoint.authorities):
        store.add_cert(crypto.X509.from_cryptography(root))


class InnerTls:
    """One handshake; see :class:`.eap_tls.PeerTls`.

    :param context: of :func:`context_for`, for the same endpoint.
    """

    def __init__(self, context: SSL.Context, endpoint: Endpoint) -> None:
        self._judge = _Judge(endpoint)
        self._shaken = False
        self._tls = SSL.Connection(context, None)
        self._tls.set_connect_state()
        self._tls.set_app_data(self._judge)
        self._tls.set_verify(SSL.VERIFY_PEER, self._judge.verify)

    def begin(self) -> Step:
        """Return the Client Hello."""
        return self._step()

    def receive(self, message: bytes) -> Step:
        """Take a message of the server."""
        self._tls.bio_write(message)
        return self._step()

    def _step(self) -> Step:
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            proven = self._is_proven()
        except SSL.WantReadError:
            return Step(self._output())
        except SSL.Error as error:
            return self._failed(error)
        return Step(self._output(), hlak=self._hlak() if proven and self._judge.content else b"")

    def _is_proven(self) -> bool:
        """Whether the server has said its last: in TLS 1.3 it has to say that it is content."""
        if self._tls.get_protocol_version() < SSL.TLS1_3_VERSION:
            return True
        return self._tls.recv(_TURN) == _COMMITMENT

    def _hlak(self) -> bytes:
        if self._tls.get_protocol_version() < SSL.TLS1_3_VERSION:
            return self._tls.export_keying_material(_LABEL, _KEYS)[:_HLAK]
        return self._tls.export_keying_material(_LABEL_1_3, _KEYS, _CONTEXT_1_3)[:_HLAK]

    def _failed(self, error: SSL.Error) -> Step:
        if self._judge.distrusted:
            why = "the server's certificate in EAP-TLS is not to be believed"
            return Step(self._output(), distrusted=f"{why}: {self._judge.distrusted}")
        if self._judge.alert is not None:
            said = f"TLS alert {self._judge.alert} (RFC 8446 6.2)"
            return Step(refusal=_ALERTS.get(self._judge.alert, said))
        stack = error.args[0] if error.args else ()
        said = str(stack[-1][-1]) if stack else "it breaks off"
        return Step(self._output(), distrusted=f"TLS in EAP-TLS fails: {quotation(said)}")

    def _output(self) -> bytes:
        try:
            return self._tls.bio_read(_TURN)
        except SSL.WantReadError:
            return b""


class _Judge:
    """What OpenSSL calls back to judge the server's certificates, and what came of it.

    :ivar content: whether the server's own certificate was judged, and is good.
    :ivar alert: the last one that the server sent, if it did.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.distrusted = ""
        self.content = False
        self.alert: int | None = None

    def verify(
        self, _tls: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        """Judge one certificate of the server's chain after OpenSSL: from the top to the leaf."""
        if self._endpoint.pin:
            if depth == 0:
                self._compare(certificate)
        elif not ok:
            self.distrusted = _VERIFY_ERRORS.get(error, f"OpenSSL's error {error}")
        elif depth == 0:
            self._look_for_the_name(certificate)
        self.content = depth == 0 and not self.distrusted
        return not self.distrusted

    def _compare(self, certificate: crypto.X509) -> None:
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        if not hmac.compare_digest(hashlib.sha256(der).digest(), self._endpoint.pin):
            self.distrusted = "it is another one than the pinned one"

    def _look_for_the_name(self, certificate: crypto.X509) -> None:
        try:
            fits = is_for(certificate.to_cryptography(), self._endpoint.name)
        except ValueError:
            self.distrusted = "it cannot be read"
            return
        if not fits:
            self.distrusted = f"it is not for {self._endpoint.name}"


def _hear(tls: SSL.Connection, where: int, what: int) -> None:
    """Called back by OpenSSL: keep the number of an alert, of which its text is not ours."""
    if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT:
        tls.get_app_data().alert = what & 0xFF

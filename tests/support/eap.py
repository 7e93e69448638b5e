"""EAP as a client speaks it (RFC 3748): a password by EAP-MSCHAPv2, a certificate by EAP-TLS.

Written apart from the server. No I/O: the data of Requests in, that of Responses out.
"""

import os
import struct
import typing
from collections.abc import Iterable
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from tests.support import mschap
from tests.support.faults import ClientError, LoginRefused, WrongProof

IDENTITY, NAK, TLS, MSCHAPV2 = 1, 3, 13, 26
REQUEST, RESPONSE, SUCCESS, FAILURE = 1, 2, 3, 4
_PIECE = 1398  # what Windows puts into one Response


class CertificateRejected(ClientError):
    """The server refused in EAP-TLS: by an alert, or by Failure alone.

    :param alert: OpenSSL's words for it; empty if none came.
    """

    def __init__(self, alert: str) -> None:
        super().__init__(alert or "Failure without an alert")
        self.alert = alert


class Method(typing.Protocol):
    """One way to log in.

    :ivar identity: what the client says it is.
    :ivar key: the higher-layer authentication key, once the method is through.
    """

    type: int
    identity: bytes
    key: bytes

    def respond(self, data: bytes) -> bytes:
        """Answer the data of a Request."""

    def finished(self, *, success: bool) -> None:
        """Judge the server's Success or Failure.

        :raises ClientError: if it refuses, or has no right to say Success yet.
        """


class Password:
    """EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2).

    :param again: passwords to try after those that are wrong.
    :param new: what it takes in place of one that has expired.
    """

    type = MSCHAPV2

    def __init__(
        self,
        user: str,
        password: str,
        *,
        hashes_domain: bool = False,
        again: Iterable[str] = (),
        new: str = "",
    ) -> None:
        self.identity = user.encode()
        self._hashes_domain = hashes_domain
        self.key = b""
        self._password = password
        self._login: mschap.Login | None = None
        self._id = -1
        self._proven = False
        self._refusal = ""
        self._again = list(again)
        self._new = new

    def respond(self, data: bytes) -> bytes:
        """Answer a Challenge, Success or Failure Request."""
        code, identifier, length = struct.unpack_from("!BBH", data)
        if length != len(data) or (code != 1 and identifier != self._id):
            raise ClientError(f"malformed EAP-MSCHAPv2: {data.hex()}")
        if code == 1:
            self._id = identifier
            return self._answer(data[4:])
        if code == 3:
            if self._login is None or data[4:].split()[0] != self._login.proof:
                raise WrongProof(data[4:].decode())
            self._proven = True
            return b"\x03"
        self._refusal = data[4:].decode()
        return self._after(LoginRefused(self._refusal))

    def _after(self, refused: LoginRefused) -> bytes:
        """Try again where that is of use, or take note of the Failure."""
        self._id += 1
        if refused.code == 648 and refused.retry and self._new:
            login = mschap.Login(self.identity, self._new, refused.challenge, os.urandom(16))
            change = mschap.Change(self._password, self._new, login)
            self._login, self.key, self._password = login, login.key, self._new
            return struct.pack("!BBH", 7, self._id, 4 + len(change.data)) + change.data
        if refused.code == 691 and refused.retry and self._again:
            self._password = self._again.pop(0)
            return self._answer(b"\x10" + refused.challenge)
        return b"\x04"

    def _answer(self, challenge: bytes) -> bytes:
        if challenge[0] != 16:
            raise ClientError(f"a challenge is 16 bytes, not {challenge[0]}")
        login = mschap.Login(
            self.identity,
            self._password,
            challenge[1:17],
            os.urandom(16),
            hashes_domain=self._hashes_domain,
        )
        self._login, self.key = login, login.key
        value = bytes([len(login.response)]) + login.response + self.identity
        return struct.pack("!BBH", 2, self._id, 4 + len(value)) + value

    def finished(self, *, success: bool) -> None:
        """Success is worth something only after the server's proof."""
        if not success:
            raise LoginRefused(self._refusal or "E=0 R=0")
        if not self._proven:
            raise WrongProof("Success without proof")


class Certificate:
    """EAP-TLS (RFC 5216).

    :param identity: as Windows sends it, the UPN.
    :param pem: the key and the certificate.
    :param ca: PEM of the authority that the server's certificate is to come from.
    :param newest: the newest version of TLS that it offers.
    :param piece: bytes of TLS in a Response.
    """

    type = TLS

    def __init__(
        self,
        identity: str,
        pem: bytes,
        ca: str,
        *,
        newest: int = SSL.TLS1_3_VERSION,
        piece: int = _PIECE,
    ) -> None:
        self.identity = identity.encode()
        self.key = b""
        self.server = b""  # the certificate that it showed, DER
        self.alert = ""
        self._piece = piece
        self._done = False
        self._in, self._out = bytearray(), bytearray()
        self._first = True
        self._context = _context(pem, ca, newest)
        self._tls = SSL.Connection(self._context, None)
        self._tls.set_connect_state()

    def resume(self, former: Self) -> None:
        """Offer the server to go on with the session of a former login."""
        session = former._tls.get_session()
        assert session is not None
        self._tls = SSL.Connection(former._context, None)
        self._tls.set_connect_state()
        self._tls.set_session(session)

    def respond(self, data: bytes) -> bytes:
        """Answer a piece of TLS, or the acknowledgement of ours."""
        flags, payload = data[0], data[1:]
        if flags & 0x20:
            self._step()
            return self._next()
        if self._out:
            if data != b"\0":
                raise ClientError(f"no acknowledgement: {data.hex()}")
            return self._next()
        if flags & 0x80:
            (total,) = struct.unpack_from("!I", payload)
            payload = payload[4:]
            if total <= len(payload):
                raise ClientError("a length without a reason (RFC 9190 2.1.2)")
        self._in += payload
        if flags & 0x40:
            return b"\0"
        self._tls.bio_write(bytes(self._in))
        self._in.clear()
        self._step()
        return self._next()

    def finished(self, *, success: bool) -> None:
        """Success is worth something only after the server's Finished."""
        if not success:
            raise CertificateRejected(self.alert)
        if not self._done:
            raise ClientError("Success before the end of the handshake")

    def _step(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.alert = error.args[0][-1][2] if error.args[0] else "failed"
        else:
            self._finish()
        self._out += self._pending()
        self._first = True

    def _finish(self) -> None:
        self._done = True
        assert self._tls.get_protocol_version() == SSL.TLS1_2_VERSION
        # RFC 5216 2.3: of the Master Session Key the client's send key, [MS-SSTP] 3.2.5.2.4
        self.key = self._tls.export_keying_material(b"client EAP encryption", 128)[:32]
        shown = self._tls.get_peer_certificate()
        assert shown is not None
        self.server = crypto.dump_certificate(crypto.FILETYPE_ASN1, shown)

    def _pending(self) -> bytes:
        try:
            return self._tls.bio_read(65536)
        except SSL.WantReadError:
            return b""

    def _next(self) -> bytes:
        """Take the next piece; as Windows does, the first one says how long the whole is."""
        if not self._out:
            return b"\0"
        total, piece = len(self._out), bytes(self._out[: self._piece])
        del self._out[: self._piece]
        flags = (0x80 if self._first else 0) | (0x40 if self._out else 0)
        head = bytes([flags]) + (struct.pack("!I", total) if self._first else b"")
        self._first = False
        return head + piece


def _context(pem: bytes, ca: str, newest: int) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(newest)
    if pem:
        context.use_privatekey(typing.cast("typing.Any", load_pem_private_key(pem, None)))
        leaf, *chain = x509.load_pem_x509_certificates(pem)
        context.use_certificate(leaf)
        for one in chain:
            context.add_extra_chain_cert(one)
    store = context.get_cert_store()
    assert store is not None
    for root in x509.load_pem_x509_certificates(ca.encode()):
        store.add_cert(crypto.X509.from_cryptography(root))
    context.set_verify(SSL.VERIFY_PEER, None)
    return context

"""A client of TLS 1.3 that makes its own records once the handshake is done: KeyUpdates (RFC 8446
4.6.3) as many as a test wants, with content between them or without. No library makes so many.
"""

import socket
import ssl
import struct
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_HANDSHAKE, _CONTENT = 22, 23  # RFC 8446 5.1
#: KeyUpdate, update_not_requested and update_requested; RFC 8446 4.6.3.
UPDATE: Final = bytes.fromhex("18000001 00")
UPDATE_BOTH: Final = bytes.fromhex("18000001 01")


class Writer:
    """Writes records with the keys of the client.

    :param secret: the client's first application traffic secret (RFC 8446 7.1).
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._rekey()

    def content(self, data: bytes) -> bytes:
        """Return a record with content."""
        return self._record(data, _CONTENT)

    def update(self, message: bytes = UPDATE) -> bytes:
        """Return a record with a KeyUpdate; what comes behind it has the next key."""
        record = self._record(message, _HANDSHAKE)
        self._secret = self._expand("traffic upd", len(self._secret))
        self._rekey()
        return record

    def _rekey(self) -> None:
        """RFC 8446 7.2, 7.3: the key and the nonce of a secret; records are counted anew."""
        self._cipher = AESGCM(self._expand("key", 32))
        self._iv = int.from_bytes(self._expand("iv", 12))
        self._count = 0

    def _expand(self, label: str, length: int) -> bytes:
        """HKDF-Expand-Label with an empty context, RFC 8446 7.1."""
        name = b"tls13 " + label.encode()
        info = struct.pack("!HB", length, len(name)) + name + b"\0"
        return HKDFExpand(hashes.SHA384(), length, info).derive(self._secret)

    def _record(self, data: bytes, kind: int) -> bytes:
        """RFC 8446 5.2."""
        header = struct.pack("!BHH", _CONTENT, 0x0303, len(data) + 1 + 16)
        nonce = (self._iv ^ self._count).to_bytes(12)
        self._count += 1
        return header + self._cipher.encrypt(nonce, data + bytes([kind]), header)


def connect(plain: socket.socket, keys: Path) -> tuple[ssl.SSLSocket, Writer]:
    """Shake hands over ``plain``; write with what is returned and the socket's own ``send``, not TLS.

    :param keys: a file that is made for the secrets.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.keylog_filename = str(keys)
    tls = context.wrap_socket(plain)
    cipher = tls.cipher()
    assert cipher is not None and cipher[0] == "TLS_AES_256_GCM_SHA384", cipher
    (line,) = (one for one in keys.read_text().splitlines() if "CLIENT_TRAFFIC_SECRET_0" in one)
    return tls, Writer(bytes.fromhex(line.split()[-1]))

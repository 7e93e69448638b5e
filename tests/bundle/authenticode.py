"""What Windows checks of a signed script, put together again without osslsigncode.

The block is found as PowerShell's own reader does, and the digest made anew: SHA-256 of the text
before the block as UTF-16LE, with the byte order mark. The structures: PKCS #7 (RFC 2315) and
"Windows Authenticode Portable Executable Signature Format".
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

_BLOCK = re.compile(
    rb"\r\n# SIG # Begin signature block\r\n((?:# [A-Za-z0-9+/=]{1,64}\r\n)+)"
    rb"# SIG # End signature block\r\n\Z"
)
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_SPC_INDIRECT_DATA = bytes.fromhex("2b060104018237020104")
_SPC_SIP_INFO = bytes.fromhex("2b06010401823702011e")
_POWERSHELL = bytes.fromhex("1fcc3b60594b084eb724d2c6297ef351")
_SHA256 = bytes.fromhex("608648016503040201")
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")


@dataclass(frozen=True, slots=True)
class Value:
    """One DER value: tag, content, and all its bytes."""

    tag: int
    content: bytes
    whole: bytes

    @property
    def parts(self) -> list["Value"]:
        found, at = [], 0
        while at < len(self.content):
            found.append(_value(self.content[at:]))
            at += len(found[-1].whole)
        return found


def _value(data: bytes) -> Value:
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    assert len(data) >= start + length
    return Value(data[0], data[start : start + length], data[: start + length])


def check(signed: bytes) -> x509.Certificate:
    """Return the publisher's certificate if the signature is one on this very script."""
    block = _BLOCK.search(signed)
    assert block is not None
    text = signed[: block.start()].decode()
    der = base64.b64decode(b"".join(line[2:] for line in block[1].split(b"\r\n")), validate=True)
    kind, wrapped = _value(der).parts
    assert kind.content == _SIGNED_DATA
    _version, _digests, content, certificates, signers = wrapped.parts[0].parts
    spc = _checked_content(content, hashlib.sha256(text.encode("utf-16-le")).digest())
    (signer,) = signers.parts
    publisher = x509.load_der_x509_certificate(certificates.parts[0].whole)
    _check_signer(signer, spc, publisher)
    return publisher


def _checked_content(content: Value, digest: bytes) -> Value:
    kind, wrapped = content.parts
    assert kind.content == _SPC_INDIRECT_DATA
    (spc,) = wrapped.parts
    data, info = spc.parts
    sip, values = data.parts
    assert sip.content == _SPC_SIP_INFO
    assert values.parts[1].content == _POWERSHELL
    algorithm, found = info.parts
    assert algorithm.parts[0].content == _SHA256
    assert found.content == digest, "the script was changed"
    return spc


def _check_signer(signer: Value, spc: Value, publisher: x509.Certificate) -> None:
    _version, _who, algorithm, attributes, _encryption, signature, *_ = signer.parts
    assert algorithm.parts[0].content == _SHA256
    by_kind = {one.parts[0].content: one.parts[1].parts[0].content for one in attributes.parts}
    # of the value alone, without tag and length: RFC 2315 9.3
    assert by_kind[_MESSAGE_DIGEST] == hashlib.sha256(spc.content).digest()
    # signed as the SET that they are, not with the tag that they have here
    signed = b"\x31" + attributes.whole[1:]
    key = publisher.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature.content, signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature.content, signed, ec.ECDSA(hashes.SHA256()))

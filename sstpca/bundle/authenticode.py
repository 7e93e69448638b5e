"""Authenticode signatures for PowerShell scripts, made by osslsigncode(1).

Windows with the execution policy AllSigned runs no script without one. It is a comment at the end:
PKCS#7 SignedData over SpcIndirectDataContent, whose digest is SHA-256 of the script before the
comment, as UTF-16LE with the byte order mark.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..disk.reading import read_file
from ..errors import InvalidInput, NotFound, Unavailable
from ..x509.extensions import read_extensions
from ..x509.keys import PrivateKey
from ..x509.parsing import Contents, Password, parse
from .content.sums import SUMS, with_sums

PROGRAM: Final = "osslsigncode"
# 2.8 is the first that signs scripts, 2.9 the first that reads the password from its input
_VERSION: Final = (2, 9)
_SCRIPT: Final = ".ps1"
_BLOCK: Final = b"\r\n# SIG # Begin signature block\r\n"
_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs scripts with one key. It can be sent to another process.

    :param file: the key and its certificates: PKCS#12, or one PEM file.
    :param pem: which of the two.
    :param time: what the signatures say of their time, seconds since 1970. It is the beginning of
        the certificate, so that the same script gives the same bytes (with an RSA key); nobody
        vouches for it, and Windows does not look at it.
    :param publisher: the certificate, which the PCs have to trust; DER.
    """

    file: Path
    pem: bool
    time: int
    publisher: bytes = field(repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def load(cls, file: Path, password: Password) -> "Signer":
        """Return what signs with the key in ``file``.

        :param password: called only if the key is encrypted.
        :raises SstpcaError: if there is no key for signing scripts, the password is wrong, or
            there is no osslsigncode that can do it.
        """
        content, said = read_file(file, "the code-signing key"), list[bytes]()

        def ask(path: Path) -> bytes:
            said.append(password(path))
            return said[-1]

        certificate = _publisher(file, parse(file, content, ask))
        _check_program()
        return cls(
            file=file.absolute(),
            pem=b"-----BEGIN " in content,
            time=int(certificate.not_valid_before_utc.timestamp()),
            publisher=certificate.public_bytes(Encoding.DER),
            password=said[-1].decode() if said else None,
        )

    @property
    def certificate(self) -> x509.Certificate:
        """The publisher's certificate."""
        return x509.load_der_x509_certificate(self.publisher)

    def sign(self, name: str, content: bytes) -> bytes:
        """Return the script ``content`` with its signature.

        :param name: of the file, for the error.
        :raises SstpcaError: if osslsigncode fails.
        """
        with tempfile.TemporaryDirectory(prefix="sstpca-sign-") as folder:
            source, target = Path(folder, "unsigned.ps1"), Path(folder, "signed.ps1")
            source.write_bytes(content)
            done = _run(*self._arguments(source, target), stdin=f"{self.password or ''}\n")
            signed = target.read_bytes() if target.exists() else b""
        if done.returncode or not signed.startswith(content + _BLOCK):
            raise Unavailable(f"{PROGRAM} cannot sign {name}: {_last_line(done.stderr)}")
        return signed

    def _arguments(self, source: Path, target: Path) -> list[str]:
        file = str(self.file)
        keys = ["-certs", file, "-key", file] if self.pem else ["-pkcs12", file]
        password = ["-readpass", "-"] if self.password is not None else []
        when = ["-h", "sha256", "-time", str(self.time)]
        return ["sign", *keys, *password, *when, "-in", str(source), "-out", str(target)]


def signed(files: Mapping[str, bytes], signer: Signer | None) -> dict[str, bytes]:
    """Return ``files`` with all PowerShell scripts signed, and SHA256SUMS to match.

    :param signer: None: nothing is signed.
    :raises SstpcaError: see :meth:`Signer.sign`.
    """
    if signer is None:
        return dict(files)
    found = {
        name: signer.sign(name, content) if name.endswith(_SCRIPT) else content
        for name, content in files.items()
    }
    return with_sums(found) if SUMS in found else found


def unsigned(script: bytes) -> bytes:
    """Return ``script`` without its signature, if it has one and nothing else after it."""
    content, mark, block = script.partition(_BLOCK)
    comments = all(line.startswith(b"# ") for line in block.splitlines())
    return content if mark and comments else script


def _publisher(file: Path, contents: Contents) -> x509.Certificate:
    """Return the certificate of the key, if Windows takes its signatures on scripts.

    PowerShell wants Code Signing among the extended usages, RFC 5280 4.2.1.12.
    """
    if len(contents.keys) != 1:
        raise InvalidInput(
            f"{file} has {len(contents.keys)} private keys, and signing needs one",
            "give a .p12 file, or a PEM file with the key and its certificate",
        )
    fitting = [one for one in contents.certificates if _belongs(contents.keys[0], one)]
    if not fitting:
        raise InvalidInput(f"the certificate of the private key is not in {file}")
    try:
        found = read_extensions(fitting[0]).readable
        usages = found.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    if ExtendedKeyUsageOID.CODE_SIGNING not in usages:
        raise InvalidInput(
            f"the certificate in {file} is not for code signing",
            "take one with the extended key usage Code Signing (1.3.6.1.5.5.7.3.3)",
        )
    return fitting[0]


def _belongs(key: PrivateKey, certificate: x509.Certificate) -> bool:
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def _check_program() -> None:
    found = re.search(r"osslsigncode (\d+)\.(\d+)", _run("--version", stdin="").stdout)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < _VERSION:
        raise Unavailable(
            f"osslsigncode {version[0]}.{version[1]} cannot sign PowerShell scripts",
            "install 2.9 or newer: Debian 13 has it, Debian 12 in bookworm-backports",
        )


def _run(*arguments: str, stdin: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise NotFound(
            "there is no osslsigncode to sign with", "install the Debian package osslsigncode"
        ) from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"osslsigncode does not end within {_SECONDS} seconds") from None


def _last_line(text: str) -> str:
    """Return what osslsigncode complained about; the line that says only "Failed" is no help."""
    lines = [line.strip() for line in text.splitlines()]
    useful = [line for line in lines if line and line != "Failed"]
    return useful[0] if useful else "it does not say why"

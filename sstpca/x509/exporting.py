"""Certificates and keys as other programs want them: PEM, DER, PKCS#12, files for RouterOS."""

import re
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from ..errors import InvalidInput, option
from .certificate_profiles import SERVER
from .certificates import Certificate, certificate_to_pem
from .keys import key_to_pem
from .pair import Pair

PKCS12_ITERATIONS: Final = 100_000
"""Windows refuses more than 600,000; the MAC has the 2048 that the library gives it."""

PASSWORD_MIN: Final = 8
PASSWORD_MAX: Final = 256

ROUTEROS_PREFIX: Final = "sstpca"
"""What names on a RouterOS router begin with: nobody else's do."""

_OTHER_SIGNS: Final = re.compile(r"[^A-Za-z0-9._-]")
# in a string of RouterOS: quotes, variables, escapes, and ? which asks the terminal for help
_ROUTEROS_SIGNS: Final = frozenset(b'"$\\?')


def to_chain(pair: Pair, root: x509.Certificate | None = None) -> bytes:
    """Return the leaf, the intermediates and, if given, the ``root`` as PEM."""
    certificates = (pair.leaf, *intermediates(pair), *(() if root is None else (root,)))
    return b"".join(map(certificate_to_pem, certificates))


def intermediates(pair: Pair) -> tuple[x509.Certificate, ...]:
    """Return the certificates between the leaf and its root, without both."""
    return tuple(one for one in pair.certificates[1:] if not Certificate.of(one).self_issued)


def key_of(pair: Pair) -> bytes:
    """Return the private key as PEM, not encrypted."""
    return key_to_pem(pair.key)


def check_password(text: str) -> bytes:
    """Return the password for a PKCS#12 file as bytes.

    :raises InvalidInput: if it is too short or too long, or programs would read it differently:
        some take its UTF-8 for Latin-1.
    """
    if not all(0x20 <= ord(sign) < 0x7F for sign in text):
        raise InvalidInput(
            "the password for a PKCS#12 file has signs that not all programs read alike",
            "use letters without accents, digits and signs of ASCII",
        )
    if not PASSWORD_MIN <= len(text) <= PASSWORD_MAX:
        raise InvalidInput(
            f"the password for a PKCS#12 file has {len(text)} characters, "
            f"not {PASSWORD_MIN} to {PASSWORD_MAX}",
            "take another, or let ",
            option("--generate"),
            " make one",
        )
    return text.encode()


def to_pkcs12(pair: Pair, friendly_name: str, password: bytes, *, legacy: bool = False) -> bytes:
    """Return key, leaf and intermediates as PKCS#12, never the root.

    Windows would put a root into the user's store, with a prompt that frightens people.

    :param legacy: pbeWithSHA1And3-KeyTripleDES-CBC with a SHA-1 MAC, all that Windows before 10
        1809 and Server 2019 reads; else PBES2 with AES-256-CBC, and HMAC-SHA256.
    """
    scheme = pkcs12.PBES.PBESv2SHA256AndAES256CBC
    mac: hashes.HashAlgorithm = hashes.SHA256()
    if legacy:
        scheme = pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC
        mac = hashes.SHA1()  # noqa: S303 what old Windows reads
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(PKCS12_ITERATIONS)
        .key_cert_algorithm(scheme)
        .hmac_hash(mac)
        .build(password)
    )
    return pkcs12.serialize_key_and_certificates(
        friendly_name.encode(), pair.key, pair.leaf, intermediates(pair) or None, encryption
    )


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file to write.

    :param secret: whether nobody but its owner is to read it.
    """

    content: bytes = field(repr=False)
    secret: bool = False


def to_routeros(pair: Pair, authority: x509.Certificate | None) -> dict[str, ExportedFile]:
    """Return the files that a RouterOS router imports, by name.

    All names begin with "sstpca-": on a router that is there already, ``server.crt`` and
    ``ca.crt`` are likely to be its owner's.

    :param authority: goes into a file of its own; None where another authority issued the
        certificate.
    """
    stem = routeros_stem(pair)
    files = {
        f"{stem}.crt": ExportedFile(to_chain(pair)),
        f"{stem}.key": ExportedFile(key_to_pem(pair.key), secret=True),
    }
    if authority is not None:
        files[f"{ROUTEROS_PREFIX}-ca.crt"] = ExportedFile(certificate_to_pem(authority))
    script = _routeros_script(pair, list(files))
    return files | {f"{stem}.rsc": ExportedFile(script.encode())}


def file_stem(name: str) -> str:
    """Return ``name`` as a file name that every system takes, and that is not the authority's."""
    stem = _OTHER_SIGNS.sub("_", name).lstrip(".-") or "certificate"
    return f"{stem}-certificate" if stem.lower() == "ca" else stem


def routeros_stem(pair: Pair) -> str:
    """Return how the names of all files for ``pair`` on a RouterOS router begin."""
    return f"{ROUTEROS_PREFIX}-{file_stem(pair.name)}"


def routeros_use(pair: Pair) -> str:
    """Return the command that lets a RouterOS router use ``pair`` once it is imported."""
    # the first certificate of a file gets the file's name, and this
    imported = routeros_string(f"{routeros_stem(pair)}.crt_0")
    if pair.profile == SERVER.name:
        return f"/interface sstp-server server set certificate={imported}"
    return f"/interface sstp-client set [find name=NAME] certificate={imported}"


def _routeros_script(pair: Pair, files: list[str]) -> str:
    stem = routeros_stem(pair)
    return "\n".join(
        [
            "# Upload these files to the router, then there, in a terminal:",
            f"#   /import file-name={routeros_string(stem + '.rsc')}",
            *(
                f'/certificate import file-name={routeros_string(file)} passphrase=""'
                for file in files
            ),
            "# The router keeps the key apart from the file, which is not needed any more.",
            f"/file remove {routeros_string(stem + '.key')}",
            "# Flags K (private key) and T (trusted) have to be there:",
            f"#   /certificate print where name={routeros_string(stem + '.crt_0')}",
            "# When they are, use it:",
            f"#   {routeros_use(pair)}",
            "",
        ]
    )


def routeros_string(text: str) -> str:
    """Return ``text`` as a string of RouterOS' scripting language: ASCII, as its export writes it.

    What is not printable ASCII is two upper-case hexadecimal digits for each byte of its UTF-8.
    """
    return '"' + "".join(map(_routeros_byte, text.encode())) + '"'


def _routeros_byte(byte: int) -> str:
    if byte in _ROUTEROS_SIGNS:
        return f"\\{byte:c}"
    return f"{byte:c}" if 0x20 <= byte < 0x7F else f"\\{byte:02X}"

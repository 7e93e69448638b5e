"""PEM as other programs, mails and keyboards leave it."""

import base64
import re
import subprocess
import warnings
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from sstpca.errors import SstpcaError
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import key_to_pem
from sstpca.x509.parsing import Contents, certificates_in, parse
from sstpca.x509.pem import Block, PemError, blocks
from tests.support.forge import authority
from tests.support.requirements import require

PATH = Path("file")
KEY = ec.generate_private_key(ec.SECP256R1())
ONE, TWO, THREE = (authority(name, KEY).certificate for name in ("one", "two", "three"))
CHAIN = [ONE, TWO, THREE]
PEM = b"".join(map(certificate_to_pem, CHAIN))
DER = ONE.public_bytes(Encoding.DER)
P7 = pkcs7.serialize_certificates(CHAIN, Encoding.DER)


def no_password(path: Path) -> bytes:
    raise AssertionError(f"there is nothing encrypted in {path}")


def read(content: bytes) -> Contents:
    # a warning would be an error of pytest; the user would see a line of our source
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return parse(PATH, content, no_password)


def refused(content: bytes) -> str:
    with pytest.raises(SstpcaError) as caught:
        read(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def armoured(der: bytes, label: str, width: int = 64) -> bytes:
    text = base64.b64encode(der)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return b"\n".join(
        (f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----".encode())
    )


FORMS = {
    "glued": PEM.replace(b"-----\n-----", b"----------"),
    "no line ends at all": PEM.replace(b"\n", b""),
    "indented": re.sub(rb"(?m)^", b"    ", PEM),
    "tabs and blanks behind": PEM.replace(b"\n", b" \t\n"),
    "CRLF": PEM.replace(b"\n", b"\r\n"),
    "CR": PEM.replace(b"\n", b"\r"),
    "empty lines": PEM.replace(b"\n", b"\n\n"),
    "no end of the last line": PEM.rstrip(b"\n"),
    "long lines": b"\n".join(armoured(one.public_bytes(Encoding.DER), "CERTIFICATE", 9999) for one in CHAIN),
    "short lines": b"\n".join(armoured(one.public_bytes(Encoding.DER), "CERTIFICATE", 7) for one in CHAIN),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + PEM,
    "UTF-16 as PowerShell writes it": PEM.decode().replace("\n", "\r\n").encode("utf-16"),
    "a mark in the middle": PEM.replace(b"-----\n-----", b"-----\n\xef\xbb\xbf-----"),
    "text between": b"subject=CN = one\r\n" + PEM.replace(b"-----\n-----", b"-----\nissuer=x\n-----"),
    "X509 CERTIFICATE": PEM.replace(b" CERTIFICATE-", b" X509 CERTIFICATE-"),
    "TRUSTED CERTIFICATE": b"\n".join(
        armoured(one.public_bytes(Encoding.DER) + b"\x30\x0c\x30\x0a\x06\x08+\x06\1\5\5\7\3\1", "TRUSTED CERTIFICATE")
        for one in CHAIN
    ),
    "PKCS7": armoured(P7, "PKCS7"),
    "CMS": armoured(P7, "CMS"),
    "PKCS #7 SIGNED DATA": armoured(P7, "PKCS #7 SIGNED DATA"),
    "certnew.p7b of AD CS": armoured(P7, "CERTIFICATE").replace(b"\n", b"\r\n"),
    "PKCS#7 without lines around it": base64.encodebytes(P7),
    "DER": b"".join(one.public_bytes(Encoding.DER) for one in CHAIN),
    "DER of PKCS#7 and a line end": P7 + b"\r\n",
    "parameters beside them": PEM
    + armoured(b"\x30\x03\x02\x01\x00", "DH PARAMETERS"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form: str) -> None:
    assert set(read(FORMS[form]).certificates) == set(CHAIN)
    assert len(certificates_in(FORMS[form], "file")) == len(CHAIN)


@pytest.mark.parametrize(
    "options",
    [
        ["crl2pkcs7", "-nocrl", "-certfile", "in.pem"],
        ["crl2pkcs7", "-nocrl", "-certfile", "in.pem", "-outform", "DER"],
        ["x509", "-in", "in.pem", "-trustout"],
        ["x509", "-in", "in.pem", "-text"],
        ["pkcs12", "-export", "-nokeys", "-in", "in.pem", "-passout", "pass:"],
    ],
    ids=lambda options: " ".join(options[:1] + options[-2:]),
)
def test_what_openssl_writes(options: list[str], tmp_path: Path) -> None:
    require("openssl", root=False)
    (tmp_path / "in.pem").write_bytes(PEM)
    done = subprocess.run(["openssl", *options], cwd=tmp_path, check=True, capture_output=True)
    assert ONE in read(done.stdout).certificates


def test_what_openssl_says_beside_keys_and_certificates(tmp_path: Path) -> None:
    """Bag Attributes, which name no colon-less lines, and parameters before an EC key."""
    require("openssl", root=False)
    p12 = pkcs12.serialize_key_and_certificates(
        b"x", KEY, ONE, [TWO, THREE], BestAvailableEncryption(b"secret")
    )
    (tmp_path / "in.p12").write_bytes(p12)
    command = "openssl pkcs12 -in in.p12 -passin pass:secret -nodes"
    done = subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    found = read(done.stdout)
    assert (set(found.certificates), len(found.keys)) == (set(CHAIN), 1)
    command = "openssl ecparam -name prime256v1 -genkey"
    done = subprocess.run(command.split(), check=True, capture_output=True)
    assert b"EC PARAMETERS" in done.stdout
    assert len(read(done.stdout).keys) == 1


@pytest.mark.parametrize("cipher", ["aes256", "des3"])
def test_keys_that_old_openssl_encrypted(cipher: str, tmp_path: Path) -> None:
    require("openssl", root=False)
    (tmp_path / "key").write_bytes(key_to_pem(KEY))
    command = ["openssl", "ec", "-in", "key", f"-{cipher}", "-passout", "pass:secret"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert b"Proc-Type: 4,ENCRYPTED" in done.stdout
    for content in (
        done.stdout,
        done.stdout.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + done.stdout,
    ):
        (key,) = parse(PATH, content, lambda _: b"secret").keys
        assert key.public_key() == KEY.public_key()


def test_a_p12_by_another_name_or_in_armour() -> None:
    p12 = pkcs12.serialize_key_and_certificates(
        b"x", KEY, ONE, [TWO], BestAvailableEncryption(b"secret")
    )
    # certutil -encode says CERTIFICATE, whatever it is
    for content in (p12, armoured(p12, "CERTIFICATE"), armoured(p12, "PKCS12")):
        assert parse(PATH, content, lambda _: b"secret").certificates == (ONE, TWO)


def test_the_password_is_asked_for_once() -> None:
    asked = list[Path]()

    def password(path: Path) -> bytes:
        asked.append(path)
        return b"secret"

    other = ec.generate_private_key(ec.SECP256R1())
    content = key_to_pem(KEY, b"secret") + key_to_pem(other, b"secret")
    assert len(parse(PATH, content, password).keys) == 2
    assert asked == [PATH]


SECOND = certificate_to_pem(TWO)
HALF = len(SECOND) // 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (PEM + SECOND[:HALF], r"block 4 \(CERTIFICATE, line \d+\) has no END line"),
        (SECOND[:HALF] + PEM, r"block 1 \(CERTIFICATE, line 1\) has no END line"),
        (SECOND[HALF:] + PEM, r"line \d ends a block \(CERTIFICATE\) that has no BEGIN line"),
        (PEM.replace(b"END", b"END X509", 1), "ends as another one, X509 CERTIFICATE, in line"),
        (PEM.replace(b"MI", b"M*", 1), r"block 1 .* is not base64: it has '\*', 1 lines after"),
        (PEM.replace(b"\n", b"<br>\n"), "part of a web page or of a mail in HTML"),
        (PEM.replace(b"\n", b"&#10;"), "part of a web page or of a mail in HTML"),
        (PEM.replace(b"\n", b"\\n"), "its line ends are written as .n, as in JSON"),
            (PEM.replace(b"\n", b"=\n").replace(b"-----=", b"-----"), "quoted-printable"),
        (armoured(b"\1" * 200, "CERTIFICATE"), "block 1 .* not what its label says"),
        (armoured(DER[:-9], "CERTIFICATE"), "block 1 .* not what its label says"),
        (PEM.replace(b"-----", "\u2014\u2014-".encode()), "five hyphens"),
        (PEM.replace(b"-----B", b"----B"), "that has no BEGIN line"),
        (armoured(b"x", "CERTIFICATE").replace(b"eA==", b""), r"block 1 .* is empty"),
        (armoured(b"x", "OPENSSH PRIVATE KEY"), "is a key for SSH"),
        (armoured(b"x", "PGP MESSAGE"), "only PGP MESSAGE"),
        (PEM.decode().encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (b"PK\x03\x04" + bytes(99), "is a zip: unpack it first"),
        (b"<!doctype html><p>", "is a web page"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", "is a Java keystore"),
        (DER[:-1], "it is cut off or damaged"),
    ],
    # never the content, which differs from one process to the next
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_place(content: bytes, why: str) -> None:
    assert re.search(why, refused(content))


KNOWN = [
    certificate_to_pem(ONE),
    certificate_to_pem(TWO).replace(b" CERT", b" TRUSTED CERT"),
    key_to_pem(KEY),
    KEY.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret")
    ),
    armoured(P7, "PKCS7"),
]
[ENDS] = [[b"\n", b"\r\n", b"\r", b""]]
texts = st.text(st.characters(codec="utf-8", exclude_characters="-"), max_size=20).map(str.encode)


@st.composite
def gluings(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    """Known blocks, with anything between, indented, with any line ends."""
    chosen = draw(st.lists(st.sampled_from(KNOWN), max_size=6))
    content = draw(texts)
    for block in chosen:
        lines = block.rstrip(b"\n").split(b"\n")
        end = draw(st.sampled_from(ENDS if b"Proc-Type" not in block else ENDS[:3]))
        indent = draw(st.sampled_from([b"", b"  ", b"\t"]))
        content += end.join(indent + line for line in lines) + draw(texts)
    return chosen, content


@given(gluings())
def test_gluing_loses_no_block(drawn: tuple[list[bytes], bytes]) -> None:
    chosen, content = drawn
    expected = [next(blocks(one)) for one in chosen]

    def held(block: Block) -> tuple[str, bytes, bytes]:
        return block.label, block.der, block.headers

    assert list(map(held, blocks(content))) == list(map(held, expected))
    assert [next(blocks(one.pem)).der for one in expected] == [one.der for one in expected]


@given(st.lists(st.sampled_from([b"-----BEGIN A-----", b"-----END A-----", b"eA==", b"\n", b"-"])))
def test_any_markers_are_blocks_or_an_error(parts: list[bytes]) -> None:
    try:
        for block in blocks(b"".join(parts)):
            assert block.label == "A"
    except PemError as error:
        assert "\n" not in str(error)

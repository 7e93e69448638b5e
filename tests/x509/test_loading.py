"""Certificates of authorities with odd but legal contents."""

import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sstpca.errors import SstpcaError
from sstpca.lint.checks import Presented, lint
from sstpca.names import parse_hosts
from sstpca.x509.asn1 import INTEGER, OCTETS, OID, SEQUENCE, children, encoded
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.extensions import read_extensions
from sstpca.x509.loading import load_certificate
from tests.support.forge import HOST, NOW, authority, make, server_extensions
from tests.support.requirements import require

KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = authority("root", KEY)
LEAF = make("leaf", KEY.public_key(), ROOT, server_extensions())
SERIAL, VALIDITY, SUBJECT, KEY_FIELD, EXTENSIONS = 1, 4, 5, 6, 7
NAMES, BASIC, POLICIES, LIMITS = "551d11", "551d13", "551d20", "551d1e"

Change = Callable[[list[bytes]], None]


def sequence(*parts: bytes) -> bytes:
    return encoded(SEQUENCE, b"".join(parts))


def oid(text: str) -> bytes:
    return encoded(OID, bytes.fromhex(text))


def built(change: Change) -> bytes:
    """Return LEAF with other fields, signed by its authority."""
    tbs, algorithm, _ = children(LEAF.public_bytes(Encoding.DER))
    fields = [one.whole for one in children(tbs.whole)]
    change(fields)
    content = sequence(*fields)
    signature = KEY.sign(content, ec.ECDSA(hashes.SHA256()))
    return sequence(content, algorithm.whole, encoded(3, b"\0" + signature))


def extension(number: str, value: bytes, critical: bytes = b"") -> bytes:
    return sequence(oid(number), critical, encoded(OCTETS, value))


def with_extension(number: str, value: bytes, critical: bytes = b"") -> Change:
    """Put an extension in the place of the one of this kind."""

    def change(fields: list[bytes]) -> None:
        found = [one.whole for one in children(children(fields[EXTENSIONS])[0].whole)]
        kept = [one for one in found if oid(number) not in one]
        made = sequence(*kept, extension(number, value, critical))
        fields[EXTENSIONS] = encoded(0xA3, made)

    return change


def twice(fields: list[bytes]) -> None:
    found = [one.whole for one in children(children(fields[EXTENSIONS])[0].whole)]
    fields[EXTENSIONS] = encoded(0xA3, sequence(*found, found[0]))


def field(index: int, value: bytes) -> Change:
    def change(fields: list[bytes]) -> None:
        fields[index] = value

    return change


def subject(tag: int, value: bytes) -> Change:
    return field(SUBJECT, sequence(encoded(0x31, sequence(oid("550403"), encoded(tag, value)))))


def more(*fields: bytes) -> Change:
    """Put unique identifiers before the extensions."""

    def change(found: list[bytes]) -> None:
        found[EXTENSIONS:EXTENSIONS] = fields

    return change


TIME = encoded(0x17, b"260101000000Z"), encoded(0x17, b"991231235959Z")
DNS = encoded(0x82, HOST.encode())
# UserNotice with a VisibleString in Latin-1, as a public authority once wrote it
POLICY = sequence(
    sequence(
        oid("2a03"),
        sequence(sequence(oid("2b06010505070202"), sequence(encoded(0x1A, b"pol\xedtica")))),
    )
)

TAKEN: dict[str, Change] = {
    "a serial of zero": field(SERIAL, encoded(INTEGER, b"\0")),
    "a negative serial": field(SERIAL, encoded(INTEGER, b"\x80\1")),
    "a serial of 30 bytes": field(SERIAL, encoded(INTEGER, b"\1" * 30)),
    "BMPString": subject(0x1E, "J\u00f6rg".encode("utf-16-be")),
    "UniversalString": subject(0x1C, "J\u00f6rg".encode("utf-32-be")),
    "TeletexString": subject(0x14, b"Joerg"),
    "an empty common name": subject(0x0C, b""),
    "a common name of 100": subject(0x0C, b"x" * 100),
    "no subject": field(SUBJECT, sequence()),
    "GeneralizedTime before 2050": field(
        VALIDITY,
        sequence(encoded(0x18, b"20260101000000Z"), encoded(0x18, b"20490101000000Z")),
    ),
    "until 9999": field(VALIDITY, sequence(TIME[0], encoded(0x18, b"99991231235959Z"))),
    "unique identifiers": more(encoded(0x81, b"\0abc"), encoded(0x82, b"\0abc")),
    "a policy with bad signs": with_extension(POLICIES, POLICY),
    "a path length without an authority": with_extension(BASIC, sequence(b"\2\1\0"), b"\1\1\xff"),
    "no authority, written out": with_extension(BASIC, sequence(b"\1\1\0")),
    "a minimum written out": with_extension(
        LIMITS, sequence(encoded(0xA0, sequence(encoded(0x82, b"example.com"), b"\x80\1\0")))
    ),
    "a name in Latin-1 beside": with_extension(NAMES, sequence(DNS, encoded(0x82, b"j\xf6.de"))),
    "an address of 5 bytes beside": with_extension(NAMES, sequence(DNS, encoded(0x87, b"12345"))),
    "an x400Address beside": with_extension(NAMES, sequence(DNS, encoded(0xA3, sequence()))),
    "an unknown extension": with_extension("2a0304", b"\5\0"),
}  # fmt: skip
REFUSED: dict[str, tuple[Change, str]] = {
    "an extension twice": (twice, r"basicConstraints \(2\.5\.29\.19\) .*'CN=leaf' is there twice"),
    "names that are none": (
        with_extension(NAMES, b"\5\0"),
        r"subjectAltName \(2\.5\.29\.17\) of the certificate 'CN=leaf' cannot be read",
    ),
    "limits that are none": (
        with_extension(
            LIMITS, sequence(encoded(0xA0, sequence(encoded(0x87, b"\x0a\0\0\0\xff\0\xff\0"))))
        ),
        r"nameConstraints \(2\.5\.29\.30\) .* cannot be read",
    ),
    "a critical one that is none": (
        with_extension(POLICIES, POLICY, b"\1\1\xff"),
        r"certificatePolicies \(2\.5\.29\.32\) .* cannot be read",
    ),
    "not critical, written out": (
        with_extension("2a0304", b"\5\0", b"\1\1\0"),
        r"its extension 1\.2\.3\.4 says whether it is critical",
    ),
    "a PrintableString with @": (
        subject(0x13, b"a@b"),
        r"'a@b' in its subject \(attribute 2\.5\.4\.3\) is no PrintableString",
    ),
    "a TeletexString in Latin-1": (subject(0x14, b"J\xf6rg"), "is a TeletexString"),
    "an empty part of a name": (field(SUBJECT, sequence(encoded(0x31, b""))), "is empty"),
    "a time without seconds": (
        field(VALIDITY, sequence(encoded(0x17, b"2601010000Z"), TIME[1])),
        "'2601010000Z' in its validity is a time without seconds",
    ),
    "a time with an offset": (
        field(VALIDITY, sequence(encoded(0x17, b"260101000000+0100"), TIME[1])),
        "in another form",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_what_openssl_verifies_is_taken(name: str, tmp_path: Path) -> None:
    require("openssl", root=False)
    der = built(TAKEN[name])
    root, leaf = tmp_path / "root.pem", tmp_path / "leaf.pem"
    root.write_bytes(certificate_to_pem(ROOT.certificate))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_certificate(der, "file")
    leaf.write_bytes(certificate_to_pem(found))
    subprocess.run(["openssl", "verify", "-CAfile", root, leaf], check=True, capture_output=True)
    report = lint(
        Presented([der], "the leaf"),
        hosts=parse_hosts([HOST]),
        trusted=[ROOT.certificate],
        now=NOW,
    )
    assert report.leaf == found
    assert "unreadable" not in {one.check for one in report.findings}
    readable = read_extensions(found).readable
    san = readable.get_extension_for_class(x509.SubjectAlternativeName).value
    assert HOST in san.get_values_for_type(x509.DNSName)
    assert not readable.get_extension_for_class(x509.BasicConstraints).value.ca


def test_what_was_left_out_is_said() -> None:
    for name, oid_text in (
        ("a policy with bad signs", "certificatePolicies (2.5.29.32)"),
        ("an x400Address beside", "subjectAltName (2.5.29.17)"),
    ):
        report = lint(
            Presented([built(TAKEN[name])]), hosts=None, trusted=[ROOT.certificate], now=NOW
        )
        assert any(oid_text in one.found for one in report.findings if one.check == "extension")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named(name: str) -> None:
    change, why = REFUSED[name]
    with pytest.raises(SstpcaError, match=why) as caught:
        load_certificate(built(change), "chain.pem, block 2 (CERTIFICATE, line 31),")
    assert str(caught.value).startswith("chain.pem, block 2 (CERTIFICATE, line 31)")
    assert "\n" not in str(caught.value)
    report = lint(Presented([built(change)]), hosts=None, trusted=[], now=NOW)
    assert [one.check for one in report.findings] == ["unreadable"]


def test_a_key_of_another_kind_is_named_with_its_certificate() -> None:
    """brainpoolP320r1, which OpenSSL knows and the library does not."""
    curve = sequence(oid("2a8648ce3d0201"), oid("2b2403030208010109"))
    point = encoded(3, b"\0\4" + bytes(80))
    with pytest.raises(SstpcaError) as caught:
        load_certificate(built(field(KEY_FIELD, sequence(curve, point))), "ca.pem, block 2,")
    assert str(caught.value) == (
        "ca.pem, block 2: the key of the certificate 'CN=leaf' is damaged, or of a kind that is not "
        "known here (1.2.840.10045.2.1, 1.3.36.3.3.2.8.1.1.9)"
    )


@pytest.mark.parametrize("parts", [b"", encoded(OID, b"\x55\x04\x03")])
@pytest.mark.parametrize("field", [2, 4])
def test_a_name_that_is_cut_off_is_said_and_breaks_nothing(parts: bytes, field: int) -> None:
    """An attribute with no value, or nothing at all (X.501 9.3): found by fuzzing."""
    name = encoded(SEQUENCE, encoded(0x31, encoded(SEQUENCE, parts)))
    fields = [encoded(SEQUENCE, b"")] * 6
    fields[field] = name
    der = encoded(SEQUENCE, encoded(SEQUENCE, b"".join(fields)))
    with pytest.raises(SstpcaError, match="it is no certificate, or a damaged one"):
        load_certificate(der, "x.pem")

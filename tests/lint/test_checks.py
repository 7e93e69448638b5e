"""What lint finds: one planted defect at a time, and nothing else."""

import contextlib
import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.authority.authority import Authority
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.lint import chain, eap, host_names, leaf
from sstpca.lint.checks import CHAIN_MAX, Presented, Report, lint, split_port
from sstpca.lint.findings import Severity, Windows
from sstpca.lint.readable import Readable, read
from sstpca.names import Hosts, parse_hosts
from sstpca.x509.keys import KeyType
from sstpca.x509.parsing import certificates_in
from tests.support.forge import (
    DAY,
    HOST,
    NOW,
    Issuer,
    authority,
    authority_extensions,
    changed,
    common_name,
    make,
    server_extensions,
    signed_again,
    usage,
)

DNS = x509.DNSName
# the name of the module is also a function's
lint_module = importlib.import_module("sstpca.lint.checks")
HOSTS = parse_hosts([HOST])


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """A root (RSA), an authority below it, and a key for leaves."""

    rsa_key: rsa.RSAPrivateKey
    key: ec.EllipticCurvePrivateKey
    root: Issuer
    middle: Issuer

    def leaf(self, *others: Any, without: type[Any] | None = None, **options: Any) -> bytes:
        """Return a server's certificate by ``middle``, but for what the caller changes."""
        extensions = changed(server_extensions(), *others, without=without)
        wanted: dict[str, Any] = {
            "subject": HOST,
            "key": self.key.public_key(),
            "issuer": self.middle,
        }
        wanted |= options
        return der(make(extensions=extensions, **wanted))

    def chain(self, *others: Any, **options: Any) -> list[bytes]:
        """Return :meth:`leaf` with its issuer's certificate."""
        return [self.leaf(*others, **options), der(self.middle.certificate)]

    def below(self, middle: Issuer, **options: Any) -> list[bytes]:
        """Return a leaf by another authority than ``middle``, with that."""
        return [self.leaf(issuer=middle, **options), der(middle.certificate)]


@pytest.fixture(scope="module")
def world() -> World:
    rsa_key = rsa.generate_private_key(65537, 2048)
    key = ec.generate_private_key(ec.SECP256R1())
    root = authority("root", rsa_key)
    return World(rsa_key, key, root, authority("middle", rsa_key, root))


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def nobody(name: x509.Name) -> Sequence[Readable]:
    return ()


def look(
    presented: Sequence[bytes],
    world: World,
    *,
    hosts: Hosts | None = HOSTS,
    sent: bool = True,
    trusted: Sequence[x509.Certificate] | None = None,
    days: int = 0,
) -> Report:
    return lint(
        Presented(presented, sent=sent),
        hosts=hosts,
        trusted=[world.root.certificate] if trusted is None else trusted,
        now=NOW + days * DAY,
        public=nobody,
    )


def told(report: Report) -> list[tuple[str, str, str | None]]:
    """Return the findings as (check, severity, code)."""
    return [
        (one.check, one.severity.value, None if one.windows is None else one.windows.code)
        for one in report.findings
    ]


def policy(kind: str, names: Sequence[str]) -> x509.NameConstraints:
    subtrees: list[x509.GeneralName] = [DNS(name) for name in names]
    permitted, excluded = (subtrees, None) if kind == "permitted" else (None, subtrees)
    return x509.NameConstraints(permitted, excluded)


def limited(world: World, constraints: x509.NameConstraints) -> Issuer:
    extensions = [*authority_extensions(), constraints]
    return authority("limited", world.rsa_key, world.root, extensions)


def points(name: x509.GeneralName) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def san(*names: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(list(names))


def responder(url: str) -> x509.AuthorityInformationAccess:
    place = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)]
    )


def unknown(last: int) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.4.{last}"), b"\x05\x00")


def short_key(bits: int) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()


def deep(world: World) -> list[bytes]:
    """A leaf two authorities below one that allows none."""
    first = authority("first", world.rsa_key, world.root, authority_extensions(0))
    second = authority("second", world.rsa_key, first)
    return [*world.below(second), der(first.certificate)]


def forged(world: World) -> list[bytes]:
    """A leaf by an authority of the same name, with another key."""
    other = authority("middle", world.key, Issuer(world.root.certificate, world.rsa_key))
    return [world.leaf(issuer=other), der(world.middle.certificate)]


def middle(world: World, *others: Any, without: type[Any] | None = None, **options: Any) -> Issuer:
    extensions = changed(authority_extensions(), *others, without=without)
    return authority("other", world.rsa_key, world.root, extensions, **options)


def twice(world: World) -> list[bytes]:
    """A leaf with one extension twice."""
    leaf = make(
        HOST, world.key.public_key(), world.root, [*server_extensions(), unknown(5), unknown(6)]
    )
    return [signed_again(leaf, world.rsa_key, replace=(b"\x2a\x03\x04\x06", b"\x2a\x03\x04\x05"))]


def serial(world: World, last: int) -> list[bytes]:
    """A leaf with a serial number that the builder refuses: negative, or 21 bytes long."""
    number = int.from_bytes(b"\x7f" + b"\x11" * 18 + bytes([last]))
    leaf = make(HOST, world.key.public_key(), world.root, server_extensions(), serial=number)
    old = number.to_bytes(20)
    return [signed_again(leaf, world.rsa_key, replace=(old, b"\xff" + old[1:]))]


def digest(world: World, name: str) -> list[bytes]:
    leaf = make(HOST, world.key.public_key(), world.root, server_extensions())
    return [signed_again(leaf, world.rsa_key, name)]


def flipped(content: bytes) -> bytes:
    """Return ``content`` with another last bit: in a certificate, of its signature."""
    return content[:-1] + bytes([content[-1] ^ 1])


Expected = set[tuple[str, str, str | None]]
Case = tuple[Callable[[World], list[bytes]], Expected]

WRONG_NAME: Expected = {("name", "error", "0x800B010F")}
CONSTRAINTS: Expected = {("constraints", "error", "0x800B0114")}

DEFECTS: dict[str, Case] = {
    "nothing": (lambda w: w.chain(), set()),
    "rsa": (lambda w: w.chain(key=w.rsa_key.public_key()), set()),
    "p384": (lambda w: w.chain(key=ec.generate_private_key(ec.SECP384R1()).public_key()), set()),
    "wildcard": (lambda w: w.chain(san(DNS("*.Example.com"))), set()),
    "among many": (lambda w: w.chain(san(DNS("a.example"), DNS("VPN.example.com"))), set()),
    # names
    "other name": (lambda w: w.chain(san(DNS("www.example.com"))), WRONG_NAME),
    "the CN does not count beside a SAN": (lambda w: w.chain(san(DNS("a.example"))), WRONG_NAME),
    "wildcard of the parent": (lambda w: w.chain(san(DNS("*.com"))), {
        *WRONG_NAME, ("wildcard", "warning", "0x800B010F"),
    }),
    "wildcard of the child": (lambda w: w.chain(san(DNS("*.vpn.example.com"))), WRONG_NAME),
    "wildcard inside": (
        lambda w: w.chain(san(DNS(HOST), DNS("www.*.example.com"))),
        {("wildcard", "warning", "0x800B010F")},
    ),
    "wildcard of everything": (lambda w: w.chain(san(DNS(HOST), DNS("*"))), {
        ("wildcard", "warning", "0x800B010F"),
    }),
    "partial wildcard": (
        lambda w: w.chain(san(DNS("v*.example.com"))), {("wildcard-partial", "warning", None)},
    ),
    "wrong partial wildcard": (lambda w: w.chain(san(DNS("w*.example.com"))), WRONG_NAME),
    "CN only": (
        lambda w: w.chain(without=x509.SubjectAlternativeName),
        {("name-cn-only", "warning", "0x800B010F")},
    ),
    "another CN only": (
        lambda w: w.chain(without=x509.SubjectAlternativeName, subject="a.example"), WRONG_NAME,
    ),
    "no name at all": (
        lambda w: w.chain(without=x509.SubjectAlternativeName, subject=x509.Name([])),
        {*WRONG_NAME, ("eap-subject", "note", None)},
    ),
    # time
    "expired": (lambda w: w.chain(begin=NOW - 9 * DAY, end=NOW - DAY), {
        ("expired", "error", "0x800B0101"),
    }),
    "not yet": (lambda w: w.chain(begin=NOW + DAY), {("not-yet", "error", "0x800B0101")}),
    "ends soon": (lambda w: w.chain(begin=NOW - 90 * DAY, end=NOW + 10 * DAY), {
        ("ends-soon", "warning", "0x800B0101"),
    }),
    "short lived": (lambda w: w.chain(begin=NOW - DAY, end=NOW + 6 * DAY), set()),
    "begins now": (lambda w: w.chain(begin=NOW), {("no-skew", "note", "0x800B0101")}),
    "long": (lambda w: w.chain(end=NOW + 600 * DAY), {("lifetime-public", "note", None)}),
    "too long for Apple": (lambda w: w.chain(end=NOW + 825 * DAY), {("lifetime", "warning", None)}),
    "expired issuer": (lambda w: w.below(middle(w, begin=NOW - 9 * DAY, end=NOW - DAY)), {
        ("expired", "error", "0x800B0101"),
    }),
    # purposes
    "no EKU": (lambda w: w.chain(without=x509.ExtendedKeyUsage), {
        ("eku-missing", "warning", "0x800B0110"),
    }),
    "any EKU": (
        lambda w: w.chain(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
        {("eap-eku", "note", None)},
    ),
    "client's EKU": (
        lambda w: w.chain(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        {("eku", "error", "0x800B0110")},
    ),
    "issuer's EKU": (
        lambda w: w.below(middle(w, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]))),
        {("ca-eku", "error", "0x800B0110")},
    ),
    "a CA as server": (lambda w: w.chain(x509.BasicConstraints(ca=True, path_length=None)), {
        ("is-ca", "warning", None),
    }),
    "must not sign": (lambda w: w.chain(usage("key_encipherment")), {
        ("key-usage", "warning", "0x800B0110"),
    }),
    "RSA that must not encipher": (
        lambda w: w.chain(usage("digital_signature"), key=w.rsa_key.public_key()),
        {("key-usage-rsa", "note", None)},
    ),
    "no key usage": (lambda w: w.chain(without=x509.KeyUsage), set()),
    "issuer that must not issue": (lambda w: w.below(middle(w, usage("crl_sign"))), {
        ("ca-key-usage", "error", "0x800B0110"),
    }),
    "issuer that is no CA": (
        lambda w: w.below(middle(w, x509.BasicConstraints(ca=False, path_length=None))),
        {("not-ca", "error", "0x80096019")},
    ),
    "issuer that says nothing": (lambda w: w.below(middle(w, without=x509.BasicConstraints)), {
        ("not-ca", "error", "0x80096019"),
    }),
    "path length": (deep, {("path-length", "error", "0x80096019")}),
    # chain
    "issuer not sent": (lambda w: [w.leaf()], {("issuer", "error", "0x800B010A")}),
    "forged": (forged, {("forged", "error", "0x800B010A")}),
    "root sent": (lambda w: [*w.chain(), der(w.root.certificate)], {("root-sent", "note", None)}),
    "unrelated": (lambda w: [*w.chain(), der(authority("x", w.key).certificate)], {
        ("unrelated", "note", None),
    }),
    "forged with SHA-1": (
        lambda w: [flipped(digest(w, "sha1")[0])],
        {("forged", "error", "0x800B010A"), ("signature", "warning", "0x80096004")},
    ),
    "self-signed": (lambda w: [w.leaf(issuer=None, signer=w.key)], {
        ("root", "error", "0x800B0109"),
    }),
    "other root": (lambda w: w.below(authority("else", w.key)), {
        ("root", "error", "0x800B0109"), ("root-sent", "note", None),
    }),
    # keys and signatures
    "RSA 768": (lambda w: w.chain(key=short_key(768)), {("key-size", "error", "0x80096004")}),
    "RSA 1024": (lambda w: w.chain(key=short_key(1024)), {("key-size", "warning", None)}),
    "P-521": (lambda w: w.chain(key=ec.generate_private_key(ec.SECP521R1()).public_key()), {
        ("key-kind", "error", "0x80090326"),
    }),
    "secp256k1": (lambda w: w.chain(key=ec.generate_private_key(ec.SECP256K1()).public_key()), {
        ("key-kind", "error", "0x80090326"),
    }),
    "Ed25519": (
        lambda w: w.chain(key=ed25519.Ed25519PrivateKey.generate().public_key()),
        {("key-kind", "error", "0x80090326")},
    ),
    "SHA-1": (lambda w: digest(w, "sha1"), {("signature", "warning", "0x80096004")}),
    "MD5": (lambda w: digest(w, "md5"), {("signature", "error", "0x80096004")}),
    "RSASSA-PSS": (lambda w: w.chain(pss=True), {("signature-pss", "warning", None)}),
    # form
    "critical": (
        lambda w: w.chain(unknown(5), critical=(x509.UnrecognizedExtension,)),
        {("critical", "error", "0x800B0105")},
    ),
    "unknown but not critical": (lambda w: w.chain(unknown(5)), set()),
    "known and critical": (lambda w: w.chain(critical=(x509.ExtensionType,)), set()),
    "twice": (twice, {("unreadable", "error", "0x80090327")}),
    "no subject": (
        lambda w: w.chain(subject=x509.Name([])), {("eap-subject", "note", None)},
    ),
    "a wildcard as CN": (
        lambda w: w.chain(san(DNS("*.example.com")), subject="*.example.com"),
        {("eap-wildcard", "note", None)},
    ),
    "policies that are none": (
        lambda w: w.chain(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.32"), b"\x05\x00")
        ),
        {("extension", "warning", None)},
    ),
    "negative serial": (lambda w: serial(w, 5), {("serial", "warning", None)}),
    "cut off": (lambda w: [w.leaf()[:-1]], {("unreadable", "error", "0x80090327")}),
    "empty": (lambda w: [b""], {("unreadable", "error", "0x80090327")}),
    "no certificate": (lambda w: [], {("nothing", "error", None)}),
    # revocation
    "CDP": (lambda w: w.chain(points(x509.UniformResourceIdentifier("http://x.example/a.crl"))), {
        ("revocation", "warning", "0x80092013"),
    }),
    "OCSP": (lambda w: w.chain(responder("http://x.example/")), {
        ("revocation", "warning", "0x80092013"),
    }),
    "CDP nobody can fetch": (lambda w: w.chain(points(x509.DirectoryName(common_name("x")))), {
        ("revocation-none", "warning", "0x80092012"),
    }),
    "CDP of the issuer": (
        lambda w: w.below(middle(w, points(x509.UniformResourceIdentifier("ldap:///x")))),
        {("revocation", "warning", "0x80092013")},
    ),
    # name constraints
    "permitted": (lambda w: w.below(limited(w, policy("permitted", ["Example.com"]))), set()),
    "permitted itself": (lambda w: w.below(limited(w, policy("permitted", [HOST]))), set()),
    "permitted below a dot": (
        lambda w: w.below(limited(w, policy("permitted", [".example.com"]))), set(),
    ),
    "not permitted": (
        lambda w: w.below(limited(w, policy("permitted", ["a.example", "n.example.com"]))),
        CONSTRAINTS,
    ),
    "permitted in part of a label": (
        lambda w: w.below(limited(w, policy("permitted", ["n.example.com"]))), CONSTRAINTS,
    ),
    "excluded": (lambda w: w.below(limited(w, policy("excluded", ["com"]))), CONSTRAINTS),
    "excluded elsewhere": (lambda w: w.below(limited(w, policy("excluded", ["org"]))), set()),
    "subject not permitted": (
        lambda w: w.below(
            limited(w, x509.NameConstraints([x509.DirectoryName(common_name("other"))], None))
        ),
        CONSTRAINTS,
    ),
    "subject permitted": (
        lambda w: w.below(
            limited(w, x509.NameConstraints([x509.DirectoryName(common_name(HOST))], None))
        ),
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DEFECTS)
def test_each_defect_is_found_and_nothing_else(world: World, case: str) -> None:
    make_presented, expected = DEFECTS[case]
    report = look(make_presented(world), world)
    assert set(told(report)) == expected
    assert len(report.findings) == len(expected)
    assert report.failed == any(severity == "error" for _, severity, _ in expected)
    for finding in report.findings:
        assert "\n" not in finding.found + finding.fix


def test_every_check_has_a_planted_defect() -> None:
    planted = {check for _, expected in DEFECTS.values() for check, _, _ in expected}
    made = re.compile(r"(?:error|warning|note|Finding)\(\s*\"([a-z0-9-]+)\"")
    checks = {
        check
        for module in (lint_module, chain, eap, leaf, host_names)
        for check in made.findall(inspect.getsource(module))
    }
    # these need another question or another set of roots, and have tests of their own
    apart = {"address-only", "address-as-name", "no-name", "order", "root-basic", "too-many"}
    assert checks - planted == apart
    assert planted <= checks | {"unreadable"}


ADDRESS = parse_hosts(["192.0.2.1"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((DNS("192.0.2.1"), x509.IPAddress(IPv4Address("192.0.2.1"))), []),
        ((x509.IPAddress(IPv4Address("192.0.2.1")),), [("address-only", "note", "0x800B010F")]),
        ((DNS("192.0.2.1"),), [("address-as-name", "warning", "0x800B010F")]),
        ((x509.IPAddress(IPv4Address("192.0.2.2")),), [("name", "error", "0x800B010F")]),
        ((DNS("*.0.2.1"),), [("name", "error", "0x800B010F")]),
    ],
)
def test_dialled_by_address(
    world: World, names: Sequence[x509.GeneralName], expected: list[tuple[str, str, str]]
) -> None:
    assert told(look(world.chain(san(*names)), world, hosts=ADDRESS)) == expected


def test_an_ipv6_address_needs_no_text(world: World) -> None:
    hosts = parse_hosts(["2001:db8::1"])
    chain = world.chain(san(x509.IPAddress(hosts.addresses[0])))
    assert told(look(chain, world, hosts=hosts)) == []


def test_an_address_that_the_constraints_exclude(world: World) -> None:
    everything = x509.IPAddress(ip_network("0.0.0.0/0"))
    issuer = limited(world, x509.NameConstraints(None, [everything]))
    extensions = changed(server_extensions(), san(x509.IPAddress(ADDRESS.addresses[0]), DNS(HOST)))
    leaf = der(make(HOST, world.key.public_key(), issuer, extensions))
    assert set(told(look([leaf, der(issuer.certificate)], world))) == CONSTRAINTS


def test_names_in_other_letters(world: World) -> None:
    hosts = parse_hosts(["BÜRO.example"])
    chain = world.chain(san(DNS("xn--bro-hoa.example")))
    assert told(look(chain, world, hosts=hosts)) == []
    assert told(look(chain, world, hosts=parse_hosts(["buro.example"]))) == list(WRONG_NAME)


def test_all_names_that_are_missing_are_one_finding(world: World) -> None:
    hosts = parse_hosts(["a.example", HOST, "192.0.2.1"])
    report = look(world.chain(), world, hosts=hosts)
    assert told(report) == list(WRONG_NAME)
    assert "is not for a.example, 192.0.2.1, but for 'vpn.example.com'" in report.findings[0].found


def test_without_a_name_nothing_is_compared(world: World) -> None:
    assert told(look(world.chain(), world, hosts=None)) == [("no-name", "note", None)]


def test_without_roots_the_end_of_the_chain_is_a_warning(world: World) -> None:
    assert told(look(world.chain(), world, trusted=[])) == [("issuer", "warning", "0x800B010A")]
    whole = [*world.chain(), der(world.root.certificate)]
    findings = told(look(whole, world, trusted=[]))
    assert findings == [("root", "warning", "0x800B0109"), ("root-sent", "note", None)]


def test_public_roots(world: World) -> None:
    """A certificate by a public authority: revocation is as it should be, SHA-1 is refused."""
    roots = [root] if isinstance(root := read(der(world.root.certificate)), Readable) else []

    def public(name: x509.Name) -> Sequence[Readable]:
        return roots if name == roots[0].subject else ()

    place = points(x509.UniformResourceIdentifier("http://x.example/a.crl"))
    chains: list[tuple[list[bytes], list[tuple[str, str, str | None]]]] = [
        (world.chain(place), [("revocation", "note", "0x80092013")]),
        (digest(world, "sha1"), [("signature", "error", "0x80096004")]),
        (world.chain(end=NOW + 600 * DAY), [("lifetime", "warning", None)]),
    ]
    for presented, expected in chains:
        report = lint(
            Presented(presented, sent=True), hosts=HOSTS, trusted=(), now=NOW, public=public
        )
        assert told(report) == expected


def test_the_roots_of_this_machine_are_asked(world: World) -> None:
    report = lint(Presented(world.chain(), sent=True), hosts=HOSTS, trusted=(), now=NOW)
    assert told(report) == [("issuer", "warning", "0x800B010A")]


def test_files_may_be_in_any_order(world: World) -> None:
    first, second, third = deep_but_allowed(world)
    for presented in ([first, second, third], [third, first, second], [second, third, first]):
        report = look(presented, world, sent=False)
        assert told(report) == []
        assert report.leaf == x509.load_der_x509_certificate(first)
        assert len(report.path) == 4


def test_of_two_ways_the_valid_one_counts(world: World) -> None:
    """Once, the first that was there: an authority that was renewed made two chains of one."""
    expired = authority("middle", world.rsa_key, world.root, begin=NOW - 9 * DAY, end=NOW - DAY)
    leaf, now = world.chain()
    for others in ([der(expired.certificate), now], [now, der(expired.certificate)]):
        assert told(look([leaf, *others], world)) == [("unrelated", "note", None)]
    assert told(look([leaf, der(expired.certificate)], world)) == [
        ("expired", "error", "0x800B0101")
    ]


def test_a_server_sends_in_order(world: World) -> None:
    first, second, third = deep_but_allowed(world)
    assert told(look([first, third, second], world)) == [("order", "warning", None)]
    # what comes first is the server's own, whatever it is
    assert look([second, first], world).leaf == x509.load_der_x509_certificate(second)


def deep_but_allowed(world: World) -> list[bytes]:
    first = authority("first", world.rsa_key, world.root, authority_extensions(1))
    second = authority("second", world.rsa_key, first)
    return [*world.below(second), der(first.certificate)]


def test_a_damaged_certificate_beside_a_good_chain(world: World) -> None:
    report = look([*world.chain(), b"garbage"], world)
    assert told(report) == [("unreadable", "error", "0x80090327")]
    assert report.leaf is not None


def test_a_damaged_leaf_is_not_mistaken_for_the_next(world: World) -> None:
    leaf, issuer = world.chain()
    report = look([leaf[:-1], issuer], world)
    assert told(report) == [("unreadable", "error", "0x80090327")]
    assert report.leaf is None


def test_a_root_from_before_extensions(world: World) -> None:
    old = authority("old", world.rsa_key, None, [])
    report = look(world.below(old)[:1], world, trusted=[old.certificate])
    assert told(report) == [("root-basic", "warning", "0x80096019")]


def test_a_flood_of_certificates_is_bounded(world: World) -> None:
    report = look([*world.chain(), *[b""] * 100], world)
    assert ("too-many", "warning", None) in told(report)
    assert len(report.findings) < CHAIN_MAX + 1


def test_every_certificate_of_the_chain_is_compared_with_the_clock(world: World) -> None:
    for days, finding in (
        (394, ("ends-soon", "warning", "0x800B0101")),
        (396, ("expired", "error", "0x800B0101")),
        (-2, ("not-yet", "error", "0x800B0101")),
    ):
        assert told(look(world.chain(), world, days=days)) == [finding] * 3


def test_terminal_escapes_in_a_name_stay_harmless(world: World) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "\x1b[2Jx\nerror")])
    issuer = authority("x", world.key)
    sly = Issuer(make(name, world.key.public_key(), issuer, authority_extensions()), world.key)
    report = look(world.below(sly), world)
    text = "".join(one.found + one.fix for one in report.findings)
    assert text.isprintable()


@pytest.mark.parametrize("kind", [KeyType.RSA, KeyType.ECDSA])
@pytest.mark.parametrize("typed", [[HOST], [HOST, "192.0.2.1"], ["2001:db8::1"], ["192.0.2.1"]])
def test_our_own_certificates_are_clean(
    home_authority: dict[str, Authority], typed: list[str], kind: KeyType
) -> None:
    hosts = parse_hosts(typed)
    ours = home_authority.setdefault(hosts.first + str(len(typed)), Authority.make(hosts, NOW))
    leaf = ours.issue_server(hosts, kind, NOW).certificate
    report = lint(
        Presented([der(leaf)]), hosts=hosts, trusted=[ours.certificate], now=NOW, public=nobody
    )
    # a name beside an address: then the address is no dNSName
    expected = [("address-only", "note", "0x800B010F")] if len(typed) == 2 else []
    assert told(report) == expected


@pytest.fixture(scope="module")
def home_authority() -> dict[str, Authority]:
    """Authorities by what they serve; their keys take time."""
    return {}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_mutation_makes_it_raise(world: World, data: st.DataObject) -> None:
    """Any bytes of a real chain changed, cut or inserted: findings, never an exception."""
    presented = data.draw(st.sampled_from(seeds(world)))
    index = data.draw(st.integers(0, len(presented) - 1))
    content = bytearray(presented[index])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 3))
        content[place : place + length] = data.draw(st.binary(max_size=3))
    mutated = [*presented[:index], bytes(content), *presented[index + 1 :]]
    for sent in (True, False):
        report = look(mutated, world, sent=sent)
        assert all(isinstance(one.severity, Severity) for one in report.findings)
        assert all((one.found + one.fix).isprintable() for one in report.findings)


_SEEDS: list[list[bytes]] = []


def seeds(world: World) -> list[list[bytes]]:
    """Chains with many kinds of extensions in them."""
    if not _SEEDS:
        url = x509.UniformResourceIdentifier("http://x.example/a.crl")
        names: list[x509.GeneralName] = [
            DNS(HOST),
            x509.IPAddress(IPv4Address("192.0.2.1")),
            x509.RFC822Name("a@example.com"),
            x509.DirectoryName(common_name("x")),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a"),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
            url,
        ]
        limits = x509.NameConstraints(
            [DNS("com"), x509.RFC822Name("example.com"), x509.DirectoryName(common_name(HOST))],
            [x509.IPAddress(ip_network("192.0.2.0/30"))],
        )
        issuer = limited(world, limits)
        extras = [san(*names), points(url), responder("http://x.example"), unknown(5)]
        _SEEDS.append(world.chain())
        _SEEDS.append([world.leaf(*extras, issuer=issuer), der(issuer.certificate)])
        _SEEDS.append([world.leaf(key=world.rsa_key.public_key()), der(world.root.certificate)])
    return _SEEDS


@given(st.binary(max_size=200))
def test_any_bytes_are_a_file(content: bytes) -> None:
    with contextlib.suppress(SstpcaError):
        for one in certificates_in(content, "file"):
            assert isinstance(read(one), Readable) or "cannot be read" in str(read(one))


def test_pem_with_anything_around(world: World) -> None:
    chain = world.chain()
    first, second = (
        x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in chain
    )
    key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    content = b"Bag Attributes\r\n" + first.replace(b"\n", b"\r\n") + key + b"\n# issuer\n" + second
    assert certificates_in(content, "file") == chain
    assert certificates_in(key, "file") == []
    broken = b"-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----"
    with pytest.raises(SstpcaError, match=r"block 1 \(CERTIFICATE, line 1\) is not base64"):
        certificates_in(broken, "file")
    none = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    assert certificates_in(none, "file") == [b"\0\0\0"]
    assert certificates_in(chain[0], "file") == chain[:1]


@pytest.mark.parametrize(
    ("typed", "host", "port"),
    [
        (HOST, HOST, 443),
        (f"{HOST}:4443", HOST, 4443),
        ("192.0.2.1:1", "192.0.2.1", 1),
        ("2001:db8::1", "2001:db8::1", 443),
        ("[2001:db8::1]", "2001:db8::1", 443),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
    ],
)
def test_host_and_port(typed: str, host: str, port: int) -> None:
    hosts, found = split_port(typed)
    assert (hosts.first, found) == (host, port)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        ":443",
        "a.example:",
        "a.example:0",
        "a.example:65536",
        "a.example:" + "9" * 5000,
        "a.example:x",
        "a b",
        "[]",
    ],
)
def test_no_host_and_port(typed: str) -> None:
    with pytest.raises(InvalidInput):
        split_port(typed)


def test_codes_are_written_as_people_look_them_up() -> None:
    assert Windows.NAME.code == "0x800B010F"
    assert Windows.NAME.decimal == "-2146762481"
    # of raserror.h
    assert Windows.PASSWORD.code == Windows.PASSWORD.decimal == "691"
    assert all(len(one.code) in (3, 10) and one.text.endswith(".") for one in Windows)


def test_begins_now_needs_no_hurry(world: World) -> None:
    chain = world.chain(begin=NOW - timedelta(hours=1))
    assert told(look(chain, world)) == []

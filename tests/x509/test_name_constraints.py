"""Which names an authority may not give: the one judge, a table, its algebra, and real verifiers.

Issuing and lint had a judge each. What they did not agree on is marked with "once"; where a verifier
says otherwise, the table names it, and why.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.errors import InvalidInput
from sstpca.lint.checks import Presented, lint
from sstpca.x509.certificate_profiles import SERVER, Leaf, make_leaf
from sstpca.x509.certificates import Certificate, certificate_to_der, certificate_to_pem
from sstpca.x509.name_constraints import all_names, check_permitted, may, refused
from sstpca.x509.subjects import Subject
from tests.support.forge import (
    NOW,
    Issuer,
    authority,
    authority_extensions,
    common_name,
    make,
    server_extensions,
)
from tests.support.requirements import require
from tests.support.waiting import PATIENCE

DNS, IP = x509.DNSName, x509.IPAddress
MAIL, URI = x509.RFC822Name, x509.UniformResourceIdentifier
Names = Sequence[x509.GeneralName]

NET, NET6 = IP(IPv4Network("192.0.2.0/24")), IP(IPv6Network("2001:db8::/32"))
EVERYTHING = IP(IPv4Network("0.0.0.0/0"))
ONE = IP(ip_network("192.0.2.1/32"))


@dataclass(frozen=True, slots=True)
class Row:
    """A name under constraints.

    :param but: the verifiers that say otherwise, and why.
    """

    permitted: Names
    excluded: Names
    name: x509.GeneralName
    allowed: bool
    but: tuple[str, ...] = ()
    why: str = ""


def rows(
    *many: tuple[Names, Names, x509.GeneralName, bool], but: str = "", why: str = ""
) -> list[Row]:
    return [Row(*one, tuple(but.split()), why) for one in many]


def address(text: str) -> x509.IPAddress:
    return IP(ip_address(text))


TABLE = [
    # host names
    *rows(
        ([DNS("a.example")], [], DNS("a.example"), True),
        ([DNS("a.example")], [], DNS("b.a.example"), True),
        ([DNS("a.example")], [], DNS("c.b.a.example"), True),
        ([DNS("a.example")], [], DNS("example"), False),
        ([DNS("a.example")], [], DNS("b.example"), False),
        ([DNS("a.example")], [], DNS("ba.example"), False),
        ([DNS("a.example"), DNS("b.example")], [], DNS("b.example"), True),
        ([], [DNS("bad.example")], DNS("good.example"), True),
        ([], [DNS("bad.example")], DNS("bad.example"), False),
        ([], [DNS("bad.example")], DNS("x.bad.example"), False),
        ([DNS("example")], [DNS("bad.example")], DNS("good.example"), True),
        ([DNS("example")], [DNS("bad.example")], DNS("bad.example"), False),
        ([], [DNS("")], DNS("a.example"), False),
        ([DNS("a.example")], [], MAIL("x@b.example"), True),
    ),
    *rows(([DNS("")], [], DNS("a.example"), True), but="pyca", why="to it, that is malformed"),
    # in other letters; once, issuing took names for lower case, as its own are
    *rows(
        ([DNS("A.Example")], [], DNS("a.example"), True),
        ([DNS("a.example")], [], DNS("A.Example"), True),
        ([DNS("a.example")], [], DNS("*.A.Example"), True),
        ([], [DNS("a.example")], DNS("A.Example"), False),
        ([], [DNS("a.example")], DNS("B.A.Example"), False),
    ),
    # wildcards
    *rows(
        ([DNS("a.example")], [], DNS("*.a.example"), True),
        ([DNS("a.example")], [], DNS("*.example"), False),
        ([], [DNS("bad.example")], DNS("*.bad.example"), False),
        ([], [DNS("bad.example")], DNS("*.good.example"), True),
        # once, issuing refused this, and none of the names that it stands for is excluded
        ([], [DNS("x.bad.example")], DNS("*.example"), True),
    ),
    # once, lint let these pass
    *rows(
        ([], [DNS("bad.example")], DNS("*.example"), False),
        ([], [DNS("bad.example")], DNS("*.Example"), False),
        ([], [DNS("Bad.Example")], DNS("*.example"), False),
        ([DNS("example")], [DNS("bad.example")], DNS("*.example"), False),
        but="openssl gnutls",
        why="to them, a wildcard is but a text (openssl/openssl#30706)",
    ),
    *rows(
        ([], [DNS("ab.example")], DNS("a*.example"), False),
        but="openssl gnutls go",
        why="this kind of wildcard is for Windows alone",
    ),
    # with a dot before them: what is below alone, which the RFC does not know
    *rows(
        ([DNS(".a.example")], [], DNS("a.example"), False),
        ([], [DNS(".a.example")], DNS("b.a.example"), False),
        ([], [DNS(".a.example")], DNS("*.a.example"), False),
    ),
    *rows(
        ([DNS(".a.example")], [], DNS("b.a.example"), True),
        ([DNS(".a.example")], [], DNS("*.a.example"), True),
        ([], [DNS(".a.example")], DNS("a.example"), True),
        ([], [DNS(".a.example")], DNS("*.example"), True),
        but="pyca",
        why="to it, that is malformed",
    ),
    # addresses: one kind, whatever their version
    *rows(
        ([NET], [], DNS("a.example"), True),
        ([NET], [], address("192.0.2.9"), True),
        ([NET], [], address("192.0.3.9"), False),
        ([NET6], [], address("2001:db8::1"), True),
        ([NET6], [], address("2001:db9::1"), False),
        ([], [EVERYTHING], address("192.0.2.1"), False),
        ([], [EVERYTHING], address("2001:db8::1"), True),
        ([NET], [ONE], address("192.0.2.1"), False),
        ([NET], [ONE], address("192.0.2.2"), True),
    ),
    *rows(
        ([NET], [], address("2001:db8::1"), False),
        but="gnutls",
        why="to it, they are two kinds",
    ),
    *rows(
        ([DNS("a.example")], [], address("192.0.2.1"), True),
        but="gnutls",
        why="it takes the CN for a host name where there is none",
    ),
    # URIs, by their host; one without is refused wherever its kind is constrained (4.2.1.10)
    *rows(
        ([], [URI("a.example")], URI("https://a.example/"), False),
        ([], [URI("a.example")], URI("urn:uuid:1"), False),
    ),
    *rows(
        ([URI("a.example")], [], URI("https://a.example/x"), True),
        ([URI("a.example")], [], URI("https://A.Example:8443/x"), True),
        ([URI(".a.example")], [], URI("https://b.a.example/"), True),
        but="pyca",
        why="it knows no constraints on URIs",
    ),
    *rows(
        ([], [URI("a.example")], URI("https://b.example/"), True),
        but="pyca gnutls",
        why="they know no constraints on URIs",
    ),
    *rows(
        ([URI(".a.example")], [], URI("https://a.example/"), False),
        ([URI("a.example")], [], URI("urn:uuid:1"), False),
        but="gnutls",
        why="it finds nobody by a URI, and looks at none",
    ),
    *rows(
        ([URI("a.example")], [], URI("https://b.a.example/"), False),
        but="gnutls go",
        why="Go takes the rule for host names, which says that it may be longer",
    ),
    *rows(
        ([], [URI("a.example")], URI("https://192.0.2.1/"), False),
        but="openssl",
        why="it takes the address for a name",
    ),
    # mail; 7.5: only the host may have other letters
    *rows(
        ([MAIL("a.example")], [], MAIL("x@a.example"), True),
        ([MAIL("a.example")], [], MAIL("x@A.Example"), True),
        ([MAIL(".a.example")], [], MAIL("x@b.a.example"), True),
        ([MAIL(".a.example")], [], MAIL("x@a.example"), False),
        ([MAIL("x@a.example")], [], MAIL("x@a.example"), True),
        ([MAIL("x@a.example")], [], MAIL("x@A.EXAMPLE"), True),
        ([MAIL("x@a.example")], [], MAIL("X@a.example"), False),
        ([], [MAIL("x@a.example")], MAIL("x@a.example"), False),
        ([], [MAIL("x@a.example")], MAIL("y@a.example"), True),
    ),
    *rows(
        ([MAIL("a.example")], [], MAIL("x@b.a.example"), False),
        but="go",
        why="it takes the rule for host names, which says that it may be longer",
    ),
]


def constrained(
    key: ec.EllipticCurvePrivateKey, permitted: Names, excluded: Names
) -> x509.Certificate:
    """Return an authority with these constraints; with none if both are empty."""
    extensions = [
        *authority_extensions(),
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
    ]
    if permitted or excluded:
        extensions.append(x509.NameConstraints(list(permitted) or None, list(excluded) or None))
    critical = (x509.BasicConstraints, x509.KeyUsage, x509.NameConstraints)
    return authority("root", key, None, extensions, critical=critical).certificate


def leaf_of(
    root: x509.Certificate, key: ec.EllipticCurvePrivateKey, names: Names
) -> x509.Certificate:
    """Sign with the authority's key, past all our checks."""
    public = key.public_key()
    extensions = [
        *server_extensions(names),
        x509.SubjectKeyIdentifier.from_public_key(public),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(public),
    ]
    critical = (x509.BasicConstraints, x509.KeyUsage)
    return make("Contoso", public, Issuer(root, key), extensions, critical=critical)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.name.value}-{row.allowed}")
def test_what_an_authority_may_give(fast_key: ec.EllipticCurvePrivateKey, row: Row) -> None:
    root = constrained(fast_key, row.permitted, row.excluded)
    assert (list(refused(Certificate.of(root), [row.name])) == []) is row.allowed


Verify = Callable[[Path, Row], bool]


def run(program: str, *arguments: str | Path) -> bool:
    require(program, root=False)
    done = subprocess.run([program, *arguments], capture_output=True, timeout=PATIENCE, check=False)
    return done.returncode == 0


def openssl(folder: Path, row: Row) -> bool:
    return run("openssl", "verify", "-CAfile", folder / "ca.pem", folder / "leaf.pem")


def gnutls(folder: Path, row: Row) -> bool:
    files = (f"--load-ca-certificate={folder / 'ca.pem'}", f"--infile={folder / 'leaf.pem'}")
    return run("certtool", "--verify", "--verify-profile=medium", *files)


def go(folder: Path, row: Row) -> bool:
    program = folder.parent / "judge"
    if shutil.which("go") is None:
        pytest.skip("there is no Go here (https://go.dev/dl)")
    if not program.exists():
        source = Path(__file__).parents[1] / "support" / "judge.go"
        subprocess.run(["go", "build", "-o", program, source], timeout=120, check=True)
    return run(str(program), folder / "ca.pem", folder / "leaf.pem")


def pyca(folder: Path, row: Row) -> bool:
    root, leaf = (
        x509.load_pem_x509_certificate((folder / name).read_bytes())
        for name in ("ca.pem", "leaf.pem")
    )
    host: x509.DNSName | x509.IPAddress = BESIDE
    if isinstance(row.name, DNS):
        host = DNS(row.name.value.replace("*", "x1").lower())
    elif isinstance(row.name, IP):
        host = row.name
    policy = verification.PolicyBuilder().time(NOW).store(verification.Store([root]))
    try:
        policy.build_server_verifier(host).verify(leaf, [])
    except verification.VerificationError:
        return False
    return True


# every server has one
BESIDE = DNS("beside.a.example")


@pytest.mark.parametrize("verify", [openssl, gnutls, go, pyca], ids=lambda one: one.__name__)
def test_verifiers_say_the_same(
    tmp_path: Path, fast_key: ec.EllipticCurvePrivateKey, verify: Verify
) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    for row in TABLE:
        root = constrained(fast_key, row.permitted, row.excluded)
        names = [row.name] if isinstance(row.name, DNS | IP) else [BESIDE, row.name]
        leaf = leaf_of(root, fast_key, names)
        (folder / "ca.pem").write_bytes(certificate_to_pem(root))
        (folder / "leaf.pem").write_bytes(certificate_to_pem(leaf))
        assert verify(folder, row) is (row.allowed is not (verify.__name__ in row.but)), row


LABELS = ("a", "b", "c")
labels = st.sampled_from(LABELS)
hosts = st.lists(labels, min_size=1, max_size=3).map(".".join)
limits = st.one_of(hosts, hosts.map(lambda one: f".{one}"))
names_ = st.one_of(hosts, hosts.map(lambda one: f"*.{one}"))
some = st.lists(limits.map(DNS), max_size=3)
# signing takes its time, and the key is the same for all
often = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def allowed(
    key: ec.EllipticCurvePrivateKey, permitted: Names, excluded: Names, *names: x509.GeneralName
) -> bool:
    return not list(refused(Certificate.of(constrained(key, permitted, excluded)), names))


@often
@given(some, some, hosts)
def test_a_wildcard_is_allowed_where_all_it_stands_for_is(
    fast_key: ec.EllipticCurvePrivateKey, permitted: Names, excluded: Names, host: str
) -> None:
    # one label that no limit has stands for all others
    stands_for = [DNS(f"{label}.{host}") for label in (*LABELS, "z")]
    assert allowed(fast_key, permitted, excluded, DNS(f"*.{host}")) is allowed(
        fast_key, permitted, excluded, *stands_for
    )


@often
@given(some, some, limits.map(DNS), names_.map(DNS))
def test_more_limits(
    fast_key: ec.EllipticCurvePrivateKey,
    permitted: Names,
    excluded: Names,
    limit: x509.DNSName,
    name: x509.DNSName,
) -> None:
    before = allowed(fast_key, permitted, excluded, name)
    # more that is excluded allows nothing more, and nothing that is permitted helps against it
    assert allowed(fast_key, permitted, [*excluded, limit], name) <= before
    assert allowed(fast_key, permitted, excluded, name) <= allowed(fast_key, [], excluded, name)
    # once something is permitted, more of it takes nothing away
    if permitted:
        assert allowed(fast_key, [*permitted, limit], excluded, name) >= before


@often
@given(some, some, names_, st.booleans())
def test_letters_do_not_matter(
    fast_key: ec.EllipticCurvePrivateKey,
    permitted: list[x509.DNSName],
    excluded: list[x509.DNSName],
    name: str,
    above: bool,
) -> None:
    loud_permitted = [DNS(one.value.upper()) for one in permitted]
    loud_excluded = [DNS(one.value.upper()) for one in excluded]
    expected = allowed(fast_key, permitted, excluded, DNS(name))
    assert allowed(fast_key, permitted, excluded, DNS(name.upper())) is expected
    loud = DNS(name.upper() if above else name)
    assert allowed(fast_key, loud_permitted, loud_excluded, loud) is expected


@often
@given(some, some, st.lists(names_.map(DNS), max_size=4))
def test_each_name_is_judged_by_itself(
    fast_key: ec.EllipticCurvePrivateKey, permitted: Names, excluded: Names, names: Names
) -> None:
    root = Certificate.of(constrained(fast_key, permitted, excluded))
    assert list(refused(root, names)) == [one for one in names if list(refused(root, [one]))]


networks = st.sampled_from(["0.0.0.0/0", "192.0.2.0/24", "192.0.2.1/32", "::/0", "2001:db8::/32"])
some_networks = st.lists(networks.map(lambda one: IP(ip_network(one))), max_size=2)


@often
@given(
    st.tuples(some, some_networks).map(lambda both: [*both[0], *both[1]]),
    st.tuples(some, some_networks).map(lambda both: [*both[0], *both[1]]),
    st.lists(names_, max_size=2),
    st.lists(st.sampled_from(["192.0.2.1", "192.0.3.1", "2001:db8::1"]), max_size=2),
)
def test_issuing_and_lint_say_the_same(
    fast_key: ec.EllipticCurvePrivateKey,
    permitted: Names,
    excluded: Names,
    names: list[str],
    addresses: list[str],
) -> None:
    root = constrained(fast_key, permitted, excluded)
    subject = Subject("x", tuple(names), tuple(map(ip_address, addresses)))
    leaf = make_leaf(Leaf(SERVER, subject, fast_key.public_key()), root, fast_key, NOW)
    presented = Presented([certificate_to_der(leaf)])
    report = lint(presented, hosts=None, trusted=[root], now=NOW, public=lambda _: ())
    fine = not any(one.check == "constraints" for one in report.findings)
    assert may(root, subject) is fine
    if fine:
        check_permitted(subject, root)
    else:
        with pytest.raises(InvalidInput, match="0x800B0114"):
            check_permitted(subject, root)


def test_without_constraints_all_is_allowed(fast_key: ec.EllipticCurvePrivateKey) -> None:
    check_permitted(Subject("x", ("a.b", "*.b")), constrained(fast_key, [], []))


def test_the_subject_is_a_name_too(fast_key: ec.EllipticCurvePrivateKey) -> None:
    """Constraints on directory names are for it; once, issuing did not look at it."""
    root = constrained(fast_key, [x509.DirectoryName(common_name("vpn"))], [])
    assert may(root, Subject("vpn", ("a.example",)))
    with pytest.raises(InvalidInput, match="cannot issue for CN=x: "):
        check_permitted(Subject("x", ("a.example",)), root)


def test_an_address_of_mail_in_the_subject_counts(fast_key: ec.EllipticCurvePrivateKey) -> None:
    root = constrained(fast_key, [], [MAIL("bad.example")])
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "x@bad.example")])
    leaf = make(subject, fast_key.public_key(), Issuer(root, fast_key), server_extensions())
    outside = list(refused(Certificate.of(root), all_names(Certificate.of(leaf))))
    assert outside == [MAIL("x@bad.example")]


def test_addresses_are_named_first(fast_key: ec.EllipticCurvePrivateKey) -> None:
    root = constrained(fast_key, [DNS("a.example"), ONE], [])
    subject = Subject("x", ("b.example", "a.example"), (ip_address("192.0.2.2"),))
    with pytest.raises(InvalidInput, match=r"cannot issue for 192\.0\.2\.2, b\.example: "):
        check_permitted(subject, root)

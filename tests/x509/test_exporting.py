"""What is exported opens in other programs, and has in it what it should, and no more."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from hypothesis import given
from hypothesis import strategies as st

from sstpca.errors import InvalidInput
from sstpca.home import SERVER
from sstpca.x509 import exporting
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.exporting import file_stem, routeros_string, to_pkcs12, to_routeros
from sstpca.x509.pair import Pair
from tests.support.forge import Issuer, authority, make, server_extensions
from tests.support.requirements import require

PASSWORD = "correct horse"
# a file name that no shell, RouterOS or Windows stumbles over
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@pytest.fixture(scope="module")
def root(fast_key: ec.EllipticCurvePrivateKey) -> Issuer:
    return authority("root", fast_key)


@pytest.fixture(scope="module")
def pair(root: Issuer, fast_key: ec.EllipticCurvePrivateKey) -> Pair:
    """The chain has the root in it, as some people leave it there."""
    between = authority("between", fast_key, root)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = make("vpn.example.com", key.public_key(), between, server_extensions())
    return Pair(SERVER, SERVER, (leaf, between.certificate, root.certificate), key)


def openssl(*arguments: str) -> str:
    require("openssl", root=False)
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_chain_has_the_root_only_if_wanted(pair: Pair, root: Issuer) -> None:
    without = x509.load_pem_x509_certificates(exporting.to_chain(pair))
    assert without == list(pair.certificates[:2])
    whole = x509.load_pem_x509_certificates(exporting.to_chain(pair, root.certificate))
    assert whole == list(pair.certificates)


@pytest.mark.parametrize("legacy", [False, True])
def test_pkcs12_has_key_leaf_and_intermediates_and_no_root(pair: Pair, legacy: bool) -> None:
    content = to_pkcs12(pair, "alice", PASSWORD.encode(), legacy=legacy)
    found = pkcs12.load_pkcs12(content, PASSWORD.encode())
    assert isinstance(found.key, ec.EllipticCurvePrivateKey)
    assert found.key.private_numbers() == pair.key.private_numbers()
    assert found.cert is not None
    assert found.cert.certificate == pair.leaf
    assert found.cert.friendly_name == b"alice"
    assert [one.certificate for one in found.additional_certs] == [pair.certificates[1]]


@pytest.mark.parametrize(
    ("legacy", "wanted"),
    [
        (False, ["PBES2, PBKDF2, AES-256-CBC", "PRF hmacWithSHA256", "MAC: sha256"]),
        (True, ["pbeWithSHA1And3-KeyTripleDES-CBC", "MAC: sha1"]),
    ],
)
@pytest.mark.parametrize("provider", [(), ("-legacy",)])
def test_pkcs12_in_openssl(
    tmp_path: Path, pair: Pair, legacy: bool, wanted: list[str], provider: tuple[str, ...]
) -> None:
    path = tmp_path / "a.p12"
    path.write_bytes(to_pkcs12(pair, "alice", PASSWORD.encode(), legacy=legacy))
    opened = openssl(
        "pkcs12", "-in", str(path), "-info", "-nodes", "-passin", f"pass:{PASSWORD}", *provider
    )
    for text in wanted:
        assert text in opened
    assert opened.count("BEGIN CERTIFICATE") == 2
    assert "RC2" not in opened
    iterations = [int(number) for number in re.findall(r"Iteration (\d+)", opened)]
    assert len(iterations) == 3
    assert all(2048 <= number <= 100_000 for number in iterations)


@pytest.mark.parametrize("legacy", [False, True])
def test_pkcs12_in_java(tmp_path: Path, pair: Pair, legacy: bool) -> None:
    if shutil.which("keytool") is None:
        pytest.skip("needs keytool (Debian package: default-jre-headless)")
    path = tmp_path / "a.p12"
    path.write_bytes(to_pkcs12(pair, "alice", PASSWORD.encode(), legacy=legacy))
    command = ["keytool", "-list", "-v", "-storetype", "PKCS12", "-keystore", str(path)]
    done = subprocess.run(
        [*command, "-storepass", PASSWORD], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "Alias name: alice" in done.stdout
    assert "Entry type: PrivateKeyEntry" in done.stdout
    assert "Certificate chain length: 2" in done.stdout


def test_a_pkcs12_of_a_pair_without_intermediates(pair: Pair) -> None:
    alone = Pair(pair.name, pair.profile, (pair.leaf,), pair.key)
    found = pkcs12.load_pkcs12(to_pkcs12(alone, "n", b"password"), b"password")
    assert found.additional_certs == []


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "0 characters"),
        ("1234567", "7 characters"),
        ("x" * 257, "257 characters"),
        ("pässword1", "ASCII"),
        ("pass\tword", "ASCII"),
        ("passwörd", "ASCII"),
    ],
)
def test_passwords_that_do_not_do(password: str, why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        exporting.check_password(password)
    assert why in f"{caught.value} {caught.value.hint}"


def test_a_password_that_does() -> None:
    assert exporting.check_password(" ~aB3$%\\") == b" ~aB3$%\\"


def test_routeros(pair: Pair, root: Issuer) -> None:
    files = to_routeros(pair, root.certificate)
    assert {name: file.secret for name, file in files.items()} == {
        "sstpca-server.crt": False,
        "sstpca-server.key": True,
        "sstpca-ca.crt": False,
        "sstpca-server.rsc": False,
    }
    # RouterOS calls the first certificate in a.crt a.crt_0
    certificates = x509.load_pem_x509_certificates(files["sstpca-server.crt"].content)
    assert certificates == list(pair.certificates[:2])
    assert (
        load_pem_private_key(files["sstpca-server.key"].content, None).public_key()
        == pair.key.public_key()
    )
    assert files["sstpca-ca.crt"].content == certificate_to_pem(root.certificate)
    lines = files["sstpca-server.rsc"].content.decode("ascii").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        '/certificate import file-name="sstpca-server.crt" passphrase=""',
        '/certificate import file-name="sstpca-server.key" passphrase=""',
        '/certificate import file-name="sstpca-ca.crt" passphrase=""',
        '/file remove "sstpca-server.key"',
    ]
    assert '#   /interface sstp-server server set certificate="sstpca-server.crt_0"' in lines


def test_routeros_for_a_user(pair: Pair) -> None:
    alice = Pair("alice", "user", (pair.leaf,), pair.key)
    files = to_routeros(alice, None)
    assert sorted(files) == ["sstpca-alice.crt", "sstpca-alice.key", "sstpca-alice.rsc"]
    script = files["sstpca-alice.rsc"].content.decode()
    assert "ca.crt" not in script
    assert "sstp-server" not in script
    assert '/interface sstp-client set [find name=NAME] certificate="sstpca-alice.crt_0"' in script


@given(st.text(max_size=40))
def test_any_name_gives_plain_files(name: str) -> None:
    stem = file_stem(name)
    assert PLAIN.fullmatch(stem)
    assert stem.lower() != "ca"


def test_names_that_can_be_kept_are() -> None:
    assert file_stem("john.smith-2") == "john.smith-2"
    assert file_stem("CA") == "CA-certificate"


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])))
def test_routeros_strings(text: str) -> None:
    inner = routeros_string(text)[1:-1]
    assert not re.search(r'(?<!\\)(?:\\\\)*["$?]', inner)
    assert re.sub(r"\\(.)", r"\1", inner) == text

import os
import pickle
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from sstpca.bundle.authenticode import Signer, signed
from sstpca.bundle.content.sums import SUMS, with_sums
from sstpca.errors import InvalidInput, SstpcaError
from tests.bundle import authenticode
from tests.support.publisher import PASSWORD, key_file, require_osslsigncode

SCRIPT = "\ufeff# O\u2019Neill \U0001f510\r\nWrite-Host 'h\u00e9llo'\r\n".encode()

MakeFile = Callable[..., Path]


@pytest.fixture(scope="module")
def program() -> None:
    """Make sure that there is an osslsigncode that signs scripts."""
    require_osslsigncode()


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """Write a key with its certificate to a file; see :func:`key_file`."""
    return partial(key_file, tmp_path)


def password(_path: Path) -> bytes:
    return PASSWORD.encode()


def nobody(_path: Path) -> bytes:
    raise AssertionError("nobody is to be asked")


def verified(folder: Path, content: bytes, signer: Signer) -> bool:
    """Return what osslsigncode says of a signature."""
    script, root = folder / "script.ps1", folder / "root.pem"
    script.write_bytes(content)
    root.write_bytes(signer.certificate.public_bytes(Encoding.PEM))
    command = ["osslsigncode", "verify", "-CAfile", str(root), "-in", str(script)]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
@pytest.mark.parametrize("pem", [False, True])
def test_two_readers_find_the_signature_good(
    make_file: MakeFile, tmp_path: Path, kind: str, pem: bool
) -> None:
    signer = Signer.load(make_file(kind, pem=pem), password)
    content = signer.sign("install.ps1", SCRIPT)
    assert content.startswith(SCRIPT + b"\r\n# SIG # Begin signature block\r\n")
    assert verified(tmp_path, content, signer)
    assert authenticode.check(content) == signer.certificate


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("pem", [False, True])
def test_a_key_without_a_password(make_file: MakeFile, pem: bool) -> None:
    signer = Signer.load(make_file(pem=pem, password=""), nobody)
    assert authenticode.check(signer.sign("install.ps1", SCRIPT)) == signer.certificate


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("place", [0, 3, 5, len(SCRIPT) // 2, len(SCRIPT) - 3])
def test_a_changed_byte_is_found(make_file: MakeFile, tmp_path: Path, place: int) -> None:
    signer = Signer.load(make_file(), password)
    content = bytearray(signer.sign("install.ps1", SCRIPT))
    content[place] ^= 1
    assert not verified(tmp_path, bytes(content), signer)
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        authenticode.check(bytes(content))


@pytest.mark.usefixtures("program")
def test_a_changed_signature_is_found(make_file: MakeFile) -> None:
    content = Signer.load(make_file(), password).sign("install.ps1", SCRIPT)
    end = content.rindex(b"\r\n# SIG # End")
    # the very last bytes are the signature itself; "=" is padding
    place = len(content[:end].rstrip(b"=")) - 8
    other = b"A" if content[place : place + 1] != b"A" else b"B"
    with pytest.raises(InvalidSignature):
        authenticode.check(content[:place] + other + content[place + 1 :])


@pytest.mark.usefixtures("program")
def test_the_same_script_gives_the_same_bytes(make_file: MakeFile) -> None:
    signer = Signer.load(make_file(), password)
    assert signer.sign("a.ps1", SCRIPT) == signer.sign("b.ps1", SCRIPT)


@pytest.mark.usefixtures("program")
def test_another_process_can_sign(make_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_file()
    monkeypatch.chdir(file.parent)
    signer = Signer.load(Path(file.name), password)
    monkeypatch.chdir("/")
    copy: Signer = pickle.loads(pickle.dumps(signer))
    assert authenticode.check(copy.sign("install.ps1", SCRIPT)) == signer.certificate


@pytest.mark.usefixtures("program")
def test_only_scripts_are_signed_and_the_sums_fit(make_file: MakeFile) -> None:
    signer = Signer.load(make_file(), password)
    files = with_sums({"install.ps1": SCRIPT, "install.cmd": b"@echo off\r\n", "a/b.txt": b"b"})
    found = signed(files, signer)
    assert found == with_sums(found)
    assert found[SUMS] != files[SUMS]
    authenticode.check(found["install.ps1"])
    assert {name for name in files if files[name] != found[name]} == {"install.ps1", SUMS}
    assert signed(files, None) == files
    assert SUMS not in signed({"a.ps1": SCRIPT}, signer)


@pytest.mark.usefixtures("program")
def test_no_password_in_what_people_see(make_file: MakeFile) -> None:
    assert PASSWORD not in repr(Signer.load(make_file(), password))


def test_what_is_no_code_signing_key(make_file: MakeFile, tmp_path: Path) -> None:
    for usage in (None, ExtendedKeyUsageOID.SERVER_AUTH):
        with pytest.raises(InvalidInput, match="is not for code signing"):
            Signer.load(make_file(usage=usage), password)
    with pytest.raises(SstpcaError, match="the password does not open"):
        Signer.load(make_file(), lambda _path: b"wrong")
    pem = make_file(pem=True, password="").read_bytes()
    certificate, key = pem[: pem.index(b"-----BEGIN PRIV")], pem[pem.index(b"-----BEGIN PRIV") :]
    alone = tmp_path / "alone.pem"
    alone.write_bytes(certificate)
    with pytest.raises(InvalidInput, match="has 0 private keys"):
        Signer.load(alone, nobody)
    alone.write_bytes(key)
    with pytest.raises(InvalidInput, match="the certificate of the private key is not in"):
        Signer.load(alone, nobody)
    with pytest.raises(SstpcaError, match="cannot read the code-signing key"):
        Signer.load(tmp_path / "none.p12", nobody)


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a shell script in the place of osslsigncode."""

    def put(text: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "osslsigncode"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")

    return put


def test_an_old_osslsigncode_is_refused(
    make_file: MakeFile, pretend: Callable[[str], None]
) -> None:
    pretend("echo osslsigncode 2.5, using:; exit 1")
    with pytest.raises(SstpcaError, match=r"osslsigncode 2\.5 cannot sign PowerShell") as error:
        Signer.load(make_file(), password)
    assert "bookworm-backports" in error.value.hint


def test_no_osslsigncode(make_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_file()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SstpcaError, match="there is no osslsigncode to sign with"):
        Signer.load(file, password)


def test_the_password_goes_by_standard_input(
    make_file: MakeFile, pretend: Callable[[str], None], tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    pretend(
        'if [ "$1" = --version ]; then echo osslsigncode 2.9, using:; exit 1; fi\n'
        f"echo \"$@\" >'{seen}'; env >>'{seen}'; cat >'{seen}.input'\n"
        "echo Failed to read key >&2; echo Failed >&2; exit 255"
    )
    signer = Signer.load(make_file(), password)
    with pytest.raises(SstpcaError, match=r"cannot sign x\.ps1: Failed to read key"):
        signer.sign("x.ps1", SCRIPT)
    assert PASSWORD not in seen.read_text()
    assert "-readpass - " in seen.read_text()
    assert Path(f"{seen}.input").read_text() == f"{PASSWORD}\n"

"""sstpca cert."""

import json
import subprocess
from collections.abc import Callable

import pytest
from click.testing import Result

from sstpca.home import Home
from tests.support.requirements import require

Run = Callable[..., Result]


@pytest.fixture
def home(usual_home: Home) -> Home:
    """With the keys that most homes have."""
    return usual_home


def openssl(home: Home, name: str, *options: str) -> str:
    require("openssl", root=False)
    command = ["openssl", "x509", "-noout", "-in", str(home.root / name), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_show_says_what_openssl_says(home: Home, run: Run) -> None:
    result = run("cert", "show")
    assert (result.exit_code, result.stderr) == (0, "")
    for name in ("ca.crt", "server.pem"):
        digest = openssl(home, name, "-fingerprint", "-sha256").partition("=")[2].strip()
        assert digest in result.stdout
        thumbprint = openssl(home, name, "-fingerprint", "-sha1").partition("=")[2].strip()
        assert f"{thumbprint.replace(':', '')} (Windows' thumbprint)" in result.stdout
    for text in (
        "subject  CN=vpn.example.com",
        "issuer       itself",
        "usages   digitalSignature, keyEncipherment, serverAuth",
        "usages       keyCertSign, cRLSign",
        "key          RSA 3072 bits",
        "395 days left",
        "permitted    DNS vpn.example.com",
        "excluded     IP 0.0.0.0/0\n               IP ::/0",
    ):
        assert text in result.stdout


def test_show_for_machines(run: Run) -> None:
    shown = json.loads(run("cert", "show", "--json").stdout)
    assert set(shown) == {"authority", "server"}
    assert shown["authority"]["permitted"] == ["DNS vpn.example.com"]
    assert shown["server"]["issuer"] == shown["authority"]["subject"]
    assert shown["server"]["not_after"].endswith("Z")


def test_show_warns_of_what_windows_would_object_to(home: Home, run: Run) -> None:
    text = home.settings.read_text().replace('"vpn.example.com"]', '"other.example.com"]')
    home.settings.write_text(text)
    result = run("cert", "show")
    assert result.exit_code == 0
    assert "warning: the server certificate is not for other.example.com" in result.stderr
    assert "0x800B010F" in result.stderr


def test_damaged_files_are_one_line(
    home: Home, run: Run, refused: Callable[[Result, int], str]
) -> None:
    home.server_identity.write_text("nonsense")
    assert "server.pem has no certificate" in refused(run("cert", "show"), 1)
    home.ca_certificate.unlink()
    assert "ca.crt is missing" in refused(run("cert", "show"), 1)

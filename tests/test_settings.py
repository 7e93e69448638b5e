"""Each mistake in settings.toml is one sentence of ours, with section, key and line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sstpca import settings
from sstpca.errors import SstpcaError
from sstpca.setting_kinds import Effect

TEMPLATE = Path(__file__).resolve().parents[1] / "templates" / "settings.toml.j2"

Said = Callable[[str], tuple[str, str]]

BEFORE = """\
# Settings

[server]
names = ["vpn.example.com"]
"""


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """Return the message, from its line on, and the hint for a file that is of no use."""
    path = tmp_path / "settings.toml"

    def load(text: str) -> tuple[str, str]:
        path.write_text(text, "utf-8")
        with pytest.raises(SstpcaError) as caught:
            settings.load(path)
        message = str(caught.value)
        assert message.startswith(f"{path}, line ")
        return message.removeprefix(f"{path}, line "), caught.value.hint

    return load


WHOLE = "[server] port has to be a whole number from 1 to 65535; it is "


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("port = 70000", f"{WHOLE}70000"),
        ("port = 0", f"{WHOLE}0"),
        ("port = -1", f"{WHOLE}-1"),
        ('port = "443"', f'{WHOLE}"443"'),
        ("port = 4.5", f"{WHOLE}4.5"),
        ("port = true", f"{WHOLE}true"),
        ("port = [443]", f"{WHOLE}[443]"),
        ("port = {a = 1}", f"{WHOLE}a section"),
        ("port = 2026-01-01", f"{WHOLE}2026-01-01"),
        ("workers = 257", "[server] workers has to be a whole number from 0 to 256; it is 257"),
        ("mtu = 500", "[server] mtu has to be a whole number from 576 to 1500; it is 500"),
        ('nat = "yes"', '[server] nat has to be true or false; it is "yes"'),
        ("nat = 1", "[server] nat has to be true or false; it is 1"),
        (
            'interface = "a b"',
            "[server] interface has to be 1 to 9 signs of a-z, 0-9 and _ in quotes, a letter "
            'first; it is "a b"',
        ),
        (
            'interface = "vpn\\n"',
            "[server] interface has to be 1 to 9 signs of a-z, 0-9 and _ in quotes, a letter "
            'first; it is "vpn\\n"',
        ),
        (
            "listen = []",
            '[server] listen has to be a list of one address or more: ["0.0.0.0", "::"]; it is []',
        ),
        (
            'listen = ["::", 4, true, "x"]',
            '[server] listen has to be a list of one address or more: ["0.0.0.0", "::"]; '
            'it is ["::", 4, true, ...]',
        ),
        ('listen = ["::", "here"]', "[server] listen: 'here' is not an IP address"),
        (
            'addresses = ["0.0.0.0"]',
            "[server] addresses: 0.0.0.0 is not the address of one machine",
        ),
        (
            'addresses = "203.0.113.5"',
            '[server] addresses has to be a list of addresses: ["203.0.113.5"]; '
            'it is "203.0.113.5"',
        ),
        ('prot = "x"', "[server] has no setting 'prot'"),
        ("port = 443\nport = 443", "'port' is there already"),
    ],
)
def test_a_value_that_cannot_be(said: Said, line: str, what: str) -> None:
    message, hint = said(f"{BEFORE}{line}\n\n[bundle]\n")
    assert message.startswith(f"{5 + line.count(chr(10))}: {what}")
    assert hint


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        (f"{BEFORE}prot = 443", "5: [server] has no setting 'prot'", "did you mean port?"),
        (f"{BEFORE}Port = 443", "5: [server] has no setting 'Port'", "did you mean port?"),
        (f"{BEFORE}zzz = 1", "5: [server] has no setting 'zzz'", "there are: names, addresses,"),
        (f"{BEFORE}contact = 'x'", "5: [server] has no setting 'contact'", "below [bundle]"),
        (f"port = 4443\n{BEFORE}", "1: port is in no section", "move it below [server]"),
        (f"x = 1\n{BEFORE}", "1: there is no setting 'x'", "remove it"),
        (f"{BEFORE}[bundel]", "5: there is no section 'bundel'", "did you mean [bundle]?"),
        (
            f"{BEFORE}[zzz]\na = 1",
            "5: there is no section 'zzz'",
            "there are: [server], [tls], [bundle]",
        ),
        ("server = 5", "1: server is no section", "write [server] on a line of its own"),
        ("[[server]]", "1: server is no section", "write [server] on a line of its own"),
        ("", "1: [server] needs at least one of names and addresses", "names = ["),
        ("\n[server]", "2: [server] needs at least one of names and addresses", "names = ["),
        (f"{BEFORE}compat = 'none'", "5: [server] has no setting 'compat'", "below [tls]"),
        (
            f'{BEFORE}[tls]\nminimum_version = "1.1"',
            '6: [tls] minimum_version has to be "1.2" or "1.3"; it is "1.1"',
            "",
        ),
        (
            f"{BEFORE}[tls]\nminimum_version = 1.2",
            '6: [tls] minimum_version has to be "1.2" or "1.3"; it is 1.2',
            "",
        ),
        (
            f'{BEFORE}[tls]\nminimum_version = "1.3"\ncompat = "routeros-no-pfs"',
            '7: [tls] compat = "routeros-no-pfs" is for clients of TLS 1.2',
            'write minimum_version = "1.2", or compat = "none"',
        ),
        (
            '[server]\nnames = ["a_b.c"]',
            "2: [server] names: 'a_b.c' is not a host name",
            "underscore",
        ),
    ],
)
def test_what_is_not_known(said: Said, text: str, what: str, hint: str) -> None:
    message, advice = said(text)
    assert message == what
    assert hint in advice


def test_all_of_it_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        "\ufeff[server]\r\nnames = ['a.example']\r\naddresses = ['192.0.2.1']\r\nport = 1\r\n"
        "listen = ['::1']\r\nworkers = 2\r\ninterface = 'x'\r\nmtu = 1280\r\nnat = false\r\n"
        "[tls]\r\nminimum_version = '1.3'\r\ncompat = 'none'\r\n"
        "[bundle]\r\nconnection = 'c'\r\ncontact = 'd'\r\nlanguage = 'de'\r\nlogo = 'l'\r\n"
        "revocation_check = false\r\n",
        "utf-8",
        newline="",
    )
    assert settings.load(path) == settings.Settings(
        server=settings.ServerSettings(
            names=("a.example",),
            addresses=("192.0.2.1",),
            port=1,
            listen=("::1",),
            workers=2,
            interface="x",
            mtu=1280,
            nat=False,
        ),
        tls=settings.TlsSettings(minimum_version="1.3", compat="none"),
        bundle=settings.BundleSettings(
            connection="c", contact="d", language="de", logo="l", revocation_check=False
        ),
    )


#: What stands in the comment of a setting that takes more than a reload.
MARKS = {Effect.RESTART: "(restart)", Effect.START: "(stop)"}


def commented() -> dict[str, str]:
    """Return the comment of each setting of a new file, as ``[server] port``."""
    found, section, comment = {}, "", ""
    for line in TEMPLATE.read_text().splitlines():
        if line.startswith("["):
            section, comment = line, ""
        elif line.startswith("#"):
            comment += line
        elif not line:
            comment = ""
        else:
            found[f"{section} {line.partition(' =')[0]}"] = comment
    return found


def test_the_comments_say_what_takes_a_restart() -> None:
    # of two settings under one comment it is for both
    marked = {
        name: next((effect for effect, mark in MARKS.items() if mark in comment), None)
        for name, comment in commented().items()
    }
    assert marked == {
        name: effect if effect in MARKS else None for name, effect in settings.effects().items()
    }


def read(path: Path, text: str) -> settings.Settings:
    path.write_text(BEFORE + text)
    return settings.load(path)


def test_what_is_different_and_what_waits_for_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    before = read(path, "mtu = 1400\nport = 443\n[hooks]\nseconds = 3\n")
    after = read(path, 'mtu = 1300\nport = 444\ninterface = "vpn"\n[bundle]\ncontact = "me"\n')
    assert settings.changes(before, before) == {}
    assert settings.changes(before, after) == {
        "[server] port": Effect.RESTART,
        "[server] interface": Effect.START,
        "[server] mtu": Effect.LOGIN,
        "[hooks] seconds": Effect.LOGIN,
        "[bundle] contact": Effect.OTHERS,
    }
    merged = settings.until_restart(before, after)
    assert (merged.server.mtu, merged.server.port, merged.server.interface) == (1300, 443, "sstp")
    assert merged.bundle.contact == "me"
    assert settings.changes(merged, after).keys() == {"[server] port", "[server] interface"}

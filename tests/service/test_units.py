"""What systemd is told: spelled so that it understands, confined, and for one home alone."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca import settings
from sstpca.errors import InvalidInput, Refused
from sstpca.home import Home
from sstpca.service import escaping, program, unit_text
from sstpca.service.program import Program, program_of
from sstpca.service.systemd import Systemd
from tests.support.requirements import require

ODD = "my vpn 100% %h $HOME \\x20 \"a\" 'b' é"


def plain(home: Home) -> Program:
    return program_of(home, settings.load(home.settings))


def units(home: Home, *, socket: bool = False, made: Program | None = None) -> dict[str, str]:
    said = settings.load(home.settings)
    manager = Systemd(made or plain(home), said, socket=socket)
    return {file.path.name: file.content.decode() for file in manager.files()}


def values(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


@pytest.fixture
def odd_home(home: Home) -> Home:
    place = home.root.with_name(ODD)
    home.root.rename(place)
    return Home(place)


def unescaped(word: str) -> str:
    """Return what systemd reads of a quoted word (systemd.syntax(7)), specifiers resolved."""
    assert word[0] == word[-1] == '"'
    out, rest = "", word[1:-1]
    while rest:
        sign, rest = rest[0], rest[1:]
        if sign in "\\%":
            assert rest[0] in ('\\"' if sign == "\\" else "%")
            sign, rest = rest[0], rest[1:]
        else:
            assert sign != '"'
        out += sign
    return out


@given(st.text(st.characters(blacklist_categories=("Cc", "Cs"))))
def test_words_come_out_as_they_went_in(text: str) -> None:
    assert unescaped(escaping.word(text)) == text


def test_systemd_finds_no_fault_with_odd_paths(odd_home: Home, tmp_path: Path) -> None:
    require("systemd-analyze", root=False)
    folder = tmp_path / "units"
    folder.mkdir()
    # a program whose path has everything in it: systemd looks whether it can be run
    code = tmp_path / f"{ODD} code"
    code.mkdir()
    (code / "python").symlink_to(sys.executable)
    made = plain(odd_home)
    made = dataclasses.replace(made, command=(str(code / "python"), *made.command[1:]))
    for name, text in units(odd_home, socket=True, made=made).items():
        (folder / name).write_text(text.replace("Documentation=man:sstpca(1)\n", ""))
    done = subprocess.run(
        ["systemd-analyze", "verify", *folder.iterdir()],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "sstpca" in line or str(tmp_path) in line]
    assert ours == []


@pytest.mark.parametrize("socket", [False, True])
def test_they_are_confined(home: Home, tmp_path: Path, socket: bool) -> None:
    """As for a user: by systemd's own measure, 3.0 at most of 10."""
    require("systemd-analyze", root=False)
    for name, text in units(home, socket=socket).items():
        if name.endswith(".service"):
            (tmp_path / name).write_text(text)
            words = ("systemd-analyze", "security", "--offline=true", "--threshold=30")
            done = subprocess.run(
                [*words, tmp_path / name], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_capabilities_are_named_one_by_one(home: Home) -> None:
    made = units(home)
    [server] = [text for name, text in made.items() if name.startswith("sstpca@")]
    [named] = values(server, "CapabilityBoundingSet")
    needed = {"NET_ADMIN", "NET_BIND_SERVICE", "SETUID", "SETGID", "SETPCAP", "KILL"}
    assert {one.removeprefix("CAP_") for one in named.split()} - {"DAC_READ_SEARCH"} == needed
    [listening] = [
        text
        for name, text in units(home, socket=True).items()
        if name.startswith("sstpca@") and name.endswith("service")
    ]
    assert "CAP_NET_BIND_SERVICE" not in listening
    for name, text in made.items():
        if name.startswith(("sstpca-renew@", "sstpca-backup@")) and name.endswith("service"):
            [named] = values(text, "CapabilityBoundingSet")
            assert named in ("", "CAP_DAC_READ_SEARCH")


def at(path: str, home: Home) -> Program:
    return dataclasses.replace(
        plain(home), home=Path(path), backups=Path("/var/backups/x"), code=(Path("/usr/lib/x"),)
    )


@pytest.mark.parametrize(
    ("path", "homes", "temporary"),
    [
        ("/srv/vpn", "yes", "yes"),
        ("/root/vpn", "read-only", "yes"),
        ("/home/eve/vpn", "read-only", "yes"),
        ("/homeland", "yes", "yes"),
        ("/tmp/vpn", "yes", "no"),
        ("/var/tmp/vpn", "yes", "no"),
    ],
)
def test_the_home_is_in_reach_wherever_it_is(
    home: Home, path: str, homes: str, temporary: str
) -> None:
    text = unit_text.server(at(path, home), socket=False)
    assert values(text, "ProtectHome") == [homes]
    assert values(text, "PrivateTmp") == [temporary]
    assert values(text, "ReadWritePaths") == [f'"-{path}" "-/proc/sys/net"']


def test_where_modes_keep_root_out_it_may_read(home: Home, tmp_path: Path) -> None:
    closed = tmp_path / "eve"
    closed.mkdir()
    inside = dataclasses.replace(at(str(closed), home), code=(closed,))
    reads = dataclasses.replace(inside, home=Path("/srv"), code=(Path("/usr"),))
    assert reads.is_open_to_root
    try:
        import os

        os.chown(closed, 12345, 12345)
    except PermissionError:
        pytest.skip("needs root (chown)")
    closed.chmod(0o700)
    assert not inside.is_open_to_root
    assert "CAP_DAC_READ_SEARCH" in unit_text.server(inside, socket=False)


def test_two_homes_have_no_file_in_common(home: Home, odd_home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    one = {
        file.path
        for file in Systemd(plain(odd_home), settings.load(odd_home.settings), socket=True).files()
    }
    moved = dataclasses.replace(plain(odd_home), label=Home(other).label)
    two = {
        file.path for file in Systemd(moved, settings.load(odd_home.settings), socket=True).files()
    }
    assert len(one) == len(two) == 6
    assert not one & two


def test_the_socket_unit_listens_where_the_settings_say(home: Home) -> None:
    [text] = [t for n, t in units(home, socket=True).items() if n.endswith(".socket")]
    assert values(text, "ListenStream") == ["0.0.0.0:443", "[::]:443"]


def test_the_passphrase_of_the_authority_is_named(home: Home) -> None:
    text = home.settings.read_text()
    assert "[renewal]" in text
    before, after = text.split("[renewal]")
    home.settings.write_text(
        f"{before}[renewal]{after.replace(chr(34) * 2, chr(34) + 'ca.passphrase' + chr(34), 1)}"
    )
    assert plain(home).renew[-2:] == ("--passphrase-file", str(home.root / "ca.passphrase"))


def test_a_path_that_no_unit_can_have_is_refused(home: Home) -> None:
    place = home.root.with_name("two\nlines")
    home.root.rename(place)
    with pytest.raises(InvalidInput, match="has a sign in it"):
        plain(Home(place))


def test_a_home_of_somebody_else_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    if os.geteuid():
        with pytest.raises(Refused, match="belongs to the user"):
            plain(home)
        return
    os.chown(home.root, 12345, -1)
    with pytest.raises(Refused, match="belongs to the user 12345") as refused:
        plain(home)
    assert "chown -R root:" in refused.value.hint


def test_the_program_is_this_one(home: Home) -> None:
    assert plain(home).command[:4] == (sys.executable, "-P", "-m", "sstpca")
    assert program.RENEW == "30d"


def test_a_server_that_opens_firewalls_may_write_theirs(home: Home) -> None:
    made = program_of(home, settings.load(home.settings), open_firewall=True)
    text = unit_text.server(made, socket=False)
    assert values(text, "ExecStart")[0].endswith('"serve" "--open-firewall"')
    assert values(text, "ReadWritePaths")[0].endswith('"-/proc/sys/net" "-/etc/ufw" "-/run"')
    assert "--open-firewall" not in unit_text.server(plain(home), socket=False)

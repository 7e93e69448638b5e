"""What the report of a user's ``verify.cmd`` means, whoever wrote it and however."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from sstpca.bundle.content import texts
from sstpca.doctor.user_report import parse
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, users
from sstpca.vpn.user_reports import _ORDER, Meaning, Verdict, _name_of, read_user_report

Run = Callable[..., Result]

FACTS = """Time:        2026-11-30 10:00:00 +01:00
Windows:     Microsoft Windows 11 Pro 10.0.22631
PowerShell:  5.1.22621.1
Account:     alice on PC
Connection:  Office
Server:      vpn.example.com
User:        alice
"""


def report(*lines: str) -> str:
    return FACTS + "\n== Server\n" + "\n".join(lines) + "\n"


def told(folder: Path, text: str | bytes, home: Path | None = None) -> list[Meaning]:
    path = folder / "vpn-report.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    _, found = read_user_report(home or folder / "nowhere", path)
    return found


def test_the_likely_cause_comes_first(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        report(
            "[ OK ]  The service RasMan is there.  (service)",
            "[ !! ]  This PC does not trust the certificate AB.  (not_trusted)",
            "        Start install.cmd again.",
            "[ !! ]  The server does not answer at port 443.  (no_port)",
            "[ -- ]  Windows has noted no attempt to connect.  (no_events)",
        ),
    )
    assert [(one.check, one.verdict.name) for one in found] == [
        ("no_port", "FAIL"),
        ("not_trusted", "FAIL"),
        ("service", "PASS"),
        ("no_events", "PASS"),
    ]
    port, trust = found[:2]
    assert port.forms == ("10060", "0x8007274C")
    assert trust.forms == ("0x800B0109", "-2146762487")
    assert trust.found == "This PC does not trust the certificate AB."
    assert trust.causes
    assert trust.client
    assert trust.server


@pytest.mark.parametrize("language", texts.languages())
def test_a_bundle_of_before_names_nothing(tmp_path: Path, language: str) -> None:
    """Each line is known by its words, in each language; none is taken for another."""
    said = vars(texts.load(language).verify)
    errors = vars(texts.load(language).errors)
    for name in _ORDER:
        text = said.get(name) or errors["tls_means"]
        line = text.replace("{0}", "0x800B0109").replace("{1}", "vpn.example.com")
        assert _name_of(line) == name
    (one,) = told(
        tmp_path, report("[ !! ]  " + said["last_bad"].format("691", errors["password_means"]))
    )
    assert (one.check, one.forms) == ("last_bad", ("691",))


@pytest.mark.parametrize(
    ("encode", "umlaut"),
    [
        (lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), "ü"),
        (lambda text: b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le"), "ü"),
        (lambda text: text.encode("cp1252"), "ü"),
        (lambda text: "\n".join("> " + line for line in text.split("\n")).encode(), "ü"),
    ],
    ids=["powershell", "utf-16", "ansi", "quoted in a mail"],
)
def test_however_it_is_written(tmp_path: Path, encode: Callable[[str], bytes], umlaut: str) -> None:
    text = report("[ !! ]  Dieser PC kennt den Schlüssel AB nicht.  (not_trusted)")
    (one,) = told(tmp_path, encode(text))
    assert (one.check, umlaut in one.found) == ("not_trusted", True)


def test_a_language_of_the_administrators_own(tmp_path: Path) -> None:
    (one,) = told(tmp_path, report("[ !! ]  Le serveur ne répond pas: 809  (last_bad)"))
    assert one.forms == ("809",)


def test_what_is_unknown_is_told_as_it_is(tmp_path: Path) -> None:
    (one,) = told(tmp_path, report("[ !! ]  Something new.  (newer)", "        Do this."))
    assert (one.check, one.verdict, one.client) == ("newer", Verdict.FAIL, "Do this.")


def test_the_chain_says_what_is_wrong_with_a_certificate(tmp_path: Path) -> None:
    line = "[ !! ]  This PC does not accept the certificate of the server.  (bad_chain)"
    (one,) = told(tmp_path, report("Chain:       RevocationStatusUnknown, PartialChain", line))
    assert one.forms[0] == "0x800B010A"


def test_events(tmp_path: Path) -> None:
    dialled = (
        "CoId={1A2B3C4D-0000-0000-0000-000000000691}: The user dialed Office 5, which has failed."
    )
    found = told(
        tmp_path,
        report(
            f"2026-11-30T10:00:03  RasClient 20227  {dialled} The error code returned on failure is 809.",
            f"2026-11-30T10:00:02  RasClient 20227  {dialled} The error code returned on failure is 691.",
            f"2026-11-30T10:00:01  RasClient 20227  {dialled} The error code returned on failure is 809.",
            "2026-11-30T10:00:00  RasClient 20225  connected",
            "2026-11-30T09:00:00  Microsoft-Windows-RasSstp 4  refused 302",
            "[ !! ]  The last attempt to connect failed with 691: wrong.  (last_bad)",
        ),
    )
    assert [(one.check, one.verdict.name) for one in found] == [
        ("last_bad", "FAIL"),
        ("event", "WARN"),
        ("event", "WARN"),
    ]
    assert found[1].forms == ("809",)
    assert found[1].found.startswith("Windows has noted 2 times, the last on 2026-11-30 10:00:03")
    assert "refused by HTTP" in found[2].means


def test_a_report_of_this_home(home: Home, tmp_path: Path) -> None:
    good = "[ OK ]  The server answers at port 443.  (port)"
    other = told(tmp_path, report("Thumbprint:  " + "0" * 40, good), home.root)
    assert [(one.check, one.verdict.name) for one in other] == [
        ("user", "WARN"),
        ("certificate", "WARN"),
        ("port", "PASS"),
    ]
    assert "no user 'alice'" in other[0].found
    store = Store.open(home.database)
    users.add(store, Sealer.load(home), "alice", "a password of hers")
    users.set_enabled(store, ["alice"], False)
    store.close()
    (user, _) = told(tmp_path, report(good), home.root)
    assert (user.verdict, user.found) == (Verdict.FAIL, "the user 'alice' is disabled")
    (server, _) = told(
        tmp_path, report(good).replace("vpn.example.com", "other.example.org"), home.root
    )
    assert "which is no name of this home" in server.found


def test_hostile_reports(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        report(
            "[ !! ]  \x1b[2J\x1b]0;owned\x07 \u202e {0} 0x800B0109  (not_trusted)",
            *["[ !! ]  " + "x" * 1000] * 500,
            "Chain:       " + "a, " * 1000,
        ),
    )
    assert all(one.found.isprintable() and len(one.found) <= 400 for one in found)
    assert len(found) == 101
    assert "401 more lines" in found[-1].found


@given(
    st.text(max_size=500)
    | st.lists(
        st.sampled_from(
            [
                "[ !! ]  a  (tls)",
                "     b",
                "Windows: x",
                "Server: y",
                "[ OK ]",
                "\r",
                "\u2028",
                "2026-11-30T10:00:00  RasClient 20227  5",
            ]
        )
    ).map("\n".join)
)
def test_nothing_makes_it_raise(text: str) -> None:
    parse(text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no report of verify.cmd"),
        (b"hello\n", "is no report of verify.cmd"),
        (b"\x00\x01\x02" * 50, "is not text"),
        (b"x" * ((1 << 20) + 1), "is too long"),
    ],
)
def test_what_is_no_report(run: Run, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "vpn-report.txt"
    path.write_bytes(content)
    result = run("doctor", "--read", str(path))
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stdout == ""


def test_the_command(run: Run, tmp_path: Path) -> None:
    text = report("[ !! ]  This PC does not trust the certificate AB.  (not_trusted)")
    result = run("doctor", "--read", "-", stdin=text)
    assert result.exit_code == 2
    assert "fail  not_trusted" in result.stdout
    assert "Windows: 0x800B0109 (-2146762487) " in " ".join(result.stdout.split())
    assert "cause 1: " in result.stdout
    assert "at the PC: " in result.stdout
    assert "at the server: " in result.stdout
    # a command is one to copy, however long the path of the home is
    lines = [line for line in result.stdout.splitlines() if "sstpca --home" not in line]
    assert max(map(len, lines)) <= 80
    path = tmp_path / "vpn-report.txt"
    path.write_text(text)
    found = json.loads(run("doctor", "--read", str(path), "--json").stdout)
    assert found["verdict"] == "fail"
    assert found["pc"]["windows"].startswith("Microsoft Windows 11")
    assert [one["code"] for one in found["checks"] if one["verdict"] == "fail"] == ["0x800B0109"]
    hint = run("doctor", str(path))
    assert hint.exit_code == 2
    assert "a user's report is read with --read" in hint.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--read", "x.txt", "vpn.example.com"),
        ("--read", "x.txt", "--report", "y.txt"),
        ("--report", "y.txt", "--json"),
        ("--with-names",),
    ],
)
def test_options_that_exclude_each_other(run: Run, options: tuple[str, ...]) -> None:
    assert run("doctor", *options).exit_code == 2

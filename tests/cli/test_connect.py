"""``sstpca connect``: what it refuses before it dials, and what it shows of a connection."""

from pathlib import Path

import pytest

from sstpca.cli.connect_screen import Screen
from sstpca.vpn.connecting import State
from tests.conftest import Run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "it is not said what to connect to"),
        (["vpn", "--full-tunnel", "--route", "10.0.0.0/8"], "exclude each other"),
        (["vpn", "--pin", "00", "--system-trust"], "exclude each other"),
        (["vpn", "--pin", "00"], "is no SHA-256 of a certificate"),
        (["vpn", "--once", "--keep-trying"], "exclude each other"),
        (["vpn", "--install", "a", "--once"], "exclude each other"),
        (["vpn", "--dry-run"], "--dry-run is for --install"),
        (["vpn", "--key", "key.pem"], "--key is for a certificate"),
        (["vpn", "--certificate", "nothing.pem"], "nothing.pem"),
        (["vpn", "--route", "somewhere"], "is no network"),
        (["vpn", "--proxy", "socks://me:hidden@proxy"], "this is no HTTP proxy"),
        (["vpn"], "it is not said who logs in"),
    ],
)
def test_what_makes_no_sense(
    run: Run, words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("connect", *words)
    assert result.exit_code in (1, 2)
    first, *_ = result.stderr.splitlines()
    assert first.startswith("error: ") and said in first
    assert "hidden" not in result.stderr


def test_a_service_is_planned_without_its_secrets(run: Run, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    words = ["vpn.example.com", "--user", "alice", "--password-file", str(tmp_path / "password")]
    more = ["--system-trust", "--install", "office", "--dry-run"]
    result = run("connect", *words, *more)
    assert result.exit_code == 0, result.stderr
    assert "# /etc/sstpca/connections/office/password\n(for root alone)" in result.stdout
    assert "s3cret" not in result.output


def test_a_line_of_rates(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal of 80 columns, in which a line can be taken back."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    moments = iter([110.0, 112.0, 7300.0, 7301.0])
    with Screen(lambda: next(moments)) as screen:
        screen.show(State("connected as 10.0.0.2", True, "vpn0", 0, 0, since=100.0))
        assert capsys.readouterr().err == (
            "connected as 10.0.0.2\nvpn0 0:00:10  0 B/s down, 0 B/s up  0 B down, 0 B up in all"
        )
        screen.show(State("", True, "vpn0", 25_000_000, 3_000, since=100.0))
        line = "vpn0 0:00:12  12.5 MB/s down, 1.5 kB/s up  25.0 MB down, 3.0 kB up in all"
        assert capsys.readouterr().err == f"\r\x1b[K{line}"
        assert len(line) < 80
        # the next session counts from nothing
        screen.show(State("it is gone; trying again in 1 s", False, "vpn0"))
        screen.show(State("", True, "vpn0", 900_000_000_000, 0, since=100.0))
        assert "0 B/s down" in capsys.readouterr().err
        long = 10**12
        screen.show(State("", True, "a-long-name", 9 * 10**14, long, since=0.5))
        assert len(capsys.readouterr().err.removeprefix("\r\x1b[K")) == 79
    assert capsys.readouterr().err == "\r\x1b[K"


def test_a_log_has_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen() as screen:
        screen.show(State("connected as 10.0.0.2", True, "vpn0", 0, 0, since=100.0))
        screen.show(State("", True, "vpn0", 1, 1, since=100.0))
    [line] = capsys.readouterr().err.splitlines()
    assert line[:4].isdigit() and line.endswith(" connected as 10.0.0.2")

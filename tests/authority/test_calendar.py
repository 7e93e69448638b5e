"""The calendar, read by a small reader of RFC 5545."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.authority.calendar import make_calendar
from sstpca.store.certificates import Entry

END = datetime(2027, 12, 23, 22, 56, tzinfo=UTC)


def entry(name: str, number: int = 7, profile: str = "user") -> Entry:
    return Entry(
        id=number,
        name=name,
        profile=profile,
        serial=f"{number:x}",
        subject="CN=x",
        names=(),
        not_before=0.0,
        not_after=END.timestamp(),
        sha256="",
        sha1="",
        issuer_sha256="",
        der=b"",
        requested_by="",
        issued=1_700_000_000.0,
        revoked=None,
        reason=None,
        replaced=None,
    )


def parsed(content: bytes) -> list[tuple[str, str]]:
    """Return names and values, unfolded, with their line breaks; the form is checked on the way."""
    assert content.endswith(b"\r\n")
    lines = content[:-2].split(b"\r\n")
    assert all(len(line) <= 75 and b"\r" not in line and b"\n" not in line for line in lines)
    for line in lines:
        line.decode()  # no letter is cut in two
    text = content.decode().replace("\r\n ", "")
    pairs = (line.partition(":")[::2] for line in text[:-2].split("\r\n"))
    return [(name, value.replace("\\n", "\n")) for name, value in pairs]


def test_an_event() -> None:
    lines = parsed(make_calendar([entry("alice")], "ab" * 32, "vpn.example.com"))
    assert lines == [
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//sstpca//certificates//EN"),
        ("BEGIN", "VEVENT"),
        ("UID", "alice-abababababababab@sstpca"),
        ("SEQUENCE", "7"),
        ("DTSTAMP", "20231114T221320Z"),
        ("DTSTART;VALUE=DATE", "20271223"),
        ("SUMMARY", "vpn.example.com: the user certificate 'alice' expires"),
        ("DESCRIPTION", "At 2027-12-23 22:56 UTC. Serial 7.\nsstpca cert renew alice"),
        ("TRANSP", "TRANSPARENT"),
        ("BEGIN", "VALARM"),
        ("ACTION", "DISPLAY"),
        ("DESCRIPTION", "vpn.example.com: the user certificate 'alice' expires"),
        ("TRIGGER", "-P30D"),
        ("END", "VALARM"),
        ("END", "VEVENT"),
        ("END", "VCALENDAR"),
    ]


def test_a_renewed_one_is_the_same_event_later() -> None:
    old, new = (
        dict(parsed(make_calendar([entry("alice", number)], "ab" * 32, "x"))) for number in (7, 9)
    )
    assert old["UID"] == new["UID"]
    assert int(old["SEQUENCE"]) < int(new["SEQUENCE"])


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=90))
def test_any_name_keeps_the_form(name: str) -> None:
    content = make_calendar([entry(name)], "ab" * 32, "vpn.example.com")
    unfolded = content.replace(b"\r\n ", b"")
    escaped = name.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").encode()
    lines = content[:-2].split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert all(line.decode() for line in lines)
    assert b"\r\nUID:" + escaped + b"-abab" in unfolded


@pytest.mark.parametrize("length", range(60, 80))
def test_lines_are_folded_where_they_must_be(length: int) -> None:
    content = make_calendar([entry("\u00e9" * length)], "ab" * 32, "x")
    assert ("\u00e9" * length).encode() in content.replace(b"\r\n ", b"")
    assert max(map(len, content.split(b"\r\n"))) in (74, 75)

"""A calendar of what expires when (RFC 5545), for whoever has to renew it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from ..errors import command
from ..home import SERVER
from ..store.certificates import AUTHORITY, NEXT, Entry

# RFC 5545 3.1, in bytes without the line break
_LINE_MAX: Final = 75
_ALARM: Final = timedelta(days=30)


def make_calendar(entries: Iterable[Entry], authority: str, host: str) -> bytes:
    """Return a calendar with the day each of ``entries`` ends, and an alarm 30 days before, or a third of a short life.

    A renewed certificate keeps its event, which moves: read again, the calendar is up to date.

    :param authority: the SHA-256 of the first authority's certificate; makes the events of this home
        unlike those of others.
    :param host: what the VPN is called.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//sstpca//certificates//EN"]
    for entry in entries:
        lines += _event(entry, authority, host)
    lines.append("END:VCALENDAR")
    return b"".join(_folded(line) + b"\r\n" for line in lines)


def _event(entry: Entry, authority: str, host: str) -> list[str]:
    end, issued = _moment(entry.not_after), _moment(entry.issued)
    title = f"{host}: {_what(entry)} expires"
    return [
        "BEGIN:VEVENT",
        # 3.8.4.7 wants it unique for ever: the first certificate of the name does not matter
        f"UID:{_escaped(entry.name)}-{authority[:16]}@sstpca",
        f"SEQUENCE:{entry.id}",
        f"DTSTAMP:{issued:%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{end:%Y%m%d}",
        f"SUMMARY:{_escaped(title)}",
        f"DESCRIPTION:{_escaped(_advice(entry, end))}",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_escaped(title)}",
        f"TRIGGER:{_trigger(entry.due_before(_ALARM))}",
        "END:VALARM",
        "END:VEVENT",
    ]


def _trigger(before: timedelta) -> str:
    """Return the DURATION of an alarm, RFC 5545 3.3.6."""
    return f"-P{before.days}D" if before.days else f"-PT{before.seconds // 3600}H"


def _what(entry: Entry) -> str:
    if entry.name in (AUTHORITY, SERVER):
        return f"the {entry.name}'s certificate"
    if entry.name == NEXT:
        return "the next authority's certificate"
    return f"the {entry.profile} certificate '{entry.name}'"


def _advice(entry: Entry, end: datetime) -> str:
    when = f"At {end:%Y-%m-%d %H:%M} UTC. Serial {entry.serial}."
    if entry.profile == AUTHORITY:
        end_of_all = "All that it has issued ends with it."
        return f"{when}\n{end_of_all}\n{command('ca rollover begin')}"
    return f"{when}\n{command('cert renew {}', entry.name)}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _escaped(text: str) -> str:
    """Return ``text`` as a TEXT value, RFC 5545 3.3.11."""
    for sign in "\\;,":
        text = text.replace(sign, "\\" + sign)
    return text.replace("\n", "\\n")


def _folded(line: str) -> bytes:
    """Return ``line`` in UTF-8, continued after 75 bytes, never in the middle of a letter."""
    parts: list[bytes] = []
    part = b""
    for sign in line:
        encoded = sign.encode()
        # the blank that a continuation begins with counts, too
        if len(part) + len(encoded) > _LINE_MAX - bool(parts):
            parts.append(part)
            part = b""
        part += encoded
    return b"\r\n ".join([*parts, part])

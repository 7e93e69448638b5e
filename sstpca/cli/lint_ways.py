"""What ``cert lint`` says of a certificate of this home that has ended or will: the command for it."""

import contextlib
import dataclasses
import shlex
from collections.abc import Iterator

from cryptography import x509

from ..authority.authority import client_roots, issuer_of
from ..errors import SstpcaError
from ..home import SERVER, Home
from ..lint.checks import Report
from ..lint.readable import named
from ..store import Store, certificates
from ..store.certificates import Entry
from ..x509.certificates import Certificate
from .context import Context
from .output import for_this_home

_ENDS = frozenset({"expired", "ends-soon"})
_CLOCK = "; if it is not that late, correct this machine's clock"


def with_ways(context: Context, report: Report, what: str, *, own: bool) -> Report:
    """Return ``report`` with the command that mends it where something has ended, or will soon.

    :param what: what the report calls the leaf.
    :param own: whether it is what this home's server shows.
    """
    home = Home(context.home_path)
    if report.leaf is None or not home.exists:
        return report
    ways = dict(_ways(context, home, report, what, own=own))
    findings = tuple(
        dataclasses.replace(one, fix=_fix(ways[subject], one.check))
        if one.check in _ENDS and (subject := _subject(one.found)) in ways
        else one
        for one in report.findings
    )
    return dataclasses.replace(report, findings=findings)


def _subject(found: str) -> str:
    """Return what an end is said of."""
    return found.rpartition(" expired on ")[0] or found.rpartition(" ends on ")[0]


def _fix(way: str, check: str) -> str:
    return for_this_home(way) + (_CLOCK if check == "expired" else "")


def _ways(
    context: Context, home: Home, report: Report, what: str, *, own: bool
) -> Iterator[tuple[str, str]]:
    """Yield what each certificate of the path is called, and the way to a new one, if there is one."""
    assert report.leaf is not None
    if issuer_of(home, report.leaf) is not None:
        yield what, _renewal(_entry(context, report.leaf), own=own)
    elif own:
        yield what, "get a new one from whoever issued it, then: sstpca cert import FILE..."
    ours = client_roots(home)
    for one in report.path[1:]:
        if one in ours:
            yield named(Certificate.of(one)).what, "make a next authority: sstpca ca rollover begin"


def _entry(context: Context, leaf: x509.Certificate) -> Entry | None:
    with contextlib.suppress(SstpcaError):
        store: Store = context.store()
        digest = certificates.digest(leaf)
        return next((one for one in certificates.list_all(store) if one.sha256 == digest), None)
    return None


def _renewal(entry: Entry | None, *, own: bool) -> str:
    if entry is None:
        return f"sstpca cert renew {SERVER if own else 'NAME'}"
    name = shlex.quote(entry.name)
    if entry.replaced is not None:
        return f"a newer one has taken its place: sstpca cert export {name}"
    if entry.revoked is not None:
        return f"it is revoked as well: sstpca cert rekey {name}"
    return f"sstpca cert renew {name}"

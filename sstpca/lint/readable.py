"""Certificates as the checks look at them: named, and read to the last field."""

import dataclasses
from dataclasses import dataclass

from ..names import quoted
from ..x509.certificates import Certificate
from ..x509.extensions import UNREADABLE
from ..x509.loading import explain
from .findings import Finding, Windows, error


@dataclass(frozen=True, slots=True, eq=False)
class Readable(Certificate):
    """A certificate that findings are about.

    :param what: how they name it.
    """

    what: str


def read(der: bytes, what: str = "") -> Readable | Finding:
    """Return the certificate in ``der``, or the finding that it cannot be read.

    :param what: how findings name it; by default by its subject.
    """
    try:
        found = Certificate.read(der)
    except UNREADABLE:
        return _unreadable(f"{what or 'a certificate'} cannot be read: {explain(der)}")
    one = named(found, what)
    if one.lacking is not None:
        return _unreadable(f"{one.what}: the extension {one.lacking.name} {one.lacking.why}")
    return one


def named(one: Certificate, what: str = "") -> Readable:
    """Return ``one`` as findings name it: ``what``, or by its subject, safe for a terminal."""
    fields = {field.name: getattr(one, field.name) for field in dataclasses.fields(Certificate)}
    what = what or f"the certificate {quoted(one.subject.rfc4514_string())}"
    return Readable(**fields, what=what)


def _unreadable(found: str) -> Finding:
    return error(
        "unreadable",
        found,
        "get it again from whoever issued it; copy the whole file",
        Windows.UNREADABLE,
    )

"""Whom the clients of a home have to trust."""

from datetime import UTC, datetime

from ...authority.authority import trusted
from ...authority.identity import Identity, load_identities, served_hosts
from ...home import Home
from ...lint.checks import Presented, lint
from ...lint.eap import OBJECTIONS
from ...names import parse_hosts
from ...x509.certificates import certificate_to_der
from ...x509.chains import root_of
from .bundle import Trust


def load(home: Home) -> Trust:
    """Return whom clients have to trust so that they believe the server of ``home``.

    :raises SstpcaError: if Windows would refuse the server's certificate.
    """
    identities = load_identities(home)
    objection = next(filter(None, (_objection(home, one) for one in identities)), None)
    if identities[0].own:
        authorities = trusted(home)
        return Trust(authorities, authorities, objection)
    roots = [root_of((one.certificate, *one.chain)) for one in identities]
    known = dict.fromkeys(root for root in roots if root is not None)
    return Trust((), tuple(known), objection)


def _objection(home: Home, identity: Identity) -> str | None:
    """Return what Windows' EAP refuses, though its SSTP does not."""
    report = lint(
        Presented([certificate_to_der(identity.certificate)], "the server's certificate"),
        hosts=parse_hosts([served_hosts(home).first]),
        trusted=(),
        now=datetime.now(UTC),
    )
    return next((one.found for one in report.findings if one.check in OBJECTIONS), None)

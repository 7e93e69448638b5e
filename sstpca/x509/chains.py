"""Chains: certificates in the order that TLS sends them, whatever order they came in."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509

from ..errors import SstpcaError
from ..names import quoted
from . import roots
from .certificates import issued, sha256_fingerprint
from .exporting import is_self_issued
from .extensions import read_extensions

DEPTH_MAX: Final = 8


def order_chain(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    now: datetime,
) -> tuple[x509.Certificate, ...]:
    """Return the intermediates between ``leaf`` and a root, which is left out: clients have it.

    The shortest way of certificates valid at ``now`` is taken; the order of ``others`` does not
    matter.

    :param others: what may be part of the chain; roots among them count as known.
    :param anchors: further roots that are known.
    :raises SstpcaError: naming the certificate that is missing.
    """
    ordered = sorted(others, key=lambda one: (one.not_valid_after_utc, sha256_fingerprint(one)))
    ordered = [one for one in reversed(ordered) if one != leaf]
    ends = [*anchors, *(one for one in (leaf, *ordered) if issued(one, one))]
    between = [one for one in ordered if one not in ends]
    valid = [one for one in between if _is_valid(one, now)]
    end = leaf
    for candidates in (valid, between):
        found, end = _search(leaf, candidates, ends)
        if found is not None:
            return found
    raise _incomplete(end, leaf, ordered)


def _search(
    leaf: x509.Certificate,
    candidates: Sequence[x509.Certificate],
    ends: Sequence[x509.Certificate],
) -> tuple[tuple[x509.Certificate, ...] | None, x509.Certificate]:
    """Search breadth first; return the way, if there is one, and where the search ended."""
    queue: deque[tuple[x509.Certificate, ...]] = deque([(leaf,)])
    seen, end = {leaf}, leaf
    while queue:
        path = queue.popleft()
        end = path[-1]
        if any(issued(end, root) for root in ends):
            return path[1:], end
        for one in candidates if len(path) <= DEPTH_MAX else ():
            if one not in seen and is_authority(one) and issued(end, one):
                seen.add(one)
                queue.append((*path, one))
    return None, end


def is_authority(certificate: x509.Certificate) -> bool:
    """Return whether ``certificate`` may sign others."""
    try:
        found = read_extensions(certificate).readable
        return found.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _incomplete(
    end: x509.Certificate, leaf: x509.Certificate, others: Sequence[x509.Certificate]
) -> SstpcaError:
    """Return what is missing after ``end``."""
    issuer = quoted(end.issuer.rfc4514_string())
    named = [one for one in others if one.subject == end.issuer]
    if any(issued(end, one) for one in named):
        return SstpcaError(
            f"the chain over {issuer} does not come to a root: Windows says 0x800B010A",
            f"is that an authority's? no more than {DEPTH_MAX} of them, and no circle, is a chain",
        )
    if named:
        return SstpcaError(
            f"the certificate of {issuer} in these files did not sign the one of "
            f"{quoted(end.subject.rfc4514_string())}: Windows says 0x800B010A",
            "fetch the chain anew from the authority: it has another key of the same name",
        )
    what = "certificate" if end == leaf else "intermediate"
    return SstpcaError(
        f"the chain is incomplete: the issuer of the last {what}, {issuer}, is missing: "
        "Windows says 0x800B010A",
        "give its certificate as well; a private authority's root, too: it is left out of server.pem",
    )


def root_of(chain: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the root of ``chain``, leaf first, among those this machine trusts; None if unknown."""
    known = [*chain[1:], *roots.system_roots()]
    return next((one for one in known if is_self_issued(one) and issued(chain[-1], one)), None)

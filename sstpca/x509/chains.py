"""Chains: the path from a certificate over others to a root, whatever order they came in."""

import enum
import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from cryptography import x509

from ..errors import Refused, SstpcaError
from ..names import quoted
from .certificates import Certificate
from .roots import PublicRoots

#: as many authorities as a path may have below its root
DEPTH_MAX: Final = 8

_One = TypeVar("_One", bound=Certificate)
#: Gives the public roots of a name.
Roots = Callable[[x509.Name], Sequence[_One]]


@enum.unique
class End(enum.Enum):
    """Where a path ends."""

    TRUSTED = "in a root that the caller trusts"
    PUBLIC = "in a root that everybody trusts"
    UNKNOWN_ROOT = "in a root that nobody here knows"
    MISSING = "where an issuer is not at hand"
    FORGED = "where the only issuer of that name did not sign"


_ROOTED: Final = frozenset({End.TRUSTED, End.PUBLIC})


@dataclass(frozen=True, slots=True)
class Path(Generic[_One]):
    """A path, the leaf first; the root last if it is known."""

    certificates: tuple[_One, ...]
    end: End

    @property
    def below_root(self) -> tuple[_One, ...]:
        """The certificates whose signature and revocation count."""
        *below, last = self.certificates
        return tuple(below) if last.self_issued else self.certificates


def build(
    leaf: _One, others: Iterable[_One], trusted: Sequence[_One], public: Roots[_One], now: datetime
) -> Path[_One]:
    """Return the path from ``leaf`` over ``others`` to one of ``trusted``, or to a public root.

    Of several it is the shortest of authorities' certificates that are valid at ``now``, an aware
    time; where there is none, of others, so that somebody can say what is wrong with them. A
    signature that cannot be verified here counts as one.
    """
    search = _Search(leaf, trusted, public)
    found = list[Path[_One]]()
    for candidates in _preferred([one for one in others if one != leaf], now):
        found.append(search.over(candidates))
        if found[-1].end in _ROOTED:
            return found[-1]
    return next((one for one in found if one.end is End.UNKNOWN_ROOT), found[-1])


def _preferred(others: Iterable[_One], now: datetime) -> Iterator[list[_One]]:
    """Yield what a path may consist of, the best first: whatever their order, it is the same."""
    ordered = sorted(others, key=lambda one: (one.end, one.sha256), reverse=True)
    authorities = [one for one in ordered if one.authority]
    yield [one for one in authorities if one.is_valid(now)]
    yield authorities
    yield ordered


class _Search(Generic[_One]):
    """Searches breadth first; what it has verified once it knows."""

    def __init__(self, leaf: _One, trusted: Sequence[_One], public: Roots[_One]) -> None:
        self._leaf, self._trusted = leaf, trusted
        self._public = functools.cache(public)
        self._signed = functools.cache(lambda one, issuer: one.signed_by(issuer) is not False)

    def over(self, candidates: Sequence[_One]) -> Path[_One]:
        """Return the path over ``candidates``; if none ends in a root, the last one tried."""
        queue: deque[tuple[_One, ...]] = deque([(self._leaf,)])
        path: tuple[_One, ...] = (self._leaf,)
        seen = set(path)
        unknown: Path[_One] | None = None
        while queue:
            path = queue.popleft()
            last = path[-1]
            for end, roots in (
                (End.TRUSTED, self._trusted),
                (End.PUBLIC, self._public(last.issuer)),
            ):
                if last in roots:
                    return Path(path, end)
                for root in roots:
                    if self._signed(last, root):
                        return Path((*path, root), end)
            if last.self_issued and self._signed(last, last):
                unknown = unknown or Path(path, End.UNKNOWN_ROOT)
                continue
            for one in candidates if len(path) <= DEPTH_MAX else ():
                if one not in seen and self._signed(last, one):
                    seen.add(one)
                    queue.append((*path, one))
        last = path[-1]
        named = [one for one in (*self._trusted, *candidates) if one.subject == last.issuer]
        forged = bool(named) and not any(self._signed(last, one) for one in named)
        return unknown or Path(path, End.FORGED if forged else End.MISSING)


def order_chain(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    anchors: Iterable[x509.Certificate],
    now: datetime,
) -> tuple[x509.Certificate, ...]:
    """Return the intermediates between ``leaf`` and a root, which is left out: clients have it.

    See :func:`build`; the order of ``others`` does not matter.

    :param others: what may be part of the chain; roots among them count as known.
    :param anchors: roots that are known besides those that this machine trusts.
    :raises SstpcaError: naming the certificate that is missing.
    """
    first, known = Certificate.of(leaf), [Certificate.of(one) for one in others]
    roots = [one for one in (first, *known) if one.signed_by(one)]
    path = build(first, known, [*map(Certificate.of, anchors), *roots], PublicRoots(), now)
    between = path.certificates[1:-1] if path.end in _ROOTED else path.certificates[1:]
    end = first
    for one in between:
        if not one.authority:
            raise _incomplete(end, first, known)
        end = one
    if path.end not in _ROOTED:
        raise _incomplete(end, first, known)
    return tuple(one.raw for one in between)


def _incomplete(end: Certificate, leaf: Certificate, others: Sequence[Certificate]) -> SstpcaError:
    """Return what is missing after ``end``."""
    issuer = quoted(end.issuer.rfc4514_string())
    named = [one for one in others if one.subject == end.issuer and one != leaf]
    if any(end.signed_by(one) for one in named):
        return Refused(
            f"the chain over {issuer} does not come to a root: Windows says 0x800B010A",
            f"is that an authority's? no more than {DEPTH_MAX} of them, and no circle, is a chain",
        )
    if named:
        return Refused(
            f"the certificate of {issuer} in these files did not sign the one of "
            f"{quoted(end.subject.rfc4514_string())}: Windows says 0x800B010A",
            "fetch the chain anew from the authority: it has another key of the same name",
        )
    what = "certificate" if end == leaf else "intermediate"
    return Refused(
        f"the chain is incomplete: the issuer of the last {what}, {issuer}, is missing: "
        "Windows says 0x800B010A",
        "give its certificate as well; a private authority's root, too: it is left out of server.pem",
    )


def root_of(chain: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the root of ``chain``, leaf first, among those this machine trusts; None if unknown."""
    last, *_ = reversed(chain)
    end = Certificate.of(last)
    known = [*map(Certificate.of, chain[1:]), *PublicRoots()(end.issuer)]
    return next((one.raw for one in known if one.self_issued and end.signed_by(one)), None)

"""Records of bundles that were never made, for tests of who has what."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from cryptography import x509

from sstpca.store import Store, bundles
from sstpca.store.bundles import Made
from sstpca.x509.certificates import digest


def note(
    store: Store,
    user: str,
    authorities: Iterable[x509.Certificate],
    made: float = 2e9,
    platforms: tuple[str, ...] = ("windows",),
) -> None:
    """Record a bundle of ``user`` with ``authorities``, made at that time."""
    known: dict[str, Any] = {field.name: "" for field in fields(Made)}
    known |= {"user": user, "made": made, "platforms": platforms}
    known["authorities"] = tuple(map(digest, authorities))
    bundles.record(store, [Made(**known)])

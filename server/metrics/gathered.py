"""What the supervisor tells the exporter: what no worker counts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..contracts import Figures, Pool

#: Access profiles that are told of, those with the most addresses in use first: a label with more values
#: is of no use to Prometheus either.
PROFILES: Final = 500


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that the exporter is told.

    :param begun: when the server started, seconds since 1970.
    :param workers: how many there are to be.
    :param lost: workers that ended unexpectedly.
    :param draining: whether it takes no logins any more, as it is told to.
    :param versions: of the server and of what it runs on.
    :param figures: None while the store has not said.
    """

    begun: float = 0.0
    workers: int = 0
    lost: int = 0
    draining: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    figures: Figures | None = None

    def encode(self) -> bytes:
        """Return it as one line."""
        told: dict[str, Any] = {
            "begun": self.begun,
            "workers": self.workers,
            "lost": self.lost,
            "draining": self.draining,
            "versions": dict(self.versions),
        }
        if self.figures is not None:
            most = sorted(self.figures.pools.items(), key=lambda one: -one[1].used)[:PROFILES]
            told["figures"] = {
                "pools": {name: [pool.addresses, pool.used] for name, pool in most},
                "lockouts": dict(self.figures.lockouts),
                "certificates": dict(self.figures.certificates),
            }
        return json.dumps(told).encode() + b"\n"


def decode(line: bytes) -> Gathered:
    """Return what :meth:`Gathered.encode` made a line of."""
    told = json.loads(line)
    figures = told.pop("figures", None)
    if figures is not None:
        pools = {name: Pool(*numbers) for name, numbers in figures.pop("pools").items()}
        told["figures"] = Figures(pools=pools, **figures)
    return Gathered(**told)

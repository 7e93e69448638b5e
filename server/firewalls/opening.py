"""The server's dealings with other firewalls: it says what they block, or has them let it through.

What is opened is marked as this server's, in their own rules: so it is taken back at the end, and after a
crash at the next start, and whatever they forget when they are loaded anew is there again soon.
"""

import time
from collections.abc import Callable, Iterable

from ..config import Config
from ..log import LOGGER
from . import commands
from .commands import Said
from .findings import Command, Finding, Vpn, findings, leftovers

#: Seconds between two looks: when rules have changed; when something could not be opened, as while it is
#: loaded anew; and in any case, as not all changes are told.
_SOON, _AGAIN, _LATEST = 2.0, 10.0, 60.0

Run = Callable[..., str | None]


def look(vpn: Vpn) -> tuple[Finding, ...]:
    """Return what blocks the VPN on this machine now. It takes root to see it."""
    return findings(commands.hear(vpn.outer), vpn)


def vpn_of(config: Config) -> Vpn:
    """Return what other firewalls are to let through for a server."""
    addresses = [address for address, _ in config.listen]
    return Vpn(
        config.listen[0][1] if config.listen else 443,
        config.interface,
        commands.outer_interface(config.interface),
        config.table,
        frozenset("ip6" if ":" in one else "ip" for one in addresses),
        frozenset({"ip", "ip6"} if config.ipv6() else {"ip"}),
    )


class Opening:
    """Looks, and opens if it is to. :meth:`close` may be called whatever came of the rest."""

    def __init__(
        self,
        config: Config,
        *,
        hear: Callable[..., Said] = commands.hear,
        run: Run = commands.run,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._hear = hear
        self._run = run
        self._clock = clock
        self._known: frozenset[Finding] = frozenset()
        self._looked = 0.0
        self._doubtful = False

    def open(self) -> None:
        """Take back what an earlier run left, look, and do what is to be done."""
        self.close()
        self._look()

    def reconcile(self, *, changed: bool) -> None:
        """Look again if it is time to.

        :param changed: whether rules may have changed since the last call.
        """
        self._doubtful = self._doubtful or changed
        since = self._clock() - self._looked
        failed = self._config.open_firewall and bool(self._known)
        if since > _LATEST or (
            (self._doubtful or failed) and since > (_AGAIN if failed else _SOON)
        ):
            self._look()

    def close(self) -> None:
        """Take back what was opened, by this run or an earlier one."""
        vpn = vpn_of(self._config)
        self._do(leftovers(self._hear(vpn.outer, ours=True), vpn))

    def _look(self) -> None:
        self._doubtful = False
        vpn = vpn_of(self._config)
        found = findings(self._hear(vpn.outer), vpn)
        if found and self._config.open_firewall:
            found = self._opened(vpn)
        for one in found:
            if one not in self._known:
                how = (
                    "it could not be opened"
                    if self._config.open_firewall
                    else "--open-firewall does it"
                )
                LOGGER.warning("%s (%s)", one, how)
        self._known = frozenset(found)
        self._looked = self._clock()

    def _opened(self, vpn: Vpn) -> tuple[Finding, ...]:
        """Open what is closed, from the beginning; return what could not be."""
        self.close()
        before = findings(self._hear(vpn.outer), vpn)
        self._do(step for one in before for step in one.steps)
        after = findings(self._hear(vpn.outer), vpn)
        for one in before:
            if one not in after:
                LOGGER.info("%s lets %s through while the server runs", one.blocker, one.what)
        return after

    def _do(self, steps: Iterable[Command]) -> None:
        for program, *arguments in steps:
            if self._run(program, *arguments) is None:
                LOGGER.warning("%s refuses: %s", program, " ".join(arguments))

"""IPv4 forwarding for clients, and for nobody else.

The switch for the whole machine (``net.ipv4.ip_forward``) stays as it is: Docker, libvirt and
administrators turn it on for themselves, and that it is off says that nobody has. Where it is off,
each interface gets its own switch turned on (``net.ipv4.conf.NAME.forwarding``: whether packets
that come in there are forwarded), and a rule drops what is neither from a client nor to one.

What we turned on is remembered in the nftables table that has the rule. Like the switches it
belongs to the network namespace and lasts until the next boot, whatever ends us. All servers of
this machine share it; the last one to end takes it away.
"""

import re
import socket
from pathlib import Path
from typing import Final

from ..errors import ServerError
from ..log import LOGGER
from .group import MARK, MARK_BITS
from .nft import NftError, nft
from .presence import is_present

#: What all servers of this machine share.
TABLE: Final = "sstpca_forwarding"
_EVERYWHERE: Final = Path("/proc/sys/net/ipv4/ip_forward")
_INTERFACES: Final = Path("/proc/sys/net/ipv4/conf")
_BRIDGES: Final = Path("/proc/sys/net/bridge")

# Adds what is missing, and changes nothing otherwise. With br_netfilter, frames within a bridge pass
# here as if routed back to where they came from.
_RULES: Final = f"""\
table inet {TABLE} {{
    set turned_on {{
        type iface_index
    }}
    set bridges {{
        type iface_index . iface_index
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
    }}
}}
flush chain inet {TABLE} forward
table inet {TABLE} {{
    chain forward {{
        iif . oif @bridges return
        meta nfproto ipv4 iif @turned_on iifgroup & {MARK_BITS:#x} != {MARK:#x} oifgroup & {MARK_BITS:#x} != {MARK:#x} drop
    }}
}}
"""


class Forwarding:
    """Turns forwarding on for one server. :meth:`close` takes back what it did, and may be called
    whatever came of :meth:`open`.

    :param table: the server's own table; others tell by theirs that they are there.
    :param prefix: of the sessions' interfaces, which are made with their switch on.
    """

    def __init__(self, table: str, prefix: str) -> None:
        self._table = table
        self._prefix = prefix
        #: Number and name: an interface that is made anew has another number.
        self._known: set[tuple[int, str]] = set()
        #: Of the interfaces in the record, as far as this server knows.
        self._numbers: set[int] = set()
        self._ours = False

    def open(self) -> None:
        """Have packets from and to clients forwarded.

        :raises ServerError: if that cannot be.
        """
        if _on(_EVERYWHERE):
            _forget(TABLE)
            LOGGER.info(
                "IPv4 forwarding is on for the whole machine already: what it forwards between "
                "other networks is not filtered here"
            )
            return
        self._ours = True
        self._record()
        self.reconcile()
        LOGGER.info("turned IPv4 forwarding on, for clients alone; it is turned off at the end")

    def reconcile(self) -> None:
        """See what has changed: new interfaces, or the switch for the whole machine.

        :raises ServerError: if what has to be done about it cannot.
        """
        everywhere = _on(_EVERYWHERE)
        if self._ours and everywhere:
            self._ours = False
            self._known.clear()
            self._numbers.clear()
            _forget(TABLE)
            LOGGER.info(
                "another program turned IPv4 forwarding on for the whole machine: it stays on, and "
                "what it forwards between other networks is no longer filtered here"
            )
        elif not self._ours and not everywhere:
            self.open()
        elif self._ours:
            self._turn_on(set(socket.if_nameindex()))

    def restore(self) -> None:
        """Have the rule and the record again if somebody took them away.

        :raises ServerError: if that cannot be.
        """
        if self._ours and not self._whole():
            self._record()
            LOGGER.warning(
                "another program took away the rule that keeps this machine from being a router "
                "for others; it is in place again"
            )

    def close(self) -> None:
        """Turn off what was turned on, unless others need it.

        :raises ServerError: if that cannot be.
        """
        turned_on, others = _turned_on(), self._others()
        if turned_on is None or any(map(is_present, others)):
            return
        if not _on(_EVERYWHERE):
            for name in turned_on:
                _switch(name, on=False)
        _forget(TABLE, *others)

    def _turn_on(self, interfaces: set[tuple[int, str]]) -> None:
        new = {
            number: name
            for number, name in interfaces - self._known
            if name != "lo" and not name.startswith(self._prefix)
        }
        off = {
            number: name
            for number, name in new.items()
            if not _on(_INTERFACES / name / "forwarding")
        }
        if new:
            # by number: a name can change. Another server of ours may have turned on the rest
            self._numbers |= {*off, *map(_number, _turned_on() or ())}
        if off:
            # before the switches: at no time is there one without the other
            self._record()
        for name in off.values():
            _switch(name, on=True)
        self._known = interfaces

    def _record(self) -> None:
        """Have the rule, and the record of whatever is known to be turned on."""
        here = self._here()
        numbers = ", ".join(map(str, here))
        pairs = (f"{number} . {number}" for number, name in here.items() if _is_bridge(name))
        bridges = ", ".join(pairs) if _BRIDGES.exists() else ""
        nft(
            _RULES
            + (f"add element inet {TABLE} turned_on {{ {numbers} }}\n" if numbers else "")
            + (f"add element inet {TABLE} bridges {{ {bridges} }}\n" if bridges else "")
        )

    def _here(self) -> dict[int, str]:
        """Return the interfaces that are turned on, and what they are called now."""
        return {number: name for number, name in socket.if_nameindex() if number in self._numbers}

    def _whole(self) -> bool:
        """Whether the rule is there, and in the record all that it has to have."""
        recorded = _turned_on()
        if recorded is None or not self._here().keys() <= set(map(_number, recorded)):
            return False
        try:
            return "@turned_on" in nft(f"list chain inet {TABLE} forward")
        except NftError:
            return False

    def _others(self) -> list[str]:
        """Return the tables of other servers, of those that were killed as well."""
        lines = (line.strip() for line in nft("list tables inet").splitlines())
        names = [line.removeprefix("table inet ") for line in lines]
        return [
            one for one in names if one.startswith("sstpca_") and one not in (self._table, TABLE)
        ]


def _on(switch: Path) -> bool:
    """Whether a switch is on; that of an interface that has gone is not."""
    try:
        return switch.read_text().strip() != "0"
    except OSError:
        return False


def _switch(name: str, *, on: bool) -> None:
    try:
        (_INTERFACES / name / "forwarding").write_text("1" if on else "0")
    except FileNotFoundError:  # the interface has gone
        return
    except OSError as error:
        state = "on" if on else "off"
        raise ServerError(
            f"IPv4 forwarding cannot be turned {state}: {error.strerror}",
            "turn it on for this machine or container: sysctl net.ipv4.ip_forward=1",
        ) from error


def _number(name: str) -> int:
    """Return the number of an interface; 0 if it has gone."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _is_bridge(name: str) -> bool:
    return Path(f"/sys/class/net/{name}/bridge").exists()


def _turned_on() -> list[str] | None:
    """Return the interfaces whose switch we turned on, or another run did; None if none of us."""
    try:
        listed = nft(f"list set inet {TABLE} turned_on")
    except NftError:
        return None
    return re.findall(r'"([^"]+)"', listed)


def _forget(*tables: str) -> None:
    nft("".join(f"table inet {one}\ndelete table inet {one}\n" for one in tables))

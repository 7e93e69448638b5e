"""Forwarding for clients, and for nobody else: of IPv4, and of IPv6 where clients may have it.

The switch for the whole machine (``net.ipv4.ip_forward``) stays as it is: Docker, libvirt and
administrators turn it on for themselves, and that it is off says that nobody has. Where it is off,
each interface gets its own switch turned on (``net.ipv4.conf.NAME.forwarding``: whether packets
that come in there are forwarded), and a rule drops what is neither from a client nor to one. IPv6 has
such a switch since Linux 6.17 (``net.ipv6.conf.NAME.force_forwarding``); for older kernels there is
:mod:`.forwarding_ipv6`.

What we turned on is remembered in the nftables table that has the rule. Like the switches it
belongs to the network namespace and lasts until the next boot, whatever ends us. All servers of
this machine share it; the last one to end takes it away.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import ServerError
from ..log import LOGGER
from .group import MARK, MARK_BITS
from .nft import NftError, nft
from .presence import is_present

_BRIDGES: Final = Path("/proc/sys/net/bridge")


@dataclass(frozen=True, slots=True)
class Family:
    """The switches of one family of addresses.

    :param table: what all servers of this machine share.
    :param setting: turns forwarding on for the whole machine, as sysctl has it.
    :param switch: the file that does so for one interface, in the folder of all interfaces.
    """

    name: str
    table: str
    setting: str
    interfaces: Path
    switch: str

    @property
    def everywhere(self) -> Path:
        """The file that turns it on for the whole machine."""
        return Path("/proc/sys") / self.setting.replace(".", "/")


IPV4: Final = Family(
    "IPv4",
    "sstpca_forwarding",
    "net.ipv4.ip_forward",
    Path("/proc/sys/net/ipv4/conf"),
    "forwarding",
)
IPV6: Final = Family(
    "IPv6",
    "sstpca_forwarding_ipv6",
    "net.ipv6.conf.all.forwarding",
    Path("/proc/sys/net/ipv6/conf"),
    "force_forwarding",
)
TABLES: Final = frozenset({IPV4.table, IPV6.table})

# Adds what is missing, and changes nothing otherwise.
_RULES: Final = """\
table inet {table} {{
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
flush chain inet {table} forward
table inet {table} {{
    chain forward {{
        iif . oif @bridges return
        meta nfproto {family} iif @turned_on {no_client} drop
    }}
}}
"""
#: A packet is neither from a client nor to one.
NO_CLIENT: Final = f"iifgroup & {MARK_BITS:#x} != {MARK:#x} oifgroup & {MARK_BITS:#x} != {MARK:#x}"


class Forwarding:
    """Turns forwarding on for one server. :meth:`close` takes back what it did, and may be called
    whatever came of :meth:`open`.

    :param table: the server's own table; others tell by theirs that they are there.
    :param prefix: of the sessions' interfaces, which are made with their switch on.
    :param family: of which addresses.
    """

    def __init__(self, table: str, prefix: str, family: Family) -> None:
        self._table = table
        self._prefix = prefix
        self._family = family
        #: Number and name: an interface that is made anew has another number.
        self._known: set[tuple[int, str]] = set()
        #: Of the interfaces in the record, as far as this server knows.
        self._numbers: set[int] = set()
        self._ours = False

    def open(self) -> None:
        """Have packets from and to clients forwarded.

        :raises ServerError: if that cannot be.
        """
        if is_on(self._family.everywhere):
            forget_tables(self._family.table)
            LOGGER.info(
                "%s forwarding is on for the whole machine already: what it forwards between "
                "other networks is not filtered here",
                self._family.name,
            )
            return
        self._ours = True
        self._record()
        self.reconcile()
        LOGGER.info(
            "turned %s forwarding on, for clients alone; it is turned off at the end",
            self._family.name,
        )

    def reconcile(self) -> None:
        """See what has changed: new interfaces, or the switch for the whole machine.

        :raises ServerError: if what has to be done about it cannot.
        """
        everywhere = is_on(self._family.everywhere)
        if self._ours and everywhere:
            self._ours = False
            self._known.clear()
            self._numbers.clear()
            forget_tables(self._family.table)
            LOGGER.info(
                "another program turned %s forwarding on for the whole machine: it stays on, and "
                "what it forwards between other networks is no longer filtered here",
                self._family.name,
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
        turned_on, others = self._recorded(), others_than(self._table)
        if turned_on is None or any(map(is_present, others)):
            return
        if not is_on(self._family.everywhere):
            for name in turned_on:
                self._switch(name, on=False)
        forget_tables(self._family.table, *others)

    def _turn_on(self, interfaces: set[tuple[int, str]]) -> None:
        new = {
            number: name
            for number, name in interfaces - self._known
            if name != "lo" and not name.startswith(self._prefix)
        }
        off = {
            number: name
            for number, name in new.items()
            if not is_on(self._family.interfaces / name / self._family.switch)
        }
        if new:
            # by number: a name can change. Another server of ours may have turned on the rest
            self._numbers |= {*off, *map(_number, self._recorded() or ())}
        if off:
            # before the switches: at no time is there one without the other
            self._record()
        for name in off.values():
            self._switch(name, on=True)
        self._known = interfaces

    def _record(self) -> None:
        """Have the rule, and the record of whatever is known to be turned on."""
        here = self._here()
        numbers = ", ".join(map(str, here))
        bridges = bridge_pairs(here.items())
        table = self._family.table
        nft(
            _RULES.format(table=table, family=self._family.name.lower(), no_client=NO_CLIENT)
            + (f"add element inet {table} turned_on {{ {numbers} }}\n" if numbers else "")
            + (f"add element inet {table} bridges {{ {bridges} }}\n" if bridges else "")
        )

    def _here(self) -> dict[int, str]:
        """Return the interfaces that are turned on, and what they are called now."""
        return {number: name for number, name in socket.if_nameindex() if number in self._numbers}

    def _whole(self) -> bool:
        """Whether the rule is there, and in the record all that it has to have."""
        recorded = self._recorded()
        if recorded is None or not self._here().keys() <= set(map(_number, recorded)):
            return False
        try:
            return "@turned_on" in nft(f"list chain inet {self._family.table} forward")
        except NftError:
            return False

    def _recorded(self) -> list[str] | None:
        """Return the interfaces whose switch we turned on, or another run did; None if none of us."""
        try:
            listed = nft(f"list set inet {self._family.table} turned_on")
        except NftError:
            return None
        return re.findall(r'"([^"]+)"', listed)

    def _switch(self, name: str, *, on: bool) -> None:
        write_switch(self._family.interfaces / name / self._family.switch, self._family, on=on)


def others_than(table: str) -> list[str]:
    """Return the tables of other servers than ours, of those that were killed as well."""
    lines = (line.strip() for line in nft("list tables inet").splitlines())
    names = [line.removeprefix("table inet ") for line in lines]
    return [one for one in names if one.startswith("sstpca_") and one not in (table, *TABLES)]


def bridge_pairs(interfaces: Iterable[tuple[int, str]]) -> str:
    """Return the elements of a set of what comes from a bridge and goes to it, for nft.

    With br_netfilter, frames within a bridge pass as if routed back to where they came from.
    """
    if not _BRIDGES.exists():
        return ""
    return ", ".join(f"{number} . {number}" for number, name in interfaces if _is_bridge(name))


def is_on(switch: Path) -> bool:
    """Return whether a switch is on; that of an interface that has gone is not."""
    try:
        return switch.read_text().strip() != "0"
    except OSError:
        return False


def write_switch(switch: Path, family: Family, *, on: bool) -> None:
    """Turn forwarding on or off; one that has gone with its interface is left alone.

    :raises ServerError: if this machine does not let us.
    """
    try:
        switch.write_text("1" if on else "0")
    except FileNotFoundError:
        return
    except OSError as error:
        state = "on" if on else "off"
        raise ServerError(
            f"{family.name} forwarding cannot be turned {state}: {error.strerror}",
            f"turn it on for this machine or container: sysctl {family.setting}=1",
        ) from error


def _number(name: str) -> int:
    """Return the number of an interface; 0 if it has gone."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _is_bridge(name: str) -> bool:
    return Path(f"/sys/class/net/{name}/bridge").exists()


def forget_tables(*tables: str) -> None:
    """Take tables away, those that are there."""
    nft("".join(f"table inet {one}\ndelete table inet {one}\n" for one in tables))

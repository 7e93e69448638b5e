"""What other firewalls keep from the VPN, and the commands that let it through.

That is a function of what their programs say (:class:`.commands.Said`): nothing is run here.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from . import filters, iptables, nftables
from .commands import TRUSTED, Said
from .filters import Chains, Probe

Command = tuple[str, ...]

#: What marks the rich rules of firewalld as ours: none is there by chance.
_PRIORITY: Final = -835


@dataclass(frozen=True, slots=True)
class Vpn:
    """What is to be let through.

    :param port: TCP, where clients connect.
    :param prefix: of the sessions' interfaces.
    :param outer: the interface that strangers come from.
    :param tag: what marks rules as this server's: the name of its own table.
    :param listens: the families of addresses where it listens, "ip" and "ip6".
    :param carries: those that clients have in the tunnel.
    """

    port: int
    prefix: str
    outer: str
    tag: str
    listens: frozenset[str] = frozenset({"ip"})
    carries: frozenset[str] = frozenset({"ip"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that blocks the VPN.

    :param blocker: who it is.
    :param what: is blocked.
    :param commands: that let it through for good, for an administrator.
    :param steps: that do so until they are taken back (:func:`leftovers`).
    """

    blocker: str
    what: str
    commands: tuple[Command, ...]
    steps: tuple[Command, ...]

    def __str__(self) -> str:
        return f"{self.blocker} blocks {self.what}: {'; '.join(map(shlex.join, self.commands))}"


#: Its chains, of both families.
_OF_UFW: Final = frozenset({"ufw-user-input", "ufw6-user-input"})
_CLIENTS: Final = "what clients send through this machine"


def findings(said: Said, vpn: Vpn) -> tuple[Finding, ...]:
    """Return what blocks the VPN, each once."""
    return tuple(dict.fromkeys((*_of_iptables(said, vpn), *_of_nftables(said, vpn))))


def leftovers(said: Said, vpn: Vpn) -> tuple[Command, ...]:
    """Return the commands that take back what the steps of findings have done, whoever ran them."""
    return (
        *_left_in_iptables(said, vpn.tag),
        *_left_in_nftables(said, vpn.tag),
        *_left_in_ufw(said, vpn.tag),
        *_left_in_firewalld(said, vpn),
    )


def _blocked(chains: Chains, vpn: Vpn, family: str) -> Iterator[tuple[str, str]]:
    """Yield hook and chain of what blocks packets of a family."""
    if family in vpn.listens:
        asking = Probe(vpn.outer, port=str(vpn.port), family=family)
        for name in filters.blocking([asking], "input", chains):
            yield "input", name
    if family in vpn.carries:
        inside = f"{vpn.prefix}0"
        out = Probe(inside, vpn.outer, family=family)
        back = Probe(vpn.outer, inside, state="established", family=family)
        for name in filters.blocking([out, back], "forward", chains):
            yield "forward", name


def _of_iptables(said: Said, vpn: Vpn) -> Iterator[Finding]:
    for program, listing in said.iptables.items():
        chains = iptables.read(listing)
        family = "ip6" if program.startswith("ip6") else "ip"
        for hook, name in _blocked(chains, vpn, family):
            if chains.keys() & _OF_UFW:
                yield _ufw(hook, vpn)
            elif hook == "forward" and "DOCKER-USER" in chains:
                yield _iptables("Docker", program, "DOCKER-USER", hook, vpn)
            else:
                yield _iptables(f"{program} ({name})", program, name, hook, vpn)


def _of_nftables(said: Said, vpn: Vpn) -> Iterator[Finding]:
    for (family, table), chains in nftables.read(said.nft).items():
        if table.startswith("sstpca_") or _is_compat(said, family, table):
            continue
        families = {"inet": ("ip", "ip6")}.get(family, (family,))
        for hook, name in dict.fromkeys(
            found for one in families for found in _blocked(chains, vpn, one)
        ):
            if table == "firewalld" and said.zone:
                yield _firewalld(hook, vpn, said.zone)
            else:
                yield _nftables(family, table, name, hook, vpn)


def _is_compat(said: Said, family: str, table: str) -> bool:
    """Whether iptables has listed this table already, as its own."""
    program = {"ip": "iptables", "ip6": "ip6tables"}.get(family)
    listed = any(one in said.iptables for one in (program, f"{program}-nft"))
    return table == "filter" and program is not None and listed


def _what(hook: str, vpn: Vpn) -> str:
    return f"TCP port {vpn.port}" if hook == "input" else _CLIENTS


def _ufw(hook: str, vpn: Vpn) -> Finding:
    rules: tuple[Command, ...] = (("allow", f"{vpn.port}/tcp"),)
    if hook == "forward":
        rules = tuple(("route", "allow", way, "on", f"{vpn.prefix}+") for way in ("in", "out"))
    return Finding(
        "ufw",
        _what(hook, vpn),
        tuple(("ufw", *rule) for rule in rules),
        tuple(("ufw", *rule, "comment", vpn.tag) for rule in rules),
    )


def _iptables(blocker: str, program: str, chain: str, hook: str, vpn: Vpn) -> Finding:
    rules: tuple[Command, ...] = (("-p", "tcp", "--dport", str(vpn.port)),)
    if hook == "forward":
        rules = tuple((way, f"{vpn.prefix}+") for way in ("-i", "-o"))
    first, accept, comment = (program, "-I", chain), ("-j", "ACCEPT"), ("-m", "comment")
    return Finding(
        blocker,
        _what(hook, vpn),
        tuple((*first, *rule, *accept) for rule in rules),
        tuple((*first, *rule, *comment, "--comment", vpn.tag, *accept) for rule in rules),
    )


def _nftables(family: str, table: str, chain: str, hook: str, vpn: Vpn) -> Finding:
    rules: tuple[Command, ...] = (("tcp", "dport", str(vpn.port)),)
    if hook == "forward":
        rules = tuple((way, f"{vpn.prefix}*") for way in ("iifname", "oifname"))
    first = ("nft", "insert", "rule", family, table, chain)
    return Finding(
        f"nftables (table {family} {table}, chain {chain})",
        _what(hook, vpn),
        tuple((*first, *rule, "accept") for rule in rules),
        tuple((*first, *rule, "accept", "comment", f'"{vpn.tag}"') for rule in rules),
    )


def _firewalld(hook: str, vpn: Vpn, zone: str) -> Finding:
    ask, ever = "firewall-cmd", ("firewall-cmd", "--permanent")
    if hook == "input":
        command: Command = (f"--zone={zone}", f"--add-port={vpn.port}/tcp")
        step: Command = (f"--zone={zone}", f"--add-rich-rule={_rich_rule(vpn)}")
    else:
        command = step = (f"--zone={TRUSTED}", f"--add-interface={vpn.prefix}+")
    return Finding(
        "firewalld",
        _what(hook, vpn),
        ((*ever, *command), (ask, "--reload")),
        ((ask, *step),),
    )


def _rich_rule(vpn: Vpn) -> str:
    return f'rule priority="{_PRIORITY}" port port="{vpn.port}" protocol="tcp" accept'


def _left_in_iptables(said: Said, tag: str) -> Iterator[Command]:
    for program, listing in said.iptables.items():
        for chain in iptables.read(listing).values():
            for rule in chain.rules:
                if rule.comment == tag:
                    _, *rest = shlex.split(rule.handle)
                    yield program, "-D", *rest


def _left_in_nftables(said: Said, tag: str) -> Iterator[Command]:
    for (family, table), chains in nftables.read(said.nft).items():
        for name, chain in chains.items():
            for rule in chain.rules:
                if rule.comment == tag and not _is_compat(said, family, table):
                    yield "nft", "delete", "rule", family, table, name, "handle", rule.handle


def _left_in_ufw(said: Said, tag: str) -> Iterator[Command]:
    for line in said.ufw.splitlines():
        if not line.startswith("ufw ") or tag not in line:
            continue
        match shlex.split(line):
            case ["ufw", "route", *rule, "comment", comment] if comment == tag:
                yield "ufw", "route", "delete", *rule
            case ["ufw", *rule, "comment", comment] if comment == tag:
                yield "ufw", "delete", *rule


def _left_in_firewalld(said: Said, vpn: Vpn) -> Iterator[Command]:
    if _rich_rule(vpn) in said.rich_rules:
        yield "firewall-cmd", f"--zone={said.zone}", f"--remove-rich-rule={_rich_rule(vpn)}"
    if f"{vpn.prefix}+" in said.trusted:
        yield "firewall-cmd", f"--zone={TRUSTED}", f"--remove-interface={vpn.prefix}+"

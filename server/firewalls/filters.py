"""Rules of packet filters, as far as they can be understood, and what becomes of a packet by them.

Not all can be: a rule may ask for a mark, a set, a time of day. What is looked for is whether the VPN is
shut out altogether. So a rule that accepts is taken to do so for whatever addresses and ports it names, as
somebody has thought of something; one that drops, only if it does for all; and one that asks for what is
not understood, not at all.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@enum.unique
class Verdict(enum.Enum):
    """What a rule does with a packet; ``NONE``: nothing, as one that counts."""

    ACCEPT = "accept"
    DROP = "drop"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule asks of a packet.

    :param key: "iif", "oif", "protocol", "port", "state", "family", "narrow" (addresses and the like: some
        packets have it), or "unknown".
    :param values: one of them has to be it; names of interfaces may end in ``*``, ports are ``80`` or
        ``80-89``.
    :param but: none of them may be it.
    """

    key: str
    values: tuple[str, ...] = ()
    but: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    :param target: the chain of a jump.
    :param comment: as whoever made it wrote.
    :param handle: by which nft finds it; of iptables, its words.
    """

    conditions: tuple[Condition, ...]
    verdict: Verdict
    target: str = ""
    comment: str = ""
    handle: str = ""


@dataclass(slots=True)
class Chain:
    """One chain.

    :ivar hook: where packets come to it, "forward" or "input"; empty if from others alone.
    :ivar policy: what becomes of those that no rule decided on.
    """

    hook: str = ""
    policy: Verdict = Verdict.ACCEPT
    rules: list[Rule] = field(default_factory=list)


#: The chains of one table, by their names.
Chains = Mapping[str, Chain]


@dataclass(frozen=True, slots=True)
class Probe:
    """A TCP segment that comes from somewhere.

    :param port: to which it goes; empty: to any.
    :param family: "ip" or "ip6".
    """

    iif: str
    oif: str = ""
    port: str = ""
    state: str = "new"
    family: str = "ip"


_ENDS: Final = (Verdict.ACCEPT, Verdict.DROP)
#: Chains that call each other, at most: more is a circle, or nobody's doing.
_DEPTH: Final = 16


def fate(packet: Probe, chain: str, chains: Chains) -> Verdict:
    """Return what a base chain does with a packet: it accepts, or it drops."""
    return _walk(packet, chain, chains, _DEPTH) or chains[chain].policy


def _walk(packet: Probe, name: str, chains: Chains, depth: int) -> Verdict | None:
    """Return a chain's own decision; None if it has none."""
    if name not in chains or not depth:
        return None
    for rule in chains[name].rules:
        if not all(_holds(one, packet, rule.verdict) for one in rule.conditions):
            continue
        if rule.verdict in _ENDS:
            return rule.verdict
        if rule.verdict is Verdict.RETURN:
            return None
        if rule.verdict in (Verdict.JUMP, Verdict.GOTO):
            found = _walk(packet, rule.target, chains, depth - 1)
            if found is not None or rule.verdict is Verdict.GOTO:
                return found
    return None


def _holds(one: Condition, packet: Probe, verdict: Verdict) -> bool:
    match one.key:
        case "narrow":
            return verdict not in (Verdict.DROP, Verdict.RETURN)
        case "unknown":
            return False
        case "port" if not packet.port:
            return verdict is not Verdict.DROP
        case "iif" | "oif":
            name = packet.iif if one.key == "iif" else packet.oif
            return any(is_named(name, value) for value in one.values) is not one.but
        case "port":
            return any(_has(value, packet.port) for value in one.values) is not one.but
    actual = {"protocol": "tcp", "state": packet.state, "family": packet.family}[one.key]
    return (actual in one.values) is not one.but


def is_named(name: str, pattern: str) -> bool:
    """Return whether an interface is meant by a pattern of nft: ``sstp*``."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _has(ports: str, port: str) -> bool:
    first, _, last = ports.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        return False
    return int(first) <= int(port) <= int(last or first)


def blocking(packets: Sequence[Probe], hook: str, chains: Chains) -> list[str]:
    """Return the base chains of a hook that drop one of the packets."""
    return [
        name
        for name, chain in chains.items()
        if chain.hook == hook
        and any(fate(packet, name, chains) is Verdict.DROP for packet in packets)
    ]

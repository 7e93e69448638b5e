"""What ``iptables -S`` lists, read into :mod:`.filters` (iptables(8), iptables-extensions(8))."""

import shlex
from typing import Final

from .filters import Chain, Chains, Condition, Rule, Verdict

_VERDICTS: Final = {
    "ACCEPT": Verdict.ACCEPT,
    "DROP": Verdict.DROP,
    "REJECT": Verdict.DROP,
    "RETURN": Verdict.RETURN,
}
#: Targets after which the next rule is looked at; those that are no chain are among them.
_HOOKS: Final = {"INPUT": "input", "FORWARD": "forward"}
_MATCHES: Final = {
    **{"-i": "iif", "-o": "oif", "-p": "protocol", "-s": "narrow", "-d": "narrow"},
    **{"--dport": "port", "--dports": "port", "--ctstate": "state", "--state": "state"},
    **{"--sport": "narrow", "--sports": "narrow", "--ports": "narrow"},
    **{"--src-range": "narrow", "--dst-range": "narrow"},
}


def read(listing: str) -> Chains:
    """Return the chains of the table filter; lines that are none are left out."""
    chains: dict[str, Chain] = {}
    for line in listing.splitlines():
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        match words:
            case ["-P", name, policy, *_]:
                chains[name] = Chain(_HOOKS.get(name, ""), _VERDICTS.get(policy, Verdict.ACCEPT))
            case ["-N", name]:
                chains[name] = Chain()
            case ["-A", name, *rest] if name in chains:
                chains[name].rules.append(_rule(rest, line))
    return chains


def _rule(words: list[str], line: str) -> Rule:
    conditions: list[Condition] = []
    verdict, target, comment, but = Verdict.NONE, "", "", False
    rest = iter(words)
    for word in rest:
        match word:
            case "!":
                but = True
                continue
            case "-m":
                next(rest, "")
            case "--comment":
                comment = next(rest, "")
            case "-j" | "-g":
                target = next(rest, "")
                jump = Verdict.JUMP if word == "-j" else Verdict.GOTO
                verdict = _VERDICTS.get(target, jump)
                break  # what follows is the target's
            case "--dst-type":
                # what comes to INPUT is for this machine
                values = next(rest, "").lower().split(",")
                conditions.append(Condition("family", ("ip", "ip6"), ("local" in values) is but))
            case _ if word in _MATCHES:
                conditions.append(_condition(_MATCHES[word], next(rest, ""), but))
            case _:
                conditions.append(Condition("unknown"))
        but = False
    return Rule(tuple(conditions), verdict, target, comment, line)


def _condition(key: str, text: str, but: bool) -> Condition:
    values: tuple[str, ...]
    if key in ("iif", "oif"):
        values = (text[:-1] + "*" if text.endswith("+") else text,)
    elif key == "port":
        values = tuple(one.replace(":", "-") for one in text.split(","))
    else:
        values = tuple(text.lower().split(","))
    return Condition(key, values, but)

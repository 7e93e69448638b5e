"""What ``nft --json list ruleset`` lists, read into :mod:`.filters` (libnftables-json(5))."""

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .filters import Chain, Chains, Condition, Rule, Verdict

#: A table: its family, "ip", "ip6" or "inet", and its name.
Table = tuple[str, str]

_VERDICTS: Final = {
    "accept": Verdict.ACCEPT,
    "drop": Verdict.DROP,
    "reject": Verdict.DROP,
    "return": Verdict.RETURN,
    "jump": Verdict.JUMP,
    "goto": Verdict.GOTO,
}
#: What comes of something that is not as it was known when this was written: it is left out.
_OF_ANOTHER_SHAPE: Final = (ValueError, KeyError, TypeError, AttributeError)
_PASSING: Final = {"counter", "log", "limit", "mangle", "comment", "notrack"}
_KEYS: Final = {
    ("meta", "iifname"): "iif",
    ("meta", "iif"): "iif",
    ("meta", "oifname"): "oif",
    ("meta", "oif"): "oif",
    ("meta", "l4proto"): "protocol",
    ("meta", "nfproto"): "family",
    ("ct", "state"): "state",
}


def read(listing: str) -> Mapping[Table, Chains]:
    """Return the chains of each table; what is no list of nft's has none."""
    try:
        return _tables(json.loads(listing)["nftables"])
    except _OF_ANOTHER_SHAPE:
        return {}


def _tables(entries: list[dict[str, Any]]) -> Mapping[Table, Chains]:
    tables: dict[Table, dict[str, Chain]] = defaultdict(dict)
    for entry in entries:
        if "chain" in entry:
            one = entry["chain"]
            # what a chain of addresses does is no filter's verdict
            hook = one.get("hook", "") if one.get("type") == "filter" else ""
            policy = _VERDICTS.get(one.get("policy", "accept"), Verdict.ACCEPT)
            tables[one["family"], one["table"]][one["name"]] = Chain(hook, policy)
    for entry in entries:
        if "rule" in entry:
            one = entry["rule"]
            chain = tables[one["family"], one["table"]].get(one["chain"])
            if chain is not None:
                with contextlib.suppress(*_OF_ANOTHER_SHAPE):
                    chain.rules.extend(list(_rules(one)))
    return tables


def _rules(rule: Mapping[str, Any]) -> Iterator[Rule]:
    """Yield a rule; one with a map of verdicts is as many as the map has."""
    conditions: list[Condition] = []
    comment, handle = rule.get("comment", ""), str(rule.get("handle", ""))
    for expression in rule.get("expr", ()):
        [(kind, content)] = expression.items()
        if kind in _VERDICTS:
            yield Rule(tuple(conditions), _VERDICTS[kind], _target(content), comment, handle)
            return
        if kind == "match":
            conditions.append(_condition(content))
        elif kind == "vmap":
            for condition, verdict, target in _of_map(content):
                yield Rule((*conditions, condition), verdict, target, comment, handle)
            return
        elif kind not in _PASSING:
            conditions.append(Condition("unknown"))
    yield Rule(tuple(conditions), Verdict.NONE, "", comment, handle)


def _of_map(content: Mapping[str, Any]) -> Iterator[tuple[Condition, Verdict, str]]:
    data = content.get("data")
    for value, verdict in data.get("set", ()) if isinstance(data, Mapping) else ():
        [(kind, target)] = verdict.items() if isinstance(verdict, Mapping) else [(verdict, None)]
        match = {"op": "==", "left": content.get("key"), "right": value}
        yield _condition(match), _VERDICTS.get(kind, Verdict.NONE), _target(target)


def _target(content: Any) -> str:
    return str(content.get("target", "")) if isinstance(content, Mapping) else ""


def _condition(match: Mapping[str, Any]) -> Condition:
    key = _key(match.get("left"))
    but = match.get("op") == "!="
    if key in ("narrow", "unknown"):
        return Condition(key)
    values = tuple(_values(match.get("right")))
    if key == "family":
        values = tuple({"ipv4": "ip", "ipv6": "ip6"}.get(one, one) for one in values)
    return Condition(key, values, but)


def _key(left: Any) -> str:
    if not isinstance(left, Mapping) or len(left) != 1:
        return "unknown"
    [(kind, content)] = left.items()
    if kind == "payload" and isinstance(content, Mapping):
        protocol, name = content.get("protocol"), content.get("field")
        if name == "dport":
            return "port" if protocol in ("tcp", "th") else "unknown"
        return "narrow" if name in ("saddr", "daddr", "sport") else "unknown"
    if kind in ("meta", "ct") and isinstance(content, Mapping):
        return _KEYS.get((kind, content.get("key", "")), "unknown")
    return "unknown"


def _values(right: Any) -> Iterator[str]:
    if isinstance(right, Mapping):
        if "range" in right:
            yield "-".join(map(str, right["range"]))
        for one in right.get("set", ()):
            yield from _values(one)
    elif isinstance(right, list):
        for one in right:
            yield from _values(one)
    else:
        yield str(right)

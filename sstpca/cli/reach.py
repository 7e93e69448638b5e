"""What the clients of an access profile reach, in words."""

from typing import Any, Final

from ..access.profiles import AccessProfile
from ..access.reach import Reach
from ..errors import command
from .context import Context
from .output import counted, talk

# What a session keeps from its login to its end.
_AT_LOGIN: Final = frozenset(
    {
        "local_address",
        "pools",
        "ipv6",
        "dns",
        "sessions",
        "reach",
        "inbound",
        "weak_sign_ins",
    }
)

_WORDS: Final = {
    Reach.CLIENTS: "other clients",
    Reach.SERVER: "the server's own services",
    Reach.LINK_LOCAL: "link-local addresses, cloud metadata",
    Reach.MULTICAST: "multicast and broadcast",
}


def reach_rows(one: AccessProfile) -> list[tuple[str, str]]:
    """Return what is open and what is closed, as ``profile show`` has it."""
    behind = [f"{where}, behind the server" for where in one.allow]
    always = [*(behind or ["the networks behind the server"]), "ping to the server"]
    if one.dns or one.ipv6.dns or any(rule.servers for rule in one.client.name_rules):
        always.append("its DNS servers")
    opened = [f"{words} ({reach.value})" for reach, words in _WORDS.items() if reach in one.reach]
    closed = [
        f"{words} ({reach.value})" for reach, words in _WORDS.items() if reach not in one.reach
    ]
    inbound = (
        "open: other hosts reach its clients" if one.inbound else "closed: only answers come in"
    )
    if behind:
        closed.insert(0, "whatever else is behind the server (--allow)")
    return [
        *_rows("reaches", always + opened),
        *_rows("closed", closed),
        ("inbound", inbound),
    ]


def _rows(label: str, values: list[str]) -> list[tuple[str, str]]:
    return [("" if number else label, value) for number, value in enumerate(values)]


def say_when(context: Context, one: AccessProfile, changes: dict[str, Any]) -> None:
    """Say for whom ``changes`` come later: running sessions keep what they were given."""
    if "allow" in changes:
        talk(
            "--allow counts within 5 seconds, for sessions that are there as well; connections that "
            "are open go on"
        )
    if not changes.keys() & _AT_LOGIN:
        return
    having = {user.name for user in context.vpn.users.all() if user.profile == one.name}
    connected = sorted(row.user for row in context.vpn.sessions.all() if row.user in having)
    if connected:
        many = counted(len(connected), "session")
        go = "goes" if len(connected) == 1 else "go"
        talk(
            f"it counts from the next login; until then, {many} {go} on as before\n  ",
            command("session kill --user {}", connected[0]),
        )

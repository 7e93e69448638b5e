"""Stand-ins for what is personal in a text that somebody else is to read: names and addresses."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Final

from ..names import user_key

_WORD: Final = re.compile(r"[\w.@+-]+")
# the file of a user's in a home, or the end of a sentence
_FILE: Final = re.compile(r"(new-password-)?(.+?)(\.(?:txt|pem|zip)?)?")
# no more than may be an address: what ipaddress refuses stays
_ADDRESS: Final = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]{2,39})(?![\w])")
#: What passwords and keys look like where they are in a text that should have none.
_SECRETS: Final = (
    re.compile(r"-----BEGIN .{0,8000}?(?:-----END [A-Z ]{1,40}-----|\Z)", re.DOTALL),
    re.compile(r"(?<=://)[^/@\s]{1,200}(?=@)"),
    re.compile(r"(?i)(?:(?<=passphrase)|(?<=password)|(?<=secret)|(?<=token))[=:] ?[^\s;,]{1,200}"),
    re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32}(?![0-9A-Fa-f])"),
)
_HIDDEN: Final = "(hidden)"


def without_secrets(text: str) -> str:
    """Return ``text`` without what looks like a password or a key."""
    for pattern in _SECRETS:
        text = pattern.sub(_HIDDEN, text)
    return text


class Standins:
    """The same stand-in for the same name, and the same address, wherever it is.

    :param users: the names of users, and of their certificates.
    :param strangers: names that were tried and are nobody's: people type passwords there, so that
        these never stay.
    :param keeps_names: whether users' names, and addresses, stay as they are.
    :param is_ours: whether an address is one of the VPN's own, which stays.
    """

    def __init__(
        self,
        users: Iterable[str],
        strangers: Iterable[str] = (),
        *,
        keeps_names: bool,
        is_ours: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._keeps = keeps_names
        self._is_ours = is_ours
        self._strangers: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        keys = dict.fromkeys(map(user_key, users))
        self._users = {key: f"user-{number}" for number, key in enumerate(keys, 1)}
        for name in strangers:
            self.user(name)
        odd = [name for name in (*self._users, *self._strangers) if not _WORD.fullmatch(name)]
        odd.sort(key=len, reverse=True)
        self._odd = re.compile("|".join(map(re.escape, odd)), re.IGNORECASE) if odd else None

    def user(self, name: str) -> str:
        """Return what stands for a name that somebody logs in by; an empty one stays."""
        if not name:
            return ""
        key = user_key(name)
        if (known := self._users.get(key)) is not None:
            return name if self._keeps else known
        return self._strangers.setdefault(key, f"nobody-{len(self._strangers) + 1}")

    def names(self, text: str) -> str:
        """Return ``text`` with stand-ins for the names in it that are known."""
        if self._odd is not None:
            text = self._odd.sub(lambda found: self.user(found[0]), text)
        return _WORD.sub(self._word, text)

    def _word(self, found: re.Match[str]) -> str:
        parts = _FILE.fullmatch(found[0])
        assert parts is not None, "everything is a name with nothing around it"
        for begin, known, end in (("", found[0], ""), parts.groups("")):
            key = user_key(known)
            if key in self._users or key in self._strangers:
                return begin + self.user(known) + end
        return found[0]

    def addresses(self, text: str) -> str:
        """Return ``text`` with stand-ins for the addresses in it that are not the VPN's own."""
        return text if self._keeps else _ADDRESS.sub(self._address, text)

    def _address(self, found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        if address.is_loopback or address.is_unspecified or self._is_ours(str(address)):
            return found[0]
        return self._addresses.setdefault(str(address), f"address-{len(self._addresses) + 1}")

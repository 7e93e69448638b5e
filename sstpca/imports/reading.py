"""Which of the known files one is."""

from typing import Final

from ..errors import InvalidInput
from . import chap_secrets, routeros, softether, table
from .accounts import Found

#: Bytes of a file, at most: ten thousand users are one.
MOST: Final = 16 * 1024 * 1024

_KINDS: Final = (
    (softether.is_config, softether.read),
    (routeros.is_export, routeros.read),
    (table.is_table, table.read),
    (chap_secrets.is_chap_secrets, chap_secrets.read),
)


def read(text: str) -> Found:
    """Return what a file has.

    :raises InvalidInput: if it is none of those that are known, or has no account.
    """
    for is_one, read_one in _KINDS:
        if is_one(text):
            found = read_one(text)
            if not found.accounts:
                raise InvalidInput(f"this is {found.kind} without accounts")
            return found
    raise InvalidInput(
        "this is no file of accounts that is known here",
        "take a table (CSV) whose first line names its columns (name, password, ...), pppd's or "
        "accel-ppp's chap-secrets, an export of RouterOS, or SoftEther's vpn_server.config",
    )

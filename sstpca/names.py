"""What people type: host names, addresses, users, connections. Each kind is checked once, here."""

import ipaddress
import re
import stringprep
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from .addresses import IPAddress, Kind, kind_of
from .errors import InvalidInput, option

# RFC 1035 2.3.4, as text without the final dot
HOST_MAX: Final = 253
# ub-common-name, RFC 5280 A.1
COMMON_NAME_MAX: Final = 64
USER_MAX: Final = 64
# RAS_MaxEntryName is 256 with its zero
CONTACT_MAX: Final = 200
CONNECTION_MAX: Final = 255
HOSTS_MAX: Final = 100

# RFC 1123 2.1: letters, digits and inner hyphens
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PROFILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# what Windows refuses in a file name: a user's bundle is a folder of that name
_FILE_SIGNS: Final = frozenset('\\/:*?"<>|')
# a connection is also a section header of rasphone.pbk
_CONNECTION_SIGNS: Final = _FILE_SIGNS | frozenset("[];")
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{port}{number}" for port in ("com", "lpt") for number in "123456789\u00b9\u00b2\u00b3"
}
# IDNA 2003 maps these away, IDNA 2008 keeps them: the two give different names (RFC 5894 7.2)
_JOINERS: Final = frozenset("\u200c\u200d")
_DEVIATIONS: Final = frozenset("\u00df\u1e9e\u03c2") | _JOINERS

# Windows: "The certificate's CN name does not match the passed value."
_MISMATCH: Final = "0x800B010F"


def quoted(text: str) -> str:
    """Return ``text`` for a message: in quotes, on one line, nothing a terminal would obey."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    return f"'{on_one_line(shown)}'"


def on_one_line(text: str) -> str:
    """Return ``text`` on one line, with nothing in it that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def some(texts: Sequence[str], most: int = 5) -> str:
    """Return the first of ``texts`` for a message, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a server is reached by: checked host names (A-labels, lower case) and addresses."""

    names: tuple[str, ...] = ()
    addresses: tuple[IPAddress, ...] = ()

    @property
    def first(self) -> str:
        """What clients connect to: the first name, or the first address where there is no name."""
        return self.names[0] if self.names else str(self.addresses[0])


def parse_hosts(hosts: Iterable[str], addresses: Iterable[str] = ()) -> Hosts:
    """Sort what an administrator typed into names and addresses; repetitions are dropped.

    :param hosts: host names, or addresses.
    :param addresses: addresses only.
    :raises InvalidInput: if one is neither, there is none at all, or the first does not fit a
        certificate.
    """
    names: dict[str, None] = {}
    numbers: dict[IPAddress, None] = {}
    for host in hosts:
        address = _maybe_address(host)
        if address is None:
            names[check_host_name(host)] = None
        else:
            numbers[check_address(host)] = None
    for text in addresses:
        numbers[check_address(text)] = None
    found = Hosts(tuple(names), tuple(numbers))
    _check_hosts(found)
    return found


def _check_hosts(hosts: Hosts) -> None:
    count = len(hosts.names) + len(hosts.addresses)
    if not count:
        raise InvalidInput("no host name and no address is given", "for example: vpn.example.com")
    if count > HOSTS_MAX:
        raise InvalidInput(f"{count} names and addresses are more than the {HOSTS_MAX} allowed")
    if len(hosts.first) > COMMON_NAME_MAX:
        raise InvalidInput(
            f"the first host name has {len(hosts.first)} characters, but the common name of a "
            f"certificate holds {COMMON_NAME_MAX}",
            "put a shorter name first; the others may be longer",
        )


def check_host_name(text: str) -> str:
    """Return the host name ``text`` as certificates have it: A-labels, lower case, no final dot.

    Names that are not ASCII are converted as IDNA 2003 has it (Python's own codec). Signs that
    IDNA 2008 treats otherwise, or that Unicode 3.2 lacks, are refused: their xn-- form is taken.

    :raises InvalidInput: if it is no host name (RFC 1123 2.1, RFC 5890 2.3.1).
    """
    _refuse_other_shapes(text)
    name = _to_ascii(text).lower().removesuffix(".")
    labels = name.split(".")
    for label in labels:
        _check_label(label, text)
    if len(name) > HOST_MAX:
        raise InvalidInput(f"the host name {quoted(text)} is longer than {HOST_MAX} characters")
    if labels[-1].isdigit():
        raise InvalidInput(
            f"{quoted(text)} is neither a host name nor an IP address",
            "an IPv4 address is four numbers from 0 to 255",
        )
    return name


def _refuse_other_shapes(text: str) -> None:
    """Catch what people type instead of a host name, and say what to type."""
    if "://" in text:
        rest = re.split(r"[/?#]", text.split("://", 1)[1])[0]
        raise InvalidInput(
            f"{quoted(text)} is a URL, not a host name",
            f"give only the name (Windows would say {_MISMATCH}): {rest}",
        )
    if "*" in text:
        raise InvalidInput(
            f"{quoted(text)} is a wildcard; a VPN has names of its own",
            "give each name that people connect to",
        )
    name, _, port = text.rpartition(":")
    if name and port.isdecimal() and (":" not in name or name.endswith("]")):
        raise InvalidInput(
            f"{quoted(text)} has a port in it, which a certificate cannot have ({_MISMATCH})",
            f"give them apart: {name.strip('[]')} ",
            option("--port"),
            f" {port}",
        )
    if text.startswith("[") and text.endswith("]"):
        raise InvalidInput(
            f"{quoted(text)} has brackets around the address", f"leave them out: {text[1:-1]}"
        )


def _to_ascii(text: str) -> str:
    if text.isascii():
        return text
    if any(
        c in _DEVIATIONS or stringprep.in_table_a1(c) or stringprep.in_table_b1(c) for c in text
    ):
        raise InvalidInput(
            f"the host name {quoted(text)} has letters that not all programs convert alike",
            "give its xn-- form, as the domain's registry shows it",
        )
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidInput(f"{quoted(text)} is not a host name") from None


def _check_label(label: str, text: str) -> None:
    if not _LABEL.fullmatch(label):
        hint = _label_hint(label) if text else "for example: vpn.example.com"
        raise InvalidInput(f"{quoted(text)} is not a host name", hint)
    if label[2:4] == "--" and not (label.startswith("xn--") and _is_punycode(label[4:])):
        raise InvalidInput(
            f"the part {quoted(label)} of {quoted(text)} is not a valid internationalised name"
        )


def _label_hint(label: str) -> str:
    if not label:
        return "there is nothing before, after or between two dots"
    if len(label) > 63:
        return "each part between dots has at most 63 characters"
    if "_" in label:
        return "host names have no underscore (DNS does, Windows and certificates do not)"
    return "use letters, digits, dots and hyphens; no part begins or ends with a hyphen"


def _is_punycode(tail: str) -> bool:
    try:
        decoded = tail.encode("ascii").decode("punycode")
        again = decoded.encode("punycode").decode("ascii")
    except (UnicodeError, OverflowError):
        return False
    visible = all(unicodedata.category(c)[0] not in "CZ" or c in _JOINERS for c in decoded)
    return again == tail and visible and not decoded.isascii()


def _maybe_address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def check_address(text: str) -> IPAddress:
    """Return the address a server can be reached by.

    :raises InvalidInput: if it is no address, or none of one machine (multicast, 0.0.0.0, ...).
    """
    _refuse_other_shapes(text)
    address = _maybe_address(text)
    if address is None:
        raise InvalidInput(f"{quoted(text)} is not an IP address")
    kind = kind_of(address)
    if kind is Kind.MAPPED or (isinstance(address, IPv6Address) and address.scope_id):
        raise InvalidInput(
            f"{quoted(text)} cannot be in a certificate",
            "give a plain IPv4 address, or an IPv6 address without a zone (%)",
        )
    if kind in (Kind.MULTICAST, Kind.UNSPECIFIED, Kind.RESERVED):
        raise InvalidInput(f"{address} is not the address of one machine")
    return address


def check_ipv4(text: str) -> IPv4Address:
    """Return the IPv4 address ``text``.

    :raises InvalidInput: if it is none.
    """
    try:
        return IPv4Address(text)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} is not an IPv4 address") from None


def check_ipv6(text: str) -> IPv6Address:
    """Return the IPv6 address ``text``, which has no zone.

    :raises InvalidInput: if it is none.
    """
    try:
        address = IPv6Address(text)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} is not an IPv6 address") from None
    if address.scope_id is not None:
        raise InvalidInput(f"{quoted(text)} has a zone, which means nothing on another machine")
    return address


def is_text(name: str) -> bool:
    """Return whether ``name`` is Unicode: an argument in another encoding has half surrogates."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)


def user_key(name: str) -> str:
    """Return ``name`` as users are compared: canonical caseless, Unicode 3.13 D145, then NFC."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFC", folded)


def login_names(typed: str) -> tuple[str, ...]:
    r"""Return what is looked up for a name that somebody logs in with; the first that exists counts.

    It is the one rule for that, whatever carries the name:

    - What nobody sees goes (Unicode's control and format characters), as copying and right-to-left
      keyboards bring it; every kind of blank is a blank.
    - Of ``DOMAIN\user`` what is behind the last backslash counts, which no user's name can have.
    - Blanks around it go, and dots behind it: keyboards of phones append a blank to a word, and make
      a dot of two. No user's name begins or ends so.
    - Of ``user@realm`` the whole counts first, then what is before the last ``@``.
    - Letters are compared as :func:`user_key` has it: without regard to case, composed or not.

    What the client makes its proof of is another matter: that stays as it was sent.
    """
    seen = "".join(
        " " if unicodedata.category(sign) == "Zs" else sign
        for sign in typed
        if unicodedata.category(sign) not in ("Cc", "Cf")
    )
    name = _without_ends(seen.rpartition("\\")[2])
    user, at, _ = name.rpartition("@")
    return tuple(dict.fromkeys((name, _without_ends(user)))) if at else (name,)


def _without_ends(name: str) -> str:
    return name.lstrip(" ").rstrip(" .")


# what a user name must not be, and why
_USER_RULES: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (lambda name: not name, "it is empty"),
    (lambda name: len(name) > USER_MAX, f"it is longer than {USER_MAX} characters"),
    (lambda name: not name.isprintable(), "it has a control or invisible character"),
    (lambda name: name != name.strip(), "it begins or ends with a blank"),
    (lambda name: bool(_FILE_SIGNS & set(name)), 'none of \\ / : * ? " < > | may be in it'),
    (lambda name: name.startswith(("-", ".")), "it begins with a hyphen or a dot"),
    (lambda name: name.endswith("."), "it ends with a dot, which Windows drops from file names"),
    (
        lambda name: name.split(".")[0].rstrip().lower() in _DEVICES,
        "Windows keeps this name for a device",
    ),
)


def check_user_name(name: str) -> str:
    """Return ``name`` in NFC if it can be a user's: on Windows, in PPP and as a folder.

    :raises InvalidInput: saying why it cannot.
    """
    name = unicodedata.normalize("NFC", name)
    for broken, why in _USER_RULES:
        if broken(name):
            raise InvalidInput(f"{quoted(name)} cannot be a user name: {why}")
    return name


def check_profile_name(name: str) -> str:
    """Return ``name`` if it can be an access profile's.

    :raises InvalidInput: if it cannot.
    """
    if not _PROFILE.fullmatch(name):
        raise InvalidInput(
            f"{quoted(name)} cannot be the name of an access profile",
            "use up to 64 letters, digits, dots, hyphens and underscores",
        )
    return name


def check_connection_name(name: str) -> str:
    """Return ``name`` if Windows takes it as the name of a VPN connection.

    :raises InvalidInput: if it does not.
    """
    units = len(name.encode("utf-16-le", "surrogatepass")) // 2
    if not name or name != name.strip() or not name.isprintable() or units > CONNECTION_MAX:
        raise InvalidInput(
            f"{quoted(name)} cannot be the name of a connection",
            f"use 1 to {CONNECTION_MAX} printable characters, no blank at either end",
        )
    if _CONNECTION_SIGNS & set(name) or name.startswith("."):
        raise InvalidInput(
            f"{quoted(name)} cannot be the name of a connection",
            'Windows wants none of \\ / : * ? " < > | [ ] ; in it, and no dot in front',
        )
    return name


def check_contact(text: str) -> str:
    """Return ``text`` if it can stand in a line of a page, as whom users ask for help.

    :raises InvalidInput: if it cannot.
    """
    if not text.isprintable() or len(text) > CONTACT_MAX:
        raise InvalidInput(
            f"{quoted(text)} cannot be whom users ask for help",
            f"give up to {CONTACT_MAX} printable characters: a name, a mail address, a number",
        )
    return text

"""settings.toml: what the administrator may edit, read strictly."""

import ipaddress
import json
import re
from pathlib import Path
from typing import Annotated

import msgspec

from .errors import SstpcaError
from .reading import read_text

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Addresses = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
InterfacePrefix = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,8}$")]


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``[server]`` table; its comments in templates/settings.toml.j2 say what each value does."""

    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    port: Port = 443
    listen: Addresses = ("0.0.0.0", "::")  # noqa: S104 a VPN server is reached from anywhere
    workers: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0
    interface: InterfacePrefix = "sstp"
    mtu: Annotated[int, msgspec.Meta(ge=576, le=1500)] = 1400
    nat: bool = True


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``[bundle]`` table: what users see."""

    connection: str = ""
    contact: str = ""
    language: Annotated[str, msgspec.Meta(pattern="^[a-z]{2}$")] = "en"
    logo: str = ""
    revocation_check: bool = True


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of settings.toml."""

    server: Server
    bundle: Bundle = Bundle()

    @property
    def host(self) -> str:
        """What clients connect to: the first name, or the first address where there is no name."""
        return (self.server.names or self.server.addresses)[0]

    @property
    def connection(self) -> str:
        """The name of the VPN connection on the users' machines."""
        return self.bundle.connection or default_connection(self.host)


def default_connection(host: str) -> str:
    """Return a connection's name for ``host``; the colons of IPv6 are not allowed in it."""
    return f"VPN {host.replace(':', '-')}"


def toml_string(text: str) -> str:
    """Return ``text`` as a basic string of TOML 1.0."""
    # JSON's own escapes are TOML's too, but not its surrogate pairs, and DEL it leaves alone
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(error: Exception) -> str:
    """Return what ``error`` says in the words of the file: ``[server] port: Expected ...``."""
    what, _, where = str(error).partition(" - at ")
    what = re.sub(r"matching regex '\^\[a-z\]\{2\}.*", "of two letters, such as en", what)
    what = re.sub(r"matching regex .*", "of up to 9 signs of a-z, 0-9 and _, a letter first", what)
    section, _, key = where.strip("`").removeprefix("$.").partition(".")
    place = f"[{section}] {key}".rstrip()
    return f"{place}: {what}" if section else what


def load(path: Path) -> Settings:
    """Read and check settings.toml.

    :raises SstpcaError: naming the value that is wrong.
    """
    content = read_text(path, "the settings file")
    try:
        settings = msgspec.toml.decode(content, type=Settings)
    except msgspec.DecodeError as error:
        raise SstpcaError(f"{path}: {_plain(error)}", "correct that in the file") from error
    if not settings.server.names and not settings.server.addresses:
        raise SstpcaError(f"{path}: [server] needs at least one of names and addresses")
    for key, values in (
        ("listen", settings.server.listen),
        ("addresses", settings.server.addresses),
    ):
        for value in values:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise SstpcaError(f"{path}: '{value}' in {key} is not an IP address") from None
    return settings

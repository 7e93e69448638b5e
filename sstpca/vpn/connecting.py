"""What to connect to, by a server's name or by a bundle for Linux, and how it is to be believed."""

import asyncio
import configparser
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sstpca.server.notify import Notifier
from sstpca.server.ppp.lcp import EAP, MS_CHAP_V2, PAP

from ..authority.authority import client_roots
from ..bundle.ledger.unpacking import read as read_bundle
from ..client import keeping
from ..client.dialing import Endpoint, Proxy
from ..client.keeping import Refusal, State, Wishes
from ..client.network import EVERYTHING, EVERYTHING_IPV6, NetworkError
from ..client.sign_in import Certificate, Credentials
from ..disk.reading import read_file
from ..errors import InvalidInput, Refused, Unavailable, option
from ..home import Home
from ..lint.checks import split_port
from ..names import quoted
from ..x509.certificates import certificate_to_pem
from ..x509.loading import load_certificate
from ..x509.parsing import certificates_in
from .client_certificate import Read, put_together, read_files

__all__ = [
    "EVERYWHERE",
    "Certificate",
    "Credentials",
    "Destination",
    "Read",
    "State",
    "Wishes",
    "by_bundle",
    "by_name",
    "connect",
    "parse_pin",
    "put_together",
    "read_files",
]

Network = IPv4Network | IPv6Network

#: All traffic, of both families.
EVERYWHERE: Final[tuple[Network, ...]] = (*EVERYTHING, *EVERYTHING_IPV6)

_FOLDER: Final = "linux/"
_ESCAPES: Final = {"s": " ", "t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
_ESCAPED: Final = re.compile(r"\\(.)")
# the networks in the file ip-up of a bundle
_NETWORKS: Final = re.compile(r"^for network in (.+); do$", re.MULTILINE)
_PIN: Final = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to, and as whom.

    :param user: empty where it is not known yet.
    :param password: the one that the bundle has; empty where it has none.
    :param logins: how to log in, the values of LCP's option.
    :param routes: what goes through the tunnel; None: what the server pushes, or else everything.
    :param certificate: the files of a certificate to log in with, in place of a password; may be none.
    :param files: those of a bundle that say where to and how; none with a secret.
    """

    endpoint: Endpoint
    user: str = ""
    password: str = field(default="", repr=False)
    certificate: tuple[Read, ...] = field(default=(), repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    logins: tuple[bytes, ...] = (MS_CHAP_V2, EAP)
    routes: tuple[Network, ...] | None = None


def by_name(
    root: Path,
    server: str,
    *,
    ca_file: Path | None = None,
    system_trust: bool = False,
    pin: bytes = b"",
    name: str | None = None,
) -> Destination:
    """Return the destination of a server's name.

    :param root: the home, which need not exist; its authority is believed if nothing else is said.
    :param system_trust: whether the authorities of this machine are believed instead.
    :raises SstpcaError: if something cannot be read, or makes no sense.
    """
    hosts, port = split_port(server)
    shown = split_port(name)[0].first if name else hosts.first
    authorities = b""
    if ca_file is not None:
        content = read_file(ca_file, "the authority's certificate")
        found = [
            load_certificate(one, str(ca_file)) for one in certificates_in(content, str(ca_file))
        ]
        authorities = b"".join(map(certificate_to_pem, found))
    elif not (system_trust or pin) and (home := Home(root)).exists:
        authorities = b"".join(map(certificate_to_pem, client_roots(home)))
    return Destination(Endpoint(hosts.first, port, shown, authorities, pin))


def by_bundle(path: Path) -> Destination:
    """Return the destination of a bundle: its zip or folder, or the folder ``linux`` in that.

    :raises SstpcaError: if it is none, or none for this program.
    """
    files = {
        name.removeprefix(_FOLDER): content
        for name, content in read_bundle(path).files.items()
        if name.startswith(_FOLDER) or "/" not in name
    }
    if "ca.pem" not in files and files.keys() & {"connection", "peer"}:
        raise InvalidInput(f"the bundle {path} has no authority's certificate", "make it again")
    if "connection" in files:
        return replace(_with_password(files, path), files=_telling(files, "connection"))
    if "peer" in files:
        return replace(_with_certificate(files, path), files=_telling(files, "peer", "ip-up"))
    raise InvalidInput(
        f"the bundle {path} has nothing for Linux",
        "make one with ",
        option("--for"),
        " linux",
    )


def _telling(files: Mapping[str, bytes], *names: str) -> dict[str, bytes]:
    """Return the files that say where to and how."""
    return {name: files[name] for name in (*names, "ca.pem") if name in files}


def _with_password(files: Mapping[str, bytes], path: Path) -> Destination:
    """Return what the connection of NetworkManager says."""
    keys = _keys(files["connection"], path)
    vpn, ipv4 = keys["vpn"], keys["ipv4"]
    hosts, port = split_port(vpn.get("gateway", ""))
    refused = {key for key, value in vpn.items() if key.startswith("refuse-") and value == "yes"}
    logins = [(MS_CHAP_V2, "refuse-mschapv2"), (EAP, "refuse-eap")]
    routes = None
    if ipv4.get("never-default") == "true":
        routes = tuple(
            IPv4Network(value.partition(",")[0])
            for key, value in ipv4.items()
            if key.startswith("route")
        )
    return Destination(
        Endpoint(hosts.first, port, hosts.first, files["ca.pem"]),
        vpn.get("user", ""),
        files.get("password", b"").decode("utf-8", "replace").removesuffix("\n"),
        logins=tuple(login for login, key in logins if key not in refused),
        routes=routes,
    )


def _with_certificate(files: Mapping[str, bytes], path: Path) -> Destination:
    """Return what the peer of pppd says: there is no connection of NetworkManager's."""
    try:
        lines = [shlex.split(line, comments=True) for line in files["peer"].decode().splitlines()]
        said = {line[0]: line[-1] for line in lines if line}
        hosts, port = split_port(shlex.split(said["pty"])[-1])
        user = said["name"]
        networks = " ".join(_NETWORKS.findall(files.get("ip-up", b"").decode()))
        routes = tuple(map(parse_network, shlex.split(networks)))
    except (KeyError, IndexError, ValueError):
        raise InvalidInput(f"the file peer in {path} cannot be read", "make it again") from None
    stores = tuple((Path(name), one) for name, one in files.items() if name.endswith(".p12"))
    return Destination(
        Endpoint(hosts.first, port, hosts.first, files["ca.pem"]),
        user,
        certificate=stores,
        logins=(EAP,),
        routes=routes if "nodefaultroute" in said else None,
    )


def with_proxy(destination: Destination, url: str) -> Destination:
    """Return the destination through a proxy ``http://[USER:PASSWORD@]HOST:PORT``.

    :raises InvalidInput: if that is no proxy.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme != "http" or not host or parts.path not in ("", "/"):
        # the URL may have a password in it
        raise InvalidInput("this is no HTTP proxy", "for example: http://proxy.example.com:3128")
    proxy = Proxy(host, port or 3128, unquote(parts.username or ""), unquote(parts.password or ""))
    return replace(destination, endpoint=replace(destination.endpoint, proxy=proxy))


def parse_pin(text: str) -> bytes:
    """Return the SHA-256 of a certificate: 64 hexadecimal digits, with colons or without.

    :raises InvalidInput: if it is none.
    """
    digits = text.replace(":", "").strip()
    if not _PIN.fullmatch(digits):
        raise InvalidInput(
            f"{quoted(text)} is no SHA-256 of a certificate",
            "it has 64 hexadecimal digits; 'cert show server' of the server's home has it",
        )
    return bytes.fromhex(digits)


def parse_network(text: str) -> Network:
    """Return a network to route, of either family.

    :raises InvalidInput: if it is none.
    """
    try:
        return ip_network(text)
    except ValueError:
        raise InvalidInput(
            f"{quoted(text)} is no network", "for example: 10.0.0.0/8, or 2001:db8::/32"
        ) from None


def connect(
    destination: Destination,
    credentials: Credentials | Certificate,
    wishes: Wishes,
    show: Callable[[State], None],
    *,
    allow_pap: bool = False,
) -> None:
    """Connect this machine, and keep it so until SIGINT or SIGTERM; needs root.

    :param allow_pap: whether a server may be shown the password that asks for it.
    :raises Refused: if the server refuses, or is not to be believed.
    :raises Unavailable: if the machine does not let us.
    """
    logins = (*destination.logins, *((PAP,) if allow_pap else ()))
    if isinstance(credentials, Certificate):
        logins = (EAP,)
    routes = wishes.routes if wishes.routes is not None else destination.routes
    wishes = replace(wishes, logins=logins, routes=routes)
    told = _telling_manager(show, Notifier())
    try:
        asyncio.run(keeping.keep_connected(destination.endpoint, credentials, wishes, told))
    except Refusal as error:
        raise Refused(str(error)) from None
    except NetworkError as error:
        raise Unavailable(*map(str, error.args)) from None


def _telling_manager(show: Callable[[State], None], manager: Notifier) -> Callable[[State], None]:
    """Return what shows a state, and tells the service manager: it is ready when it is connected."""

    def told(state: State) -> None:
        show(state)
        if state.text and state.connected:
            manager.ready(state.text)
        elif state.text:
            manager.says(state.text)

    return told


def _keys(content: bytes, path: Path) -> dict[str, dict[str, str]]:
    """Return a key file of GLib: sections, keys and values."""
    parser = configparser.RawConfigParser(
        delimiters=("=",), comment_prefixes=("#",), interpolation=None, strict=False
    )
    try:
        parser.read_string(content.decode())
    except (configparser.Error, UnicodeDecodeError):
        raise InvalidInput(
            f"the file connection in {path} cannot be read", "make it again"
        ) from None
    sections = {
        name: {key: _ESCAPED.sub(_meant, value) for key, value in parser[name].items()}
        for name in parser.sections()
    }
    return {"vpn": {}, "ipv4": {}} | sections


def _meant(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])

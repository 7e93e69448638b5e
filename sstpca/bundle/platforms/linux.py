"""What a user of Linux runs: NetworkManager's connection, pppd's peer, and what installs one."""

import shlex
import uuid
from typing import Final

from ...access.connection_settings import SignIn
from ..content.bundle import Bundle, Deployment
from ..content.plain_name import plain_name
from ..content.quoting import pppd
from ..content.render import Renderer

_NAMESPACE: Final = uuid.UUID("0f0ae1b4-5d3c-5a5b-9a0e-6a6c0f6f3c55")

REFUSED: Final = {
    SignIn.MSCHAPV2: ("pap", "chap", "mschap", "eap"),
    SignIn.EAP_MSCHAPV2: ("pap", "chap", "mschap", "mschap-v2"),
    SignIn.EAP_TLS: ("pap", "chap", "mschap", "mschap-v2"),
}
"""The ways to sign in that the client refuses, by pppd's names."""

Lines = list[tuple[str, str]]


def unable(deployment: Deployment) -> tuple[str, str] | None:
    """Return why there is no connection from Linux and what helps; None if there is one."""
    if ":" not in deployment.host:
        return None
    return (
        f"clients on Linux cannot be told to connect to {deployment.host}: NetworkManager's plug-in "
        "wants a name or an IPv4 address for the server",
        "give the server one",
    )


def files(renderer: Renderer, bundle: Bundle) -> dict[str, bytes]:
    """Return the files by name, in the folder ``linux``."""
    templates = ["README.txt", "install.sh", "uninstall.sh", "peer"]
    if bundle.client.sign_in.with_password:
        # with a certificate, NetworkManager's plug-in says the name of its file for the user's
        templates.append("connection")
    if bundle.routes_of_both:
        templates.append("ip-up")
    values = _values(bundle)
    found = {one: renderer.text(f"linux/{one}.j2", bundle, **values) for one in templates}
    if bundle.authorities:
        found["ca.pem"] = b"".join(one.pem for one in bundle.authorities)
    if bundle.secrets.password is not None:
        found["password"] = f"{bundle.secrets.password}\n".encode()
    if bundle.secrets.certificate is not None:
        found[bundle.secrets.certificate.file] = bundle.secrets.certificate.content
    return {f"linux/{file}": content for file, content in found.items()}


def _values(bundle: Bundle) -> dict[str, object]:
    name = plain_name(bundle.connection)
    return {
        "name": name,
        "own": own_folder(name),
        "pty": sstpc(bundle, name),
        "refused": REFUSED[bundle.client.sign_in],
        "uuid": connection_uuid(bundle),
        "ipv4": ipv4(bundle),
        "secret": secret(bundle, name),
        "remote": name if bundle.client.sign_in.with_password else bundle.host,
    }


def own_folder(name: str) -> str:
    """Return the folder on the user's machine that has what is nobody else's."""
    return f"/etc/sstpca/{name}"


def connection_uuid(bundle: Bundle) -> str:
    """Return the UUID of NetworkManager's connection: the same for the same user and server."""
    return str(uuid.uuid5(_NAMESPACE, f"{bundle.connection}\n{bundle.server}\n{bundle.user}"))


def sstpc(bundle: Bundle, name: str) -> str:
    """Return the command that pppd runs by sh(1)."""
    options = ["--nolaunchpppd", "--ipparam", name, "--ca-cert", f"{own_folder(name)}/ca.pem"]
    if bundle.by_name:
        options.append("--tls-ext")
    if not bundle.split_tunnel:
        options.append("--save-server-route")
    return shlex.join(["sstpc", *options, f"{bundle.host}:{bundle.port}"])


def secret(bundle: Bundle, name: str) -> str:
    """Return the line for pppd's chap-secrets; the password is in a file of its own.

    There, no password is taken for the name of a file, which one with ``@/`` in front would be.
    """
    words = pppd(bundle.user), name, pppd(f"@{own_folder(name)}/password")
    return f"{' '.join(words)} * # sstpca {name}"


def ipv4(bundle: Bundle) -> Lines:
    """Return keys and values of the section ``ipv4`` in NetworkManager's connection.

    The server tells its DNS servers itself; those of rules for names come on top. A suffix with a
    ``~`` before it is for choosing the server only, not for completing names.
    """
    rules = [rule for rule in bundle.client.name_rules if rule.servers]
    servers = {str(server): None for rule in rules for server in rule.servers}
    more = [server for server in servers if server not in bundle.dns]
    search = [bundle.dns_suffix] if bundle.dns_suffix else []
    search += [f"~{rule.suffix}" for rule in rules if rule.suffix not in search]
    lines: Lines = [("method", "auto")]
    if more:
        lines.append(("dns", _list(more)))
    if search:
        lines.append(("dns-search", _list(search)))
    if bundle.split_tunnel:
        lines.append(("never-default", "true"))
    lines += [(f"route{n}", route) for n, route in enumerate(bundle.all_routes, 1)]
    return lines


def _list(values: list[str]) -> str:
    return "".join(f"{value};" for value in values)

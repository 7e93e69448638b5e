"""What administrators need to set up the connection on many PCs, for one access profile."""

import hashlib
from collections.abc import Iterator
from typing import Final

from cryptography import x509

from ...access.connection_settings import ConnectionSettings
from ...x509.certificates import sha1_fingerprint
from ..content.bundle import Deployment
from ..content.render import Renderer
from ..content.sums import with_sums
from . import intune, pbk
from .profilexml import Protocol, compact, profile_xml

#: what they are written in
LANGUAGE: Final = "en"

FAILURES: Final = (
    (10, "A file is missing. It has to be in the same folder as the script."),
    (11, "The certificate file is not the one that belongs to this script. Nothing was changed."),
    (12, "This has to run with administrator rights."),
    (13, "The trusted certificates of this PC could not be changed."),
    (14, "The VPN connection could not be changed through Windows management."),
    (15, "The list of VPN connections could not be changed."),
    (16, "This needs Windows 10 or 11, and the 64-bit Windows PowerShell."),
    (17, "This has to run as SYSTEM: from Intune, Configuration Manager or a scheduled task."),
    (18, "There is a VPN connection of this name that these scripts have not made. It stays."),
    (19, "Nobody to make the connection for is signed in. Use -AllUsers, or run this later."),
)
"""The exit codes of the scripts, and what each says."""


def files(
    renderer: Renderer, deployment: Deployment, publisher: x509.Certificate | None = None
) -> dict[str, bytes]:
    """Return the files by name, with SHA256SUMS; the scripts are not signed yet.

    :param renderer: in the language LANGUAGE.
    :param publisher: whoever will sign the scripts; None: nobody will.
    :raises SstpcaError: if a value cannot be written.
    """
    profiles = {one: profile_xml(renderer, deployment, one) for one in Protocol}
    section = pbk.section(renderer, deployment)
    found = {
        **{one.file: one.der for one in deployment.authorities},
        **_of_system(deployment, profiles, Protocol.WINDOWS_11, "windows11"),
        **_of_system(deployment, profiles, Protocol.WINDOWS_10, "windows10"),
        "profile.ps1": _profile_script(renderer, deployment, profiles),
        "README.txt": _readme(renderer, deployment, section, publisher),
    }
    if section is not None:
        found["rasphone.pbk"] = section
        found["phonebook.ps1"] = _phonebook_script(renderer, deployment, section)
    if deployment.authorities:
        found["trust.ps1"] = renderer.script("admin/trust.ps1.j2", deployment, failures=FAILURES)
    return with_sums(found)


def _of_system(
    deployment: Deployment, profiles: dict[Protocol, bytes], protocol: Protocol, system: str
) -> dict[str, bytes]:
    profile = profiles[protocol]
    return {
        f"profile-{system}.xml": profile,
        f"intune-{system}.json": intune.configuration(deployment, protocol, profile),
    }


def _profile_script(
    renderer: Renderer, deployment: Deployment, profiles: dict[Protocol, bytes]
) -> bytes:
    windows_11, windows_10 = (compact(profiles[one]) for one in Protocol)
    return renderer.script(
        "admin/profile.ps1.j2",
        deployment,
        failures=FAILURES,
        fingerprint=_digest(windows_11, windows_10),
        profile_windows_11=windows_11,
        profile_windows_10=windows_10,
        escaped_name=intune.escaped_name(deployment.connection),
    )


def _phonebook_script(renderer: Renderer, deployment: Deployment, section: bytes) -> bytes:
    lines = pbk.lines(section)
    return renderer.script(
        "admin/phonebook.ps1.j2",
        deployment,
        failures=FAILURES,
        fingerprint=_digest(*lines, *deployment.windows_routes),
        section=lines,
    )


def _digest(*texts: str) -> str:
    """Return what changes when one of ``texts`` does; a script notes it for its next run."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest().upper()


def _readme(
    renderer: Renderer,
    deployment: Deployment,
    section: bytes | None,
    publisher: x509.Certificate | None,
) -> bytes:
    return renderer.script(
        "admin/README.txt.j2",
        deployment,
        roots=[(one, intune.root_uri(one)) for one in deployment.authorities],
        profile_uri=intune.profile_uri(deployment.connection),
        traffic=_traffic(deployment),
        section=section,
        lost="" if section is None else ", ".join(_lost(deployment.client)),
        publisher="" if publisher is None else publisher.subject.rfc4514_string(),
        publisher_sha1="" if publisher is None else sha1_fingerprint(publisher),
        publisher_until="" if publisher is None else f"{publisher.not_valid_after_utc:%Y-%m-%d}",
    )


def _traffic(deployment: Deployment) -> str:
    if not deployment.split_tunnel:
        return "all of it goes through the VPN"
    if deployment.routes_at_login:
        return "through the VPN only to the networks that the server names at each login"
    return f"through the VPN only to {', '.join(deployment.routes) or 'its own network'}"


def _lost(client: ConnectionSettings) -> Iterator[str]:
    """Yield what an entry for all users cannot have: Windows' cmdlets set it for one user only."""
    if client.name_rules:
        yield "rules for names"
    if client.proxy:
        yield "the proxy"
    if client.trigger_apps:
        yield "programs that start the VPN"
    if client.trusted_networks:
        yield "trusted networks"

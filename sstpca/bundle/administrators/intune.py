"""Microsoft Intune: profile and authorities as settings of a custom configuration for Windows."""

import base64
import json
from typing import Any, Final
from urllib.parse import quote

from ..content.bundle import Certificate, Deployment
from .profilexml import Protocol

_VPN: Final = "./User/Vendor/MSFT/VPNv2"
_ROOTS: Final = "./Device/Vendor/MSFT/RootCATrustedCertificates/Root"
_GRAPH: Final = "#microsoft.graph"
_SYSTEMS: Final = {Protocol.WINDOWS_11: "Windows 11", Protocol.WINDOWS_10: "Windows 10"}


def escaped_name(connection: str) -> str:
    """Return the name of the connection as the VPNv2 CSP wants it in a path: URL-encoded."""
    return quote(connection, safe="")


def profile_uri(connection: str) -> str:
    """Return the OMA-URI of the connection's ProfileXML, for each user."""
    return f"{_VPN}/{escaped_name(connection)}/ProfileXML"


def root_uri(authority: Certificate) -> str:
    """Return the OMA-URI of a trusted root: of the device, SSTP takes no others."""
    return f"{_ROOTS}/{authority.sha1}/EncodedCertificate"


def configuration(deployment: Deployment, protocol: Protocol, profile: bytes) -> bytes:
    """Return the body of a request to Microsoft Graph that makes the configuration.

    It is a windows10CustomConfiguration for POST /deviceManagement/deviceConfigurations.

    :param profile: the ProfileXML.
    """
    system = _SYSTEMS[protocol]
    body: dict[str, Any] = {
        "@odata.type": f"{_GRAPH}.windows10CustomConfiguration",
        "displayName": f"{deployment.connection} ({system})",
        "description": f"VPN connection to {deployment.server} for PCs with {system}",
        "omaSettings": [*map(_root, deployment.authorities), _connection(deployment, profile)],
    }
    return (json.dumps(body, indent=2) + "\n").encode()


def _root(authority: Certificate) -> dict[str, str]:
    return {
        "@odata.type": f"{_GRAPH}.omaSettingBase64",
        "displayName": authority.name,
        "description": f"SHA-256 {authority.sha256}",
        "omaUri": root_uri(authority),
        "fileName": authority.file,
        "value": base64.b64encode(authority.der).decode(),
    }


def _connection(deployment: Deployment, profile: bytes) -> dict[str, str]:
    return {
        "@odata.type": f"{_GRAPH}.omaSettingStringXml",
        "displayName": deployment.connection,
        "description": f"access profile {deployment.profile}",
        "omaUri": profile_uri(deployment.connection),
        "fileName": "profile.xml",
        "value": base64.b64encode(profile).decode(),
    }

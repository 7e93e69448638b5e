"""The connection as a section of rasphone.pbk, Windows' own list of VPN connections."""

import uuid
from typing import Final

from ...access.connection_settings import SignIn
from ..content.bundle import Deployment
from ..content.render import Renderer

_NAMESPACE: Final = uuid.UUID("5b0f6f0e-9d2f-5f5b-8f0c-1d5d2c7e0b61")


def section(renderer: Renderer, deployment: Deployment) -> bytes | None:
    """Return the section: UTF-8, which ``Encoding=1`` says, and CRLF; None with an EAP sign-in.

    Windows keeps the settings of EAP there in a form of its own that nobody has published.
    """
    if deployment.client.sign_in is not SignIn.MSCHAPV2:
        return None
    text = renderer.text(
        "admin/rasphone.pbk.j2",
        deployment,
        guid=_guid(deployment),
        full="01"[not deployment.split_tunnel],
    )
    return text.replace(b"\n", b"\r\n")


def lines(content: bytes) -> tuple[str, ...]:
    """Return the lines of a section without their ends."""
    return tuple(content.decode().removesuffix("\r\n").split("\r\n"))


def _guid(deployment: Deployment) -> str:
    """Return the number by which Windows knows the connection: the same for the same server."""
    return (
        uuid.uuid5(_NAMESPACE, f"{deployment.connection}\n{deployment.server}")
        .bytes_le.hex()
        .upper()
    )

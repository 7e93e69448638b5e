"""ProfileXML: a whole VPN connection in the words of Windows' management (the VPNv2 CSP).

Its elements are in the order of the schema that Microsoft publishes with the CSP ("VPNv2 DDF file",
the allowed values of the node ProfileXML), on which Windows 11 insists.
"""

import enum
import re
from typing import Final

from markupsafe import Markup

from ...errors import InvalidInput
from ..content.bundle import Deployment
from ..content.eap import eap_config
from ..content.render import Renderer

# what no XML document can have, not even escaped: XML 1.0, 2.2 Char
_NO_CHAR: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# a value may be a blank; but none has a line break
_BETWEEN: Final = re.compile(r">\n *<")


@enum.unique
class Protocol(enum.Enum):
    """How a profile says that the connection is by SSTP.

    Windows 11 can be told so. Windows 10 knows Automatic only, and tries SSTP first.
    """

    WINDOWS_11 = "SSTP"
    WINDOWS_10 = "Automatic"


def profile_xml(renderer: Renderer, deployment: Deployment, protocol: Protocol) -> bytes:
    """Return the profile as people read it: UTF-8 and, like all samples, without a declaration.

    ``Servers`` has the server twice: as address and as its friendly name, which Windows fills in
    with the address, and Intune compares what it reads back.

    :raises InvalidInput: if a value has a character that XML does not.
    """
    content = renderer.page(
        "admin/profile.xml.j2",
        deployment,
        client=deployment.client,
        protocol=protocol.value,
        eap=Markup(eap_config(deployment) or ""),  # noqa: S704 it is XML, with its values escaped
        routes=[tuple(route.split("/")) for route in deployment.windows_routes],
    )
    if _NO_CHAR.search(content.decode()):
        raise InvalidInput("a value has a character that cannot be in XML")
    return content


def compact(profile: bytes) -> str:
    """Return the XML of :func:`profile_xml` on one line."""
    return _BETWEEN.sub("><", profile.decode()).strip()

"""The EAP settings of a connection, as the XML that Windows keeps with it.

The schemas and the order of their elements: [MS-GPWL] 6.6 (EapHostConfig), 6.6.1 (EapCommon), 6.7
(MsChapV2ConnectionPropertiesV1) and 6.8.1 to 6.8.3 (EapTlsConnectionPropertiesV1 to V3). Each
element names its namespace where it differs from its parent's, as Windows itself writes it.
"""

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ...access.connection_settings import SignIn
from .bundle import Certificate, Deployment

# the method types of RFC 5216 and of EAP-MSCHAPv2, as IANA has them
_TLS: Final = 13
_MSCHAPV2: Final = 26

_PROVISIONING: Final = "http://www.microsoft.com/provisioning"
_HOST: Final = f"{_PROVISIONING}/EapHostConfig"
_COMMON: Final = f"{_PROVISIONING}/EapCommon"
_BASE: Final = f"{_PROVISIONING}/BaseEapConnectionPropertiesV1"
_MSCHAPV2_V1: Final = f"{_PROVISIONING}/MsChapV2ConnectionPropertiesV1"
_TLS_V1: Final = f"{_PROVISIONING}/EapTlsConnectionPropertiesV1"
_TLS_V2: Final = f"{_PROVISIONING}/EapTlsConnectionPropertiesV2"
_TLS_V3: Final = f"{_PROVISIONING}/EapTlsConnectionPropertiesV3"

VALUES: Final = (
    "Type",
    "UseWinLogonCredentials",
    "SimpleCertSelection",
    "DisableUserPromptForServerValidation",
    "ServerNames",
    "TrustedRootCA",
    "DifferentUsername",
    "PerformServerValidation",
    "AcceptServerName",
    "IssuerHash",
)
"""The elements whose text is all that the settings below say."""


def eap_config(deployment: Deployment) -> str | None:
    """Return the EapHostConfig of the sign-in: one line, without an XML declaration.

    None with the sign-in MS-CHAPv2, which is no EAP method. EAP-MSCHAPv2 has nothing to pin: there
    the server proves itself by knowing the password, and by the certificate of the tunnel.
    """
    match deployment.client.sign_in:
        case SignIn.MSCHAPV2:
            return None
        case SignIn.EAP_MSCHAPV2:
            asked = _element("UseWinLogonCredentials", "false")
            return _host_config(_MSCHAPV2, _element("EapType", asked, space=_MSCHAPV2_V1))
        case SignIn.EAP_TLS:
            return _host_config(_TLS, _tls(deployment))


def _host_config(kind: int, method: str) -> str:
    numbers = {"Type": kind, "VendorId": 0, "VendorType": 0, "AuthorId": 0}
    names = (_element(name, str(number), space=_COMMON) for name, number in numbers.items())
    eap = _element("Eap", _element("Type", str(kind)), method, space=_BASE)
    return _element(
        "EapHostConfig",
        _element("EapMethod", *names),
        _element("Config", eap, space=_HOST),
        space=_HOST,
    )


def _tls(deployment: Deployment) -> str:
    """Return the EapType of EAP-TLS.

    Windows asks nobody: neither which certificate to take, nor whether to trust a server that is
    not the one named here.
    """
    store = _element("CertificateStore", _element("SimpleCertSelection", "true"))
    return _element(
        "EapType",
        _element("CredentialsSource", store),
        _element(
            "ServerValidation",
            _element("DisableUserPromptForServerValidation", "true"),
            _element("ServerNames", escape(deployment.host)),
            *(_element("TrustedRootCA", one) for one in _hashes(deployment.eap_roots)),
        ),
        _element("DifferentUsername", "false"),
        _element("PerformServerValidation", "true", space=_TLS_V2),
        _element("AcceptServerName", "true", space=_TLS_V2),
        _extensions(deployment.authorities),
        space=_TLS_V1,
    )


def _extensions(authorities: tuple[Certificate, ...]) -> str:
    """Return the filter by which Windows finds the user's certificate among several.

    It is by its issuer, which is known only where the authority is our own.
    """
    if not authorities:
        return ""
    issuers = (_element("IssuerHash", one) for one in _hashes(authorities))
    listed = _element("CAHashList", *issuers, Enabled="true")
    return _element(
        "TLSExtensions", _element("FilteringInfo", listed, space=_TLS_V3), space=_TLS_V2
    )


def _hashes(certificates: Iterable[Certificate]) -> list[str]:
    """Return the thumbprints as Windows writes them: bytes apart, in lower case."""
    return [bytes.fromhex(one.sha1).hex(" ") for one in certificates]


def _element(name: str, *content: str, space: str = "", **attributes: str) -> str:
    """Return an element; ``content`` is XML already."""
    found = {"xmlns": space, **attributes} if space else attributes
    said = "".join(f" {key}={quoteattr(value)}" for key, value in found.items())
    return f"<{name}{said}>{''.join(content)}</{name}>"

"""What a user of Android needs for Open SSTP Client: a profile to import, and a sheet of its fields.

The names are those of kittoku/Open-SSTP-Client 1.10.2: of the preferences in preference/custom, and
of the keys in preference/constant.kt. preference/profile.kt reads a profile.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...access.connection_settings import SignIn
from ...names import quoted
from ..content.bundle import Bundle, Deployment
from ..content.plain_name import crt_name
from ..content.render import Renderer

# Seconds for the whole sign-in. What is sent before the app listens is lost there, and comes again
# after three seconds, which is the app's own limit
_SIGN_IN: Final = 20
# Every ten seconds, so for five minutes: a server that starts anew is back by then
_RETRIES: Final = 30

Value = bool | int | str | tuple[str, ...]

_PROTOCOLS: Final = {SignIn.MSCHAPV2: ("MSCHAPv2",), SignIn.EAP_MSCHAPV2: ("EAP-MSCHAPv2",)}
"""The app has no EAP-TLS."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the app.

    :param key: its name in a profile.
    :param title: what the app calls it.
    :param default: what a new installation has; None if there is none.
    :param shown: whether the sheet has it: one that depends on a switch that is off is not seen.
    """

    key: str
    title: str
    value: Value
    default: Value | None = None
    shown: bool = True

    @property
    def changed(self) -> bool:
        """Whether the user has to do something."""
        return self.value != self.default


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under one heading of the app; the first ones are on the tab HOME, under none."""

    heading: str
    fields: tuple[Field, ...]


def unable(deployment: Deployment) -> tuple[str, str] | None:
    """Return why there is no connection from Android and what helps; None if there is one.

    The app sends names in US-ASCII (client/ppp/auth/MSCHAPV2Client.kt), others as question marks.
    """
    if deployment.client.sign_in not in _PROTOCOLS:
        return (
            "Open SSTP Client for Android cannot sign in with a certificate, but users of the "
            f"access profile {quoted(deployment.profile)} sign in with {deployment.login}",
            "give this user an access profile with --sign-in mschapv2 or eap-mschapv2",
        )
    if isinstance(deployment, Bundle) and not deployment.user.isascii():
        return (
            "Open SSTP Client for Android sends names in ASCII only, so "
            f"{quoted(deployment.user)} cannot log in with it",
            "give this user a name in ASCII",
        )
    return None


def files(renderer: Renderer, bundle: Bundle) -> dict[str, bytes]:
    """Return the files by name, in the folder ``android``."""
    found = {crt_name(one.file): one.der for one in bundle.authorities}
    made = sections(bundle, _PROTOCOLS[bundle.client.sign_in])
    values: dict[str, object] = {"sections": made, "certificates": sorted(found)}
    found["profile.json"] = profile(made, bundle.secrets.password)
    found["index.html"] = renderer.page("android/index.html.j2", bundle, **values)
    return {f"android/{name}": content for name, content in found.items()}


def sections(bundle: Bundle, protocols: tuple[str, ...]) -> tuple[Section, ...]:
    """Return all fields of the app that matter, in its order, but the password."""
    return (
        Section(
            "",
            (
                Field("HOME_HOSTNAME", "Hostname", bundle.host, ""),
                Field("HOME_USERNAME", "Username", bundle.user, ""),
            ),
        ),
        Section("SSL Layer", _tls(bundle)),
        Section("HTTP Proxy", (Field("PROXY_DO_USE_PROXY", "Use HTTP Proxy", False, False),)),
        Section(
            "PPP Layer", (Field("PPP_MRU", "MRU", 1500, 1500), Field("PPP_MTU", "MTU", 1500, 1500))
        ),
        Section("PPP Authentication Protocol", _sign_in(protocols)),
        Section("PPP Network Protocol", _network()),
        Section(
            "DNS Server",
            (
                Field("DNS_DO_REQUEST_ADDRESS", "Request DNS Server Address", True, True),
                Field("DNS_DO_USE_CUSTOM_SERVER", "Use Custom DNS Server", False, False),
            ),
        ),
        Section("Routing", _routing(bundle)),
        Section("Reconnection", _reconnection()),
        Section("Log", (Field("LOG_DO_SAVE_LOG", "Save Log", False, False),)),
    )


def _tls(bundle: Bundle) -> tuple[Field, ...]:
    return (
        Field("SSL_PORT", "Port Number", bundle.port, 443),
        Field("SSL_VERSION", "SSL Version", "DEFAULT", "DEFAULT"),
        Field("SSL_DO_VERIFY", "Verify Hostname", True, True),
        Field("SSL_DO_SPECIFY_CERT", "Specify Trusted Certificates", False, False),
        Field("SSL_DO_SELECT_SUITES", "Enable Only Selected Cipher Suites", False, False),
        Field("SSL_DO_USE_CUSTOM_SNI", "Use Custom SNI", False, False),
    )


def _sign_in(protocols: tuple[str, ...]) -> tuple[Field, ...]:
    title = "Select Authentication Protocols"
    return (
        Field("PPP_AUTH_PROTOCOLS", title, protocols, ("PAP", "MSCHAPv2")),
        Field("PPP_AUTH_TIMEOUT", "Timeout Period (second)", _SIGN_IN, 3),
    )


def _network() -> tuple[Field, ...]:
    return (
        Field("PPP_IPv4_ENABLED", "Enable IPv4", True, True),
        Field("PPP_DO_REQUEST_STATIC_IPv4_ADDRESS", "Request Static IPv4 Address", False, False),
        Field("PPP_IPv6_ENABLED", "Enable IPv6", False, False),
    )


def _routing(bundle: Bundle) -> tuple[Field, ...]:
    """Return where traffic goes; a split tunnel without routes takes the private networks."""
    some, split = bool(bundle.all_routes), bundle.split_tunnel
    private = "Route Private/Unique-Local Addresses"
    routes = "\n".join(bundle.all_routes)
    return (
        Field("ROUTE_DO_ADD_DEFAULT_ROUTE", "Add Default Route", not split, True),
        Field("ROUTE_DO_ROUTE_PRIVATE_ADDRESSES", private, split and not bundle.routes, False),
        Field("ROUTE_DO_ADD_CUSTOM_ROUTES", "Add Custom Routes", some, False),
        Field("ROUTE_CUSTOM_ROUTES", "Edit Custom Routes", routes, "", shown=some),
        Field("ROUTE_DO_ENABLE_APP_BASED_RULE", "Enable App-Based Rule", False, False),
    )


def _reconnection() -> tuple[Field, ...]:
    return (
        Field("RECONNECTION_ENABLED", "Enable Reconnection", True, False),
        Field("RECONNECTION_COUNT", "Retry Count", _RETRIES, 3),
        Field("RECONNECTION_INTERVAL", "Retry Interval (second)", 10, 10),
    )


def profile(made: tuple[Section, ...], password: str | None) -> bytes:
    """Return the file that the app's "Import Profile" reads: JSON, a table for each type."""
    tables: dict[str, dict[str, object]] = {
        name: {} for name in ("booleanSetting", "intSetting", "stringSetting", "setSetting")
    }
    for one in (one for section in made for one in section.fields):
        tables[_table(one.value)][one.key] = one.value
    tables["stringSetting"]["HOME_PASSWORD"] = password or ""
    everything: Mapping[str, object] = tables | {"uriSetting": {}}
    return json.dumps(everything, ensure_ascii=False, indent=2).encode() + b"\n"


def _table(value: Value) -> str:
    match value:
        case bool():
            return "booleanSetting"
        case int():
            return "intSetting"
        case str():
            return "stringSetting"
    return "setSetting"

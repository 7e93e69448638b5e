"""What clients are told, as a digest: it changes when a bundle made now would say something else."""

import hashlib
import json
from typing import Final

from ...access import connection_settings
from ...access.profiles import AccessProfile
from ...settings import Settings
from .logo import Logo

#: The platforms of a bundle that is for Windows and nothing else.
WINDOWS: Final = ("windows",)


def told(
    profile: AccessProfile, settings: Settings, picture: Logo | None, *, windows: bool = False
) -> str:
    """Return a digest of what the clients of ``profile`` are told beside server and authorities.

    :param windows: whether the bundle is for Windows and nothing else.
    :returns: SHA-256, lower-case hexadecimal. It changes when a bundle made now would differ.
    """
    # the server tells its clients; only where rules name others, bundles leave out the common ones
    ruled = any(rule.servers for rule in profile.client.name_rules)
    client = connection_settings.to_json(profile.client)
    # a digest of before there was this is the same
    at_login = {"routes_at_login": True} if client.pop("routes_at_login") else {}
    values = {
        "full_tunnel": profile.full_tunnel,
        "routes": [one for one in _routes(profile) if ":" in one or not (windows and at_login)],
        "dns": [str(one) for one in profile.dns] if ruled else [],
        "dns_suffix": profile.dns_suffix,
        "client": client | at_login,
        "contact": settings.bundle.contact.strip(),
        "revocation_check": settings.bundle.revocation_check,
        "logo": "" if picture is None else hashlib.sha256(picture.content).hexdigest(),
    }
    if profile.ipv6.prefix is not None:  # those who have none hear nothing new
        values["ipv6"] = list(profile.routes_ipv6)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _routes(profile: AccessProfile) -> list[str]:
    if profile.full_tunnel:
        return []
    return [*map(str, profile.routes), *profile.dns_routes]

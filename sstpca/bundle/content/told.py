"""What clients are told, as a digest: it changes when a bundle made now would say something else."""

import hashlib
import json

from ...access import connection_settings
from ...access.profiles import AccessProfile
from ...settings import Settings
from .logo import Logo


def told(profile: AccessProfile, settings: Settings, picture: Logo | None) -> str:
    """Return a digest of what the clients of ``profile`` are told beside server and authorities.

    :returns: SHA-256, lower-case hexadecimal. It changes when a bundle made now would differ.
    """
    # the server tells its clients; only where rules name others, bundles leave out the common ones
    ruled = any(rule.servers for rule in profile.client.name_rules)
    values = {
        "full_tunnel": profile.full_tunnel,
        "routes": _routes(profile),
        "dns": [str(one) for one in profile.dns] if ruled else [],
        "dns_suffix": profile.dns_suffix,
        "client": connection_settings.to_json(profile.client),
        "contact": settings.bundle.contact.strip(),
        "revocation_check": settings.bundle.revocation_check,
        "logo": "" if picture is None else hashlib.sha256(picture.content).hexdigest(),
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _routes(profile: AccessProfile) -> list[str]:
    if profile.full_tunnel:
        return []
    return [*map(str, profile.routes), *profile.dns_routes]

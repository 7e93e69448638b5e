"""What a user receives: templates filled with one user's values, as a folder and a zip.

:mod:`.context` gathers the values, :mod:`.render` makes the files, :mod:`.quoting` is the only way
for a value into a script, and :mod:`.archive` writes it all.
"""

from pathlib import Path

from cryptography import x509

from ..home import Home
from ..profiles import AccessProfile
from ..settings import Settings
from ..users import User
from . import archive, render
from .context import bundle_for

__all__ = ["build"]


def build(
    home: Home,
    settings: Settings,
    user: User,
    profile: AccessProfile,
    ca_certificate: x509.Certificate,
    *,
    output: Path | None = None,
) -> Path:
    """Make the bundle of ``user`` and return the path of its zip; the folder is beside it.

    :param output: where to write it; the home's ``bundles`` if None.
    :raises SstpcaError: if a value cannot be used, or the file system refuses.
    """
    bundle = bundle_for(user, profile, settings, ca_certificate)
    return archive.write(output or home.bundles, bundle.user, render.files(bundle))

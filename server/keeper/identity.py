"""The server's certificates, read by the keeper for its worker."""

import contextlib

from ..errors import ServerError
from ..net.tls import CertificateFiles
from .contract import Identities


class FollowedIdentity:
    """Files that are followed."""

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files

    def since(self, version: int) -> Identities | None:
        """Return what is to be shown from now on; None if that is ``version`` still."""
        # what is of no use there, the supervisor says, once for all workers
        with contextlib.suppress(ServerError):
            self._files.reload()
        if self._files.version == version:
            return None
        return Identities(self._files.version, self._files.pems)

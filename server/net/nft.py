"""The program ``nft``, by which the rules get into the kernel."""

import shutil
import signal
import subprocess
from typing import Final

from ..errors import ServerError

#: The signal that rules have changed, ours or others', or have to.
CHANGED: Final = signal.SIGIO


class NftError(ServerError):
    """nft refuses."""


def nft(script: str, *options: str) -> str:
    """Have nft run ``script``, in one transaction; return what it prints.

    :param options: of the program.
    :raises NftError: if it refuses; nothing has changed then.
    :raises ServerError: if there is no nft.
    """
    program = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        raise ServerError(
            "the program nft is missing, which sets up NAT and the rules for clients",
            "install it: apt install nftables",
        )
    done = subprocess.run(
        [program, *options, "-f", "-"], input=script, capture_output=True, text=True
    )
    if done.returncode != 0:
        reason = next(iter(done.stderr.splitlines()), f"exit code {done.returncode}")
        raise NftError(
            f"nft refuses the rules: {reason}",
            "run the same command as root (sudo), on a kernel with nftables",
        )
    return done.stdout

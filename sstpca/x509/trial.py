"""A first try at a PKCS#12, in a process that may take so long and no longer.

How often a password is hashed for the keys in its encrypted parts shows only when those are open
(RFC 7292 4.2), and nothing stops a library in the middle of that.
"""

import base64
import contextlib
import json
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from typing import Final

#: Seconds of processor time.
PATIENCE: Final = 20


def opens_in_time(der: bytes, secrets: Sequence[bytes | None]) -> bool:
    """Return whether it is clear in time whether these passwords open ``der``.

    :param secrets: passwords to try; None for none. They have :data:`PATIENCE` together.
    """
    texts = [None if one is None else base64.b64encode(one).decode() for one in secrets]
    question = {"der": base64.b64encode(der).decode(), "secrets": texts, "seconds": PATIENCE}
    # not on its command line, which everybody on the machine can read
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__],
        input=json.dumps(question).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode not in (-signal.SIGXCPU, -signal.SIGKILL)


def _try_it() -> None:
    from cryptography.hazmat.primitives.serialization import pkcs12

    question = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGXCPU would leave one, with the password
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = question["seconds"] + int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    warnings.simplefilter("ignore")
    for secret in question["secrets"]:
        # whoever reads it next will complain, in words
        with contextlib.suppress(Exception):
            pkcs12.load_pkcs12(
                base64.b64decode(question["der"]),
                None if secret is None else base64.b64decode(secret),
            )


if __name__ == "__main__":
    _try_it()

"""Which of the two that do the same runs: the compiled one where it was built, else Python's.

It was built if there was a C compiler with Python's headers when the program was installed.
"""

from typing import Final

#: Of the functions' parameters: a module that was compiled for others stays where the program was
#: updated and nothing compiles any more.
_REVISION: Final = 4
_TLS_REVISION: Final = 3

try:
    from ._segments import REVISION, cut, forward, pull

    if REVISION != _REVISION:
        raise ImportError(f"revision {REVISION}, not {_REVISION}")
except ImportError:
    from .cutting import cut, pull
    from .merging import forward

try:
    from ._tls import OPENSSL
    from ._tls import REVISION as TLS_REVISION
    from ._tls import Context as TlsContext

    if TLS_REVISION != _TLS_REVISION:
        raise ImportError(f"revision {TLS_REVISION}, not {_TLS_REVISION}")
except ImportError:
    from ssl import OPENSSL_VERSION as OPENSSL

    from .openssl import PythonContext as TlsContext  # type: ignore[assignment]

#: Whether it is the compiled one.
COMPILED: Final = cut.__module__.endswith("._segments")

#: What runs, as a line of the log has it behind "IP packets pass".
DESCRIPTION: Final = (
    "in large segments, by compiled code"
    if COMPILED
    else "one by one, in Python; where there are gcc and python3-dev, a new installation is faster"
)

#: And how TLS records become packets, behind "TLS is".
TLS_DESCRIPTION: Final = (
    f"{OPENSSL}, called by compiled code"
    if TlsContext.__module__.endswith("._tls")
    else f"{OPENSSL}, called by Python's ssl; where there are gcc, python3-dev and libssl-dev, "
    "a new installation is faster"
)

__all__ = [
    "COMPILED",
    "DESCRIPTION",
    "TLS_DESCRIPTION",
    "TlsContext",
    "cut",
    "forward",
    "pull",
]

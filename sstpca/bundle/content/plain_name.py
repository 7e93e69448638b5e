"""A name for files and objects on systems that are choosy about names."""

import re
from typing import Final

# run-parts(8), for example, takes no dots
_OTHER_SIGNS: Final = re.compile(r"[^A-Za-z0-9]+")
_LENGTH: Final = 48


def plain_name(text: str, otherwise: str = "vpn") -> str:
    """Return a name for what people call ``text``.

    :param otherwise: the name where nothing is left of it.
    :returns: ASCII letters, digits and inner hyphens, up to 48 signs.
    """
    return _OTHER_SIGNS.sub("-", text).strip("-")[:_LENGTH].rstrip("-") or otherwise


def crt_name(file: str) -> str:
    """Return the name of a certificate's file, ``ca-x.cer``, with the ending that others want."""
    return f"{file.removesuffix('.cer')}.crt"

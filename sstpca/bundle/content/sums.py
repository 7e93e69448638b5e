"""The list of a folder's files that proves them whole: SHA256SUMS, as sha256sum(1) has it."""

import hashlib
from collections.abc import Mapping
from typing import Final

SUMS: Final = "SHA256SUMS"


def with_sums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return ``files`` with SHA256SUMS of all others; one that is there already is replaced."""
    listed = {name: content for name, content in files.items() if name != SUMS}
    sums = (f"{hashlib.sha256(listed[name]).hexdigest()}  {name}\n" for name in sorted(listed))
    return listed | {SUMS: "".join(sums).encode()}

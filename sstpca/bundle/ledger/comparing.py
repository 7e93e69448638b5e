"""A bundle that came from somewhere against the one that would be made now, byte for byte.

A password in it is looked for first: nobody here knows it. A bundle made with what was found has to
be the same then, in every file and however each of them writes it down.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ...access.connection_settings import SignIn
from ...errors import InvalidInput
from ...names import user_key
from ...secrets import check_password
from ...x509 import exporting
from ...x509.certificates import sha1_fingerprint
from ..authenticode import unsigned
from ..content.bundle import Secrets, UserCertificate
from ..content.sums import SUMS, with_sums
from ..workshop import Order, Workshop
from .freshness import Present

# that no user has, to see where in a bundle the password is
_PRETENDED: Final = "pretended-password"
# the longest password in its longest spelling
_SECRET_MAX: Final = 4096
_ROUTEROS_ESCAPE: Final = re.compile(rb"\\(?:([0-9A-F]{2})|(.))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Compared:
    """How a bundle differs from one made now, by names of files.

    :param differing: those that would be different, or are missing.
    :param strange: those that would not be there.
    :param secret: those that have a secret in them.
    """

    differing: tuple[str, ...]
    strange: tuple[str, ...]
    secret: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it does not differ at all."""
        return not (self.differing or self.strange)


def compare(
    workshop: Workshop, order: Order, present: Present, files: Mapping[str, bytes]
) -> Compared:
    """Compare ``files`` with what ``workshop`` would make of ``order`` now.

    :param order: without secrets.
    :raises SstpcaError: if no bundle can be made.
    """
    return min(
        _candidates(workshop, order, present, files),
        key=lambda one: len(one.differing) + len(one.strange),
    )


def _candidates(
    workshop: Workshop, order: Order, present: Present, files: Mapping[str, bytes]
) -> Iterator[Compared]:
    def made(secrets: Secrets) -> dict[str, bytes]:
        return workshop.files(workshop.bundle(order, secrets))

    if order.profile.client.sign_in is SignIn.EAP_TLS:
        carried = _certificate(order, present, files)
        yield _compared(files, made(Secrets(None, carried)), _ending(files, carried.file))
        return
    yield _compared(files, made(Secrets()), ())
    pretended = made(Secrets(_PRETENDED))
    secret = tuple(sorted(n for n in pretended if n != SUMS and _marked(pretended[n])))
    yield _compared(files, pretended, secret)
    for password in _passwords(pretended, files):
        yield _compared(files, made(Secrets(password)), secret)


def _marked(content: bytes) -> bool:
    return _PRETENDED.encode() in content


def _compared(
    files: Mapping[str, bytes], now: Mapping[str, bytes], secret: tuple[str, ...]
) -> Compared:
    differing = [name for name in now if name != SUMS and _plain(name, files) != now[name]]
    if not differing and files.get(SUMS) != with_sums(files)[SUMS]:
        differing.append(SUMS)
    return Compared(tuple(sorted(differing)), tuple(sorted(set(files) - set(now))), secret)


def _plain(name: str, files: Mapping[str, bytes]) -> bytes | None:
    """Return a script without its signature, which Windows itself looks at; others as they are."""
    content = files.get(name)
    return unsigned(content) if content is not None and name.endswith(".ps1") else content


def _certificate(order: Order, present: Present, files: Mapping[str, bytes]) -> UserCertificate:
    """Return the user's certificate with the .p12 file that is there: nobody here can open it."""
    entry = present.certificates.get(user_key(order.user.name))
    file = f"{exporting.file_stem(order.user.name if entry is None else entry.name)}.p12"
    carried = [files[name] for name in _ending(files, file)]
    return UserCertificate(
        file=file,
        content=carried[0] if carried else b"",
        sha1="0" * 40 if entry is None else sha1_fingerprint(entry.certificate),
        password=None,
    )


def _ending(files: Mapping[str, bytes], file: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in files if name.rpartition("/")[2] == file))


def _passwords(pretended: Mapping[str, bytes], files: Mapping[str, bytes]) -> list[str]:
    """Return what may be the password in ``files``; it is where ``pretended`` has another."""
    found: dict[str, None] = {}
    for name, content in pretended.items():
        if name == SUMS or name not in files or not _marked(content):
            continue
        spelt = _spelt(content, _plain(name, files) or b"")
        for password in () if spelt is None else _read(spelt):
            with contextlib.suppress(InvalidInput):
                found[check_password(password)] = None
    return list(found)


def _spelt(pretended: bytes, content: bytes) -> bytes | None:
    """Return what ``content`` has where ``pretended`` has the pretended password, every time."""
    before, *others = map(re.escape, pretended.split(_PRETENDED.encode()))
    pattern = before + rb"(.{1,%d}?)" % _SECRET_MAX + rb"\1".join(others)
    match = re.fullmatch(pattern, content, re.DOTALL)
    return None if match is None else match[1]


def _read(spelt: bytes) -> Iterator[str]:
    """Yield what ``spelt`` may mean: as it stands, or as a text of JSON or of RouterOS."""
    with contextlib.suppress(UnicodeDecodeError):
        yield spelt.decode()
    with contextlib.suppress(ValueError):
        text = json.loads(b'"' + spelt + b'"')
        if isinstance(text, str):
            yield text
    with contextlib.suppress(UnicodeDecodeError):
        yield _ROUTEROS_ESCAPE.sub(_routeros_byte, spelt).decode()


def _routeros_byte(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if escape[1] else escape[2]

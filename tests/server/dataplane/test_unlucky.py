"""The compiled TLS where memory is short and OpenSSL fails: nothing is encrypted twice with one nonce, which
would give a key away; and that this would be found.
"""

import contextlib
import ctypes
import random
import shutil
import ssl
from pathlib import Path
from typing import Final

import pytest

from sstpca.server.dataplane.openssl import TlsEnd
from sstpca.server.net.offer import SUITES as OFFERED
from tests.support import engines, records_1_2
from tests.support.engines import TLS_SOURCE
from tests.support.issuer import Issuer
from tests.support.records import HANDSHAKE, SUITES, UPDATE, UPDATE_BOTH, Writer, shake

_UNLUCKY: Final = Path(engines.__file__).with_name("unlucky_tls.c")
_RECORDS: Final = "_records.h"
_CONVERSATIONS: Final = 300
_STEPS: Final = 30


def converse(folder: Path) -> tuple[int, int]:
    """Have many conversations by what is in ``folder``.

    :returns: how often something failed, and how often a nonce came again.
    """
    identity = folder / "server.pem"
    identity.write_bytes(Issuer.make().own.pem)
    shutil.copy(_UNLUCKY, folder / TLS_SOURCE.name)
    # macros that stand for functions of the limited API are no mistake
    built = engines.build(folder, "-O1", source=folder / TLS_SOURCE.name)
    context = engines.load_tls(built)(str(identity), OFFERED, "X25519", ssl.TLSVersion.TLSv1_2)
    chances = ctypes.PyDLL(str(built))
    buffer = memoryview(bytearray(200_000))
    for number in range(_CONVERSATIONS):
        chance = random.Random(number)
        chances.set_out(number)
        server = context.begin()
        writer = _shake(server, chance)
        chances.be_unlucky(chance.choice((3, 10, 30)))
        for _ in range(_STEPS):
            text = chance.randbytes(chance.choice((1, 1400, 40_000)))
            with contextlib.suppress(ssl.SSLError, MemoryError):
                match chance.randrange(5):
                    case 0:
                        server.feed(_message(writer, chance))
                    case 1:
                        server.feed(writer.content(text[:1400]))
                    case 2:
                        server.read_all(buffer, 0)
                    case 3:
                        server.write(text)
                    case 4:
                        server.output()
        server.shut()
    return chances.failed(), chances.nonces_repeated()


def _shake(server: TlsEnd, chance: random.Random) -> Writer | records_1_2.Writer:
    suite = chance.choice([*SUITES, *records_1_2.SUITES])
    return shake(server, suite)[0] if suite in SUITES else records_1_2.shake(server, suite)[0]


def _message(writer: Writer | records_1_2.Writer, chance: random.Random) -> bytes:
    """Return a record of a client that has it answered, or not."""
    if isinstance(writer, Writer):
        return writer.update(chance.choice((UPDATE, UPDATE_BOTH)))
    return writer.record(records_1_2.HELLO, HANDSHAKE)


def test_no_nonce_comes_twice(tmp_path: Path) -> None:
    shutil.copy(TLS_SOURCE, tmp_path / "whole.c")
    shutil.copy(TLS_SOURCE.with_name(_RECORDS), tmp_path)
    failures, repeated = converse(tmp_path)
    assert failures > _CONVERSATIONS // 2
    assert repeated == 0


@pytest.mark.parametrize(
    "changes",
    [
        # what was not done begins anew, and says so to the client
        {
            "    if (done)\n        way->sequence = 0;": "    way->sequence = 0;",
            "{ERR_R_INTERNAL_ERROR, UNSAID}": "{ERR_R_INTERNAL_ERROR, SSL_AD_INTERNAL_ERROR}",
        },
        {"way->sequence++": "way->sequence"},
        {"records->explicit++)": "records->explicit)"},
    ],
    ids=["a key that was not made", "records that are not counted", "nonces that are not counted"],
)
def test_a_nonce_that_comes_twice_is_found(tmp_path: Path, changes: dict[str, str]) -> None:
    text = TLS_SOURCE.with_name(_RECORDS).read_text()
    for whole, broken in changes.items():
        assert text.count(whole) == 1, "the source has this no more, or says it differently"
        text = text.replace(whole, broken)
    (tmp_path / _RECORDS).write_text(text)
    shutil.copy(TLS_SOURCE, tmp_path / "whole.c")
    assert converse(tmp_path)[1] > 0

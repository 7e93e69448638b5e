"""Both ways to call OpenSSL: Python's ssl, and the compiled one, skipped where it cannot be built."""

import pytest

from sstpca.server.dataplane.openssl import PythonContext
from sstpca.server.net import tls
from tests.support import engines


@pytest.fixture(params=["python", "compiled"])
def each_tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server's certificates are shown by: each of them, one after the other."""
    made = PythonContext if request.param == "python" else engines.compiled_tls()
    monkeypatch.setattr(tls, "TlsContext", made)

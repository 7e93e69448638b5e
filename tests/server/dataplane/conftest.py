"""Both data planes: Python's, and the compiled one, skipped with the reason where nothing compiles."""

import ssl
from pathlib import Path

import pytest

from sstpca.server.dataplane.openssl import Context, PythonContext
from sstpca.server.net.offer import SUITES
from tests.support import engines
from tests.support.engines import Engine
from tests.support.issuer import Issuer


@pytest.fixture(scope="module", params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of them, one after the other."""
    return engines.PYTHON if request.param == "python" else engines.compiled()


@pytest.fixture(scope="module")
def both() -> tuple[Engine, Engine]:
    """Python's and the compiled one."""
    return engines.PYTHON, engines.compiled()


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's key and certificate."""
    path = tmp_path_factory.mktemp("identity") / "server.pem"
    path.write_bytes(Issuer.make().own.pem)
    return path


@pytest.fixture(scope="module", params=["python", "compiled"])
def context(request: pytest.FixtureRequest, identity: Path) -> Context:
    """The TLS of either."""
    make = PythonContext if request.param == "python" else engines.compiled_tls()
    return make(str(identity), SUITES, "X25519", ssl.TLSVersion.TLSv1_2)

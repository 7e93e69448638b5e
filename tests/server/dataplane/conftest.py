"""Both data planes: Python's, and the compiled one, skipped with the reason where nothing compiles."""

import pytest

from tests.support import engines
from tests.support.engines import Engine


@pytest.fixture(scope="module", params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of them, one after the other."""
    return engines.PYTHON if request.param == "python" else engines.compiled()


@pytest.fixture(scope="module")
def both() -> tuple[Engine, Engine]:
    """Python's and the compiled one."""
    return engines.PYTHON, engines.compiled()

"""Keys for tests that make many certificates."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec


@pytest.fixture(scope="session")
def fast_key() -> ec.EllipticCurvePrivateKey:
    """A key that takes no time, for either side."""
    return ec.generate_private_key(ec.SECP256R1())

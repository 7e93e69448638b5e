"""Keys for tests that make many certificates, and a home with such keys."""

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.pki.keys import KeyType
from sstpca.setup import Plan, choose_network, make_home


@pytest.fixture(scope="session")
def fast_key() -> ec.EllipticCurvePrivateKey:
    """A key that takes no time, for either side."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def _pristine_quick_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("quick") / "home"
    kind = KeyType.ECDSA
    plan = Plan(parse_hosts(["vpn.example.com"]), key_type=kind, ca_key_type=kind)
    make_home(root, plan, None, network=choose_network([], []))
    return root


@pytest.fixture
def quick_home(_pristine_quick_home: Path, tmp_path: Path) -> Home:
    """A home for vpn.example.com whose keys, the authority's as well, take no time to load."""
    return Home(Path(shutil.copytree(_pristine_quick_home, tmp_path / "quick")))

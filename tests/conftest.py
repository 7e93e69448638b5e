"""Fixtures that all tests can use."""

import functools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, settings

from sstpca.cli import main
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.secrets import Sealer
from sstpca.server.log import LOGGER
from sstpca.store import Store
from sstpca.vpn.setup import Network, Plan, choose_network, make_home
from sstpca.x509.keys import KeyType
from tests.support.dialects import all_compile_for_postgresql

NETWORK = Network(
    IPv4Network("10.99.0.0/24"), (IPv4Address("9.9.9.9"), IPv4Address("1.1.1.1")), False
)

# a machine with other work to do is no failure
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

Pristine = Callable[..., Path]
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the developer's shell has set away from the tests."""
    for variable in ("HOME", "CA_PASSPHRASE", "BACKUP_PASSPHRASE", "DATABASE_KEY", "PROXY"):
        monkeypatch.delenv(f"SSTPCA_{variable}", raising=False)
    # tables would be as narrow as the terminal of whoever started the tests
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def _log_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the log back as it was: ``serve`` sets it up for its process."""
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(LOGGER, name, getattr(LOGGER, name))


@pytest.fixture(scope="session", autouse=True)
def all_compile() -> Iterator[set[str]]:
    """Every statement that a test executes in this process is PostgreSQL's as well as SQLite's."""
    with all_compile_for_postgresql() as seen:
        yield seen


@pytest.fixture(scope="session")
def _pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    """Make a home with keys of these kinds, once for all tests of a process."""
    folder = tmp_path_factory.mktemp("pristine")

    @functools.cache
    def pristine(*kinds: KeyType) -> Path:
        root = folder / f"home{len(list(folder.iterdir()))}"
        plan = Plan(parse_hosts(["vpn.example.com"]), 443, "", *kinds)
        make_home(root, plan, None, network=NETWORK)
        return root

    return pristine


def _copied(pristine: Path, root: Path) -> Home:
    shutil.copytree(pristine, root)
    root.chmod(0o700)
    return Home(root)


@pytest.fixture
def home(_pristine: Pristine, tmp_path: Path) -> Home:
    """A home for vpn.example.com without users; the authority's key has no passphrase.

    The access profile "default" has 10.99.0.1, the pool 10.99.0.10-10.99.0.250 and the DNS servers
    9.9.9.9 and 1.1.1.1. Its keys are ECDSA: OpenSSL proves a key for RSA whenever it loads one, and
    that takes a twentieth of a second.
    """
    return _copied(_pristine(KeyType.ECDSA, KeyType.ECDSA), tmp_path / "home")


@pytest.fixture
def usual_home(_pristine: Pristine, tmp_path: Path) -> Home:
    """The same with the kinds of keys that ``init`` makes: for RSA."""
    return _copied(_pristine(), tmp_path / "home")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """The open database of ``home``."""
    opened = Store.open(home.database)
    yield opened
    opened.close()


@pytest.fixture
def sealer(home: Home) -> Sealer:
    """What opens the NT hashes in ``home``."""
    return Sealer.load(home)


@pytest.fixture
def run(home: Home) -> Run:
    """Run an ``sstpca`` command on ``home``: ``run("user", "list")``, with click's Result."""

    def command(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, ["--home", str(home.root), *arguments], input=stdin)

    return command


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what drives other processes over real networks have a second try, which the summary names.

    Of thousands of them on a machine with other things to do, one meets a moment in which all stands
    still. What fails in a single process fails once and for all.
    """
    for item in items:
        if item.get_closest_marker("root") or item.get_closest_marker("interop"):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what had a second try, what was not run and why, and what ran in a real PowerShell."""
    for report in terminalreporter.stats.get("rerun", []):
        crash = getattr(report.longrepr, "reprcrash", None)
        why = crash.message.partition("\n")[0] if crash else "it broke"
        terminalreporter.write_line(f"tried twice: {report.nodeid}; at first: {why}")
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, count in Counter(report.longrepr[2] for report in skipped).items():
        terminalreporter.write_line(f"not run: {count} tests; {reason.removeprefix('Skipped: ')}")
    stats = terminalreporter.stats
    ran = [
        one for kind in ("passed", "failed") for one in stats.get(kind, []) if one.when == "call"
    ]
    count = sum(one.nodeid.startswith("tests/windows/") for one in ran)
    terminalreporter.write_line(f"scripts for Windows: {count} tests ran in a real PowerShell")

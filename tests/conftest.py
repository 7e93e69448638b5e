"""Fixtures that all tests can use."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sstpca.cli import main
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.secrets import Sealer
from sstpca.setup import Network, Plan, make_home
from sstpca.store import Store

NETWORK = Network(
    IPv4Network("10.99.0.0/24"), (IPv4Address("9.9.9.9"), IPv4Address("1.1.1.1")), False
)

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the developer's shell has set away from the tests."""
    for variable in ("HOME", "CA_PASSPHRASE", "BACKUP_PASSPHRASE", "DATABASE_KEY"):
        monkeypatch.delenv(f"SSTPCA_{variable}", raising=False)


@pytest.fixture(scope="session")
def _pristine_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pristine") / "home"
    make_home(root, Plan(parse_hosts(["vpn.example.com"])), None, network=NETWORK)
    return root


@pytest.fixture
def home(_pristine_home: Path, tmp_path: Path) -> Home:
    """A home for vpn.example.com without users; the authority's key has no passphrase.

    The access profile "default" has 10.99.0.1, the pool 10.99.0.10-10.99.0.250 and the DNS servers
    9.9.9.9 and 1.1.1.1. Keys are made once for all tests of a process; the files are this test's.
    """
    root = tmp_path / "home"
    shutil.copytree(_pristine_home, root)
    root.chmod(0o700)
    return Home(root)


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line for each reason what was not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, count in Counter(report.longrepr[2] for report in skipped).items():
        terminalreporter.write_line(f"not run: {count} tests; {reason.removeprefix('Skipped: ')}")

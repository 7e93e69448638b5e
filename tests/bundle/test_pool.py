"""Many bundles at once."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from sstpca import settings
from sstpca.access.profiles import AccessProfile
from sstpca.bundle import pool
from sstpca.bundle.archive import Written
from sstpca.bundle.workshop import BundleWish, Order, Result, Workshop
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.store import Store
from sstpca.store.profiles import get
from tests.bundle.samples import user_named
from tests.support.waiting import wait_for

# the files for Linux are few and small
QUICK = BundleWish(("linux",))
MANY = 3 * pool.BATCH + 1


@pytest.fixture
def workshop(home: Home) -> Workshop:
    return Workshop(home, settings.load(home.settings), QUICK)


@pytest.fixture
def default(store: Store) -> AccessProfile:
    return get(store, "default")


def orders(profile: AccessProfile, count: int) -> Iterator[Order]:
    for number in range(count):
        yield Order(user_named(f"user{number}"), profile)


class Told:
    """What a pool has told of."""

    def __init__(self) -> None:
        self.results: dict[str, Result] = {}

    def __call__(self, results: Sequence[tuple[Order, Result]]) -> None:
        self.results |= {order.user.name: result for order, result in results}


def make(
    workshop: Workshop,
    orders: Iterable[Order],
    told: Callable[[pool.Results], None],
    processes: int = 0,
) -> None:
    for results in pool.make(workshop, orders, processes=processes):
        told(results)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.zip")}


def test_all_are_made_and_told_of_in_order(workshop: Workshop, default: AccessProfile) -> None:
    told = Told()
    make(workshop, orders(default, MANY), told, processes=2)
    assert list(told.results) == [f"user{number}" for number in range(MANY)]
    made = digests(workshop.output)
    for name, result in told.results.items():
        assert isinstance(result, Written)
        assert result == Written(workshop.output / f"{name}.zip", made[f"{name}.zip"])
    assert len(list(workshop.output.iterdir())) == 2 * MANY


def test_one_process_and_several_make_the_same(
    workshop: Workshop, default: AccessProfile, home: Home, tmp_path: Path
) -> None:
    alone = Workshop(home, settings.load(home.settings), replace(QUICK, output=tmp_path / "alone"))
    make(alone, orders(default, MANY), Told(), processes=1)
    make(workshop, orders(default, MANY), Told(), processes=2)
    assert digests(tmp_path / "alone") == digests(workshop.output)


ANOTHER_PROCESS = """
import sys
from pathlib import Path
from sstpca import settings
from sstpca.bundle import pool
from sstpca.bundle.workshop import Order, BundleWish, Workshop
from sstpca.bundle.platforms.systems import PLATFORMS
from sstpca.home import Home
from sstpca.store.profiles import get
from sstpca.store import Store
from tests.bundle.samples import user_named
home, output = Home(Path(sys.argv[1])), Path(sys.argv[2])
default = get(Store.open(home.database), "default")
# a name beyond ASCII is none for Android's app
platforms = tuple(platform for platform in PLATFORMS if platform != "android")
workshop = Workshop(home, settings.load(home.settings), BundleWish(platforms, "de", output=output))
names = ["alice", "Zo\\u00eb O'Hara"]
for _ in pool.make(workshop, [Order(user_named(name), default) for name in names]):
    pass
"""


def test_the_same_inputs_give_the_same_bytes_in_any_process(home: Home, tmp_path: Path) -> None:
    found = []
    for seed in ("0", "4711"):
        output = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", ANOTHER_PROCESS, str(home.root), str(output)],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": f"UTC{seed[0]}", "LC_ALL": "C"},
            cwd=Path(__file__).parents[2],
        )
        found.append(digests(output))
    assert set(found[0]) == {"alice.zip", "Zo\u00eb O'Hara.zip"}
    assert found[0] == found[1]


def test_orders_are_taken_as_they_are_needed(workshop: Workshop, default: AccessProfile) -> None:
    """That is what bounds the memory: of ten thousand, a few batches are on the way."""
    taken = 0
    ahead = []

    def counted() -> Iterator[Order]:
        nonlocal taken
        for order in orders(default, 12 * pool.BATCH):
            taken += 1
            yield order

    finished = 0

    def done(results: object) -> None:
        nonlocal finished
        finished += pool.BATCH
        ahead.append(taken - finished)

    make(workshop, counted(), done, processes=2)
    assert taken == 12 * pool.BATCH
    assert max(ahead) <= 4 * pool.BATCH


@pytest.mark.parametrize("processes", [1, 2])
def test_one_that_fails_does_not_stop_the_others(
    workshop: Workshop, default: AccessProfile, processes: int
) -> None:
    workshop.output.mkdir()
    (workshop.output / "user3.zip").write_bytes(b"photographs")
    told = Told()
    make(workshop, orders(default, MANY), told, processes=processes)
    failed = {name: one for name, one in told.results.items() if isinstance(one, SstpcaError)}
    assert list(failed) == ["user3"]
    assert "is not a bundle" in str(failed["user3"])
    assert failed["user3"].hint
    assert len(told.results) == MANY


def test_a_folder_that_cannot_be_made_is_one_clear_line(
    home: Home, default: AccessProfile, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    wish = BundleWish(output=tmp_path / "file" / "bundles")
    workshop = Workshop(home, settings.load(home.settings), wish)
    with pytest.raises(SstpcaError, match="cannot write bundles in"):
        make(workshop, orders(default, 2), Told())


def test_an_interrupt_finishes_what_is_begun(workshop: Workshop, default: AccessProfile) -> None:
    """What is on disk is told of, so that it is recorded; the rest is not made."""
    told = Told()

    def interrupted() -> Iterator[Order]:
        for number, order in enumerate(orders(default, 1000)):
            if number == 5 * pool.BATCH:
                raise KeyboardInterrupt
            yield order

    with pytest.raises(KeyboardInterrupt):
        make(workshop, interrupted(), told, processes=2)
    assert {f"{name}.zip" for name in told.results} == set(digests(workshop.output))
    assert told.results
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_is_one_clear_line(
    workshop: Workshop, default: AccessProfile
) -> None:
    def deadly() -> Iterator[Order]:
        for number, order in enumerate(orders(default, 1000)):
            if number == 3 * pool.BATCH:
                os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
            yield order

    with pytest.raises(SstpcaError, match="ended from outside"):
        make(workshop, deadly(), Told(), processes=2)
    assert not multiprocessing.active_children()


ENDLESS = (
    ANOTHER_PROCESS.replace('["alice", "Zo\\u00eb O\'Hara"]', "map(str, range(10**6))")
    .replace(
        "[Order(user_named(name), default) for name in names]",
        "(Order(user_named(name), default) for name in names), processes=2",
    )
    .replace("    pass\n", "    print(flush=True)\n")
)


def test_nobody_stays_when_the_parent_is_killed(home: Home, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(home.root), str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    assert len(children) == 2
    wait_for(lambda: not any(map(_alive, children)), "the end of the children")


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

"""The guest itself, without a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.guest import INSIDE, OUTSIDE, Guest, GuestFailed, wire
from tests.support.netns import Namespace
from tests.support.waiting import wait_for

pytestmark = pytest.mark.interop


@pytest.fixture
def namespace(built_guest: Guest) -> Iterator[Namespace]:
    with Namespace("guest") as made:
        wire(made, f"{OUTSIDE}/24")
        yield made


def test_a_script(built_guest: Guest, namespace: Namespace, tmp_path: Path) -> None:
    script = f'echo "word $2"; cat /share/note; ping -c 1 -q {OUTSIDE} >&2; exit 7'
    files = {"note": "word from a file\n"}
    arguments = ("a", "it's two words")
    result = built_guest.run(
        namespace, script, *arguments, folder=tmp_path, address=INSIDE, files=files
    )
    assert result.code == 7
    assert result.values("word") == ["it's two words", "from a file"]
    assert "1 received" in result.output


def test_a_script_that_does_not_end(
    built_guest: Guest, namespace: Namespace, tmp_path: Path
) -> None:
    with pytest.raises(GuestFailed, match="begun"):
        built_guest.run(
            namespace, "echo begun; sleep 60", folder=tmp_path, address=INSIDE, seconds=8.0
        )
    wait_for(lambda: namespace.pids() == [], "the end of the guest")

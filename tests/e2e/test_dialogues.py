"""Whatever a client says to the real server, nothing of it is left: no lease, interface, task or descriptor."""

import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from sstpca.server.net.shared import INTERFACES
from tests.fuzz.call_model import read
from tests.fuzz.dialogue import Answers
from tests.fuzz.openings import OPENINGS
from tests.fuzz.script import speak
from tests.fuzz.targets import kept
from tests.support import sstp
from tests.support.faults import Closed
from tests.support.server import Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

SILENCE = 0.05  # seconds in which an answer comes
#: Dialogues beside those that are written by hand.
MORE = 20


class Live:
    """The real server, as a dialogue speaks to it; what would take its time there takes none here."""

    def __init__(self, vpn: Vpn) -> None:
        self._client = vpn.client()
        self._client.request()
        self.frames: list[bytes] = []
        self.nonce = b""
        self.answers = Answers()
        shown = self._client.wire.tls.getpeercert(binary_form=True)
        assert shown is not None
        self.certificate = shown
        self._over = False

    def receive(self, packet: bytes) -> None:
        if self._over:
            return
        try:
            self._client.wire.send(packet)
            self._listen(SILENCE)
        except Closed:
            self._over = True

    def wait(self, seconds: float) -> None:
        if not self._over:
            try:
                self._listen(min(seconds, 0.6))
            except Closed:
                self._over = True

    def answer(self) -> None:
        """It answers its own questions."""

    def order(self) -> None:
        """Nobody orders anything here."""

    def close(self) -> None:
        self._client.close()

    def _listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (packet := self._client.wire.packet(end)) is not None:
            end = min(time.monotonic() + SILENCE, end)
            match read(packet, 9):
                case bytes() as frame:
                    self.frames.append(frame)
                case (sstp.Kind.CONNECT_ACK, attributes):
                    self.nonce = dict(attributes)[sstp.Attribute.BINDING_REQUEST][4:]


def descriptors(vpn: Vpn) -> Counter[str]:
    """What the server's processes have open, by kind."""
    found: Counter[str] = Counter()
    for pid in (vpn.server.process.pid, *vpn.server.children()):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found[f"{one.readlink()}".partition(":")[0]] += 1
    return found


def test_nothing_is_left_of_any_dialogue(fresh: Vpn) -> None:
    vpn = fresh
    with ExitStack() as stack:  # what a worker opens once stays open
        vpn.everywhere(stack)
    wait_for(vpn.idle, "the end of the first session")
    before = descriptors(vpn)
    more = [data for data in kept("session") if data not in OPENINGS.values()]
    for data in (*OPENINGS.values(), *more[:: max(1, len(more) // MORE)]):
        live = Live(vpn)
        speak(data, live)
        live.close()
    wait_for(vpn.idle, "the end of all sessions")
    # each thread of a worker that makes interfaces opens one for netlink, once
    before["socket"] += INTERFACES * len(vpn.server.children())
    wait_for(lambda: descriptors(vpn) <= before, f"the end of {descriptors(vpn) - before}")
    with vpn.client().login() as client:
        client.ping(vpn.network.host)
        client.hang_up()
    assert "mistake in the server" not in vpn.server.process.output
    assert vpn.server.stop() == 0
    output = vpn.server.process.output
    # asyncio says so of a task that was lost
    assert "Traceback" not in output
    assert "was destroyed but it is pending" not in output
    assert "was never awaited" not in output

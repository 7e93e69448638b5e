"""One control protocol of PPP by the table that RFC 1661 4.1 prints, written apart from ours."""

from pathlib import Path
from typing import NamedTuple

from tests.fuzz.call_model import Wrong
from tests.support.ppp import Code

INITIAL, STARTING, CLOSED, STOPPED, CLOSING, STOPPING, REQ_SENT, ACK_RCVD, ACK_SENT, OPENED = range(
    10
)
_TABLE = Path(__file__).parents[1] / "vectors" / "rfc1661-table.txt"
# what each action of RFC 1661 4.4 puts on the line
_SENT = {
    "scr": {Code.REQUEST},
    "sca": {Code.ACK},
    "scn": {Code.NAK, Code.REJECT},
    "str": {Code.TERMINATE},
    "sta": {Code.TERMINATE_ACK},
    "scj": {Code.CODE_REJECT},
    "ser": {Code.ECHO_REPLY},
}
# answers to a packet, under its identifier
_ANSWERS = {Code.ACK, Code.NAK, Code.REJECT, Code.TERMINATE_ACK, Code.ECHO_REPLY}


class Packet(NamedTuple):
    """A control packet as it stands on the line."""

    code: int
    id: int
    data: bytes


def unpack(information: bytes) -> Packet | None:
    """Return what an information field carries, without padding; None if it is none."""
    if len(information) < 4:
        return None
    size = int.from_bytes(information[2:4], "big")
    if not 4 <= size <= min(len(information), 1500):
        return None
    return Packet(information[0], information[1], information[4:size])


def options(data: bytes) -> list[bytes] | None:
    """Return the options of a Configure packet, each whole; None if they are none.

    More than ours takes (32) count as none.
    """
    found: list[bytes] = []
    while data:
        if len(data) < 2 or not 2 <= data[1] <= len(data) or len(found) == 32:
            return None
        found.append(data[: data[1]])
        data = data[data[1] :]
    return found


def _read_table() -> dict[tuple[int, str], str]:
    cells: dict[tuple[int, str], str] = {}
    columns: list[int] = []
    for line in _TABLE.read_text().splitlines():
        name, bar, row = line.partition("|")
        words = row.split()
        if not name.strip() and words and words[0].isdigit():
            columns = [int(word) for word in words]
        elif bar and name.strip() not in ("", "Events"):
            cells |= {(state, name.strip()): cell for state, cell in zip(columns, words)}  # noqa: B905
    return cells


TABLE = _read_table()


class LayerModel:
    """The server's end of one protocol.

    Feed it each event and what was sent upon it; :attr:`state` is then that of RFC 1661 4.2.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = STARTING
        self.request: Packet | None = None  # our last Configure-Request
        self.rounds = 0  # packets of the negotiation that have come
        self.granted: list[bytes] = []  # what the client was acknowledged last
        self._acknowledged: Packet | None = None  # the request that this was
        self._answered = True

    @property
    def opened(self) -> bool:
        """Whether the protocol is in Opened."""
        return self.state == OPENED

    def happen(self, event: str, sent: list[Packet], cause: Packet | None = None) -> list[Packet]:
        """An event of RFC 1661 4.3, and what was sent; return what the table does not explain.

        :raises Wrong: if something is missing, or not as the RFC wants it.
        """
        cell = TABLE[self.state, event].rstrip("prx")
        if cell == "-":
            raise Wrong(f"{self.name}: {event} cannot happen in state {self.state}")
        actions, _, state = cell.rpartition("/")
        rest = list(sent)
        for action in filter(None, actions.split(",")):
            if codes := _SENT.get(action):
                rest = self._take(codes, rest, cause, f"{event} in state {self.state}")
        self.state = int(state)
        return rest

    def receive(self, packet: Packet, sent: list[Packet]) -> list[Packet]:
        """A packet of the client came: find out which event it is."""
        self.rounds += packet.code <= Code.REJECT
        if self.state < CLOSED:
            return sent
        sent = self._without_repetition(sent)
        if self.state in (CLOSING, STOPPING) and self._has_waited(packet, sent):
            self.state -= 2
        event = self._event(packet, sent)
        if event is None:
            return sent
        if (
            self.opened
            and packet == self._acknowledged
            and [one.code for one in sent] == [Code.ACK]
        ):
            # RFC 1661 5.1: another negotiation has another identifier, the same one comes again
            return self._take({Code.ACK}, sent, packet, "a repeated request")
        if self._gives_up(sent):
            # a Configure packet that leads nowhere is not answered: the server ends the protocol
            return sent
        rest = self.happen(event, sent, packet)
        if event == "RCR+":
            self.granted, self._acknowledged = options(packet.data) or [], packet
        if event in ("RCA", "RCN"):
            self._answered = not any(one.code == Code.REQUEST for one in sent)
        return rest

    def close(self, sent: list[Packet]) -> list[Packet]:
        """The server ends the protocol by itself, if there is a Terminate-Request among these."""
        if not any(one.code == Code.TERMINATE for one in sent):
            return sent
        return self.happen("Close", sent)

    def timed(self, sent: list[Packet]) -> list[Packet]:
        """Time has passed: what is waited for may be asked for again."""
        if self.state in (CLOSING, STOPPING):
            return [one for one in sent if one.code != Code.TERMINATE]
        if self.state in (REQ_SENT, ACK_RCVD, ACK_SENT):
            asked = [one for one in sent if one.code == Code.REQUEST]
            if asked:
                return self.happen("TO+", sent)
        return sent

    @staticmethod
    def _has_waited(packet: Packet, sent: list[Packet]) -> bool:
        """Whether TO- has come meanwhile, which nobody sees: there are answers now."""
        return packet.code != Code.TERMINATE and any(
            one.code in (Code.REQUEST, Code.TERMINATE_ACK) for one in sent
        )

    def _gives_up(self, sent: list[Packet]) -> bool:
        return [one.code for one in sent] == [Code.TERMINATE] and self.state != CLOSING

    def _take(
        self, codes: set[Code], sent: list[Packet], cause: Packet | None, what: str
    ) -> list[Packet]:
        """Take the first packet with one of these codes out, and look at it."""
        for at, packet in enumerate(sent):
            if packet.code in codes:
                self._judge(packet, cause)
                return sent[:at] + sent[at + 1 :]
        raise Wrong(f"{self.name}: {what} without a packet of {codes}: {sent}")

    def _judge(self, packet: Packet, cause: Packet | None) -> None:
        if packet.code in _ANSWERS and (cause is None or packet.id != cause.id):
            raise Wrong(f"{self.name}: {packet} is no answer to {cause}")
        if packet.code == Code.REQUEST:
            repeated = self.request is not None and packet == self.request
            again = self.request is not None and packet.id == self.request.id
            if again and not repeated:
                raise Wrong(f"{self.name}: {packet} has the identifier of {self.request}")
            self.request, self._answered = packet, False
        if cause is None or packet.code not in (Code.ACK, Code.REJECT):
            return
        if packet.code == Code.ACK and packet.data != cause.data:
            raise Wrong(f"{self.name}: an Ack of something else than {cause}: {packet}")
        if packet.code == Code.REJECT and not _is_part(packet.data, cause.data):
            raise Wrong(f"{self.name}: a Reject of something else than {cause}: {packet}")

    def _without_repetition(self, sent: list[Packet]) -> list[Packet]:
        """Without our last Configure-Request, sent again because the client listens now."""
        waiting = self.state in (REQ_SENT, ACK_SENT) and not self._answered
        if waiting and sent and sent[0] == self.request:
            return sent[1:]
        return sent

    def _event(self, packet: Packet, sent: list[Packet]) -> str | None:
        """RFC 1661 4.3, 5."""
        match packet.code:
            case Code.REQUEST:
                if options(packet.data) is None:
                    return None
                return "RCR+" if any(one.code == Code.ACK for one in sent) else "RCR-"
            case Code.ACK:
                return "RCA" if self._answers(packet) and self._is_ours(packet) else None
            case Code.NAK | Code.REJECT:
                return "RCN" if self._answers(packet) and self._may_refuse(packet) else None
            case Code.TERMINATE:
                return "RTR"
            case Code.TERMINATE_ACK:
                return "RTA"
            case Code.CODE_REJECT:
                if not packet.data:
                    return None
                return "RXJ-" if 1 <= packet.data[0] <= 7 else "RXJ+"
            case _:
                return "RUC"

    def _answers(self, packet: Packet) -> bool:
        return not self._answered and self.request is not None and packet.id == self.request.id

    def _is_ours(self, packet: Packet) -> bool:
        return self.request is not None and packet.data == self.request.data

    def _may_refuse(self, packet: Packet) -> bool:
        found = options(packet.data)
        if found is None or self.request is None:
            return False
        if packet.code == Code.NAK:
            return True
        return bool(found) and _is_part(packet.data, self.request.data)


def _is_part(some: bytes, whole: bytes) -> bool:
    """Whether the options of ``some`` are among those of ``whole``."""
    return set(options(some) or []) <= set(options(whole) or [])

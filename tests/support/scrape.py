"""What Prometheus, or a balancer, sees of a server in a namespace."""

from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.support.netns import Namespace

LOOPBACK: Final = ("127.0.0.1", 9477)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of HTTP."""

    status: int
    fields: dict[str, str]
    body: str


def ask(
    namespace: Namespace, path: str, *, method: str = "GET", address: tuple[str, int] = LOOPBACK
) -> Answer:
    """Ask, and read until the server closes the connection."""
    with namespace.connect(address) as sock:
        sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return read(b"".join(iter(lambda: sock.recv(65536), b"")))


def read(said: bytes) -> Answer:
    """Return what a whole answer says."""
    head, _, body = said.decode().partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    pairs = (field.split(": ", 1) for field in fields)
    return Answer(int(line.split()[1]), {name.lower(): value for name, value in pairs}, body)


class Scrape:
    """The metrics at one moment."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """Return the value of one sample."""
        return self._samples[name, frozenset(labels.items())]

    @property
    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """All of them."""
        return self._samples


def scrape(namespace: Namespace) -> Scrape:
    """Return the metrics as they are now."""
    answer = ask(namespace, "/metrics")
    assert answer.status == 200
    return Scrape(answer.body)

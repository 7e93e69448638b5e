"""A headless Chromium for tests, spoken to through two pipes (Chrome DevTools Protocol).

Each call blocks until it is answered. Closing the browser ends all of its processes.
"""

import base64
import contextlib
import fcntl
import io
import json
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from PIL import Image

_PATIENCE = 30.0
_SWITCHES = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
    *("--disable-dev-shm-usage", "--disable-sync", "--hide-scrollbars", "--mute-audio"),
    *("--force-color-profile=srgb", "--disable-lcd-text"),
)


@dataclass(frozen=True, slots=True)
class View:
    """How a page is looked at: the size of the window in CSS pixels, and what the user likes."""

    width: int
    height: int
    scale: int = 1
    dark: bool = False


class BrowserError(Exception):
    """The browser refuses, or has gone."""


class Browser:
    """A browser with one window.

    :param folder: an empty one, for what it writes.
    """

    def __init__(self, folder: Path) -> None:
        ours_in, theirs_out = _pipe()
        theirs_in, ours_out = _pipe()
        # the browser's own sandbox does not work for root
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._pid = os.posix_spawnp(
            "chromium",
            ["chromium", *_SWITCHES, *sandbox, f"--user-data-dir={folder}", "about:blank"],
            {"PATH": os.environ["PATH"], "HOME": str(folder), "TZ": "UTC"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                (os.POSIX_SPAWN_OPEN, 2, str(folder / "log"), os.O_WRONLY | os.O_CREAT, 0o600),
            ],
            setsid=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = ours_in, ours_out
        self._buffer = bytearray()
        self._number = 0
        self._session = ""
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Network", "Log"):
                self._call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and all of its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._in)
        os.close(self._out)

    def open(self, file: Path) -> None:
        """Show a file, and wait until it is loaded with all that it asks for."""
        self._events.clear()
        self._call("Page.navigate", url=file.as_uri())
        self._until("Page.loadEventFired")

    def look(self, view: View) -> None:
        """Set the size of the window and the colour scheme, on a screen."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=view.width,
            height=view.height,
            deviceScaleFactor=view.scale,
            mobile=view.scale > 1,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if view.dark else "light"}
        self._call("Emulation.setEmulatedMedia", media="", features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression gives in the page, by way of JSON."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def screenshot(self) -> Image.Image:
        """Return a picture of the whole page, as tall as it is."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        answer = self._call(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={**size, "x": 0, "y": 0, "scale": 1},
        )
        return Image.open(io.BytesIO(base64.b64decode(answer["data"]))).convert("RGB")

    def pdf(self) -> bytes:
        """Return the page as it is printed, on the paper that its styles ask for."""
        answer = self._call("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(answer["data"])

    @property
    def requested(self) -> list[str]:
        """The URLs asked for since the page was opened, itself included."""
        return [
            event["params"]["request"]["url"]
            for event in self._events
            if event["method"] == "Network.requestWillBeSent"
        ]

    @property
    def complaints(self) -> list[str]:
        """What the browser wrote about the page, such as breaches of its security policy."""
        return [
            event["params"]["entry"]["text"]
            for event in self._events
            if event["method"] == "Log.entryAdded"
        ]

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self._events.append(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _until(self, method: str) -> None:
        while not any(event["method"] == method for event in self._events):
            self._events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE
        while (end := self._buffer.find(b"\0")) < 0:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            content = os.read(self._in, 1 << 20) if ready else b""
            if not content:
                raise BrowserError("the browser does not answer" if not ready else "it has ended")
            self._buffer += content
        message: dict[str, Any] = json.loads(self._buffer[:end])
        del self._buffer[: end + 1]
        return message


def _pipe() -> tuple[int, int]:
    """Return a pipe with high numbers, which do not meet those that the browser gets."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]

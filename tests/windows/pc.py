"""A PC with Windows that is not there, and what a run of scripts on it gives (see README.md here)."""

import base64
import contextlib
import copy
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

STAND_IN: Final = Path(__file__).parent / "standin"
PWSH: Final = shutil.which("pwsh")

SYSTEM: Final = "S-1-5-18"
ALICE: Final = "S-1-5-21-1-2-3-1001"
ROSA: Final = "S-1-5-21-1-2-3-1002"
ADMIN: Final = "S-1-5-21-1-2-3-500"
_NAMES: Final = {SYSTEM: "SYSTEM", ALICE: "alice", ROSA: "rosa", ADMIN: "admin"}
SSTP: Final = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\SstpSvc\\Parameters"
_ROOT_STORE: Final = "LocalMachine\\Root"

Table = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One script that is started.

    :param script: its path.
    :param arguments: what comes after it on the command line.
    :param account: whose process it is: a security identifier.
    :param elevated: whether it has an administrator's rights from the start.
    :param desktop: who sits before the screen; by default, the same account.
    :param approves: who answers Yes to the question for an administrator's rights; none: refused.
    :param answers: what is typed where the script asks.
    :param language: the language mode of PowerShell.
    :param hides_code: whether the exit code of an elevated process cannot be read.
    :param dial: what connecting comes to: 0, or the number of an error.
    """

    script: Path
    arguments: tuple[str, ...] = ()
    account: str = ALICE
    elevated: bool = False
    desktop: str = ""
    approves: str = ""
    answers: tuple[str, ...] = ()
    language: str = "FullLanguage"
    hides_code: bool = False
    dial: int = 0


@dataclass(frozen=True)
class Result:
    """What came of one step.

    :param code: the exit code.
    :param said: the lines for the user, in their order.
    :param complaints: of PowerShell itself: errors that nobody caught, warnings, values that nobody
        took; those of elevated processes as well.
    :param asked: the questions: "elevation", and the prompts.
    :param elevated: the exit codes of the elevated processes.
    :param state: the PC afterwards.
    :param books: the phone books afterwards, by account; ``*`` is the one of all users.
    """

    code: int
    said: tuple[str, ...]
    complaints: tuple[str, ...]
    asked: tuple[str, ...]
    elevated: tuple[int, ...]
    state: Table = field(repr=False)
    books: dict[str, str] = field(repr=False)

    @property
    def notes(self) -> dict[str, Table]:
        """The registry's keys that are ours, with their values."""
        return {key: one for key, one in self.state["registry"].items() if "sstpca" in key}

    @property
    def view(self) -> Table:
        """All of the PC that a bundle can change, but for the numbers that each connection gets."""
        books = {account: self.connections(account) for account in self.books}
        for book in books.values():
            for name, entry in book.items():
                book[name] = {key: one for key, one in entry.items() if one and key != "Guid"}
        extras = ("certificates", "triggers", "proxies", "passwords", "vpnv2")
        return {"books": books, "registry": self.state["registry"]} | {
            name: _without_empty(self.state.get(name, {})) for name in extras
        }

    @property
    def trusted(self) -> set[str]:
        """The thumbprints of the roots that the PC trusts."""
        return set(self.state["certificates"].get(_ROOT_STORE, {}))

    def connections(self, account: str) -> dict[str, dict[str, str]]:
        """The sections of a phone book by name; ``*`` is the one of all users."""
        found: dict[str, dict[str, str]] = {}
        for line in self.books[account].splitlines():
            if line.startswith("["):
                found[line.strip("[]")] = {}
            elif "=" in line:
                key, value = line.split("=", 1)
                found[list(found)[-1]][key] = value
        return found


def _without_empty(table: Table) -> Table:
    """Return the tables in ``table`` that have something in them."""
    inner = {
        key: one for key, one in table.items() if not isinstance(one, dict) or any(one.values())
    }
    return {key: one for key, one in inner.items() if one}


def thumbprint(certificate: x509.Certificate) -> str:
    """Return the name by which Windows knows a certificate."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()


class Pc:
    """One PC: alice and rosa are signed in, admin administers it.

    Its files are in ``folder``; all else is in ``state``, which each run changes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: Table = {
            "build": 22631,
            "accounts": {
                sid: {
                    "name": name,
                    "profile": str(self.profile(sid)),
                    "signed_in": sid in (ALICE, ROSA),
                }
                for sid, name in _NAMES.items()
            },
            "registry": {f"HKEY_USERS\\{sid}\\Software": {} for sid in _NAMES}
            | {
                "HKEY_LOCAL_MACHINE\\Software": {},
                SSTP: {},
            },
            "certificates": {_ROOT_STORE: {}},
            "services": {"RasMan": "Automatic Running", "SstpSvc": "Manual Stopped"},
            "events": [],
            "proxy": "",
            "winhttp_proxy": "",
        }
        for sid in _NAMES:
            (self.profile(sid) / "AppData/Local/Temp").mkdir(parents=True)
            (self.profile(sid) / "Desktop").mkdir()
        (folder / "Users" / "Public").mkdir()
        (folder / "Windows" / "Temp").mkdir(parents=True)

    def profile(self, account: str) -> Path:
        """The folder of an account."""
        return self.folder / "Users" / _NAMES[account]

    def book(self, account: str) -> Path:
        """The phone book of an account; ``*`` is the one of all users."""
        base = self.folder / "ProgramData"
        if account != "*":
            base = self.profile(account) / "AppData/Roaming"
        return base / "Microsoft/Network/Connections/Pbk/rasphone.pbk"

    def trust(self, certificate: x509.Certificate) -> None:
        """Put a certificate among the trusted roots."""
        content = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        self.state["certificates"][_ROOT_STORE][thumbprint(certificate)] = content

    def run(self, *steps: Step, environment: Mapping[str, str] | None = None) -> list[Result]:
        """Run scripts, one after the other, and return what came of each.

        :param environment: what the process has beside the usual, such as SSL_CERT_FILE.
        """
        [found] = run_all([(self, steps)], environment)
        return found

    def task(self, steps: Sequence[Step]) -> Table:
        """Return what ``run.ps1`` is told."""
        return {
            "system_root": str(self.folder / "Windows"),
            "program_data": str(self.folder / "ProgramData"),
            "public": str(self.folder / "Users" / "Public"),
            "state": self.state,
            "books": {account: str(self.book(account)) for account in ("*", *_NAMES)},
            "steps": [
                dataclasses.asdict(one)
                | {"script": str(one.script), "desktop": one.desktop or one.account}
                for one in steps
            ],
        }


def run_all(
    scenarios: Iterable[tuple[Pc, Sequence[Step]]], environment: Mapping[str, str] | None = None
) -> list[list[Result]]:
    """Run scripts on each of several PCs, in one process of PowerShell, which is slow to start."""
    scenarios = list(scenarios)
    with tempfile.TemporaryDirectory() as name:
        task, results = Path(name, "task.json"), Path(name, "results.json")
        task.write_text(json.dumps([pc.task(steps) for pc, steps in scenarios]))
        run_pwsh(STAND_IN / "run.ps1", assembly(), task, results, environment=environment)
        found = [list(map(_result, one)) for one in json.loads(results.read_text())]
    for (pc, _), its in zip(scenarios, found, strict=True):
        pc.state = copy.deepcopy(its[-1].state)
    return found


def _result(found: Table) -> Result:
    processes = [found, *found["elevated"]]
    complaints = [
        f"{kind}: {text}"
        for one in processes
        for kind in ("errors", "warnings", "stray")
        for text in one[kind]
    ]
    return Result(
        found["code"],
        tuple(line for one in processes for line in one["output"]),
        tuple(complaints),
        tuple(found["asked"]),
        tuple(one["code"] for one in found["elevated"]),
        found["state"],
        found["books"],
    )


def run_pwsh(*command: Path | str, environment: Mapping[str, str] | None = None) -> None:
    assert PWSH is not None
    usual = {
        "DOTNET_TieredPGO": "0",
        "NO_COLOR": "1",
        "POWERSHELL_TELEMETRY_OPTOUT": "1",
        "POWERSHELL_UPDATECHECK": "Off",
    }
    done = subprocess.run(
        [PWSH, "-NoProfile", "-NonInteractive", "-File", *map(str, command)],
        env={**os.environ, **usual, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def assembly() -> Path:
    """Return the compiled part of the stand-in; it is compiled where its sources have changed."""
    sources = sorted(STAND_IN.glob("*.cs"))
    mark = hashlib.sha256(b"\0".join([str(PWSH).encode(), *(one.read_bytes() for one in sources)]))
    folder = Path(tempfile.gettempdir(), f"sstpca-stand-in-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    made = folder / f"StandIn-{mark.hexdigest()[:16]}.dll"
    with _locked(folder / "lock"):
        if not made.exists():
            run_pwsh(STAND_IN / "build.ps1", made.with_suffix(".new"))
            made.with_suffix(".new").rename(made)
    return made

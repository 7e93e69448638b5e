"""What a server says before anybody logs in: HTTP, the call, and the ways to log in."""

import secrets
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sstpca.server.ppp.lcp import CHAP_MD5, EAP, MS_CHAP_V2, PAP
from sstpca.server.sstp.binding import CertificateHashes, Hash

from ..client.call import ClientCall
from ..client.http import ENDLESS, Answer
from ..client.line import Conversation, Line, connect
from ..client.link import ClientLink, ClientPhase
from ..client.session import ClientSession
from ..lint.findings import Windows
from ..names import quoted
from .outcome import Check, Verdict, failed, passed, warned
from .reaching import check_clock

#: Ways to log in, as people know them, the best first.
LOGINS: Final = {MS_CHAP_V2: "MS-CHAPv2", EAP: "EAP", PAP: "PAP", CHAP_MD5: "CHAP-MD5"}
_WEAK: Final = (PAP, CHAP_MD5)

#: Seconds to say goodbye in.
_GOODBYE: Final = 1.0

_ANOTHER_SITE: Final = "see that this port is the VPN server's: a web server, a proxy or a router's own pages answer here"


@dataclass(frozen=True, slots=True)
class Target:
    """The server that is looked at.

    :param address: where it is.
    :param name: what users dial: TLS and HTTP are told so.
    :param timeout: seconds that a step may take.
    """

    address: str
    port: int
    name: str
    timeout: float = 10.0


def open_line(target: Target, context: ssl.SSLContext | None = None) -> Line:
    """Return a line to the server; without a context, whatever its certificate is.

    :raises OSError: if there is none.
    """
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return connect(target.address, target.port, context, target.name, target.timeout)


def check_dialogue(target: Target, answers: list[Answer]) -> Iterator[Check]:
    """Ask for SSTP, and say how that and the call went; nobody logs in.

    :param answers: gets what the server said by HTTP.
    """
    try:
        with open_line(target) as line:
            answer = line.ask(target.name, target.port)
            answers.append(answer)
            yield (said := check_answer(answer))
            if said.verdict is Verdict.FAIL:
                return
            yield from check_clock(answer.headers.get("date", ""), time.time())
            call, link, conversation = _conversation(line, MS_CHAP_V2)
            conversation.begin()
            conversation.run(lambda: call.offer is not None, target.timeout)
            yield _check_call(call, conversation)
            if call.offer is None:
                return
            _settle(link, conversation, target.timeout)
            conversation.end("it was only a look", _GOODBYE)
    except OSError as error:
        yield broken("http", "asked for SSTP, the server", error, target.timeout)
        return
    taken = [login for login in LOGINS if login == link.agreed or _takes(target, login)]
    yield check_logins(taken, conversation)


def broken(name: str, who: str, error: OSError, seconds: float) -> Check:
    """Say that a connection broke, or that nothing came in so many seconds.

    :param name: of the check.
    :param who: is to blame, as the sentence begins.
    """
    if isinstance(error, TimeoutError):
        return failed(
            name,
            f"{who} does not answer within {seconds:.0f} s",
            "see its log, and that SSTP is switched on; something on the way may hold it back",
            windows=Windows.TIMED_OUT,
        )
    return failed(
        name,
        f"{who} breaks the connection off: {error.strerror or error}",
        "see its log; a proxy or an intrusion prevention may cut it off",
        windows=Windows.RESET,
    )


def check_answer(answer: Answer) -> Check:
    """Say what a server answers who asks for SSTP ([MS-SSTP] 3.2.4.1)."""
    said = quoted(answer.line[:60])
    match answer.status:
        case 200 if answer.is_sstp and not _is_page(answer):
            if answer.headers.get("content-length") == str(ENDLESS):
                return passed("http", f"asked for SSTP, the server answers {said}")
            return warned(
                "http",
                f"asked for SSTP, the server answers {said}, without the Content-Length that SSTP has",
                "see that it is an SSTP server: Windows may take it for none ([MS-SSTP] 3.3.5.1)",
                windows=Windows.NO_ANSWER,
            )
        case 200 if answer.is_sstp:
            found = f"asked for SSTP, the server answers {said} with a web page"
            windows = Windows.NO_ANSWER
        case 0:
            what = f"{said}, which is no HTTP" if answer.line else "nothing"
            found, windows = f"asked for SSTP, the server answers {what}", Windows.NO_ANSWER
        case 407:
            found = f"a proxy in between wants to know who asks: {said}"
            windows = Windows.ABORTED
        case 503:
            return failed(
                "http",
                f"asked for SSTP, the server answers {said}: it takes nobody now",
                "see its log: it is full, draining, or blocks this address",
                windows=Windows.NO_ANSWER,
            )
        case _:
            found, windows = f"asked for SSTP, the server answers {said}", Windows.NO_ANSWER
    return failed("http", found, _ANOTHER_SITE, windows=windows)


def _is_page(answer: Answer) -> bool:
    """Whether it is one of a captive portal or a web site, which take any request."""
    return "html" in answer.headers.get("content-type", "").lower()


def _conversation(line: Line, login: bytes) -> tuple[ClientCall, ClientLink, Conversation]:
    call = ClientCall(CertificateHashes.of(line.certificate))
    link = ClientLink(None, random=secrets.token_bytes, logins=(login,))
    return call, link, Conversation(line, ClientSession(call, link))


def _settle(link: ClientLink, conversation: Conversation, timeout: float) -> None:
    """Have the two agree on LCP, or not."""
    phases = (ClientPhase.DEAD, ClientPhase.ESTABLISH)
    conversation.run(lambda: link.phase not in phases, timeout)


def _takes(target: Target, login: bytes) -> bool:
    """Whether a server lets a client log in so, if that is all it can."""
    try:
        return _agrees(target, login)
    except OSError:
        return False  # it had enough of us: what it says to one client is known already


def _agrees(target: Target, login: bytes) -> bool:
    with open_line(target) as line:
        if not line.ask(target.name, target.port).is_sstp:
            return False
        _, link, conversation = _conversation(line, login)
        conversation.begin()
        _settle(link, conversation, target.timeout)
        taken = link.agreed == login
        conversation.end("it was only a look", _GOODBYE)
    return taken


def _check_call(call: ClientCall, conversation: Conversation) -> Check:
    if call.offer is None:
        why = conversation.ended.reason if conversation.ended else "it does not answer"
        return failed(
            "sstp",
            f"the server takes no call: {why}",
            "see its log",
            windows=Windows.ENDED,
        )
    names = {Hash.SHA256: "SHA-256", Hash.SHA1: "SHA-1"}
    hashes = [name for bit, name in names.items() if call.offer.mask & bit]
    found = f"the server takes calls, and binds them by {' or '.join(hashes)}"
    if not call.offer.mask & Hash.SHA256:
        return warned("sstp", found, "have it offer SHA-256 as well")
    return passed("sstp", found)


def check_logins(taken: list[bytes], conversation: Conversation) -> Check:
    """Say how users may log in."""
    names = [LOGINS[one] for one in taken]
    if not taken:
        why = f": {conversation.ended.reason}" if conversation.ended else ""
        return failed(
            "logins",
            f"the server takes no login that is known here{why}",
            "have it take MS-CHAPv2 or EAP",
            windows=Windows.LINK_ENDED,
        )
    found = f"users may log in by {', '.join(names)}"
    if set(taken) <= set(_WEAK):
        return failed(
            "logins",
            f"{found} alone, which proves nothing of the server",
            "have it take MS-CHAPv2 or EAP",
            windows=Windows.LINK_ENDED,
        )
    if set(taken) & set(_WEAK):
        return warned(
            "logins",
            f"{found}; the weaker ones give no key to bind the call to",
            "turn off PAP and CHAP-MD5 where no client needs them",
        )
    return passed("logins", found)

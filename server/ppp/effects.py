"""What the PPP link asks its driver to do."""

from dataclasses import dataclass, field

from ..contracts import Account, Cause
from .proofs import NO_PROOF, PasswordChange, Proof


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send one PPP frame; it starts with FF 03 and is carried by one SSTP data packet."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class LookUp:
    """Have a proof of a password judged, and answer with :meth:`Link.judged`.

    :param name: of the user, as the client sent it, with its domain and all.
    """

    name: str
    proof: Proof = field(default=NO_PROOF, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Give the user another password and answer with :meth:`Link.changed`."""

    account: Account
    wish: PasswordChange = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Handshake:
    """Give TLS these bytes of the client (RFC 5216) and answer with :meth:`Link.handshaken`.

    The first of a link begins its handshake; there is no second one.
    """

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Handshaken:
    """The answer to :class:`Handshake`. With neither account nor refusal, TLS waits for more.

    :param data: bytes of TLS for the client.
    :param account: whose certificate the client has proved to have; the handshake is done.
    :param key: the Master Session Key (RFC 5216 2.3), 64 bytes, once it is done.
    :param refusal: why it has failed, for the log.
    """

    data: bytes = field(default=b"", repr=False)
    account: Account | None = None
    key: bytes = field(default=b"", repr=False)
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Admit:
    """The client is who it says: lease an address and answer with :meth:`Link.leased`.

    :param how: the way in which it proved that, for the log.
    """

    account: Account
    how: str


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The client is told that it is in.

    :param hlaks: the higher-layer authentication key of [MS-SSTP] 3.3.5.2.2, 32 bytes; and what
        else clients are known to make of it.
    """

    hlaks: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The interface identifiers that IPV6CP has agreed on (RFC 5072 4.1), 8 bytes each."""

    own: bytes
    peer: bytes


@dataclass(frozen=True, slots=True)
class NetworkUp:
    """IPCP or IPV6CP is open: IP may flow, in packets of at most ``mtu`` bytes towards the client.

    Said again when the other one opens, or closes.

    :param ipv4: whether IPCP is.
    :param ipv6: what IPV6CP has agreed on; None if it is not open.
    """

    mtu: int
    ipv4: bool = True
    ipv6: Identifiers | None = None


@dataclass(frozen=True, slots=True)
class NetworkDown:
    """Neither is open any longer: IP must stop."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """PPP is over, and why: the call should be ended. Said exactly once, and last."""

    reason: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The client says what it is (RFC 1570 2.1), for instance MSRAS-0- and its machine's name."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person would want in the log.

    :param guess: whether it tells of a guess at a password: of these, each is to be in the log.
    :param failed: why a login has failed, if it tells of that; ``cause`` is the same as it is counted.
    """

    text: str
    warning: bool = False
    guess: bool = False
    failed: str = field(default="", compare=False)
    cause: Cause | None = field(default=None, compare=False)


Effect = (
    SendFrame
    | LookUp
    | ChangePassword
    | Handshake
    | Admit
    | Authenticated
    | NetworkUp
    | NetworkDown
    | LinkDown
    | Identified
    | Note
)


def login_failed(user: str, why: str, cause: Cause, *, guess: bool = False) -> Note:
    """Return the line of the log about a login that has failed: all of them are made here.

    :param user: who was claimed, fit for a log.
    """
    return Note(f"login failed for '{user}': {why}", True, guess, why, cause)

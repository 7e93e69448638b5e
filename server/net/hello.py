"""The ClientHello of TLS, read before OpenSSL sees it (RFC 8446 4.1.2, RFC 5246 7.4.1.2).

What a handshake costs is decided here, by the client, in the key exchange it asks for. Python's
:mod:`ssl` can be told one group to exchange keys in, or none, and then OpenSSL takes all that it
knows: of those, the finite fields and P-521 cost a hundred times as much as X25519. So we read
which groups the client has, choose one of the cheap ones, and let a context have the word that
knows only this one. Who has none of them is refused before anything has been computed.

Nor does :mod:`ssl` say which of several certificates OpenSSL has shown, which the crypto binding
has to know. So that is chosen by what is read here, too: see :mod:`.offer`.
"""

import enum
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

#: Bytes that a ClientHello may have. With keys of post-quantum groups they have about 2,000.
MAX_HELLO: Final = 8192
#: Records it may come in, and what one of its lists may have of groups or keys.
_MAX_RECORDS: Final = 64
_MAX_GROUPS: Final = 64
_MAX_SHARES: Final = 16
#: Of one list, in a line of the log.
_SHOWN: Final = 12

_HEADER_SIZE: Final = 5  # of a record: type, version, length; RFC 8446 5.1
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_MAX_FRAGMENT: Final = 16384
_FIXED: Final = 2 + 32  # version and random


#: How TLS writes its versions: RFC 5246 E.1, RFC 8446 4.2.1.
TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304


@enum.unique
class Group(enum.Enum):
    """Groups for the key exchange, in the order of our preference: IANA's number."""

    X25519_MLKEM768 = 0x11EC
    X25519 = 0x001D
    P256 = 0x0017
    P384 = 0x0018


_GROUP_NAMES: Final = {
    0x0017: "P-256",
    0x0018: "P-384",
    0x0019: "P-521",
    0x001D: "X25519",
    0x001E: "X448",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x11EC: "X25519MLKEM768",
}


@enum.unique
class Alert(enum.IntEnum):
    """RFC 8446 6."""

    UNEXPECTED_MESSAGE = 10
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    DECODE_ERROR = 50
    PROTOCOL_VERSION = 70


class HelloError(Exception):
    """What came is no ClientHello that we go on with; the message says why.

    :param alert: what TLS says about it.
    """

    def __init__(self, message: str, alert: Alert) -> None:
        super().__init__(message)
        self.alert = alert


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers, by IANA's numbers.

    :param groups: to exchange keys in; None if it does not say, which TLS 1.2 allows.
    :param shares: the groups it has sent a key of.
    :param version: the latest one that it offers, as TLS writes it: TLS 1.3 is 0x0304.
    :param suites: cipher suites.
    :param signatures: algorithms that a server may sign with; None if it does not say.
    """

    groups: Collection[int] | None
    shares: Collection[int]
    version: int = TLS_1_3
    suites: Collection[int] = ()
    signatures: Collection[int] | None = None

    def choose(self, ours: Iterable[Group]) -> Group:
        """Return which of ``ours`` to exchange keys in: rather one that the client has a key of.

        :raises HelloError: if it has none of them.
        """
        if self.groups is None:
            return Group.P256  # RFC 8422 4: any will do
        common = [group for group in ours if group.value in self.groups]
        ready = [group for group in common if group.value in self.shares]
        # without its key, this one is not worth another round: it costs the most
        common = ready or [group for group in common if group is not Group.X25519_MLKEM768]
        if not common:
            offered = listed(self.groups, _GROUP_NAMES)
            what = f"no group that we exchange keys in: the client offers {offered}; it needs P-256"
            raise HelloError(what, Alert.HANDSHAKE_FAILURE)
        return common[0]


class HelloReader:
    """Collects the ClientHello of one connection. Feed it until it returns something."""

    __slots__ = ("_message", "_records", "_unread", "received")

    def __init__(self) -> None:
        #: All that came, for OpenSSL to read again.
        self.received = bytearray()
        self._unread = 0  # where the unfinished record begins
        self._message = bytearray()
        self._records = 0

    def feed(self, data: bytes) -> ClientHello | None:
        """Take bytes; return the ClientHello once it is whole, None to get more.

        :raises HelloError: if it is none, or larger than any.
        """
        self.received += data
        while (end := self._record_end()) is not None:
            self._message += self.received[self._unread + _HEADER_SIZE : end]
            self._unread = end
            size = self._size()
            if size is not None and len(self._message) >= size:
                return _parse(memoryview(bytes(self._message[4:size])))
        if len(self.received) > 2 * MAX_HELLO or self._records > _MAX_RECORDS:
            raise HelloError("the ClientHello has no end", Alert.RECORD_OVERFLOW)
        return None

    def _record_end(self) -> int | None:
        """Return where the record ends that is read now; None while that is not here."""
        if self.received[self._unread : self._unread + 1] not in (b"", bytes([_HANDSHAKE])):
            raise HelloError("no TLS", Alert.UNEXPECTED_MESSAGE)
        if len(self.received) < self._unread + _HEADER_SIZE:
            return None
        major = self.received[self._unread + 1]
        length = int.from_bytes(self.received[self._unread + 3 : self._unread + _HEADER_SIZE])
        if major != 3 or not 0 < length <= _MAX_FRAGMENT:
            raise HelloError("no TLS", Alert.UNEXPECTED_MESSAGE)
        end = self._unread + _HEADER_SIZE + length
        if len(self.received) < end:
            return None
        self._records += 1
        return end

    def _size(self) -> int | None:
        """Return the size of the message with its header; None while that is not here."""
        if len(self._message) < 4:
            return None
        if self._message[0] != _CLIENT_HELLO:
            raise HelloError("no ClientHello", Alert.UNEXPECTED_MESSAGE)
        size = 4 + int.from_bytes(self._message[1:4])
        if size > MAX_HELLO:
            raise HelloError(f"a ClientHello of {size} bytes", Alert.RECORD_OVERFLOW)
        return size


def read_hello(data: bytes) -> ClientHello:
    """Return the ClientHello that ``data`` begins with, which must be all there.

    :raises HelloError: if it does not.
    """
    hello = HelloReader().feed(data)
    if hello is None:
        raise HelloError("the ClientHello has no end", Alert.DECODE_ERROR)
    return hello


def listed(numbers: Iterable[int], names: Mapping[int, str]) -> str:
    """Return what a client offers, for a line of the log: the first of it, by name if it has one.

    What only tries whether servers mind numbers that they do not know is left out (RFC 8701).
    """
    known = [one for one in numbers if one & 0x0F0F != 0x0A0A or one >> 8 != one & 0xFF]
    shown = [names.get(one, f"0x{one:04X}") for one in known[:_SHOWN]]
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(shown) + more if shown else "none"


def alert_record(alert: Alert) -> bytes:
    """Return the fatal alert, as one record of TLS before any key is there (RFC 8446 6)."""
    return bytes((21, 3, 3, 0, 2, 2, alert))


def _parse(body: memoryview) -> ClientHello:
    """Return what is in the body of a ClientHello; the rest of it is for OpenSSL to judge."""
    groups: Collection[int] | None = None
    signatures: Collection[int] | None = None
    shares: Collection[int] = ()
    # what the fixed field has beyond TLS 1.2 says nothing: RFC 8446 4.1.2
    version = min(int.from_bytes(body[:2]), TLS_1_2)
    try:
        at = _behind(body, _FIXED, 1)  # session id
        suites, at = _numbers(body[at:], 2), _behind(body, at, 2)
        at = _behind(body, at, 1)  # compression methods
        end = _behind(body, at, 2) if at < len(body) else at  # RFC 5246 7.4.1.2: or no extensions
        at += 2
        while at < end:
            following = _behind(body, at + 2, 2)
            content = body[at + 4 : following]
            match int.from_bytes(body[at : at + 2]):
                case 10:  # supported_groups, RFC 8446 4.2.7
                    groups = _groups(content)
                case 13:  # signature_algorithms, RFC 8446 4.2.3
                    signatures = _numbers(content, 2)
                case 43:  # supported_versions, RFC 8446 4.2.1
                    version = _latest(_numbers(content, 1))
                case 51:  # key_share, RFC 8446 4.2.8
                    shares = _shares(content)
            at = following
    except IndexError:
        raise HelloError("the ClientHello is cut short", Alert.DECODE_ERROR) from None
    return ClientHello(groups, shares, version, suites, signatures)


def _latest(versions: Collection[int]) -> int:
    """Return the latest one that is known; others may be of drafts, or made up (RFC 8701)."""
    return max((one for one in versions if one <= TLS_1_3), default=0)


def _numbers(field: memoryview, width: int) -> Collection[int]:
    """Return a list of numbers of two bytes each, whose length stands before it in ``width`` bytes."""
    end = _behind(field, 0, width)
    count = (end - width) // 2
    return struct.unpack(f"!{count}H", field[width : width + 2 * count])


def _behind(body: memoryview, at: int, width: int) -> int:
    """Return where the field ends whose length stands at ``at``, in ``width`` bytes."""
    end = at + width + int.from_bytes(body[at : at + width])
    if at + width > len(body) or end > len(body):
        raise IndexError
    return end


def _groups(field: memoryview) -> Collection[int]:
    end = _behind(field, 0, 2)
    if end > 2 + 2 * _MAX_GROUPS or end % 2:
        raise HelloError("a list of too many groups", Alert.DECODE_ERROR)
    return _numbers(field, 2)


def _shares(field: memoryview) -> Collection[int]:
    end = _behind(field, 0, 2)
    at = 2
    shares: list[int] = []
    while at < end:
        if len(shares) == _MAX_SHARES:
            raise HelloError("keys of too many groups", Alert.DECODE_ERROR)
        following = _behind(field, at + 2, 2)
        shares.append(int.from_bytes(field[at : at + 2]))
        at = following
    return shares

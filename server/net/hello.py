"""The ClientHello of TLS, read before OpenSSL sees it (RFC 8446 4.1.2, RFC 5246 7.4.1.2).

What a handshake costs is decided here, by the client, in the key exchange it asks for. Python's
:mod:`ssl` can be told one group to exchange keys in, or none, and then OpenSSL takes all that it
knows: of those, the finite fields and P-521 cost a hundred times as much as X25519. So we read
which groups the client has, choose one of the cheap ones, and let a context have the word that
knows only this one. Who has none of them is refused before anything has been computed.
"""

import enum
import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

#: Bytes that a ClientHello may have. With keys of post-quantum groups they have about 2,000.
MAX_HELLO: Final = 8192
#: Records it may come in, and what one of its lists may have of groups or keys.
_MAX_RECORDS: Final = 64
_MAX_GROUPS: Final = 64
_MAX_SHARES: Final = 16

_HEADER_SIZE: Final = 5  # of a record: type, version, length; RFC 8446 5.1
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_MAX_FRAGMENT: Final = 16384
_FIXED: Final = 2 + 32  # version and random


@enum.unique
class Group(enum.Enum):
    """Groups for the key exchange, in the order of our preference: IANA's number."""

    X25519_MLKEM768 = 0x11EC
    X25519 = 0x001D
    P256 = 0x0017
    P384 = 0x0018


@enum.unique
class Alert(enum.IntEnum):
    """RFC 8446 6."""

    UNEXPECTED_MESSAGE = 10
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    DECODE_ERROR = 50


class HelloError(Exception):
    """What came is no ClientHello that we go on with; the message says why.

    :param alert: what TLS says about it.
    """

    def __init__(self, message: str, alert: Alert) -> None:
        super().__init__(message)
        self.alert = alert


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers for the key exchange, by IANA's numbers.

    :param groups: None if it does not say, which TLS 1.2 allows.
    :param shares: the groups it has sent a key of.
    """

    groups: Collection[int] | None
    shares: Collection[int]

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
            raise HelloError("no group that we exchange keys in", Alert.HANDSHAKE_FAILURE)
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


def alert_record(alert: Alert) -> bytes:
    """Return the fatal alert, as one record of TLS before any key is there (RFC 8446 6)."""
    return bytes((21, 3, 3, 0, 2, 2, alert))


def _parse(body: memoryview) -> ClientHello:
    """Return what is in the body of a ClientHello; the rest of it is for OpenSSL to judge."""
    groups: Collection[int] | None = None
    shares: Collection[int] = ()
    try:
        at = _FIXED
        at = _behind(body, at, 1)  # session id
        at = _behind(body, at, 2)  # cipher suites
        at = _behind(body, at, 1)  # compression methods
        end = _behind(body, at, 2) if at < len(body) else at  # RFC 5246 7.4.1.2: or no extensions
        at += 2
        while at < end:
            following = _behind(body, at + 2, 2)
            match int.from_bytes(body[at : at + 2]):
                case 10:  # supported_groups, RFC 8446 4.2.7
                    groups = _groups(body[at + 4 : following])
                case 51:  # key_share, RFC 8446 4.2.8
                    shares = _shares(body[at + 4 : following])
            at = following
    except IndexError:
        raise HelloError("the ClientHello is cut short", Alert.DECODE_ERROR) from None
    return ClientHello(groups, shares)


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
    return struct.unpack(f"!{end // 2 - 1}H", field[2:end])


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

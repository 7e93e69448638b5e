"""What the server's end of a PPP link may say when: RFC 1661 3, RFC 1994, RFC 3748, RFC 2759.

Written apart from the server; it reads the frames of both sides, and is told what the driver
answers to the server's questions.
"""

from dataclasses import dataclass

from tests.fuzz import layer_model
from tests.fuzz.call_model import Wrong
from tests.fuzz.layer_model import LayerModel, Packet
from tests.support import mschap, ppp
from tests.support.ppp import Code

_FRAME_MOST = 1504  # FF 03, the protocol, and what a peer takes that has asked for nothing
_FRAMES_MOST = 5  # in answer to one thing that happens
_IDENTITY, _NAK, _TLS, _MSCHAPV2 = 1, 3, 13, 26
_CERTIFICATE = b"a certificate"
_ROUNDS_MOST = 40  # our own limit: RFC 1661 4.6 wants one
_NOT_FOR_THE_AUTOMATON = (8, 9, 10, 11, 12, 13)


@dataclass(frozen=True, slots=True)
class Person:
    """Who may log in."""

    name: str
    password: str
    address: bytes


def unframe(frame: bytes) -> tuple[int, bytes] | None:
    """Return protocol and information of a client's frame, however short its header is."""
    body = frame[2:] if frame[:2] == b"\xff\x03" else frame
    if body[:1] == b"\xff":  # RFC 1661 6.6
        return None
    size = 1 if body[:1] and body[0] & 1 else 2
    return (int.from_bytes(body[:size], "big"), body[size:]) if len(body) >= size else None


def challenge_in(failure: bytes) -> bytes | None:
    """Return the Challenge in the text of a Failure (RFC 2759 6); None if there is none."""
    words = dict(word.partition(b"=")[::2] for word in failure.split())
    found = words.get(b"C", b"")
    return bytes.fromhex(found.decode()) if len(found) == 32 else None


class LinkModel:
    """One link. Each method takes what the server sent upon what it is about."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.begun = False
        self.lcp = LayerModel("LCP")
        self.ipcp: LayerModel | None = None
        self._doubtful = False  # whether IPCP may have been given up without a word
        self.ipv6cp: LayerModel | None = None  # begins when the client asks for it
        self.succeeded = False
        self.keys: tuple[bytes, ...] = ()  # of the login, once it has succeeded
        self._by_eap = False
        self._challenges: dict[bytes, int] = {}
        self._from_client: set[bytes] = set()  # values that it sent where a Challenge would stand
        self._challenge: tuple[int, bytes] | None = None  # the open one
        self._failed = b""  # what the last Failure that leaves another try has said
        self._name = b""  # in the last Response
        self._change: tuple[str, bytes, bytes] | None = None  # a new password, and its proof
        self._latest = b"", b""  # S=... and the key of the last Response to it, if that was right
        self._responded = False  # whether there was one
        self._earlier: dict[int, bytes] = {}  # by CHAP, Challenges that it has taken the place of
        self._reserve: dict[int, tuple[bytes, bytes]] = {}  # the first Response to each of them
        self._proof = b""  # of that which the server looks at
        self._keys: tuple[bytes, ...] = ()
        self._request: Packet | None = None  # the open Request of EAP
        self._believes = False  # the client has seen the server's own proof, in EAP

    # What comes

    def frame(self, frame: bytes, sent: list[bytes]) -> None:
        """The client sent a frame.

        :raises Wrong: if that is not the answer to it.
        """
        mine = self._sorted(sent)
        found = unframe(frame)
        packet = layer_model.unpack(found[1]) if found else None
        if found is not None and packet is not None:
            self._take(found[0], packet, mine)
        elif found is not None and self.succeeded and self.lcp.opened:
            self._may_reject(found[0], mine)
        self._rest(mine, f"upon {frame[:24].hex()}")

    def tick(self, sent: list[bytes]) -> None:
        """Time has passed, or an answer has come to a question of the server's."""
        mine = self._sorted(sent)
        if self.lcp.state == layer_model.STARTING and mine.get(ppp.LCP):
            mine[ppp.LCP] = self.lcp.happen("Up", mine[ppp.LCP])
        mine[ppp.LCP] = self.lcp.timed(mine.get(ppp.LCP, []))
        for protocol, layer in ((ppp.IPCP, self.ipcp), (ppp.IPV6CP, self.ipv6cp)):
            if layer is not None:
                mine[protocol] = layer.timed(mine.get(protocol, []))
        self._rest(mine, "by itself")

    def looked_up(self) -> None:
        """The server has asked who that is: it has a Response, and takes no other meanwhile.

        It is that to the last Challenge, or, if there is none, to the last that has one.
        """
        latest = self._latest
        if not self._responded:
            latest = next(
                self._reserve[one] for one in [*self._earlier][::-1] if one in self._reserve
            )
        self._proof, self._keys = latest[0], (latest[1],)
        self._earlier, self._reserve = {}, {}

    def changes(self, password: str) -> None:
        """The server asks for another password to be kept.

        :raises Wrong: if the client has not asked for that, or has not proved to know the old one.
        """
        if not self._failed.startswith(b"E=648 R=1 ") or self._change is None:
            raise Wrong("a new password for somebody who may not change it")
        new, peer, nt_response = self._change
        if new != password:
            raise Wrong("another new password than the client's")
        assert self._challenge is not None
        login = self._login(new, self._name, self._challenge[1], peer, nt_response)
        self._proof, self._keys = (login.proof, (login.key,)) if login else (b"", ())

    def shaken(self, key: bytes) -> None:
        """The driver has answered that TLS shows the person's certificate.

        :param key: the Master Session Key; some clients take other 32 bytes of it than most.
        """
        self._proof, self._keys = _CERTIFICATE, (key[:32], key[:16] + key[32:48])

    def leased(self, sent: list[bytes], *, given: bool, ipv6: bool) -> None:
        """The driver has given the client an address, or none; maybe a prefix of IPv6, too."""
        mine = self._sorted(sent)
        login = mine.get(ppp.EAP if self._by_eap else ppp.CHAP, [])
        if [one.code for one in login] == [3]:
            self._success(login.pop())
        if given and self.succeeded and self.ipcp is None:
            self.ipcp = LayerModel("IPCP")
            mine[ppp.IPCP] = self.ipcp.happen("Up", mine.get(ppp.IPCP, []))
            self.ipv6cp = LayerModel("IPV6CP") if ipv6 else None
        self._rest(mine, "upon the lease")

    # What the client may have now

    @property
    def way(self) -> str:
        """How the client has logged in."""
        if not self._by_eap:
            return "CHAP"
        return "EAP-TLS" if len(self.keys) > 1 else "EAP-MSCHAPv2"

    @property
    def carries_ipv6(self) -> bool:
        """Whether IPV6CP is open, with an identifier of the client's own (RFC 5072 4.1)."""
        layer = self.ipv6cp
        mine = b"\x01\x0a" + bytes(8)
        return (
            layer is not None
            and layer.opened
            and [one[:2] for one in layer.granted] == [mine[:2]]
            and layer.granted != [mine]
        )

    @property
    def carries_ip(self) -> bool:
        """Whether IPCP is open, with the address that the client was given."""
        wanted = b"\x03\x06" + self.person.address
        return self.ipcp is not None and self.ipcp.opened and wanted in self.ipcp.granted

    @property
    def proven(self) -> bool:
        """Whether the client has shown that it is the person, and may be let in."""
        # draft-kamath 3: of Success the client has to say so, by CHAP it cannot
        believes = self._believes or not self._by_eap or self._proof == _CERTIFICATE
        return bool(self._proof) and believes

    # The protocols

    def _take(self, protocol: int, packet: Packet, mine: dict[int, list[Packet]]) -> None:
        match protocol:
            case ppp.LCP if self.begun:
                self._take_lcp(packet, mine)
            case ppp.CHAP:
                self._take_chap(packet)
            case ppp.EAP:
                self._take_eap(packet)
            case ppp.IPCP | ppp.IPV6CP if self.lcp.opened and self._layer(protocol):
                self._take_network(protocol, packet, mine)
            case _ if self.succeeded and self.lcp.opened:
                self._may_reject(protocol, mine)

    def _layer(self, protocol: int) -> LayerModel | None:
        return self.ipcp if protocol == ppp.IPCP else self.ipv6cp

    def _take_network(self, protocol: int, packet: Packet, mine: dict[int, list[Packet]]) -> None:
        layer, sent = self._layer(protocol), mine.get(protocol, [])
        assert layer is not None
        if (self._doubtful or not layer.opened) and self._rejects(protocol, mine):
            # the other one is open; this one has come to an end, and is not spoken any more
            return self._drop(protocol)
        if self._leads_nowhere(layer, packet, mine):
            return self._give_up(layer, packet) if self.carries_ipv6 else None
        if layer.state == layer_model.STARTING and packet.code == Code.REQUEST:
            sent = layer.happen("Up", sent)
        mine[protocol] = layer.close(layer.receive(packet, sent))
        return None

    @staticmethod
    def _leads_nowhere(layer: LayerModel, packet: Packet, mine: dict[int, list[Packet]]) -> bool:
        """Whether IPCP is given up: without a word where there is IPv6, or the link with it."""
        asked = packet.code <= Code.REJECT and layer.rounds >= _ROUNDS_MOST
        ends = any(one.code == Code.TERMINATE for one in mine.get(ppp.LCP, []))
        return layer.name == "IPCP" and asked and (ends or not mine.get(ppp.IPCP))

    def _give_up(self, layer: LayerModel, packet: Packet) -> None:
        """IPCP is given up without a word; unless the packet needed none, which does not show yet."""
        try:
            layer.receive(packet, [])
        except Wrong:
            self._drop(ppp.IPCP)
        else:
            self._doubtful = True

    def passes(self, *, ipv4: bool) -> None:
        """The server says what passes now: that shows whether IPCP was given up."""
        if self._doubtful and not ipv4:
            self._drop(ppp.IPCP)
        self._doubtful = False

    def _drop(self, protocol: int) -> None:
        if protocol == ppp.IPCP:
            self.ipcp, self._doubtful = None, False
        elif protocol == ppp.IPV6CP:
            self.ipv6cp = None

    def _take_lcp(self, packet: Packet, mine: dict[int, list[Packet]]) -> None:
        sent = mine.get(ppp.LCP, [])
        if self.lcp.state == layer_model.STARTING:
            # ours waits for the client's first packet
            sent = self.lcp.happen("Up", sent)
        if packet.code == Code.PROTOCOL_REJECT and self.ipv6cp is not None:
            # RFC 1661 5.7: what is rejected gets no more packets; the other one goes on
            self._drop(int.from_bytes(packet.data[:2], "big"))
        elif packet.code not in _NOT_FOR_THE_AUTOMATON:
            sent = self.lcp.receive(packet, sent)
        elif packet.code == Code.ECHO and self.lcp.opened and len(packet.data) >= 4:
            sent = self.lcp.happen("RXR", sent, packet)
        mine[ppp.LCP] = sent

    def _take_chap(self, packet: Packet) -> None:
        if packet.data:
            self._from_client.add(packet.data[1 : 1 + packet.data[0]])
        if not self._by_eap:
            self._password_of(packet.code, packet.id, packet.data)

    def _take_eap(self, packet: Packet) -> None:
        request = self._request
        if packet.code != 2 or request is None or packet.id != request.id or not packet.data:
            return
        data = packet.data[1:]
        if packet.data[0] == _MSCHAPV2 and data[:1] == request.data[1:2] == b"\3":
            self._believes = True
        elif packet.data[0] == _MSCHAPV2 and len(data) >= 4:
            size = int.from_bytes(data[2:4], "big")
            if 4 <= size <= len(data):
                self._password_of(data[0], data[1], data[4:size])

    def _password_of(self, code: int, identifier: int, data: bytes) -> None:
        """A Response or Change-Password of MS-CHAPv2: is it right? (RFC 2759 4, 7, 8.4)."""
        if self._challenge is None:
            return
        if code == 2 and identifier in self._earlier and identifier not in self._reserve:
            if data[:1] == b"\x31" and len(data) >= 50:
                self._reserve[identifier] = self._right(data, self._earlier[identifier])
            return
        if identifier not in self._identifiers():
            return
        if code == 2 and data[:1] == b"\x31" and len(data) >= 50:
            self._latest, self._responded = self._right(data, self._challenge[1]), True
        elif code == 7 and len(data) == 582:
            new = mschap.new_password(self.person.password, data)
            self._change = (new, data[532:548], data[556:580]) if new is not None else None

    def _right(self, data: bytes, challenge: bytes) -> tuple[bytes, bytes]:
        """Return S=... and the key of a Response, empty if it is wrong."""
        value, self._name = data[1:50], data[50:]
        login = self._login(self.person.password, self._name, challenge, value[:16], value[24:48])
        return (login.proof, login.key) if login else (b"", b"")

    def _identifiers(self) -> tuple[int, ...]:
        """Behind a Failure it is the next one; within EAP some take the same."""
        assert self._challenge is not None
        identifier = self._challenge[0]
        return (
            (identifier, (identifier - 1) % 256) if self._by_eap and self._failed else (identifier,)
        )

    @staticmethod
    def _login(
        password: str, name: bytes, challenge: bytes, peer: bytes, nt_response: bytes
    ) -> mschap.Login | None:
        """Return the login that gives this NT-Response, with the domain hashed or not."""
        for whole in (False, True):
            login = mschap.Login(name, password, challenge, peer, hashes_domain=whole)
            if login.nt_response == nt_response:
                return login
        return None

    # What the server says

    def _sorted(self, sent: list[bytes]) -> dict[int, list[Packet]]:
        if len(sent) > _FRAMES_MOST:
            raise Wrong(f"{len(sent)} frames at once")
        found: dict[int, list[Packet]] = {}
        for frame in sent:
            protocol, information = ppp.unframe(frame)
            if len(frame) > _FRAME_MOST:
                raise Wrong(f"a frame of {len(frame)} bytes")
            found.setdefault(protocol, []).append(Packet(*ppp.unpack(information)))
        return found

    def _rest(self, mine: dict[int, list[Packet]], what: str) -> None:
        """Look at what no automaton explains."""
        if any(mine.get(protocol) for protocol in (ppp.CHAP, ppp.EAP)) and not self.lcp.opened:
            raise Wrong(f"a login while LCP is not open, {what}: {mine}")
        for packet in mine.pop(ppp.CHAP, []):
            self._chap(packet)
        for packet in mine.pop(ppp.EAP, []):
            self._eap(packet)
        mine[ppp.LCP] = self.lcp.close(mine.get(ppp.LCP, []))
        left = {protocol: packets for protocol, packets in mine.items() if packets}
        if left:
            raise Wrong(f"{left} {what}, with LCP in state {self.lcp.state}")

    def _chap(self, packet: Packet) -> None:
        match packet.code:
            case 1:
                self._by_eap = False
                if self._challenge is not None and self._challenge[0] != packet.id:
                    self._earlier.pop(self._challenge[0], None)
                    self._earlier[self._challenge[0]] = self._challenge[1]
                    self._reserve.pop(self._challenge[0], None)
                self._challenged(packet.id, packet.data)
            case 3 if self.succeeded and packet.data.split()[0] == self._proof:
                pass  # RFC 1994 4.1: the same answer once more
            case 4 if self._challenge is not None and not self.succeeded:
                self._refused(packet.id, packet.data)
            case _:
                raise Wrong(f"CHAP: {packet}")

    def _eap(self, packet: Packet) -> None:
        match packet.code:
            case 1:
                self._by_eap = True
                self._asked(packet)
            case 4 if self._request is not None and not self.succeeded:
                pass
            case _:
                raise Wrong(f"EAP: {packet}")

    def _asked(self, packet: Packet) -> None:
        """RFC 3748 4.1: one Request at a time; sent again it is the same."""
        if self._request is not None and packet.id == self._request.id:
            if packet != self._request:
                raise Wrong(f"EAP: {packet} has the identifier of {self._request}")
            return
        self._request = packet
        if packet.data[0] == _MSCHAPV2 and packet.data[1:2] == b"\1":
            self._challenged(packet.data[2], packet.data[5:])
        elif packet.data[0] == _MSCHAPV2 and packet.data[1:2] == b"\4":
            self._refused(packet.data[2], packet.data[5:])

    def _refused(self, identifier: int, text: bytes) -> None:
        """RFC 2759 6: with R=1 comes another Challenge, for the identifier that follows."""
        challenge = challenge_in(text)
        if challenge is None:
            raise Wrong(f"a Failure without a Challenge: {text!r}")
        if b" R=1 " in text and self._failed != text:
            self._challenged((identifier + 1) % 256, b"\x10" + challenge)
            self._failed = text

    def _challenged(self, identifier: int, data: bytes) -> None:
        """RFC 1994 4.1: a value of its own for each identifier, and none that the client made."""
        value = data[1 : 1 + data[0]]
        if value not in self._challenges and value in self._from_client:
            raise Wrong(f"a Challenge that the client has made: {data.hex()}")
        if len(value) != 16 or self._challenges.setdefault(value, identifier) != identifier:
            raise Wrong(f"a Challenge twice: {data.hex()}")
        if self._challenge != (identifier, value):
            self._challenge, self._latest = (identifier, value), (b"", b"")
            self._responded = False
            self._failed, self._change = b"", None
            self._proof, self._keys = b"", ()

    def _success(self, packet: Packet) -> None:
        if not self.proven:
            raise Wrong(f"Success for somebody who has proven nothing: {packet}")
        if not self._by_eap and packet.data.split()[0] != self._proof:
            raise Wrong(f"Success without the server's own proof: {packet}")
        self.succeeded, self.keys = True, self._keys

    def _may_reject(self, protocol: int, mine: dict[int, list[Packet]]) -> None:
        """RFC 1661 5.7: of a protocol that there is not; once the client is in."""
        self._rejects(protocol, mine)

    @staticmethod
    def _rejects(protocol: int, mine: dict[int, list[Packet]]) -> bool:
        """Take the Protocol-Reject about ``protocol`` out, if it is all that LCP has sent."""
        about = Code.PROTOCOL_REJECT, protocol.to_bytes(2, "big")
        if [(one.code, one.data[:2]) for one in mine.get(ppp.LCP, [])] != [about]:
            return False
        mine[ppp.LCP] = []
        return True

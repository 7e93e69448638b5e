"""How much work it is to open a file of keys, looked up before a library begins with it.

Whoever makes an encrypted key says how often its password is to be hashed, up to 2^31 times, or in
how much memory; and how long its numbers are.
"""

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Final

from ..errors import Refused, SstpcaError
from .asn1 import (
    INTEGER,
    OCTETS,
    OID,
    SEQUENCE,
    Asn1Error,
    Element,
    children,
    dotted,
    elements,
    first,
    number,
    octets,
)

# Ten times what OWASP recommends for PBKDF2; some seconds.
ROUNDS_MAX: Final = 10_000_000
# a key of 4096 bits, and how many rounds take as long as testing its primes
_BYTES_OF_4096: Final = 2376
_ROUNDS_OF_4096: Final = 600_000
# RFC 7914 6: 128 * N * r bytes of memory, and p times the work
SCRYPT_BYTES_MAX: Final = 512 << 20
SCRYPT_WORK_MAX: Final = 2 << 30
# OpenSSL's own limit, OPENSSL_RSA_MAX_MODULUS_BITS, and a zero before it
NUMBER_MAX: Final = 16384 // 8 + 1
_ELEMENTS_MAX: Final = 100_000
_LEVELS_MAX: Final = 40

_PBKDF2: Final = "1.2.840.113549.1.5.12"
_SCRYPT: Final = "1.3.6.1.4.1.11591.4.11"
# PBES1 (RFC 8018 A.3) and those of PKCS#12 (RFC 7292 appendix C): a salt, and the rounds
_PBE: Final = ("1.2.840.113549.1.5.", "1.2.840.113549.1.12.1.")


def check_work(content: bytes, name: str) -> int:
    """Return how many rounds of hashing the keys in ``content`` ask for, none too many.

    :param content: DER or BER: PKCS#8, PKCS#12, or anything else.
    :param name: of the file, for the error.
    :raises SstpcaError: if it is more than anybody waits for, or a number is too long.
    """
    rounds = _mac_rounds(content, name)
    for element in _walk(content):
        if element.tag == INTEGER and len(element.content) > NUMBER_MAX:
            raise too_much(name, f"a number of {8 * len(element.content)} bits")
        rounds += _rounds(element, name)
        if rounds > ROUNDS_MAX:
            raise too_much(name, f"{rounds} rounds of hashing")
    return rounds


def key_work(size: int) -> int:
    """Return how much work it is to load an RSA key, in rounds of hashing.

    OpenSSL tests its primes, which takes 0.4 s for 4096 bits, 6 s for 8192, 43 s for 16384.

    :param size: of its file in DER, in bytes: all its numbers are as long as 4.5 times the modulus.
    """
    return int(_ROUNDS_OF_4096 * (size / _BYTES_OF_4096) ** 3)


def too_much(name: str, what: str) -> SstpcaError:
    """Return what to say of ``name``, which asks for ``what``."""
    return Refused(
        f"{name} asks for {what} to open it: that was not made by a usual program",
        "get it anew from whoever made it",
    )


def _walk(content: bytes) -> Iterator[Element]:
    """Yield every element of ``content``, also those within OCTET STRINGs, the outer ones first.

    What is none hides nothing beside it, nor does what has no end: a library may never look there,
    as into what is still encrypted. Whoever reads it will complain.
    """
    waiting = deque([(content, _LEVELS_MAX)])
    count = 0
    while waiting:
        part, levels = waiting.popleft()
        for one in _whole_ones(part):
            count += 1
            if count > _ELEMENTS_MAX:
                return
            yield one
            inner = one.content if one.constructed else b""
            if one.tag & ~0x20 == OCTETS:
                inner = _sequence_in(one)
            if inner and levels:
                waiting.append((inner, levels - 1))


def _whole_ones(content: bytes) -> Iterator[Element]:
    """Yield the elements of ``content`` as far as they are some."""
    with contextlib.suppress(Asn1Error):
        yield from elements(content)


def _sequence_in(element: Element) -> bytes:
    """Return the value of an OCTET STRING if it is one sequence, and not by chance begins as one."""
    with contextlib.suppress(Asn1Error):
        content = octets(element)
        if content[:1] == bytes((SEQUENCE,)) and first(content).whole == content:
            return content
    return b""


def _rounds(element: Element, name: str) -> int:
    """Return the rounds that ``element`` asks for, if it is an AlgorithmIdentifier with some."""
    if element.tag != SEQUENCE or element.content[:1] != bytes((OID,)):
        return 0
    found = list(_whole_ones(element.content))
    if len(found) < 2 or found[1].tag != SEQUENCE:
        return 0
    algorithm = dotted(found[0].content)
    numbers = [number(one) for one in _whole_ones(found[1].content) if one.tag == INTEGER]
    if algorithm == _SCRYPT and len(numbers) >= 3:
        cost, size, times = numbers[:3]
        if 128 * cost * size > SCRYPT_BYTES_MAX or 128 * cost * size * times > SCRYPT_WORK_MAX:
            raise too_much(name, f"scrypt with N = {cost}, r = {size}, p = {times}")
    elif numbers and (algorithm == _PBKDF2 or algorithm.startswith(_PBE)):
        return max(0, numbers[0])
    return 0


def _mac_rounds(content: bytes, name: str) -> int:
    """Return the rounds of the MAC over all of a PKCS#12 (MacData, RFC 7292 4)."""
    try:
        found = children(content)
        if len(found) != 3 or found[0].tag != INTEGER or found[2].tag != SEQUENCE:
            return 0
        mac = children(found[2].whole, SEQUENCE, OCTETS)
    except Asn1Error:
        return 0
    rounds = number(mac[2]) if len(mac) > 2 and mac[2].tag == INTEGER else 1
    if rounds > ROUNDS_MAX:
        raise too_much(name, f"{rounds} rounds of hashing")
    return rounds

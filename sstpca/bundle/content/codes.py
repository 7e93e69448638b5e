"""The numbers by which Windows says why it does not connect, put together by what helps.

Windows shows small numbers of its own (raserror.h), those of sockets and of other parts of Windows
(winerror.h), and HRESULTs, which its event log writes as signed decimal numbers. An HRESULT
0x8007nnnn is the small number nnnn ([MS-ERREF] 2.1.2). What users read is in the table ``[errors]`` of
their texts: ``KEY_means`` and ``KEY_helps``. What administrators read beside that is in
``templates/codes``.
"""

from dataclasses import dataclass
from typing import Final

# FACILITY_WIN32 with the severity "failure", [MS-ERREF] 2.1
_WIN32: Final = 0x8007


@dataclass(frozen=True, slots=True)
class Code:
    """Errors that mean the same to a user.

    :param key: of the texts.
    :param numbers: as Windows shows them: decimal, or ``0x`` and eight digits.
    :param common: whether users meet it without a mistake of the administrator's.
    :param also: numbers by which WinHTTP says the same (winhttp.h); pages do without them.
    """

    key: str
    numbers: tuple[str, ...]
    common: bool = False
    also: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers as :func:`value` has them, each once."""
        return tuple(dict.fromkeys(value(int(one, 0)) for one in self.numbers + self.also))


CODES: Final = (
    Code("password", ("691", "0x80420112"), common=True),
    Code("untrusted", ("0x800B0109", "0x80090325"), common=True, also=("12045",)),
    Code("other_name", ("0x800B010F",), common=True, also=("12038",)),
    Code("dates", ("0x800B0101",), common=True, also=("12037",)),
    Code("revocation", ("0x80092012", "0x80092013"), common=True, also=("12057",)),
    Code("no_name", ("868", "11001", "0x80072EE7"), common=True),
    Code("timeout", ("809", "10060", "0x8007274C"), common=True, also=("12002",)),
    Code("refused", ("10061", "0x8007274D", "0x800704C9"), common=True, also=("12029",)),
    Code("cut", ("0x80072746", "0x800704D4", "0x80070040"), common=True, also=("12030",)),
    Code("user_certificate", ("798", "0x80420100"), common=True),
    Code(
        "user_certificate_refused",
        ("853", "854", "855", "0x80420101", "0x80420102", "0x80420103", "0x80420105"),
        common=True,
    ),
    Code("disagree", ("718", "720", "734"), common=True),
    Code("account", ("646", "647", "648", "649", "708", "709"), common=True),
    Code("eap_refused", ("0x80420015",)),
    Code(
        "eap_server",
        (
            *("801", "857", "858", "859", "860", "861", "862", "863", "864", "865", "866"),
            *("0x80420200", "0x80420201", "0x80420202", "0x80420203", "0x80420204"),
            *("0x80420300", "0x80420301", "0x80420302"),
            *("0x80420400", "0x80420401", "0x80420406"),
        ),
    ),
    Code(
        "eap_settings",
        ("703", "764", "850", "867", "869", "0x80420011", "0x80420014", "0x80420019"),
    ),
    Code(
        "server_certificate",
        (
            *("0x800B0105", "0x800B010A", "0x800B010C", "0x800B0110", "0x800B0114"),
            *("0x80090327", "0x80096004", "0x80096019"),
        ),
        also=("12169", "12170", "12179"),
    ),
    Code("secure", ("12175", "0x80072F8F")),
    Code("tls", ("0x80090326",), also=("12157",)),
    Code("proxy", ("5",)),
    Code("wrong_type", ("766", "789", "800", "806", "835")),
    Code("settings", ("741", "742", "812")),
    Code(
        "server_answer",
        ("645", "721", "722", "732", "733", "735", "736", "738", "778", "848"),
        also=("12152",),
    ),
    Code("ended", ("619", "628", "629", "668", "807", "808", "829")),
    Code("stopped", ("631", "828", "830", "832", "833", "834")),
    Code("device", ("633", "651")),
)


def value(number: int) -> int:
    """Return ``number`` as a table has it: signed, 32 bits; 0x8007nnnn as nnnn."""
    number &= 0xFFFFFFFF
    if number >> 16 == _WIN32:
        return number & 0xFFFF
    return number - 0x100000000 if number & 0x80000000 else number

"""What is said of Windows' error numbers."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.bundle.content import texts
from sstpca.bundle.content.codes import CODES, value
from sstpca.errors import InvalidInput
from sstpca.lint.findings import Windows
from sstpca.vpn.explaining import Explanation, Unknown, explain, languages

#: The errors that a Windows client of an SSTP server is known to show: RRAS' (raserror.h), EAPHost's,
#: those of sockets and of certificates.
KNOWN = [
    "0x800B0109",
    "0x800B010F",
    "0x800B0101",
    "0x800B010A",
    "0x800B010C",
    "0x800B0110",
    "0x80092012",
    "0x80092013",
    "0x80090326",
    "0x80090325",
    "0x800704C9",
    "0x800704D4",
    "0x80070040",
    "0x80072746",
    "0x274C",
    "10060",
    "0x274D",
    "10061",
    "0x80072EE7",
    "868",
    "11001",
    "0x80070005",
    "5",
    "0x80420014",
    "0x80420015",
    "0x80420011",
    "850",
    "0x80420019",
    "0x80420100",
    "798",
    "0x80420101",
    "853",
    "0x80420102",
    "854",
    "0x80420103",
    "855",
    "0x80420105",
    "0x80420112",
    "0x80420200",
    "0x80420201",
    "0x80420202",
    "0x80420203",
    "0x80420204",
    "857",
    "858",
    "859",
    "860",
    "0x80420300",
    "0x80420301",
    "0x80420302",
    "861",
    "862",
    "863",
    "0x80420400",
    "864",
    "0x80420401",
    "865",
    "0x80420406",
    "866",
    "619",
    "628",
    "629",
    "631",
    "633",
    "645",
    "646",
    "647",
    "648",
    "649",
    "651",
    "668",
    "691",
    "703",
    "709",
    "718",
    "721",
    "722",
    "720",
    "732",
    "733",
    "735",
    "736",
    "738",
    "734",
    "741",
    "742",
    "764",
    "766",
    "789",
    "835",
    "778",
    "800",
    "806",
    "807",
    "808",
    "809",
    "801",
    "812",
    "828",
    "829",
    "830",
    "832",
    "833",
    "834",
    "848",
    "867",
    "869",
    "12175",
    "0x80072F8F",
]
CODE_FILES = Path(__file__).parents[2] / "templates" / "codes"


def told(asked: str, language: str = "en") -> Explanation:
    found = explain(asked, language)
    assert isinstance(found, Explanation), found
    return found


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("number", KNOWN)
def test_every_error_that_is_known_is_explained(number: str, language: str) -> None:
    found = told(number, language)
    assert found.means
    assert len(found.causes) >= 2
    assert found.client
    assert found.server


@pytest.mark.parametrize("language", languages())
def test_what_is_written_is_of_the_numbers_of_the_table(language: str) -> None:
    written = tomllib.loads((CODE_FILES / f"{language}.toml").read_text())
    keys = {code.key for code in CODES}
    assert set(written["causes"]) == set(written["server"]) == keys
    numbers = {number for code in CODES for number in code.numbers}
    assert set(written["numbers"]) <= numbers
    english = tomllib.loads((CODE_FILES / "en.toml").read_text())
    for table in english:
        assert set(written[table]) == set(english[table]), table
    for key in keys:
        assert len(written["causes"][key]) == len(english["causes"][key]), key


def test_there_are_the_languages_of_the_bundles() -> None:
    assert languages() == texts.languages()


def test_what_lint_says_is_explained() -> None:
    for one in Windows:
        assert told(one.code).forms == told(one.text).forms


@pytest.mark.parametrize(
    ("asked", "form"),
    [
        ("0x800B0109", "0x800B0109"),
        ("-2146762487", "0x800B0109"),
        ("2148204809", "0x800B0109"),
        ("800b0109", "0x800B0109"),
        ("800B0109h", "0x800B0109"),
        ("0X80092013", "0x80092013"),
        ("80092013", "0x80092013"),
        ("error 691", "691"),
        ("Fehler 809: Die Netzwerkverbindung", "809"),
        ("CoId={1B2C}: ... The error code returned on failure is 868.", "868"),
        ("0x274C", "10060"),
        ("0x8007274C", "10060"),
        ("on port 443 it ended with 0x80072746 (10054)", "10054"),
        ("0x800704C9", "1225"),
        (
            "The remote server is not responding? ... because the remote server is not responding.",
            "809",
        ),
        (
            "terminated in a root certificate which is not trusted by the trust provider",
            "0x800B0109",
        ),
    ],
)
def test_any_form(asked: str, form: str) -> None:
    assert told(asked).forms[0] == form


def test_numbers_of_one_kind_differ_where_that_helps() -> None:
    said = [told(number).means for number in ("646", "647", "648", "649", "709")]
    assert len(set(said)) == 5
    assert told("647").means == "The account is disabled."
    assert told("10060").forms == ("10060", "0x8007274C")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("0x80070490", ("1168, 0x80070490: error 1168 of Windows", "net helpmsg 1168")),
        ("699", ("Remote Access", "raserror.h")),
        ("10099", ("Sockets",)),
        ("12099", ("WinHTTP",)),
        (
            "0x8009030C",
            ("HRESULT of facility 9 (SECURITY), code 780", "certutil -error 0x8009030C"),
        ),
        ("0x80420999", ("facility 66 (EAP)",)),
        ("0xC000006D", ("NTSTATUS",)),
        ("0x00090312", ("says success",)),
        ("0", ("no error",)),
        ("4711", ("error 4711 of Windows",)),
    ],
)
def test_what_can_be_said_of_others(asked: str, words: tuple[str, ...]) -> None:
    found = explain(asked)
    assert isinstance(found, Unknown)
    assert "\n" not in found.line
    for word in words:
        assert word in found.line


@pytest.mark.parametrize("asked", ["", "it does not work", "99999999999", "abc"])
def test_nothing_to_explain(asked: str) -> None:
    with pytest.raises(InvalidInput, match="no error number"):
        explain(asked)


def test_another_language() -> None:
    with pytest.raises(InvalidInput, match="no language 'fr'"):
        explain("691", "fr")
    assert told("647", "de").means == "Das Konto ist gesperrt."


@given(st.text(max_size=60))
def test_whatever_is_asked(asked: str) -> None:
    try:
        found = explain(asked)
    except InvalidInput:
        return
    assert found.forms


@given(st.integers(-(1 << 31), (1 << 32) - 1), st.sampled_from(["{}", "0x{:X}", "0x{:08x}"]))
def test_each_form_of_a_number_is_that_number(number: int, form: str) -> None:
    text = form.format(number if form == "{}" else number & 0xFFFFFFFF)
    if form == "{}" and len(text) == 8 and number > 0:
        return  # eight digits are hexadecimal
    found = explain(text)
    assert value(number) in [value(int(one, 0)) for one in found.forms]

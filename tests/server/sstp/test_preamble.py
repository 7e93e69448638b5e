"""The HTTP request of SSTP clients, and what others are told."""

import itertools
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.sstp.preamble import LIMIT, Kind, Preamble, Request, accept_response, refusal

DATE = "Thu, 09 Nov 2006 00:51:09 GMT"
PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
GUID = "{5B5C8A52-6E07-4B5E-9E5C-3A2C4DDFB8A1}"


def lines(*text: str, end: str = "\r\n") -> bytes:
    return "".join(line + end for line in (*text, "")).encode("latin-1")


# The header as each client sends it
WINDOWS = lines(
    f"SSTP_DUPLEX_POST {PATH} HTTP/1.1",
    f"SSTPCORRELATIONID: {GUID}",
    "Content-Length: 18446744073709551615",
    "Host: vpn.example.com",
)
SSTPC = lines(
    f"SSTP_DUPLEX_POST {PATH} HTTP/1.1",
    "Host: vpn.example.com",
    "Content-Length: 18446744073709551615",
    "SSTPCORRELATIONID: 5B5C8A52-6E07-4B5E-9E5C-3A2C",
)
OPEN_SSTP_CLIENT = lines(
    f"SSTP_DUPLEX_POST {PATH} HTTP/1.1",
    "Content-Length: 18446744073709551615",
    "Host: vpn.example.com:8443",
    f"SSTPCORRELATIONID: {GUID.lower()}",
)
BARE = lines(f"SSTP_DUPLEX_POST {PATH} HTTP/1.1", "Host: [2001:db8::1]:443")
CLIENTS = {"Windows": WINDOWS, "sstpc": SSTPC, "Open SSTP Client": OPEN_SSTP_CLIENT, "bare": BARE}


def ask(data: bytes) -> Request:
    request = Preamble().feed(data)
    assert request is not None
    return request


def line(text: str) -> Request:
    return ask(lines(text, "Host: vpn.example.com"))


@pytest.mark.parametrize("data", CLIENTS.values(), ids=CLIENTS)
def test_clients(data: bytes) -> None:
    request = ask(data + b"rest")
    assert request.is_sstp
    assert request.method == "SSTP_DUPLEX_POST"
    assert request.target == PATH
    assert request.rest == b"rest"


def test_headers_have_lower_case_names() -> None:
    assert ask(WINDOWS).headers == {
        "sstpcorrelationid": GUID,
        "content-length": "18446744073709551615",
        "host": "vpn.example.com",
    }
    assert ask(lines("GET / HTTP/1.0", "A: 1", "a:\t2 ")).headers == {"a": "1, 2"}


def test_several_packets_a_record_only_for_clients_with_a_proper_correlation_id() -> None:
    assert ask(WINDOWS).coalesce
    assert ask(OPEN_SSTP_CLIENT).coalesce
    assert not ask(SSTPC).coalesce
    assert not ask(BARE).coalesce
    assert not ask(WINDOWS.replace(b"}\r\n", b"}}\r\n")).coalesce
    assert not ask(WINDOWS.replace(b": {", b": ")).coalesce


def test_lines_may_end_in_lf_alone() -> None:
    assert ask(WINDOWS.replace(b"\r\n", b"\n") + b"\r\n") == ask(WINDOWS + b"\r\n")


def test_blank_lines_before_the_request_are_skipped() -> None:
    assert ask(b"\r\n\n" + WINDOWS) == ask(WINDOWS)


@pytest.mark.parametrize(
    "target",
    [
        PATH,
        PATH.lower(),
        PATH.upper(),
        PATH + "?tenantid=blue",
        PATH + "?",
        "https://vpn.example.com" + PATH,
        "HTTP://vpn.example.com:8443" + PATH + "?tenantid=a/b",
        PATH.replace("{", "%7B").replace("}", "%7d"),
    ],
)
def test_ways_to_write_the_target(target: str) -> None:
    assert line(f"SSTP_DUPLEX_POST {target} HTTP/1.1").is_sstp


@pytest.mark.parametrize("length", ["0", "18446744073709551616", "9" * 400, "1", "007"])
def test_content_length_is_of_no_interest(length: str) -> None:
    text = (f"SSTP_DUPLEX_POST {PATH} HTTP/1.1", "Host: x", f"Content-Length: {length}")
    assert ask(lines(*text) + b"x").rest == b"x"
    assert ask(lines(*text)).is_sstp


HOSTS = [
    "vpn.example.com",
    "vpn.example.com:443",
    "VPN.example.com:",
    "my_host",
    "192.0.2.1:8443",
    "[2001:db8::1]",
    "[2001:db8::1]:443",
    "[fe80::1%25eth0]:443",
    "xn--vpn-0qa.example.com",
    "caf%C3%A9.example",
    "",
    " \tvpn.example.com \t",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("target", [PATH, f"https://vpn.example.com{PATH}"])
def test_hosts(host: str, target: str) -> None:
    assert ask(lines(f"SSTP_DUPLEX_POST {target} HTTP/1.1", f"Host:{host}")).is_sstp


ONE = ("Host: vpn.example.com",)
UNCLEAR = {
    "no host": (),
    "two hosts": (*ONE, "host: other.example.com"),
    "the same host twice": (*ONE, *ONE),
    "two hosts in one": ("Host: a, b",),
    "a path as host": ("Host: vpn.example.com/x",),
    "a user as host": ("Host: me@vpn.example.com",),
    "a letter as port": ("Host: vpn.example.com:https",),
    "a bare IPv6 address": ("Host: 2001:db8::1",),
    "an open bracket": ("Host: [2001:db8::1",),
    "two lengths": (*ONE, "Content-Length: 5", "Content-Length: 6"),
    "the same length twice": (*ONE, "Content-Length: 5", "Content-Length: 5"),
    "a list of lengths": (*ONE, "Content-Length: 5, 5"),
    "a negative length": (*ONE, "Content-Length: -1"),
    "a length with a sign": (*ONE, "Content-Length: +1"),
    "an empty length": (*ONE, "Content-Length:"),
    "a hexadecimal length": (*ONE, "Content-Length: 0x10"),
    "a length of other digits": (*ONE, "Content-Length: \xb2"),
    "a length in words": (*ONE, "Content-Length: unlimited"),
    "chunked": (*ONE, "Transfer-Encoding: chunked"),
    "chunked as well": (*ONE, "Content-Length: 5", "transfer-encoding: Chunked"),
    "gzip": (*ONE, "Transfer-Encoding: gzip, chunked"),
    "no encoding": (*ONE, "Transfer-Encoding:"),
}


@pytest.mark.parametrize("headers", UNCLEAR.values(), ids=UNCLEAR)
@pytest.mark.parametrize("first", [f"SSTP_DUPLEX_POST {PATH}", "GET /", f"HEAD {PATH}", "POST /"])
def test_a_request_that_is_not_clear(first: str, headers: tuple[str, ...]) -> None:
    """RFC 9112 3.2, 6.1 and 6.3."""
    request = ask(lines(f"{first} HTTP/1.1", *headers))
    assert request.kind is Kind.GARBAGE
    assert refusal(request, DATE).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("target", [f"https://{PATH}", f"https://:443{PATH}", f"http://@{PATH}"])
def test_an_absolute_target_has_a_host(target: str) -> None:
    """RFC 9110 4.2.1."""
    assert line(f"SSTP_DUPLEX_POST {target} HTTP/1.1").kind is Kind.GARBAGE


def test_of_an_absolute_target_the_host_must_be_one() -> None:
    for authority in ("a:b", "a b", "[::1", "x]"):
        request = line(f"SSTP_DUPLEX_POST https://{authority}{PATH} HTTP/1.1")
        assert request.kind is Kind.GARBAGE, authority


def test_http_1_0_has_no_host() -> None:
    """RFC 9112 3.2 wants it of HTTP/1.1; checks of load balancers are of 1.0."""
    assert ask(lines("GET / HTTP/1.0")).kind is Kind.OTHER
    assert ask(lines(f"HEAD {PATH} HTTP/1.0")).kind is Kind.PROBE
    assert ask(lines("GET / HTTP/1.0", *ONE, *ONE)).kind is Kind.GARBAGE


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue", "something"])
def test_who_waits_for_100_gets_the_last_answer_at_once(expectation: str) -> None:
    """RFC 9110 10.1.1: a final status instead of 100 is right, and clients of SSTP know no other."""
    assert ask(WINDOWS[:-2] + f"Expect: {expectation}\r\n\r\n".encode()).is_sstp
    text = ("POST / HTTP/1.1", *ONE, "Content-Length: 5", f"Expect: {expectation}")
    assert refusal(ask(lines(*text)), DATE).startswith(b"HTTP/1.1 404 ")


REFUSED = {
    f"HEAD {PATH} HTTP/1.1": "401",
    f"GET {PATH} HTTP/1.0": "401",
    f"GET {PATH}?x HTTP/1.1": "401",
    "GET / HTTP/1.1": "404",
    "HEAD / HTTP/1.1": "404",
    "OPTIONS * HTTP/1.1": "404",
    "CONNECT vpn.example.com:443 HTTP/1.1": "404",
    f"POST {PATH} HTTP/1.1": "404",
    "SSTP_DUPLEX_POST / HTTP/1.1": "404",
    f"SSTP_DUPLEX_POST {PATH}x HTTP/1.1": "404",
    f"SSTP_DUPLEX_POST /{PATH} HTTP/1.1": "404",
    f"SSTP_DUPLEX_POST /x?{PATH} HTTP/1.1": "404",
    f"sstp_duplex_post {PATH} HTTP/1.1": "404",  # methods have a case: RFC 9110 9.1
    f"SSTP_DUPLEX_POST {PATH} HTTP/1.0": "505",  # [MS-SSTP] 4.1
    "PRI * HTTP/2.0": "505",
    "GET /": "400",
    "GET  / HTTP/1.1": "400",
    "GET / http/1.1": "400",
    "GET / HTTP/1.1 x": "400",
    "GET /\xe9 HTTP/1.1": "400",
    "GET /\x00 HTTP/1.1": "400",
    "(GET) / HTTP/1.1": "400",
    "\x16\x03\x01": "400",
}


@pytest.mark.parametrize(("text", "status"), REFUSED.items(), ids=map(ascii, REFUSED))
def test_other_requests(text: str, status: str) -> None:
    request = line(text)
    assert not request.is_sstp
    head, _, body = refusal(request, DATE).partition(b"\r\n\r\n")
    first, *rest = head.decode("ascii").split("\r\n")
    assert first.startswith(f"HTTP/1.1 {status} ")
    headers = dict(header.split(": ", 1) for header in rest)
    assert headers["Connection"] == "close"
    assert headers["Date"] == DATE
    assert ("WWW-Authenticate" in headers) == (status == "401")
    assert (body == b"") == text.startswith("HEAD")
    assert body == b"" or int(headers["Content-Length"]) == len(body)


@pytest.mark.parametrize(
    "header",
    ["no colon", "space : x", " folded: x", "\tfolded", ": x", "a: \x00", "a: b\rc", "é: x"],
)
def test_bad_headers(header: str) -> None:
    request = ask(lines(f"SSTP_DUPLEX_POST {PATH} HTTP/1.1", header))
    assert request.kind is Kind.GARBAGE
    assert refusal(request, DATE).startswith(b"HTTP/1.1 400 ")


def test_the_answer_to_head_is_that_to_get_without_its_body() -> None:
    get, _, body = refusal(line(f"GET {PATH} HTTP/1.1"), DATE).partition(b"\r\n\r\n")
    head, _, nothing = refusal(line(f"HEAD {PATH} HTTP/1.1"), DATE).partition(b"\r\n\r\n")
    assert get == head
    assert body
    assert not nothing


def test_refusals_do_not_say_what_listens_here() -> None:
    for request in (None, *(Request(kind) for kind in Kind)):
        answer = refusal(request, DATE).lower()
        for word in (b"sstp", b"sra_", b"vpn", b"python"):
            assert word not in answer


def test_a_client_that_cannot_be_taken_now() -> None:
    assert refusal(ask(WINDOWS), DATE).startswith(b"HTTP/1.1 503 ")


def test_no_request_in_time() -> None:
    assert refusal(None, DATE).startswith(b"HTTP/1.1 408 ")


def test_the_answer_that_opens_the_connection() -> None:
    # [MS-SSTP] 4.1
    assert accept_response(formatdate(1163033469, usegmt=True)) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Length: 18446744073709551615\r\n"
        b"Server: Microsoft-HTTPAPI/2.0\r\n"
        b"Date: Thu, 09 Nov 2006 00:51:09 GMT\r\n"
        b"\r\n"
    )


def cut(data: bytes, at: list[int]) -> Request | None:
    """Feed ``data`` in pieces; what was not fed any more belongs to the rest."""
    preamble = Preamble()
    for start, end in itertools.pairwise([0, *sorted(at), len(data)]):
        request = preamble.feed(data[start:end])
        if request is not None:
            rest = b"" if request.kind is Kind.TOO_LARGE else request.rest + data[end:]
            return Request(
                request.kind,
                request.method,
                request.target,
                request.headers,
                request.coalesce,
                rest,
            )
    return None


messages = st.one_of(
    st.sampled_from([*CLIENTS.values()]),
    st.binary(max_size=60),
    st.text("GET /:{}\r\n\n 1.HTP", max_size=60).map(lambda text: text.encode()),
    st.integers(LIMIT - 20, LIMIT + 20).map(
        lambda size: lines("GET / HTTP/1.1", "A: " + "b" * size)
    ),
)


@given(messages, st.binary(max_size=20), st.data())
def test_any_cut_gives_the_same_request(head: bytes, rest: bytes, data: st.DataObject) -> None:
    stream = head + rest
    at = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    assert cut(stream, at) == Preamble().feed(stream)


def test_the_header_is_bounded() -> None:
    start, end = b"GET / HTTP/1.0\r\nA: ", b"\r\n\r\n"
    filler = LIMIT - len(start) - len(end)
    assert ask(start + b"b" * filler + end).kind is Kind.OTHER
    too_large = ask(start + b"b" * (filler + 1) + end)
    assert too_large == Request(Kind.TOO_LARGE)
    assert refusal(too_large, DATE).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("byte", [b"a", b"\n", b"\r", b"\r\n", b"\0", b"a\n"])
def test_endless_garbage_ends(byte: bytes) -> None:
    preamble = Preamble()
    fed = 0
    while preamble.feed(byte) is None:
        fed += len(byte)
        assert fed < LIMIT


def test_nothing_a_client_sent_is_shown() -> None:
    request = ask(lines("GET / HTTP/1.1", "Cookie: secret") + b"secret")
    assert "secret" not in repr(request)

"""The client's computations against the vectors of the specifications."""

from tests.support.mschap import Login, compound_mac, nt_hash

# RFC 2759 9.2; the keys are RFC 3079 3.5.3's
AUTHENTICATOR = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER = bytes.fromhex("21402324255E262A28295F2B3A337C7E")

# [MS-SSTP] 4.7, the SHA-256 and the SHA-1 example: key, nonce, certificate hash, MAC
SHA256 = (
    "2A1BB40D55AB0F5EF32F06F2B3CC73C48FD3FAC41D7A1315A19228D9024CA164",
    "412B489AEBD7ECC7D08966F26BE7CD72B231A0E9210D7C91B308862B0344C435",
    "7993EF314C493DACE9F02D60E7E61C84B6690AAFE9D7AEEA92CBBE8AD599422D",
    "52A68EFD8CFFBF52770B8F0FE8EC73716583AF6D611EB6D179B3B20840985449",
)
SHA1 = (
    "4B3128F43925D9006EEFB1C4E86515A1D88E56BAB3CA2BDF0373B7F5A8A13B19",
    "0F1A2D58D4A3E3000FAD3CE4906E07B707AA9E441CCEAC5CBD7B2CC1C9D86CDF",
    "5826B629BDA59B8E6FD8DCD2622FD34C534805A5" + 24 * "0",
    "69915DD583D8062FEF16F61DB2F03290EC27CB6C",
)


def login(user: bytes) -> Login:
    return Login(user, "clientPass", AUTHENTICATOR, PEER)


def test_nt_hash() -> None:
    assert nt_hash("clientPass").hex().upper() == "44EBBA8D5312B8D611474411F56989AE"


def test_response() -> None:
    expected = "82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF"
    assert login(b"User").nt_response.hex().upper() == expected
    assert login(b"User").response.hex().upper() == (
        "21402324255E262A28295F2B3A337C7E" + 16 * "0" + expected + "00"
    )


def test_the_domain_is_left_out_of_the_response() -> None:
    assert login(b"DOMAIN\\User").nt_response == login(b"User").nt_response


def test_proof() -> None:
    assert login(b"User").proof == b"S=407A5589115FD0D6209F510FE9C04566932CDA56"


def test_key() -> None:
    assert login(b"User").key.hex().upper() == (
        "D5F0E9521E3EA9589645E86051C82226" + "8B7CDC149B993A1BA118CB153F56DCCB"
    )


def packet(digest: int, nonce: str, certificate: str) -> bytes:
    head = bytes.fromhex("10010070 0004 0001 00030068 000000") + bytes((digest,))
    return head + bytes.fromhex(nonce + certificate) + bytes(32)


def test_compound_mac() -> None:
    for name, number, (key, nonce, certificate, mac) in (("sha256", 2, SHA256), ("sha1", 1, SHA1)):
        connected = packet(number, nonce, certificate)
        assert compound_mac(bytes.fromhex(key), connected, name).hex().upper() == mac

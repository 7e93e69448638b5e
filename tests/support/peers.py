"""The clients of other people by name: their habits, as their sources and published logs have them.

Of RouterOS there is no source. What it asks for in LCP is in its log in accel-ppp's issue 57, that it
asks for an address alone and for IPv6 in a capture in sstp-client's issue 9; its suites are in its
manual.
"""

from tests.support import sstp
from tests.support.manner import DNS1, DNS2, MAGIC, MRU, WINS1, WINS2
from tests.support.ppp import Code
from tests.support.script import Habits, Rejected, Stage

# magic number, protocol field and address compression, callback
PCOMP, ACCOMP, CALLBACK = 7, 8, 13

WINDOWS = Habits(
    lcp={MRU: b"\x0f\xfb", MAGIC: b"", PCOMP: b"", ACCOMP: b"", CALLBACK: b"\x06"},
    ipcp=(DNS1, WINS1, DNS2, WINS2),
    ccp=True,
    repeats=True,
)
PPPD = Habits(
    lcp={2: bytes(4), MAGIC: b"", PCOMP: b"", ACCOMP: b""}, correlation="12345678", repeats=True
)
ANDROID = Habits(  # Open SSTP Client
    lcp={MRU: b"\x05\xdc"},
    ipcp=(DNS1,),
    likes=(MRU,),
    enters=0.02,
    patience=30.0,
    login_limit=3.0,
)
DART = Habits(  # sstp_client
    lcp={MRU: b"\x05\xdc"}, ipcp=(), likes=(MRU,), enters=0.02, patience=30.0, quits=None
)
MAC = Habits(  # mac-os-sstp-client
    lcp={MAGIC: b"", PCOMP: b"", ACCOMP: b""},
    binds=Stage.NETWORK,
    restart=None,
    quits=sstp.Kind.DISCONNECT,
)
IOS = Habits(  # SSTP-Client-iOS
    lcp={MRU: b"\x05\x78", MAGIC: b""},
    binds=Stage.NETWORK,
    restart=None,
    rejected=Rejected.IGNORED,
    ccp=True,
)
GO = Habits(  # sstp-proxy
    lcp={MRU: b"\x05\xdc", MAGIC: b""}, rejected=Rejected.AFTER_NAK, refuses_login=Code.REJECT
)
ROUTEROS = Habits(lcp={MRU: b"\x05\xdc", MAGIC: b""}, ipcp=(), correlation="")
CSHARP = Habits(  # TqkLibrary.VpnClient
    lcp={MAGIC: bytes.fromhex("1A2B3C4D")}, rejected=Rejected.AGAIN, quits=sstp.Kind.DISCONNECT
)

"""Ways to log in that are weaker than the others, and closed unless an access profile opens them."""

import enum

from ..errors import InvalidInput
from ..names import quoted


@enum.unique
class WeakSignIn(enum.Enum):
    """What an access profile may take beside its sign-in, for clients that know nothing better.

    Neither gives a key of the login, so that the crypto binding proves the certificate alone
    ([MS-SSTP] 3.3.5.2.2). PAP shows the server the password; CHAP-MD5 wants it kept there.
    """

    PAP = "pap"
    CHAP_MD5 = "chap-md5"


def parse_weak_sign_ins(text: str) -> frozenset[WeakSignIn]:
    """Return what ``pap,chap-md5`` opens; the empty text opens nothing.

    :raises InvalidInput: if there is something else in it.
    """
    try:
        return frozenset(WeakSignIn(word.strip()) for word in text.split(",") if text.strip())
    except ValueError:
        known = ", ".join(one.value for one in WeakSignIn)
        raise InvalidInput(
            f"{quoted(text)} is not a weaker way to log in", f"there are: {known}"
        ) from None

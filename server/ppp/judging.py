"""What comes of a proof: judged in the process that has the passwords, told to the one that has not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ..contracts import Account, Secrets, Standing
from .mschapv2 import nt_hash
from .proofs import Keys, PasswordChange, Proof
from .verdict import Objection, objection

#: Of nobody: the hash of no password that can be typed. What is computed for somebody is for nobody.
_NOBODY: Final = Secrets(bytes(16))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a login.

    :param account: whose name it is; None if there is no such user.
    :param against: why the client is not let in; None if it is.
    :param delay: seconds that a refusal takes beyond the usual.
    :param keys: what the proof gives, of who is let in.
    """

    account: Account | None
    against: Objection | None
    delay: float = 0.0
    keys: Keys = field(default=Keys(), repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """What becomes of a change of password.

    :param refusal: why there was none, for the log; empty if there was.
    :param keys: what the proof with it gives.
    """

    refusal: str = ""
    keys: Keys = field(default=Keys(), repr=False)


def judge(
    proof: Proof, found: tuple[Account, Secrets] | None, count: Callable[[bool], Standing]
) -> Judgement:
    """Judge a login by password.

    :param found: whose name it is, and what the proof is checked with; None if nobody's.
    :param count: told whether the password is right, and may be used so; returns what becomes of the
        login because of others before it.
    """
    account, secrets = found or (None, _NOBODY)
    mistake = proof.mistake(account, secrets)
    # whoever is told that it is wrong has it counted as wrong
    right = (
        account is not None
        and not mistake
        and not account.certificate_only
        and proof.by in account.weak_sign_ins
    )
    standing = count(right)
    against = objection(account, standing=standing, mistake=mistake, by=proof.by)
    if against is not None:
        return Judgement(account, against, standing.delay)
    return Judgement(account, None, standing.delay, proof.keys(secrets))


def change(wish: PasswordChange, before: Secrets, keep: Callable[[str], str]) -> Changed:
    """Give a user who has proved to know the old password another one.

    :param keep: keeps it; returns why it cannot be, or nothing.
    """
    password = wish.opened(before)
    if password is None:
        return Changed("the new password came damaged")
    if refusal := keep(password):
        return Changed(f"no new password: {refusal}")
    return Changed(keys=wish.proof.keys(Secrets(nt_hash(password))))

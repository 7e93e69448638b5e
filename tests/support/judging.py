"""Who judges a login in a test: what a keeper does, for whoever a test says that it is."""

from sstpca.server.contracts import UNHINDERED, Account, Secrets, Standing
from sstpca.server.ppp import judging
from sstpca.server.ppp.effects import LookUp
from sstpca.server.ppp.judging import Judgement
from sstpca.server.ppp.mschapv2 import nt_hash


def secrets_of(password: str) -> Secrets:
    """What is kept of a password."""
    return Secrets(nt_hash(password), password)


def judge(
    question: LookUp, account: Account | None, secrets: Secrets, standing: Standing = UNHINDERED
) -> Judgement:
    """Judge what a session asks about.

    :param account: who it is; None for nobody.
    :param secrets: of who it is.
    """
    found = None if account is None else (account, secrets)
    return judging.judge(question.proof, found, lambda _: standing)

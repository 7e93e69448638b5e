"""Who a login by password is of, and whether it may count, in one call of the store's thread."""

from ..contracts import Account, Directory, Standing
from ..ppp.effects import LookUp


def look_up(directory: Directory, question: LookUp, source: str) -> tuple[Account | None, Standing]:
    """Return the account that a login asks for, and what becomes of the login.

    It is counted before anything of it is told: whoever guesses at many connections and workers
    at once gets no guess more than one after the other.

    :param source: where the login comes from.
    """
    account = directory.account(question.name)
    # an account has one name, however it was written; what is nobody's counts all the same, so that
    # nothing tells it from a name that is somebody's
    name = question.name if account is None else account.name
    return account, directory.attempt(name, source, right=question.proves(account))

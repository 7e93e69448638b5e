"""Who a login by password is of, and whether it may count."""

from ..contracts import Account, Standing
from ..ppp.effects import LookUp
from .shared import Shared


async def look_up(shared: Shared, question: LookUp, source: str) -> tuple[Account | None, Standing]:
    """Return the account that a login asks for, and what becomes of the login.

    It is counted before anything of it is told: whoever guesses at many connections and workers
    at once gets no guess more than one after the other.

    :param source: where the login comes from.
    """
    directory = shared.directory
    account = await shared.ask(directory.account, question.name)
    # an account has one name, however it was written; what is nobody's counts all the same, so that
    # nothing tells it from a name that is somebody's
    name = question.name if account is None else account.name
    right = question.proves(account)
    return account, await shared.ask(directory.attempt, name, source, right=right)

"""The users, as a keeper knows them for its worker: it has their passwords, and the worker has not."""

from dataclasses import replace

from ..contracts import Account, Directory, Secrets, Standing
from ..errors import ServerError
from ..ppp.judging import Changed, Judgement, change, judge
from ..ppp.proofs import PasswordChange, Proof
from ..ppp.verdict import Error


class KeptDirectory:
    """What a worker asks about users: :class:`.contract.OwnDirectory`, over that of the store."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        #: Who has logged in through this worker, by the user and the certificate.
        self._logged_in: dict[tuple[int, str], Account] = {}
        #: Who has proved a password that is to be changed, and what that was checked with.
        self._expired: dict[int, tuple[Account, Secrets]] = {}

    def log_in(self, name: str, source: str, proof: Proof) -> Judgement:
        """Judge a login by password, and count it before anything of it is told."""
        found = self._directory.account(name)

        def count(right: bool) -> Standing:
            # an account has one name, however it was written; what is nobody's counts all the same, so
            # that nothing tells it from a name that is somebody's
            counted = found[0].name if found else name
            return self._directory.attempt(counted, source, right=right)

        judgement = judge(proof, found, count)
        if found is not None:
            against = judgement.against
            if against is None:
                self._note(found[0])
            elif against.error is Error.PASSWORD_EXPIRED:
                self._expired[found[0].id] = found
        return judgement

    def change_password(self, account: Account, wish: PasswordChange) -> Changed:
        """Give a user another password who has proved the one before, and that it has expired."""
        known = self._expired.pop(account.id, None)
        if known is None:
            return Changed("no new password: the account has changed meanwhile")
        own, before = known

        def keep(password: str) -> str:
            return self._directory.change_password(own, before, password)

        changed = change(wish, before, keep)
        if not changed.refusal:
            self._note(replace(own, password_expired=False))
        return changed

    def by_certificate(self, der: bytes) -> Account:
        """Return the user to whom this certificate belongs."""
        account = self._directory.by_certificate(der)
        self._note(account)
        return account

    def client_roots(self) -> tuple[bytes, ...]:
        """Return the certificates of the authorities that issue to users."""
        return self._directory.client_roots()

    def logged_in(self, account: Account) -> Account:
        """Return the account of a user who has logged in through this worker.

        :param account: as the worker has it.
        :raises ServerError: if nobody has.
        """
        try:
            return self._logged_in[account.id, account.certificate]
        except KeyError:
            raise ServerError(f"user {account.id} has not logged in here") from None

    def _note(self, account: Account) -> None:
        self._logged_in[account.id, account.certificate] = account

"""What a login is checked against: users as the server asks for them."""

from dataclasses import dataclass, field
from typing import Final

from ..access import connection_settings
from ..access.connection_settings import SignIn
from ..access.weak_sign_ins import WeakSignIn
from ..names import login_names, user_key
from ..secrets import Sealer
from . import limits, schema
from .database import Store
from .limits import Held
from .prepared import Prepared
from .users import USER, User, user_of

_LOGIN: Final = Prepared(
    USER.add_columns(
        schema.users.c.nt_hash,
        schema.users.c.password,
        schema.profiles.c.client,
        schema.profiles.c.weak_sign_ins,
        *limits.OF_PROFILES,
    )
)


@dataclass(frozen=True, slots=True)
class Login:
    """What a login is checked against.

    :param nt_hash: of the password, 16 bytes.
    :param sign_in: how users of this access profile prove who they are.
    :param held: what the user is held to.
    :param weak_sign_ins: how else they may.
    :param password: itself, where CHAP-MD5 needs it; else empty.
    """

    user: User
    nt_hash: bytes = field(repr=False)
    sign_in: SignIn
    held: Held
    weak_sign_ins: frozenset[WeakSignIn] = frozenset()
    password: str = field(default="", repr=False)


def login(store: Store, sealer: Sealer, name: str) -> Login | None:
    """Return what a login as ``name`` is checked against; None if there is no such user.

    One query, so that an access profile that is changed meanwhile lets nobody in by another way.

    :raises SstpcaError: if the hash does not open: another database key.
    """
    with store.directly(writing=False) as transaction:
        row = transaction.first(_LOGIN, of=user_key(name))
    if row is None:
        return None
    sign_in = connection_settings.from_json(row.client).sign_in
    weak = frozenset(map(WeakSignIn, row.weak_sign_ins))
    kept = WeakSignIn.CHAP_MD5 in weak and row.password is not None
    password = sealer.open_password(row.password, row.key) if kept else ""
    nt_hash = sealer.open(row.nt_hash, row.key)
    return Login(user_of(row), nt_hash, sign_in, limits.held(row), weak, password)


def login_as_typed(store: Store, sealer: Sealer, typed: str) -> Login | None:
    """Return what :func:`login` does, for a name as people type it; see names.login_names."""
    found = (login(store, sealer, name) for name in login_names(typed))
    return next((one for one in found if one is not None), None)

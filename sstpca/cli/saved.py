"""What a device that was lost has saved, when its user is enabled or disabled."""

import shlex
from typing import Final

from ..store import profiles
from ..store.users import User
from .context import Context
from .output import program, talk

# what is saved, and the command that makes it worth nothing
_PASSWORD: Final = ("password", "user passwd")
_CERTIFICATE: Final = ("certificate", "cert revoke")


def talk_of_saved(context: Context, changed: list[User], when: str) -> None:
    """Say what lets users in from a device that was lost, and how to end that.

    :param changed: users who were enabled or disabled.
    :param when: begins each line.
    """
    store = context.store()
    names: dict[tuple[str, str], list[str]] = {}
    for one in changed:
        by_password = profiles.get(store, one.profile).client.sign_in.with_password
        proof = _PASSWORD if by_password else _CERTIFICATE
        names.setdefault(proof, []).append(one.name)
    for (what, ended_by), having in names.items():
        name = shlex.quote(having[0]) if len(having) == 1 else "NAME"
        talk(
            f"{when} the {what} saved on a device gets in as before; if one was lost: "
            f"{program()} {ended_by} {name}"
        )

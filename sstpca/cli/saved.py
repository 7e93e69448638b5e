"""What a device that was lost has saved, when its user is enabled or disabled."""

from typing import Final

from ..errors import command
from ..vpn.users import User
from .context import Context
from .output import talk

# what is saved, and the command that makes it worth nothing
_PASSWORD: Final = ("password", "user passwd {}")
_CERTIFICATE: Final = ("certificate", "cert revoke {}")


def talk_of_saved(context: Context, changed: list[User], when: str) -> None:
    """Say what lets users in from a device that was lost, and how to end that.

    :param changed: users who were enabled or disabled.
    :param when: begins each line.
    """
    names: dict[tuple[str, str], list[str]] = {}
    for one in changed:
        by_password = context.vpn.profiles.get(one.profile).client.sign_in.with_password
        proof = _PASSWORD if by_password else _CERTIFICATE
        names.setdefault(proof, []).append(one.name)
    for (what, ended_by), having in names.items():
        talk(
            f"{when} the {what} saved on a device gets in as before; if one was lost: ",
            command(ended_by, having[0]) if len(having) == 1 else command(ended_by, "NAME"),
        )

"""What may not be meant about an access profile: said when it is added or changed."""

from collections.abc import Iterable, Set

from ..access.connection_settings import SignIn
from ..access.profiles import AccessProfile
from ..errors import InvalidInput, command, option
from ..names import quoted, some
from ..vpn.doubts import doubts, doubts_of_networks
from ..vpn.users import User
from . import ask
from .context import Context
from .output import counted, talk, warn


def warn_of(one: AccessProfile, changed: Set[str], routes: Iterable[str]) -> None:
    """Say what may not be meant about the access profile ``one``.

    :param changed: the fields that were given.
    :param routes: the routes as they were typed.
    """
    for text in doubts(one, changed, routes):
        warn(text)
    if one.dns_routes:
        talk(
            f"DNS outside the routes: {', '.join(one.dns_routes)}. Bundles have a route to each, "
            "so that names are asked for through the tunnel"
        )


def warn_without_ipv6(context: Context, profile: str, therefore: str) -> None:
    """Say that something of IPv6 means nothing yet, if the access profile gives no IPv6."""
    if context.vpn.profiles.get(profile).ipv6.prefix is None:
        warn(f"the access profile '{profile}' gives no IPv6, so that {therefore}")


def warn_of_networks(context: Context, user: User) -> None:
    """Say what may not be meant about the networks behind a user's client."""
    for text in doubts_of_networks(user.networks):
        warn(text)
    if any(one.version == 6 for one in user.networks):
        warn_without_ipv6(context, user.profile, "networks of IPv6 are not reached either")


def agreed_to_sign_in(context: Context, name: str, sign_in: SignIn | None, *, yes: bool) -> bool:
    """Return whether to give the access profile ``name`` this sign-in, if it has another until now.

    :raises InvalidInput: if it shuts users out, ``yes`` was not given, and there is nobody to ask.
    """
    before = context.vpn.profiles.get(name).client.sign_in
    if sign_in is not SignIn.EAP_TLS or not before.with_password:
        return True
    found = [one for one in context.vpn.users.all() if one.profile == name and one.enabled]
    if not found or yes:
        return True
    names = some([quoted(one.name) for one in found])
    what = f"{counted(len(found), 'user')} cannot log in by password any more: {names}"
    if not ask.interactive():
        raise InvalidInput(
            f"from then on, {what}",
            "say ",
            option("--yes"),
            " if you mean it, and make their bundles: ",
            command("bundle --profile {} --issue", name),
        )
    talk(f"From then on, {what}. Each needs a new bundle, with a certificate.")
    return ask.confirm("Change the sign-in now?", yes=False)

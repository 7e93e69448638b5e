"""Whether a certificate is for what users dial: the names, as Windows compares them."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from cryptography import x509

from ..addresses import IPAddress
from ..names import Hosts, quoted
from .findings import Finding, Windows, error, note, warning
from .readable import Readable

# names shown in one message
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class _Names:
    """What a certificate is for: its SAN in lower case, and its CN."""

    dns: tuple[str, ...]
    addresses: tuple[object, ...]
    common: tuple[str, ...]

    @property
    def text(self) -> str:
        """The names for a message."""
        every = [*self.dns, *map(str, self.addresses)] or [f"CN {one}" for one in self.common]
        shown = ", ".join(quoted(one) for one in every[:_SHOWN])
        return shown + (", ..." if len(every) > _SHOWN else "") or "nothing"


def check_names(leaf: Readable, hosts: Hosts) -> Iterator[Finding]:
    """Compare ``leaf`` with every one of ``hosts``; those it is not for are one finding."""
    names = _names(leaf)
    missing: list[str] = []
    for host in (*hosts.names, *hosts.addresses):
        found = _check_name(leaf, names, host) if isinstance(host, str) else None
        found = _check_address(leaf, names, host) if not isinstance(host, str) else found
        if found is None:
            missing.append(str(host))
        else:
            yield from found
    if missing:
        yield error(
            "name",
            f"{leaf.what} is not for {', '.join(missing)}, but for {names.text}",
            "let people connect to a name that it has, or get one with this name in its SAN",
            Windows.NAME,
        )


def check_wildcards(leaf: Readable) -> Iterator[Finding]:
    """Look for wildcards that are no good, whatever is dialled."""
    for name in _names(leaf).dns:
        first, _, rest = name.partition(".")
        if "*" in rest or first.count("*") > 1 or (name.startswith("*") and "." not in rest):
            yield warning(
                "wildcard",
                f"{leaf.what} has the wildcard {quoted(name)}, which clients do not take",
                "a wildcard stands for the whole first label, above a domain: *.example.com",
                Windows.NAME,
            )


def _names(leaf: Readable) -> _Names:
    return _Names(
        dns=tuple(one.value.lower() for one in leaf.names if isinstance(one, x509.DNSName)),
        addresses=tuple(one.value for one in leaf.names if isinstance(one, x509.IPAddress)),
        common=tuple(map(str.lower, leaf.common_names)),
    )


def _check_name(leaf: Readable, names: _Names, host: str) -> list[Finding] | None:
    """Return what there is to say of a name that fits; None if it does not."""
    if host in names.dns or any(_wildcard_fits(name, host) for name in names.dns):
        return []
    if any(_partial_fits(name, host) for name in names.dns):
        return [
            warning(
                "wildcard-partial",
                f"{leaf.what} fits {host} by part of a label only, which Windows alone takes",
                "get one with the whole name, or with * for the whole label",
            )
        ]
    # RFC 6125 6.4.4: the CN counts only where the SAN has no dNSName
    if not names.dns and any(one == host or _wildcard_fits(one, host) for one in names.common):
        return [
            warning(
                "name-cn-only",
                f"{leaf.what} has {host} in its CN only: Windows takes it, phones do not",
                "get one with the name in its SAN too",
                Windows.NAME,
            )
        ]
    return None


def _wildcard_fits(name: str, host: str) -> bool:
    """Return whether ``name`` is a wildcard for ``host``: RFC 6125 6.4.3, the whole first label."""
    _, dot, rest = host.partition(".")
    return bool(dot) and "." in rest and name == f"*.{rest}"


def _partial_fits(name: str, host: str) -> bool:
    """Return whether ``name`` is one of Microsoft's ``w*.example.com`` for ``host`` (KB 258858)."""
    first, _, rest = name.partition(".")
    start, _, rest_of_host = host.partition(".")
    stem = first.removesuffix("*")
    return first == f"{stem}*" and bool(stem) and start.startswith(stem) and rest == rest_of_host


def _check_address(leaf: Readable, names: _Names, host: IPAddress) -> list[Finding] | None:
    text = str(host)
    in_text = text in names.dns or text in names.common
    if host in names.addresses:
        return [] if in_text or isinstance(host, IPv6Address) else [_address_only(leaf, host)]
    if in_text:
        return [
            warning(
                "address-as-name",
                f"{leaf.what} has {text} as a name, not as an address: only Windows takes that",
                f"get one with the address in its SAN: IP:{text}",
                Windows.NAME,
            )
        ]
    return None


def _address_only(leaf: Readable, host: IPv4Address | IPv6Address) -> Finding:
    return note(
        "address-only",
        f"{leaf.what} has {host} as an address only; older Windows may compare with names",
        f"best is a DNS name; else get one with CN={host}, and both IP and DNS {host} in its SAN",
        Windows.NAME,
    )

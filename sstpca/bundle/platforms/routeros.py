"""What a RouterOS router imports to connect as a client, and to take that back."""

from cryptography import x509

from ...access.connection_settings import SignIn
from ...names import quoted
from ...x509.certificate_profiles import is_constrained
from ...x509.exporting import ROUTEROS_PREFIX
from ..content.bundle import Bundle, Certificate, Deployment
from ..content.plain_name import crt_name, plain_name
from ..content.render import Renderer

# more than that of the router's own default route, which has to reach the server
_DISTANCE = 2


def unable(deployment: Deployment) -> tuple[str, str] | None:
    """Return why a router cannot connect and what helps; None if it can."""
    if deployment.client.sign_in is SignIn.MSCHAPV2:
        return None
    return (
        "a RouterOS router signs in with MS-CHAPv2 only, but users of the access profile "
        f"{quoted(deployment.profile)} sign in with {deployment.login}",
        "give this user an access profile with --sign-in mschapv2",
    )


def files(renderer: Renderer, bundle: Bundle) -> dict[str, bytes]:
    """Return the files by name, in the folder ``routeros``."""
    name = plain_name(bundle.connection)
    values: dict[str, object] = {
        "name": name,
        "comment": f"sstpca: {bundle.connection}",
        "authorities": [(_file(one), fingerprint(one)) for one in bundle.authorities],
        "constrained": any(
            is_constrained(x509.load_der_x509_certificate(one.der)) for one in bundle.authorities
        ),
        "routes": _routes(bundle),
        "sni": "yes" if bundle.by_name else "no",
    }
    scripts = ("client.rsc", "client-undo.rsc")
    found = {one: renderer.text(f"routeros/{one}.j2", bundle, **values) for one in scripts}
    found |= {_file(one): one.pem for one in bundle.authorities}
    return {f"routeros/{file}": content for file, content in found.items()}


def _file(certificate: Certificate) -> str:
    """Return the name of an authority's file: among the router's files, nobody else's has it."""
    return f"{ROUTEROS_PREFIX}-{crt_name(certificate.file)}"


def fingerprint(certificate: Certificate) -> str:
    """Return the SHA-256 of a certificate as RouterOS shows it: 64 lower-case digits."""
    return certificate.sha256.replace(":", "").lower()


def _routes(bundle: Bundle) -> list[tuple[str, int]]:
    """Return destinations and distances of the routes through the tunnel."""
    if bundle.split_tunnel:
        return [(route, 1) for route in bundle.all_routes]
    return [("0.0.0.0/0", _DISTANCE)]

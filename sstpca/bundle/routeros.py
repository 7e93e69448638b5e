"""What a RouterOS router imports to connect as a client, and to take that back."""

from cryptography import x509

from ..clients import SignIn
from ..pki.exporting import ROUTEROS_PREFIX
from .context import Bundle, Certificate
from .plain_name import crt_name, plain_name
from .render import Renderer

# more than that of the router's own default route, which has to reach the server
_DISTANCE = 2


def files(renderer: Renderer, bundle: Bundle) -> dict[str, bytes]:
    """Return the files by name, in the folder ``routeros``.

    RouterOS signs in with MS-CHAPv2 only: where the access profile wants EAP, the only file says
    so.
    """
    if bundle.client.sign_in is not SignIn.MSCHAPV2:
        return {"routeros/README.txt": renderer.text("routeros/no-eap.txt.j2", bundle)}
    name = plain_name(bundle.connection)
    values: dict[str, object] = {
        "name": name,
        "comment": f"sstpca: {bundle.connection}",
        "authorities": [(_file(one), fingerprint(one)) for one in bundle.authorities],
        "constrained": any(map(_constrained, bundle.authorities)),
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


def _constrained(certificate: Certificate) -> bool:
    """Return whether an authority may issue for some names only (RFC 5280 4.2.1.10)."""
    found = x509.load_der_x509_certificate(certificate.der).extensions
    return any(isinstance(one.value, x509.NameConstraints) for one in found)


def fingerprint(certificate: Certificate) -> str:
    """Return the SHA-256 of a certificate as RouterOS shows it: 64 lower-case digits."""
    return certificate.sha256.replace(":", "").lower()


def _routes(bundle: Bundle) -> list[tuple[str, int]]:
    """Return destinations and distances of the routes through the tunnel."""
    if bundle.split_tunnel:
        return [(route, 1) for route in bundle.routes]
    return [("0.0.0.0/0", _DISTANCE)]

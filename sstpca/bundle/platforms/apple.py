"""What a user of an iPhone, iPad or Mac should know: what there is, and what there is not."""

from ..content.bundle import Bundle
from ..content.plain_name import crt_name
from ..content.render import Renderer


def files(renderer: Renderer, bundle: Bundle) -> dict[str, bytes]:
    """Return the files by name, in the folder ``apple``."""
    found = {crt_name(one.file): one.der for one in bundle.authorities}
    certificates = sorted(found)
    found["index.html"] = renderer.page("apple/index.html.j2", bundle, certificates=certificates)
    return {f"apple/{name}": content for name, content in found.items()}

"""Trust in servers: the certificates that this system trusts, as pip and uv use them, beside the bundled ones."""

from ssl import SSLContext

import httpx


def trusted() -> SSLContext:
    """Return a TLS context that also accepts a company's own certificate authority, if the system trusts it."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context

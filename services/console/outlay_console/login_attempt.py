"""A login at the identity provider that has begun. Its client is another module: only a console that has a provider
imports what that needs, 15 MiB."""

from datetime import datetime, timedelta

import msgspec

ATTEMPT = timedelta(minutes=10)
"""How long a login at the provider may take."""


class OidcError(Exception):
    """A login that failed. The text is for the log; it holds no token and no secret."""


class Attempt(msgspec.Struct, frozen=True):
    """One login that has begun in one browser, which keeps it in a signed cookie."""

    state: str
    nonce: str
    verifier: str
    where: str
    """The page to show afterwards."""
    until: datetime

"""Live: events as they are priced."""

from outlay_console.pages.request import PageRequest
from outlay_console.templating import Context


async def live(_: PageRequest) -> Context:
    """Return nothing: the page follows the stream of events."""
    return {}

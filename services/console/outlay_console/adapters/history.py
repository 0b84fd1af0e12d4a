"""The catalogs that were in force. One never changes, so that each is read once."""

from datetime import UTC, datetime

from outlay_console.adapters.readers import Readers
from outlay_console.domain.history import Revision
from outlay_console.domain.queries import CATALOGS

_MOST = 30


class History:
    """The newest revisions of the catalog."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._known: dict[int, Revision] = {}

    async def read(self) -> list[Revision]:
        """Return them, the newest first. Raises Retryable."""
        rows = await self._readers.shared(CATALOGS, after=max(self._known, default=0))
        for row in rows:
            at = datetime.fromtimestamp(row["at"], UTC)
            self._known[row["revision"]] = Revision(
                row["revision"], at, row["note"], row["rates"].strip(), dict(row["price_books"])
            )
        newest = sorted(self._known, reverse=True)[:_MOST]
        self._known = {revision: self._known[revision] for revision in newest}
        return list(self._known.values())

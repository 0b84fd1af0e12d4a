"""The last answer of each page, shown dimmed and with its age while ClickHouse is away."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from outlay_console.pages.request import Context
from outlay_console.sessions import Session

_MOST = 100
"""Pages that are kept, of all sessions; the one that was not asked for longest is dropped."""


@dataclass(frozen=True)
class KeptPage:
    """What a page was given, and when."""

    at: datetime
    context: Context


class KeptPages:
    """Keeps pages by session and address: no session sees what was read for another."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[Session, str], KeptPage] = OrderedDict()

    def keep(self, session: Session, address: str, page: KeptPage) -> None:
        """Keep the newest answer of an address."""
        self._pages[session, address] = page
        self._pages.move_to_end((session, address))
        while len(self._pages) > _MOST:
            self._pages.popitem(last=False)

    def find(self, session: Session, address: str) -> KeptPage | None:
        """Return what this session was shown at an address; None: nothing yet."""
        return self._pages.get((session, address))

"""What a page is asked with: whose costs, which view, and where to look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.datastructures import QueryParams

from outlay_console.adapters.books import Books
from outlay_console.adapters.catalog import Shown
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.history import History
from outlay_console.domain.view import View


class MissingError(Exception):
    """What the address names is not there."""


@dataclass(frozen=True)
class Ask:
    """One request for a page, its session checked."""

    tenant: str
    books: Books
    view: View
    now: datetime
    params: QueryParams
    path: Mapping[str, str]
    """What stands in the path of the address, by name."""
    catalog: Shown | None
    """None: no catalog was seen yet."""
    forecasts: Forecasts
    history: History
    may: bool
    """Whether who is looking may say something about alerts, too."""
    ingest_url: str
    lags: Mapping[str, int | None]
    """Service to Kafka records that it has still to do; None: it cannot be known now."""

    @property
    def says_range(self) -> bool:
        """Whether the address names a range."""
        return "range" in self.params or "from" in self.params

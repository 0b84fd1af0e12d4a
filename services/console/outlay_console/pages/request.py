"""What a page is asked with: whose costs, which view, and where to look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.datastructures import QueryParams

from outlay_console.adapters.catalog import CatalogHistory, CatalogView
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.domain.view import View


class MissingError(Exception):
    """What the address names is not there."""


@dataclass(frozen=True)
class PageRequest:
    """One request for a page, its session checked."""

    tenant: str
    rollups: RollupReader
    view: View
    now: datetime
    params: QueryParams
    path: Mapping[str, str]
    """What stands in the path of the address, by name."""
    catalog: CatalogView | None
    """None: no catalog was seen yet."""
    forecasts: Forecasts
    history: CatalogHistory
    may: bool
    """Whether who is looking may say something about alerts, too."""
    ingest_url: str
    consumer_lag: Mapping[str, int | None]
    """Service to Kafka records that it has still to do; None: it cannot be known now."""

    @property
    def says_range(self) -> bool:
        """Whether the address names a range."""
        return "range" in self.params or "from" in self.params

"""What a page is asked with: whose costs, which view, and where to look."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams
from starlette.responses import Response

from outlay_console.actions import Actions
from outlay_console.adapters.catalog import CatalogHistory, CatalogView
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.kafka import ConsumerLag, EventTail
from outlay_console.adapters.readers import Readers
from outlay_console.adapters.rollup_reader import Freshness, RollupReader
from outlay_console.domain.list_page import after_in
from outlay_console.domain.model_prices import PriceList
from outlay_console.domain.view import View
from outlay_console.sessions import Session, Sessions
from outlay_console.settings import Settings
from outlay_kit.clock import Clock

if TYPE_CHECKING:
    from outlay_console.adapters.oidc import OidcClient


@dataclass(frozen=True)
class Dependencies:
    """What main.py wires."""

    settings: Settings
    sessions: Sessions
    readers: Readers
    catalog: Callable[[], CatalogView | None]
    tail: EventTail
    consumer_lag: ConsumerLag
    forecasts: Forecasts
    history: CatalogHistory
    actions: Actions
    clock: Clock
    oidc: "OidcClient | None" = None
    """How people log in beside keys; None: not at all."""
    price_list: PriceList | None = None
    """Finds prices by name; None: this console was started without."""


@dataclass(frozen=True)
class PageRequest:
    """One request for a page, its session checked."""

    deps: Dependencies
    session: Session
    """Who is asking, and what they may do."""
    rollups: RollupReader
    view: View
    now: datetime
    params: QueryParams
    path: Mapping[str, str]
    """What stands in the path of the address, by name."""
    catalog: CatalogView | None
    """What the tenant may see of the catalog; None: none was seen yet."""
    may: bool
    """Whether who is looking may say something about alerts, too."""
    open: Callable[[str], View]
    """Returns the view of another address (from `?`), with the currency, zone and filters that its page has: not those
    of this page. Raises ViewError."""

    @property
    def tenant(self) -> str:
        """Whose costs are shown: the session's tenant."""
        return self.session.tenant

    @property
    def operator(self) -> bool:
        """Whether it is asked in the operator's tenant, which may see what is about all tenants."""
        return self.tenant == self.deps.settings.operator

    @property
    def after(self) -> int:
        """How many entries of the page's list come before those that are asked for."""
        return after_in(self.params)

    async def view_shown(self, fresh: Freshness | None = None) -> View:
        """Return the view; without a range in the address, the smallest that shows everything, a day at most."""
        if "range" in self.params or "from" in self.params:
            return self.view
        return replace(self.view, range=(fresh or await self.rollups.fresh()).usual_range(self.now))


Context = Mapping[str, object]
"""What a template is given."""
Page = Callable[[PageRequest], Awaitable[Context | Response]]
"""Returns what its template is given, or the whole answer: a file."""

"""What of the catalog the console shows: budgets, price books, the age of prices. The rest is not read."""

from datetime import UTC, date, datetime

import msgspec
from pydantic import TypeAdapter, ValidationError

from outlay_console.adapters.readers import Readers
from outlay_console.domain.history import Revision
from outlay_console.domain.queries import CATALOGS
from outlay_schemas.catalog.people import Split
from outlay_schemas.catalog.price_books import PriceBook
from outlay_schemas.catalog.terms import FxRate
from outlay_schemas.catalog.watch import Budget


class Rates(msgspec.Struct):
    """Where LLM prices come from and how old they are."""

    source: str
    version: str
    date: date
    url: str = ""


class _Parts(msgspec.Struct):
    revision: int
    created_at: datetime
    note: str = ""
    rates: Rates | None = None
    price_books: msgspec.Raw = msgspec.Raw(b"[]")
    budgets: msgspec.Raw = msgspec.Raw(b"[]")
    splits: msgspec.Raw = msgspec.Raw(b"[]")
    fx: msgspec.Raw = msgspec.Raw(b"[]")


class CatalogView(msgspec.Struct, frozen=True):
    """One revision of the catalog, as far as the console shows it."""

    revision: int
    created_at: datetime
    note: str
    rates: Rates | None
    price_books: tuple[PriceBook, ...]
    budgets: tuple[Budget, ...]
    splits: tuple[Split, ...] = ()
    fx: tuple[FxRate, ...] = ()

    def budgets_of(self, tenant: str) -> list[Budget]:
        """Return the budgets of a tenant, those of every tenant (`*`) included."""
        return [budget for budget in self.budgets if budget.tenant in ("*", tenant)]


_PRICE_BOOKS = TypeAdapter(tuple[PriceBook, ...])
_BUDGETS = TypeAdapter(tuple[Budget, ...])
_SPLITS = TypeAdapter(tuple[Split, ...])
_FX = TypeAdapter(tuple[FxRate, ...])
_parts = msgspec.json.Decoder(_Parts)


def read_catalog_view(data: bytes) -> tuple[int, CatalogView]:
    """Decode what the console shows of a catalog message, without the model prices. Raises ValueError."""
    try:
        parts = _parts.decode(data)
        shown = CatalogView(
            parts.revision, parts.created_at, parts.note, parts.rates,
            _PRICE_BOOKS.validate_json(bytes(parts.price_books)), _BUDGETS.validate_json(bytes(parts.budgets)),
            _SPLITS.validate_json(bytes(parts.splits)), _FX.validate_json(bytes(parts.fx)),
        )  # fmt: skip
    except (msgspec.MsgspecError, ValidationError) as error:
        raise ValueError(f"the catalog cannot be read: {error}") from error
    return parts.revision, shown


_MOST = 30


class CatalogHistory:
    """The newest revisions of the catalog."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._known: dict[int, Revision] = {}

    async def read(self) -> list[Revision]:
        """Return the newest revisions first; each is read once. Raises Retryable."""
        rows = await self._readers.shared(CATALOGS, after=max(self._known, default=0))
        for row in rows:
            at = datetime.fromtimestamp(row["at"], UTC)
            self._known[row["revision"]] = Revision(
                row["revision"], at, row["note"], row["rates"].strip(), dict(row["price_books"])
            )
        newest = sorted(self._known, reverse=True)[:_MOST]
        self._known = {revision: self._known[revision] for revision in newest}
        return list(self._known.values())

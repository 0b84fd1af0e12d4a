"""What of the catalog the console shows: budgets, price books, the age of prices. The rest is not read."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import msgspec
from pydantic import TypeAdapter, ValidationError

from outlay_console.adapters.readers import Readers
from outlay_console.domain.history import Revision
from outlay_console.domain.queries import CATALOGS
from outlay_schemas.catalog.people import Split
from outlay_schemas.catalog.price_books import PriceBook, fits_any, price_books_of
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
    """One revision of the catalog, as far as the console reads it. Pages have that of their tenant."""

    revision: int
    created_at: datetime
    note: str
    rates: Rates | None
    price_books: tuple[PriceBook, ...]
    budgets: tuple[Budget, ...]
    splits: tuple[Split, ...] = ()
    fx: tuple[FxRate, ...] = ()

    def of_tenant(self, tenant: str) -> "CatalogView":
        """Return what a tenant may see: what is its own or for every tenant (`*`)."""
        budgets = tuple(budget for budget in self.budgets if budget.tenant in ("*", tenant))
        splits = tuple(
            split for split in self.splits if not split.match.tenant or fits_any(split.match.tenant, tenant)
        )
        return msgspec.structs.replace(
            self, price_books=price_books_of(self.price_books, tenant), budgets=budgets, splits=splits
        )


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


class Stored(msgspec.Struct, frozen=True):
    """A revision as it is stored: each price book with its version, and the tenants that its rules are for."""

    revision: int
    at: datetime
    note: str
    rates: str
    price_books: Mapping[str, tuple[str, frozenset[str]]]
    """`*` in place of a tenant: some rule is for every tenant."""


class CatalogHistory:
    """The newest revisions of the catalog."""

    def __init__(self, readers: Readers, operator: str) -> None:
        """`operator`: the tenant that may read the notes of revisions. They are about all tenants."""
        self._readers = readers
        self._operator = operator
        self._known: dict[int, Stored] = {}

    async def read(self, tenant: str) -> list[Revision]:
        """Return what a tenant may see of the newest revisions, the newest first; each is read once. Raises
        Retryable."""
        rows = await self._readers.shared(CATALOGS, after=max(self._known, default=0))
        for row in rows:
            at = datetime.fromtimestamp(row["at"], UTC)
            price_books = {
                name: (version, frozenset(tenants)) for name, version, tenants in row["price_books"]
            }
            self._known[row["revision"]] = Stored(
                row["revision"], at, row["note"], row["rates"].strip(), price_books
            )
        newest = sorted(self._known, reverse=True)[:_MOST]
        self._known = {revision: self._known[revision] for revision in newest}
        return [self._of_tenant(one, tenant) for one in self._known.values()]

    def _of_tenant(self, one: "Stored", tenant: str) -> Revision:
        price_books = {
            name: version for name, (version, tenants) in one.price_books.items() if fits_any(tenants, tenant)
        }
        return Revision(
            one.revision, one.at, one.note if tenant == self._operator else "", one.rates, price_books
        )

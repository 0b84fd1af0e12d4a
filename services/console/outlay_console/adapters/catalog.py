"""What of the catalog the console shows: budgets, price books, the age of prices. The rest is not read."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError

from outlay_console.adapters.readers import Readers
from outlay_console.domain.history import CatalogChange, Revision, changes
from outlay_console.domain.list_page import ListPage
from outlay_console.domain.queries import CATALOGS, REVISIONS
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


ROWS = 30
"""Revisions of a page, and those that are compared for one model."""
_KEPT = 600
"""Most revisions in memory; any other is read again."""


class Stored(msgspec.Struct, frozen=True):
    """A revision as it is stored: each price book with its version, and the tenants that its rules are for."""

    revision: int
    at: datetime
    note: str
    rates: str
    price_books: Mapping[str, tuple[str, frozenset[str]]]
    """`*` in place of a tenant: some rule is for every tenant."""


class CatalogHistory:
    """The revisions of the catalog, the newest first."""

    def __init__(self, readers: Readers, operator: str) -> None:
        """`operator`: the tenant that may read the notes of revisions. They are about all tenants."""
        self._readers = readers
        self._operator = operator
        self._known: dict[int, Stored] = {}

    async def page(self, tenant: str, after: int) -> ListPage[CatalogChange]:
        """Return the revisions after the first `after`, as a tenant may see them, each with what it changed; the first
        page where there are not so many. Raises Retryable."""
        stored, count = await self._read(after, ROWS + 1)  # the last one is what the one above it changed
        if after and not stored:
            return await self.page(tenant, 0)
        shown = changes([self._of_tenant(one, tenant) for one in stored])[:ROWS]
        return ListPage(shown, after, count, ROWS, "the newest first")

    async def newest(self, tenant: str) -> tuple[list[Revision], bool]:
        """Return the newest revisions, as a tenant may see them, and whether there are older ones. Raises Retryable."""
        stored, count = await self._read(0, ROWS)
        return [self._of_tenant(one, tenant) for one in stored], count > len(stored)

    async def _read(self, after: int, most: int) -> tuple[list[Stored], int]:
        """Return some revisions, the newest first, and how many there are. Each is read once: a catalog is large."""
        rows = await self._readers.shared(REVISIONS, after=after, most=most)
        numbers = [row["revision"] for row in rows]
        found = {number: self._known[number] for number in numbers if number in self._known}
        if missing := [number for number in numbers if number not in found]:
            read = {
                row["revision"]: _stored(row)
                for row in await self._readers.shared(CATALOGS, revisions=missing)
            }
            found |= read
            self._known |= read
            for number in list(self._known)[:-_KEPT]:
                del self._known[number]
        return [found[number] for number in numbers if number in found], rows[0]["stored"] if rows else 0

    def _of_tenant(self, one: "Stored", tenant: str) -> Revision:
        price_books = {
            name: version for name, (version, tenants) in one.price_books.items() if fits_any(tenants, tenant)
        }
        return Revision(
            one.revision, one.at, one.note if tenant == self._operator else "", one.rates, price_books
        )


def _stored(row: Mapping[str, Any]) -> Stored:
    price_books = {name: (version, frozenset(tenants)) for name, version, tenants in row["price_books"]}
    at = datetime.fromtimestamp(row["at"], UTC)
    return Stored(row["revision"], at, row["note"], row["rates"].strip(), price_books)

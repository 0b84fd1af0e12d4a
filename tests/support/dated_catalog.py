"""A catalog whose prices change on known days."""

from datetime import UTC, datetime

from outlay_schemas.catalog import Catalog, PriceBook

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


DAY = datetime(2026, 12, 1, tzinfo=UTC)


BOOK = PriceBook.model_validate(
    {
        "name": "own", "version": "1",
        "rules": [{
            "id": "calls", "kind": "custom", "sku": ["geo"],
            "prices": [
                {"to": "2026-12-01", "meters": {"calls": {"price": "0.5"}}},
                {"from": "2026-12-01", "meters": {"calls": {"price": "0.75"}}},
            ],
        }],
    }
)  # fmt: skip


def catalog(**parts: object) -> Catalog:
    return Catalog.model_validate({"revision": 1, "created_at": NOW, "price_books": (BOOK,), **parts})

"""Storage events at half a dollar per GB, and what the pricer makes of them."""

import json
from datetime import UTC, datetime
from typing import Any

from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.record_pricing import PricedRecord, RecordPosition
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import CostEvent, cost_event_decoder

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


PLACE = RecordPosition("usage.events", 3, 42)


CATALOG = CompiledCatalog(
    Catalog.model_validate(
        {
            "revision": 7,
            "created_at": NOW,
            "price_books": [
                {
                    "name": "own",
                    "version": "1",
                    "rules": [{"id": "box", "sku": "box", "prices": [{"meters": {"gb": {"price": "0.5"}}}]}],
                }
            ],
        }
    )
)


def usage(event_id: str = "1", **changes: object) -> dict[str, Any]:
    event = {
        "id": event_id,
        "source": "s",
        "time": "2026-11-24T11:00:00Z",
        "tenant": "acme",
        "kind": "storage",
        "sku": "box",
        "usage": {"gb": 3},
        **changes,
    }
    return {name: value for name, value in event.items() if value is not None}


def lines(*events: object) -> bytes:
    return b"\n".join(e if isinstance(e, bytes) else json.dumps(e).encode() for e in events)


def costs(priced: PricedRecord) -> list[CostEvent]:
    return [event for _, value in priced.values for event in cost_event_decoder.decode_lines(value)]

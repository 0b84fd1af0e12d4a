"""What every peer does with an event: find its price in a library's list, and make a row of it."""

import json
import os
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import clickhouse_connect

TOPIC = "peers.usage"
COLUMNS = ("id", "time", "team", "project", "user", "provider", "sku", "cost")
_SETTINGS = json.loads(os.environ["PEER"])
"""Set by peers.py: where Kafka and ClickHouse are, and the table."""
BOOTSTRAP: str = _SETTINGS["kafka"]
_client = clickhouse_connect.get_client(**_SETTINGS["clickhouse"])


def genai_prices_cost(event: dict[str, Any]) -> Decimal:
    """Return the cost by genai-prices. Raises LookupError for an unknown model."""
    import genai_prices

    usage = genai_prices.Usage(**event["usage"])
    found = genai_prices.calc_price(usage, event["sku"], provider_id=event["provider"])
    return found.total_price


def litellm_cost(event: dict[str, Any]) -> Decimal:
    """Return the cost by LiteLLM's list. It raises its own errors for an unknown model."""
    import litellm

    usage = event["usage"]
    parts = litellm.cost_per_token(
        model=event["sku"],
        custom_llm_provider="gemini" if event["provider"] == "google" else event["provider"],
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        cache_read_input_tokens=usage["cache_read_tokens"],
    )
    return Decimal(repr(sum(parts)))


def row(event: dict[str, Any], cost: Decimal) -> tuple[object, ...]:
    """Return the row of an event, in the order of COLUMNS."""
    time = datetime.fromisoformat(event["time"])
    return (event["id"], time, *(event[name] for name in COLUMNS[2:-1]), round(cost, 12))


def insert(rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows; the engine's materialized view adds them to the sums of their minutes."""
    _client.insert(_SETTINGS["table"], rows, column_names=COLUMNS)

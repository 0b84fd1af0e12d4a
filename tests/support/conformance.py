"""Our price and genai-prices' own for the same usage, and where we mean to differ."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import genai_prices
import pytest
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices

from outlay.catalog.model_prices import from_library
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.list_price import by_rates
from outlay_pricer.domain.rate_compiler.units import Units
from outlay_schemas.catalog import Catalog, parse_price_ref
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


UNITS = Units(unit_data).by_usage


NOT_FOUND = "no such model, or only a guess which it is"


DIFFERENCES = {
    "a modality without a price of its own": "is unpriced; the library takes the price of text, and looks no further",
    "cached tokens whose modality is not stated": "are worked out, or bounded; the library refuses the call",
    "cached tokens by modality without their total": "are added up; the library refuses the call",
}
"""Where we mean to differ from the library. The random usages find each of them."""


HALF_PICO = Decimal("0.0000000000005")


@pytest.fixture(scope="module")
def catalog() -> CompiledCatalog:
    return CompiledCatalog(Catalog(revision=1, created_at=NOW, rates=from_library(date(2026, 11, 24))))


def model_prices(model: ModelInfo) -> list[ModelPrice]:
    own = [model.prices] if isinstance(model.prices, ModelPrice) else [item.prices for item in model.prices]
    return own + [variant.prices for variant in model.price_variants or ()]


def model_usages(model: ModelInfo) -> Iterator[dict[str, Quantity]]:
    yield {"input_tokens": 0}
    yield {"input_tokens": 4808, "output_tokens": 110}
    yield {
        "input_tokens": 4808,
        "cache_read_tokens": 4096,
        "output_tokens": 110,
        "output_reasoning_tokens": 64,
    }
    yield {"cache_write_tokens": 500, "output_tokens": 7, "input_tokens": 5000, "cache_read_tokens": 4000}
    yield {
        "input_tokens": 9000,
        "cache_write_tokens": 3000,
        "cache_write_5m_tokens": 1000,
        "cache_write_1h_tokens": 2000,
        "output_tokens": 3,
    }
    yield {"input_tokens": 100, "cache_read_tokens": 101}  # contradicts itself
    yield {"cache_read_tokens": 10, "output_tokens": 1}  # a part without its whole
    yield {"audio_seconds": 7, "input_audio_seconds": 7}
    yield {"audio_seconds": Decimal("61.5"), "input_audio_seconds": Decimal("61.5")}
    keys = [unit["price_key"] for unit in unit_data.values()]
    used = {key for prices in model_prices(model) for key in vars(prices) if key in keys}
    mine = [name for name, unit in unit_data.items() if unit["price_key"] in used and name != "requests"]
    yield {name: 10_000 // (1 + 5 * index) for index, name in enumerate(mine)} or {"input_tokens": 1}
    yield dict.fromkeys(mine, 1000000) or {"input_tokens": 1}
    yield dict.fromkeys(mine, 1) or {"input_tokens": 1}
    for start in model_thresholds(model):
        yield {"input_tokens": start, "output_tokens": 1000}
        yield {"input_tokens": start + 1, "output_tokens": 1000, "cache_read_tokens": start // 2}


def model_thresholds(model: ModelInfo) -> set[int]:
    values = [value for prices in model_prices(model) for value in vars(prices).values()]
    return {tier.start for value in values if isinstance(value, TieredPrices) for tier in value.tiers}


def model_times(model: ModelInfo) -> Iterator[datetime]:
    yield NOW
    holders: list[Any] = [
        *(model.prices if isinstance(model.prices, list) else ()),
        *(model.price_variants or ()),
    ]
    for holder in holders:
        if isinstance(holder.constraint, StartDateConstraint):
            start = datetime.combine(holder.constraint.start_date, datetime.min.time(), UTC)
            yield start
            yield start - timedelta(microseconds=1)
        elif holder.constraint is not None:
            for edge in (holder.constraint.start_time, holder.constraint.end_time):
                moment = datetime.combine(NOW.date(), edge.replace(tzinfo=None), edge.tzinfo or UTC)
                yield moment
                yield moment - timedelta(microseconds=1)


def model_contexts(model: ModelInfo) -> Iterator[dict[str, str]]:
    yield {}
    for variant in model.price_variants or ():
        yield dict(variant.when)


def name_of(model: ModelInfo) -> str:
    """A name that means this model: its id, unless its own rule does not know that."""
    if model.is_match(model.id):
        return model.id
    return next((text for text in texts_of(model.match) if model.is_match(text)), model.id)


def texts_of(clause: Any) -> Iterator[str]:
    for word in ("equals", "starts_with", "contains", "ends_with"):
        if hasattr(clause, word):
            yield getattr(clause, word)
    for part in (*getattr(clause, "or_", ()), *getattr(clause, "and_", ())):
        yield from texts_of(part)


def library_price(
    usage: dict[str, Quantity], model: ModelInfo, provider: Provider, at: datetime, context: dict[str, str]
) -> Decimal | str:
    # More digits than the library's usual 28, so that what is compared is the price and not its rounding.
    with localcontext(prec=60):
        try:
            return genai_prices.calc_price(
                genai_prices.Usage(**usage),
                name_of(model),
                provider_id=provider.id,
                genai_request_timestamp=at,
                price_context=context or None,
            ).total_price
        except LookupError:
            return NOT_FOUND
        except ValueError as error:
            return str(error)


def our_price(
    usage: dict[str, Quantity],
    model: ModelInfo,
    provider: Provider,
    at: datetime,
    context: dict[str, str],
    catalog: CompiledCatalog,
) -> Decimal | str:
    event = UsageEvent(
        id="1",
        source="t",
        time=at,
        kind="llm",
        sku=name_of(model),
        provider=provider.id,
        usage=usage,
        attributes=context,
    )
    try:
        cost = price(event, catalog)
    except Invalid as error:
        if "which includes it" not in error.message:
            return error.message
        # A part larger than its whole: the library prices that, we refuse it. The arithmetic is compared all the same.
        amounts = by_rates(event, usage, catalog).amounts
        return Decimal(round(sum(amounts.values()))).scaleb(-12)
    if sum(map(Decimal, cost.cost_parts.values())) != Decimal(cost.cost or 0):
        return f"parts {cost.cost_parts} do not add up to {cost.cost}"
    reference = parse_price_ref(cost.price_ref)
    if reference.reason == "model_unknown" or (reference.guesses and not model.is_match(name_of(model))):
        return NOT_FOUND
    # What nothing prices costs nothing with the library; here it is reported.
    return Decimal(cost.cost or 0)


def difference(theirs: Decimal | str, usage: dict[str, Quantity], ours: Decimal | str) -> str | None:
    """Name the deliberate difference between two answers; None: they should be the same."""
    modality, stated, total = DIFFERENCES
    if isinstance(theirs, str) and theirs.startswith("Missing usage for cache_"):
        return stated if "overlapping" in theirs else total
    if not any(value and name in UNITS and UNITS[name].modality for name, value in usage.items()):
        return None
    if isinstance(ours, str):
        return modality if ours.startswith(("Invalid usage data", "Missing usage")) else None
    return modality if isinstance(theirs, Decimal) and ours <= theirs else None


def agree(theirs: Decimal | str, ours: Decimal | str) -> bool:
    if isinstance(theirs, Decimal) and isinstance(ours, Decimal):
        return abs(theirs - ours) <= HALF_PICO
    return theirs == ours

"""One model or SKU: its prices, what was spent on it, and what its usage would have cost otherwise."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outlay_console.adapters.catalog import CatalogHistory
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.domain.breakdown import CostTotal
from outlay_console.domain.model_prices import PriceList, WhatIf
from outlay_console.domain.price_lookup import ModelPrices, read_prices
from outlay_kit.time_ranges import TimeRange
from outlay_reports.range_sums import Selection

RANGE = "30d"
"""The range of time whose spend is shown."""


@dataclass(frozen=True)
class ModelDetail:
    """What is known of a model or SKU. Amounts are USD."""

    prices: ModelPrices
    spent: CostTotal
    cases: Sequence[WhatIf]


def filters_of(provider: str, sku: str) -> dict[str, tuple[str, ...]]:
    """Return the conditions that the events of a model or SKU meet; without a provider, those of any."""
    return {name: (value,) for name, value in (("provider", provider), ("sku", sku)) if value}


async def read_model(
    price_list: PriceList,
    history: CatalogHistory,
    rollups: RollupReader,
    names: tuple[str, str],
    *,
    span: TimeRange,
    chosen: tuple[str, str, str],
    now: datetime,
) -> ModelDetail:
    """Return what is known of a provider and SKU. `span`: in which what was spent is summed; `chosen`: provider, SKU
    and price book to compare with, each may be empty. Raises Retryable."""
    reader = rollups.reader
    totals, (revisions, older) = await asyncio.gather(
        rollups.totals({"": Selection(span, filters_of(*names))}), history.newest(reader.tenant)
    )
    cases: Sequence[WhatIf] = ()
    if totals[""].events:
        cases = await reader.readers.call(
            lambda store: price_list.what_if(store.rows, reader.tenant, names, span, chosen)
        )
    return ModelDetail(
        await asyncio.to_thread(
            read_prices, price_list, (reader.tenant, *names), now, revisions, older=older
        ),
        totals[""],
        cases,
    )

"""The same agreement with genai-prices as in `test_conformance.py`, for usages drawn at random."""

import random
import warnings
from datetime import timedelta
from decimal import Decimal

import pytest
from genai_prices.data import providers
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo
from tests.support import conformance as grid

from outlay_pricer.domain import CompiledCatalog
from outlay_schemas.events import Quantity

catalog = grid.catalog
MODELS = [(provider, model) for provider in providers for model in provider.models]
UNITS = [name for name in unit_data if name != "requests"]
TOTALS = (0, 300, 100_000, 128_000, 200_000, 200_001, 272_000, 272_001, 1_000_000)
PARTS = (0, 1, 7, 50, 1000, 99_999)
AMOUNTS = (0, 1, 7, 3600, Decimal("2.5"), Decimal("0.000000001"), Decimal("12.123456789"))


def _usage(draw: random.Random, model: ModelInfo) -> dict[str, Quantity]:
    keys = {key for prices in grid.model_prices(model) for key in vars(prices)}
    own = [name for name in UNITS if unit_data[name]["price_key"] in keys]
    names = draw.sample(own, draw.randint(0, len(own))) + draw.sample(UNITS, draw.randint(0, 2))
    names += ["input_tokens", "output_tokens"] if draw.random() < 0.8 else UNITS[:1]
    draw.shuffle(names)
    usage = {name: _quantity(draw, name) for name in names}
    parts = [usage[name] for name in ("cache_write_5m_tokens", "cache_write_1h_tokens") if name in usage]
    if len(parts) == 2:
        usage["cache_write_tokens"] = sum(parts)  # ours refuses what does not add up; the library prices it
    elif parts:
        usage.setdefault(
            "cache_write_tokens", parts[0]
        )  # ours takes the part for the total; the library refuses
    return usage


def _quantity(draw: random.Random, name: str) -> Quantity:
    if name in {"input_tokens", "output_tokens"}:
        return draw.choice(TOTALS)
    return draw.choice(PARTS if name.endswith("_tokens") else AMOUNTS)


@pytest.mark.parametrize("seed", range(4))
def test_random_usages_cost_what_the_library_says(seed: int, catalog: CompiledCatalog) -> None:
    draw = random.Random(seed)  # noqa: S311 - the same cases in every run
    refused, found = 0, set[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(1500):
            provider, model = draw.choice(MODELS)
            usage = _usage(draw, model)
            at = grid.NOW - timedelta(minutes=draw.randint(0, 1_500_000))
            context = draw.choice(list(grid.model_contexts(model)))
            theirs = grid.library_price(usage, model, provider, at, context)
            ours = grid.our_price(usage, model, provider, at, context, catalog)
            if not grid.agree(theirs, ours):
                why = grid.difference(theirs, usage, ours)
                assert why, (provider.id, model.id, usage, at, context, theirs, ours)
                found.add(why)
            refused += isinstance(theirs, str)
    assert refused > 50  # refusals are compared too
    assert next(iter(grid.DIFFERENCES)) in found

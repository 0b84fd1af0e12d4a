"""Prices model calls with Outlay and with genai-prices, side by side, in one run on one core.

    python benchmarks/pricing.py [--calls 500000]

Two mixes of 200 models, each drawn by a Zipf law:

- `popular`, meant to be realistic: models that are not deprecated and have a price for cache reads (chat models in
  service), the makers' own APIs before the clouds and gateways that offer them on;
- `any`: models of the same providers at random, with the many that have two plain prices and that the library, too,
  prices fast.

One call in a thousand names a model never seen before, so that look-ups that miss every cache are in the figure, and
so is everything that was remembered for the first time. Three things are measured:

- `genai_prices.calc_price`: the library;
- `quote`: the same work by the compiled rates (model and amounts, exact), as the pricer remembers them;
- `price`: from usage event to cost event as JSON, with names, terms, attribution, fingerprint and money as text.
"""

import gc
import itertools
import random
import statistics
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from time import process_time

import genai_prices
from genai_prices.data import providers
from genai_prices.types import ModelInfo
from harness import options, show

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog, price_line
from outlay_pricer.domain.plain_cases import known_call
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MODELS = 200
MAKERS = ("openai", "anthropic", "google", "mistral", "deepseek", "x-ai")
OTHERS = ("aws", "azure", "groq", "openrouter")
BLOCK = 100
NEW_NAME_EVERY = 1000
SHAPES: tuple[tuple[str, ...], ...] = (
    ("input_tokens", "output_tokens"),
    ("input_tokens", "cache_read_tokens", "output_tokens"),
    ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
    ("input_tokens", "output_tokens", "output_reasoning_tokens"),
)


def calls(count: int, mix: str, seed: int = 7) -> list[UsageEvent]:
    draw = random.Random(seed)
    models = _popular(draw) if mix == "popular" else draw.sample(_models((*MAKERS, *OTHERS)), MODELS)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(models))))
    chosen = draw.choices(models, cum_weights=weights, k=count)
    return [_call(index, *model, draw) for index, model in enumerate(chosen)]


def _popular(draw: random.Random) -> list[tuple[str, str]]:
    makers, others = _models(MAKERS, _in_service), _models(OTHERS, _in_service)
    draw.shuffle(makers)
    return [*makers[:MODELS], *draw.sample(others, max(MODELS - len(makers), 0))]


def _models(
    names: tuple[str, ...], wanted: Callable[[ModelInfo], bool] = lambda _: True
) -> list[tuple[str, str]]:
    return [
        (p.id, m.id) for p in providers if p.id in names for m in p.models if m.is_match(m.id) and wanted(m)
    ]


def _in_service(model: ModelInfo) -> bool:
    now = model.get_prices(NOW)
    return not model.deprecated and bool(now.cache_read_mtok) and bool(now.output_mtok)


def _call(index: int, provider: str, sku: str, draw: random.Random) -> UsageEvent:
    total = draw.randint(100, 8000)
    amounts = {
        "input_tokens": total,
        "cache_read_tokens": total // 2,
        "cache_write_tokens": total // 4,
        "output_tokens": draw.randint(10, 900),
        "output_reasoning_tokens": 5,
    }
    new = index % NEW_NAME_EVERY == NEW_NAME_EVERY - 1
    usage: dict[str, int | Decimal] = {meter: amounts[meter] for meter in draw.choice(SHAPES)}
    names = ("openai", f"gpt-4o-mini-{index}") if new else (provider, sku)
    return UsageEvent(
        id=f"call-{index}", source="benchmark/api", time=NOW, kind="llm", activity="inference",
        provider=names[0], sku=names[1], usage=usage, tenant="acme", project="assistant", team="growth",
    )  # fmt: skip


def per_second(work: Callable[[list[UsageEvent]], object], lines: list[bytes]) -> float:
    """Run `work` over all calls once, from cold, and return calls per second of processor time. It gets them as a
    pricer does: a hundred at a time, freshly decoded from a Kafka record."""
    seconds = 0.0
    gc.disable()
    for first in range(0, len(lines), BLOCK):
        block = [usage_event_decoder.decode(line) for line in lines[first : first + BLOCK]]
        start = process_time()
        work(block)
        seconds += process_time() - start
    gc.enable()
    return len(lines) / seconds


def library(block: list[UsageEvent]) -> None:
    for event in block:
        try:
            genai_prices.calc_price(
                genai_prices.Usage(**event.usage),
                event.sku,
                provider_id=event.provider,
                genai_request_timestamp=event.time,
            )
        except LookupError:
            continue


def quoting(catalog: CompiledCatalog, block: list[UsageEvent]) -> None:
    for event in block:
        if (call := known_call(event, catalog)) is not None:
            call.run(event.usage, call.numbers)
        else:
            catalog.rates.quote(event.provider, event.sku, event.usage, event.time)


def pricing(catalog: CompiledCatalog, block: list[UsageEvent]) -> None:
    for event in block:
        price_line(event, catalog)


def measure(content: Catalog, count: int, mix: str) -> dict[str, float]:
    """Measure the three, in turns: the median of each, so that a noisy moment of the machine hits none alone."""
    lines = [encoder.encode(event) for event in calls(count, mix)]
    rounds = [
        (
            per_second(library, lines[: count // 20]),
            per_second(partial(quoting, CompiledCatalog(content)), lines),
            per_second(partial(pricing, CompiledCatalog(content)), lines[: count // 5]),
        )
        for _ in range(3)
    ]
    theirs, quoted, priced = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "genai_prices_per_second": theirs,
        "quote_per_second": quoted,
        "price_per_second": priced,
        "quote_times_genai_prices": quoted / theirs,
        "price_times_genai_prices": priced / theirs,
    }


def main() -> None:
    warnings.simplefilter("ignore", UserWarning)
    count = options(__doc__, calls=500_000).calls
    content = load_default()
    for mix in ("popular", "any"):
        show(mix=mix, calls=count, **measure(content, count, mix))


if __name__ == "__main__":
    main()
